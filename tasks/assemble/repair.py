"""Text into JSON: strictly where it is JSON, repaired where it is nearly JSON, refused where it is none.

The cheap and certain ways come first: most texts are strict JSON, most others are mended without a
guess. json-repair, which guesses, has what is left.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import orjson

from tasks.assemble.mend import Mended, NotMendedError, last_field, mend, tells_in_part
from tasks.assemble.notes import Code, Notes, UnusableError
from tasks.assemble.pairs import Pairs, loads
from tasks.assemble.patch import patch

START = re.compile(
    r"""\{ \s* (?: ["'\u201c\u2018}\\] | // | /\* | \# | [A-Za-z_]\w*\s*: )  # an object: a key, a comment, an end
      | \[ (?:\s{0,9}\[){0,9} \s* \{                                          # a list of objects""",
    re.VERBOSE,
)
"""Where JSON begins in a text. `{placeholder}`, `[1]` and `[[1]](link)` in a sentence do not count."""

_LETTERS = r'[^"\\]*+(?:\\.[^"\\]*+)*'
_STRING = re.compile(f'"{_LETTERS}"', re.DOTALL)
_ESCAPED = re.compile(r'[{\[]\s*(?:\\[nrt]\s*)*\\"')
_INSIDE = re.compile(_LETTERS, re.DOTALL)

_BARE_NUMBER = re.compile(r"(?:[:,\[(]|\*/)\s*+[\d.eE+_-]+\Z")
"""A number at the very end. A blank after it, or another key, tells that it is whole."""


def parse(text: str, notes: Notes) -> Any:
    """The JSON in `text`. Values are as the text has them; `clean` is for the caller.

    A text in which several objects follow each other gives the list of them.

    Args:
        notes: hears of every repair, of text around the JSON, and of an end that is missing.

    Raises:
        UnusableError: there is no object or list of objects in the text, or it is beyond repair. What is
            left after a guess would be somebody's invention.
    """
    try:
        return _read(text, notes)
    except RecursionError:
        raise UnusableError("its JSON is nested too deeply", text) from None


def _read(text: str, notes: Notes) -> Any:
    try:
        return loads(text, notes)
    except orjson.JSONDecodeError as error:
        values = _repaired(text, notes, error.msg)
    if len(values) > 1:
        notes.add(Code.SEVERAL_OBJECTS, f"the text holds {len(values)} JSON values where one is due")
        return values
    return values[0]


def _repaired(text: str, notes: Notes, objection: str) -> list[Any]:
    found = START.search(text)
    if found is None:
        raise UnusableError("there is no JSON object in its text", text)
    if _ESCAPED.match(text, found.start()):
        return [parse(_unescaped(text, found.start()), notes)]
    pairs = Pairs()
    first, how = _first(text, found.start(), pairs)
    notes.add(Code.JSON_REPAIRED, f"its JSON {how} ({objection})")
    values = [first, *_following(text, first.end, pairs)]
    pairs.report(notes)
    for read in values:
        if read.is_cut:
            notes.add(Code.OUTPUT_TRUNCATED, "its JSON ends before its end", read.last)
    return [read.value for read in values]


def _first(text: str, start: int, pairs: Pairs) -> tuple[Mended, str]:
    """The JSON value at `start`, and what had to be done to read it."""
    try:
        value, end = pairs.decoder.raw_decode(text, start)
    except ValueError:
        pairs.clear()
        fence = text.rfind("```", start)
        text = text if fence < 0 else text[:fence]
    else:
        is_alone = not text[:start].strip() and not text[end:].strip()
        return Mended(value, end, is_cut=False), "is not strict" if is_alone else "stands in other text"
    try:
        return mend(text, start, pairs.decoder), "was misspelt and was mended"
    except NotMendedError:
        value, length = patch(text[start:])
        read = text[start : start + length]
        is_cut = not _is_closed(read)
        last = last_field(value)
        if is_cut:
            _without_half(value, read)
        return Mended(value, start + length, is_cut, last), "was broken and was patched by guess"


def _without_half(value: Any, text: str) -> None:
    """Take away the last value where it touches the end of `text` and cannot be told in part, as `mend` does."""
    holder: Any = None
    key: Any = None
    while value and isinstance(value, dict | list):
        holder, key = value, next(reversed(value)) if isinstance(value, dict) else len(value) - 1
        value = value[key]
    if isinstance(value, str):
        name = key if isinstance(key, str) else None
        escaped = [json.dumps(value, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False)]
        is_half = text.rstrip().endswith((value.rstrip(), *escaped)) and not tells_in_part(name, value)
    else:
        is_half = _BARE_NUMBER.search(text) is not None
    if holder and is_half:
        del holder[key]


def _following(text: str, end: int, pairs: Pairs) -> Iterator[Mended]:
    """The JSON values after `end`, up to one that is none."""
    while found := START.search(text, end):
        try:
            read = mend(text, found.start(), pairs.decoder)
        except NotMendedError:
            return
        yield read
        end = read.end


def _unescaped(text: str, start: int) -> str:
    """The text from `start` on, which is the inside of a JSON string, as that string reads."""
    inside = _INSIDE.match(text, start)
    try:
        return str(json.loads(f'"{inside[0] if inside else ""}"', strict=False))
    except ValueError:
        raise UnusableError("it is a JSON string that cannot be read", text) from None


def _is_closed(text: str) -> bool:
    """Whether every bracket outside of a string has its end."""
    bare = _STRING.sub("", text)
    return bare.count("{") + bare.count("[") <= bare.count("}") + bare.count("]")
