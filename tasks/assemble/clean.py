"""Any JSON into JSON that `jsonb` stores and every reader can follow, in one pass over the value.

The same pass settles what is the same everywhere in a writer's output (domain, "What LLM outputs
really look like"): how keys are spelled, and which words mean that there is no value.
"""

import math
from dataclasses import dataclass
from typing import Any

from models.clean import REPLACEMENT, UNSTORABLE, is_no_value, snake_case
from tasks.assemble.notes import Code, Notes

DEPTH = 64
"""Levels of nesting kept. PostgreSQL, orjson and the app follow that far; no writer means to go deeper."""

WHOLE = frozenset({"primary_buying_signal", "coordinates"})
"""Objects that are never completed from another: half of each is neither."""

_LONGEST_INT = 14_000  # bits; Python refuses to write out more than 4300 digits
_INT64 = range(-(2**63), 2**63)


@dataclass(slots=True)
class Tally:
    """What a pass changed, counted, since a thousand replaced characters deserve one sentence."""

    replaced: int = 0
    words: int = 0
    numbers: int = 0
    deep: int = 0
    collided: int = 0

    def report(self, notes: Notes) -> None:
        """One notice for each kind of change there was."""
        for count, code, done in (
            (self.replaced, Code.CHARACTERS_REPLACED, "characters that cannot be stored are U+FFFD now"),
            (self.words, Code.NOTHING_IN_WORDS, "values such as 'N/A' or 'null' were read as no value"),
            (self.numbers, Code.NUMBER_REPLACED, "numbers that cannot be stored were replaced"),
            (self.deep, Code.TOO_DEEP, f"values nested deeper than {DEPTH} levels became null"),
            (self.collided, Code.KEYS_COLLIDE, "second spellings of a key kept their own"),
        ):
            if count:
                notes.add(code, f"{done}: {count}")


def clean(value: Any, tally: Tally, depth: int = DEPTH) -> Any:
    """A new value equal to `value`, but for what cannot be stored or means nothing. Never raises.

    - NUL and lone surrogates become U+FFFD, in keys too; U+FFFD that is there already is counted with
      them, since the door has put it there for the same reason.
    - NaN and infinities become None. Integers beyond 64 bits become text, with all their digits.
    - A text that only says that there is no value becomes None.
    - Keys in camelCase and UPPER_CASE become snake_case. Where two keys become one, the first that has
      a value takes the name and the other keeps its spelling (and an underscore, where that is the name):
      nothing is dropped.
    - What lies deeper than `depth` levels becomes None.
    """
    kind = type(value)
    if kind is str:
        return _text(value, tally)
    if kind is dict or kind is list:
        if depth == 0:
            tally.deep += 1
            return None
        if kind is list:
            return [clean(item, tally, depth - 1) for item in value]
        return _object(value, tally, depth - 1)
    return _scalar(value, tally)


def is_nothing(value: Any) -> bool:
    """Whether there is nothing in a cleaned value: None, no items, no keys."""
    return value is None or (not value and isinstance(value, list | dict))


def says_nothing(value: Any) -> bool:
    """Whether there will be nothing in a value once it is cleaned: nothing, or a text that says so."""
    return is_nothing(value) or (isinstance(value, str) and is_no_value(value.strip()))


def as_list(value: Any) -> list[Any]:
    """A list as it is, nothing as no items, one value as the only item."""
    if isinstance(value, list):
        return value
    return [] if is_nothing(value) else [value]


def overlay(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`under` with each value of `over` laid on it; nothing covers nothing up."""
    return under | {key: value for key, value in over.items() if not (is_nothing(value) and key in under)}


def _text(text: str, tally: Tally) -> str | None:
    if is_no_value(text.strip()):
        tally.words += text.strip() != ""
        return None
    if text.isascii() and "\0" not in text:
        return text
    text = UNSTORABLE.sub(REPLACEMENT, text)
    tally.replaced += text.count(REPLACEMENT)
    return text


def _object(value: dict[Any, Any], tally: Tally, depth: int) -> dict[str, Any]:
    tidy: dict[str, Any] = {}
    for key, given in value.items():
        item = clean(given, tally, depth)
        name = snake_case(str(key))
        if name not in tidy or is_nothing(tidy[name]):
            tidy[name] = item
        elif not is_nothing(item) and item != tidy[name]:
            tally.collided += 1
            spelled = UNSTORABLE.sub(REPLACEMENT, str(key))
            while spelled in tidy:
                spelled += "_"
            tidy[spelled] = item
    return tidy


def _scalar(value: Any, tally: Tally) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if value in _INT64:
            return value
        tally.numbers += 1
        return str(value) if value.bit_length() < _LONGEST_INT else None
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        tally.numbers += 1
        return None
    return _text(str(value), tally)
