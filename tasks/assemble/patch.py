"""Broken JSON patched by json-repair, which guesses: what is left when nothing certain can be read."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from json_repair.json_parser import JSONParser

from tasks.assemble.notes import UnusableError

LOOKS = 16
"""Looks allowed for each character of the text, on average. Texts that can be patched take two or three."""

LONGEST = 20_000
"""Characters of the longest text that is patched: what json-repair does between two looks grows too."""

_NOT_A_NUMBER = frozenset({"NaN", "Infinity", "-Infinity"})
_NO_KEY = re.compile(r"""["\u201c\u201d:,{}\[\]\n]""")
_RUN = re.compile(r"[^\W_]+")
_BEFORE_COLON = re.compile(r"(?<![^\W_])([^\W_]++)(?:[^\w:]|_){0,9}:")
_KEY = re.compile(
    r"""(?<=[{,}\]\s])"([^"\\\n]*+(?:\\.[^"\\\n]*+)*)"(?=\s*(?::|"[^"\\]*+(?:\\.[^"\\]*+)*"\s*[,}]))"""
)
"""A whole key in quotes, whatever is in it. Its colon may be missing before a whole text."""

_UNSAID = re.compile(
    r"""(?: ^ | (?<=[,{\[}\]\d]) | (?<=[^\s,:{\[]["'\u201d\u2019]) | (?<=["'\u201d\u2019:])[ \t]
          | (?<=true|null|none) | (?<=false) ) [ \t]* (?://|\#) .*$    # a comment, but not the rest of a link
      | /\*(?s:(?!/\*).)*?\*/
      | ["'\u201c\u2018][^"'\u201c\u201d\u2018\u2019:{}\[\]]*+["'\u201d\u2019]?\s*\Z  # a key that was cut off
      | \b(?:true|false|null|none|nan|infinity|undefined)\b""",
    re.VERBOSE | re.MULTILINE | re.IGNORECASE,
)
"""What a text says that no value repeats."""

_NUMBER = re.compile(r"(?<![\w.])\d++(?:_\d++)*(?:\.\d++)?(?:[eE][+-]?\d++)?(?!\w)")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([\\\"'/])|[bfnrt])")


def patch(text: str) -> tuple[Any, int]:
    """What json-repair makes of a text that begins like JSON, and where in the text that ends.

    Raises:
        UnusableError: it makes no object of it, loses or invents something, or would take too long.
        RecursionError: the text is nested too deeply.
    """
    if len(text) > LONGEST:
        raise UnusableError("its JSON is broken and too long to be patched", text)
    patcher = _Patcher(text)
    value = patcher.parse_json()
    if not isinstance(value, dict | list):
        raise UnusableError("there is no JSON object in its text", text)
    if not _is_faithful(value, text[: patcher.index]):
        raise UnusableError("its JSON is broken and cannot be patched without loss", text)
    return _without_nan(value), patcher.index


class _Patcher(JSONParser):
    """json-repair with a bound on its effort.

    Its heuristics look ahead again at every oddity: a few thousand stray brackets would keep it busy for
    minutes.
    """

    def __init__(self, text: str) -> None:
        self._left = LOOKS * len(text) + 10_000
        super().__init__(text, None, logging=False)

    def get_char_at(self, count: int = 0) -> str | None:
        self._look(1)
        return super().get_char_at(count)

    def skip_to_character(self, character: str | list[str], idx: int = 0) -> int:
        end = super().skip_to_character(character, idx)
        self._look(end - idx)
        return end

    def scroll_whitespaces(self, idx: int = 0, *, backwards: bool = False) -> int:
        end = super().scroll_whitespaces(idx, backwards=backwards)
        self._look(abs(end - idx))
        return end

    def parse_parenthesized(self, *arguments: Any, **keywords: Any) -> Any:
        self._look(len(self.json_str) - self.index)  # it searches the rest for the closing one
        return super().parse_parenthesized(*arguments, **keywords)

    def _look(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise UnusableError("its JSON is broken in too many places", self.json_str[:])


def _without_nan(value: Any) -> Any:
    """json-repair reads a bare NaN as that word."""
    match value:
        case dict():
            return {key: _without_nan(item) for key, item in value.items()}
        case list():
            return [_without_nan(item) for item in value]
        case str() if value in _NOT_A_NUMBER:
            return None
        case _:
            return value


def _is_faithful(value: Any, text: str) -> bool:
    """Whether every key of `value` is one in `text`, and all that `text` says is in `value`."""
    parts = list(_parts(value))
    keys = {_ESCAPE.sub(_unescaped, key) for key in _KEY.findall(text)}
    before_colons = set(_BEFORE_COLON.findall(_ESCAPE.sub(_unescaped, text)))
    for is_key, part in parts:
        if not is_key or part in keys:
            continue
        if _NO_KEY.search(part) or not before_colons.issuperset(_RUN.findall(part)[-1:]):
            return False
    return _runs(_ESCAPE.sub(_unescaped, _UNSAID.sub(" ", text))) <= _runs(" ".join(part for _, part in parts))


def _parts(value: Any) -> Iterator[tuple[bool, str]]:
    """Every key and every value, as texts; whether it is a key."""
    match value:
        case dict():
            for key, item in value.items():
                yield True, key
                yield from _parts(item)
        case list():
            for item in value:
                yield from _parts(item)
        case _:
            yield False, str(value)


def _runs(text: str) -> Counter[str]:
    """How often each run of letters and digits is there; a number as it reads, without the zeros it may lose."""
    runs = _RUN.findall(_NUMBER.sub(lambda number: str(float(number[0])), text))
    return Counter(run.strip("0") if run.isdecimal() else run for run in runs)


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else found[2] or " "
