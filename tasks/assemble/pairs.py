"""Strict JSON, and what a key says that stands twice in one object: parsers keep the last and drop the rest."""

import json
import re
from typing import Any

import orjson

from tasks.assemble.clean import DEPTH, WHOLE, says_nothing
from tasks.assemble.notes import Code, Notes

MOST = 16
"""Values of one key that are joined or compared. A model that repeats itself without end has thousands."""

_KEY = re.compile(r'"\s*+:')
_MOST_COMPARED = 10_000  # pairs of items of two lists, to list none twice
_LONGEST_INT = 4300  # digits; Python refuses to read more


def loads(text: str, notes: Notes) -> Any:
    """The strict JSON in `text`, with nothing lost that stands under a key twice (`Pairs`).

    Raises:
        orjson.JSONDecodeError: it is no strict JSON.
        RecursionError: a key stands twice, and it is nested too deeply to be read again.
    """
    value = orjson.loads(text)
    if len(_KEY.findall(text)) == _keys(value):  # a text that begins with a colon looks like one key more
        return value
    pairs = Pairs()
    value = pairs.decoder.decode(text)
    pairs.report(notes)
    return value


class Pairs:
    """Makes objects of keys and values. Of the values of one key the last has it, as with every JSON parser.

    What it overrules stands beside it, under the key with an underscore, as `clean` does it. Lists are joined,
    one after the other, and a later object is laid over an earlier one, field by field in the same way; but
    `WHOLE` objects are not, nor what lies deeper than is kept.

    Attributes:
        decoder: a decoder, lenient to line breaks in texts, that makes its objects here.
    """

    def __init__(self) -> None:
        self.decoder = json.JSONDecoder(strict=False, object_pairs_hook=self._object, parse_int=_integer)
        self.clear()

    def clear(self) -> None:
        """Forget what was read, since it is read again."""
        self._joined = self._apart = 0

    def report(self, notes: Notes) -> None:
        """One notice of the keys whose values were joined, and one of those that stand apart."""
        if self._joined:
            notes.add(Code.JSON_REPAIRED, f"keys that stand twice in an object were read as one: {self._joined}")
        if self._apart:
            notes.add(Code.KEYS_COLLIDE, f"keys have other values where they stand again, kept: {self._apart}")

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        whole = dict(pairs)
        if len(whole) == len(pairs):
            return whole
        given: dict[str, list[Any]] = {}
        for key, value in pairs:
            given.setdefault(key, []).append(value)
        for key, values in given.items():
            if len(values) > 1:
                self._put(whole, key, values)
        return whole

    def _put(self, whole: dict[str, Any], key: str, values: list[Any], depth: int = 0) -> None:
        value, *others = [each for each in values if not says_nothing(each)] or values[-1:]
        apart: list[Any] = []
        is_joined = False
        for left, other in zip(range(len(others), 0, -1), others, strict=True):
            if value == other:
                value = other
                continue
            if left <= MOST and depth < DEPTH and key not in WHOLE and _can_be_joined(value, other):
                self._join(value, other, depth + 1)
                is_joined = True
                continue
            if len(apart) > MOST or value not in apart:
                apart.append(value)
            value = other
        whole[key] = value
        self._joined += is_joined
        apart = [each for each in apart if each != value]
        if apart:
            self._apart += 1
            while key in whole:
                key += "_"
            whole[key] = apart[0] if len(apart) == 1 else apart

    def _join(self, under: Any, over: Any, depth: int) -> None:
        """Add a later list or object to an earlier one, in its place: nobody else has it yet."""
        if isinstance(under, list):
            is_short = len(under) * len(over) <= _MOST_COMPARED
            under += [item for item in over if item not in under] if is_short else over
            return
        for key, item in over.items():
            if key in under:
                self._put(under, key, [under[key], item], depth)
            else:
                under[key] = item


def _can_be_joined(one: Any, other: Any) -> bool:
    return isinstance(other, type(one)) and isinstance(one, dict | list)


def _keys(value: Any) -> int:
    """How many keys there are in a value, at any depth."""
    count = 0
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            count += len(each)
            left += each.values()
        elif isinstance(each, list):
            left += each
    return count


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < _LONGEST_INT else float(digits)
