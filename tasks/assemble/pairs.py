"""Strict JSON, and what a key says that stands twice in one object: parsers keep the last and drop the rest."""

import json
import re
from typing import Any

import orjson

from tasks.assemble.clean import WHOLE, is_nothing, says_nothing
from tasks.assemble.notes import Code, Notes

MOST = 16
"""Values of one key that are joined. A model that repeats itself without end has them by the thousand."""

_KEY = re.compile(r'"\s*+:')
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
    """Makes objects of keys and values. Values of one key are joined where that loses nothing.

    So are lists, one after the other, and objects that do not disagree, in no part. Else the first value has
    the key, and the later ones stand beside it, under the key with an underscore, as `clean` does it.

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

    def _put(self, whole: dict[str, Any], key: str, values: list[Any]) -> None:
        first, *others = _distinct([value for value in values if not says_nothing(value)]) or [values[0]]
        apart = others[MOST:]
        for other in others[:MOST]:
            if _agree(key, first, other):
                first = _both(first, other)
            else:
                apart.append(other)
        whole[key] = first
        self._joined += len(apart) < len(others)
        if apart:
            self._apart += 1
            while key in whole:
                key += "_"
            whole[key] = apart[0] if len(apart) == 1 else apart


def _agree(key: str, one: Any, other: Any) -> bool:
    """Whether two values can be joined without loss."""
    if is_nothing(one) or is_nothing(other) or one == other:
        return True
    if isinstance(one, dict) and isinstance(other, dict) and key not in WHOLE:
        return all(_agree(name, one[name], item) for name, item in other.items() if name in one)
    return isinstance(one, list) and isinstance(other, list) and key not in WHOLE


def _both(one: Any, other: Any) -> Any:
    """Two values that agree, joined."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one | {name: _both(one.get(name), item) for name, item in other.items()}
    if isinstance(one, list) and isinstance(other, list):
        known = set(map(_shown, one))
        return one + [item for item in other if _shown(item) not in known]
    return other if is_nothing(one) else one


def _distinct(values: list[Any]) -> list[Any]:
    """The values, each once."""
    return list({_shown(value): value for value in values}.values())


def _shown(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


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
