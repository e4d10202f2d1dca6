"""Reading sections that nobody checked: whatever stands there becomes a text, a list, an object or nothing.

Total: any JSON value may come, and none raises. V1 rows hold literal "null", texts where lists are due, one
object where several are, JSON inside a text, and keys in camelCase (domain, "What LLM outputs really look like").
"""

import re
from collections.abc import Iterable
from typing import Any

import orjson

from models.clean import REPLACEMENT, UNSTORABLE, is_no_value, snake_case

_LINK = re.compile(r"https?://[^\s/?#\"'<>\\]+[^\s\"<>\\]*", re.IGNORECASE)
_DEEPEST = 4  # a text is made of what lies no deeper; no writer means to go there
_LONGEST_INT = 14_000  # bits; Python refuses to write out more than 4300 digits
_FIRST = ("name", "title", "text", "headline", "label", "value")


def text(value: Any, depth: int = _DEEPEST) -> str | None:
    """What the value says, in one text, or None where that is nothing.

    A list's texts are joined by commas. An object is its texts, what names it first, joined by dashes.
    """
    match value:
        case str():
            return _storable(value.strip())
        case int() if not isinstance(value, bool):
            return str(value) if value.bit_length() < _LONGEST_INT else None
        case float():
            return f"{value:.15g}"
        case list() if depth:
            return ", ".join(filter(None, (text(item, depth - 1) for item in value))) or None
        case dict() if depth:
            named = fields(value)
            order = sorted(named, key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
            return " - ".join(filter(None, (text(named[name], depth - 1) for name in order))) or None
        case _:
            return None


def _storable(said: str) -> str | None:
    if is_no_value(said):
        return None
    return said if said.isascii() and "\0" not in said else UNSTORABLE.sub(REPLACEMENT, said)


def texts(value: Any) -> tuple[str, ...]:
    """The texts of a list; one value is a list of one, nothing is an empty one."""
    return tuple(filter(None, map(text, items(value))))


def items(value: Any) -> list[Any]:
    """The items of a list that say something; one value is a list of one, and so is an object."""
    value = _unpacked(value)
    return [item for item in (value if isinstance(value, list) else [value]) if not _is_nothing(item)]


def fields(value: Any, bare: str | None = None) -> dict[str, Any]:
    """An object with its keys in snake_case; of two that become one, the first with a value counts.

    A list of one is its item. Anything else stands under `bare`, if that is given.
    """
    value = _unpacked(value)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        return {bare: value} if bare and not _is_nothing(value) else {}
    found: dict[str, Any] = {}
    for key, item in value.items():
        name = snake_case(str(key))
        if _is_nothing(found.get(name)):
            found[name] = item
    return found


def first(values: Iterable[Any]) -> str | None:
    """The first of the values that says something, as a text."""
    return next(filter(None, map(text, values)), None)


def something(*values: Any) -> Any:
    """The first of the values that says something, as it is; None where none does."""
    return next((value for value in values if not _is_nothing(_unpacked(value))), None)


def link(value: Any) -> str | None:
    """An http(s) address that may stand in an `href`, or None."""
    found = text(value) if isinstance(value, str) else None
    return found if found and _LINK.fullmatch(found) else None


def links(value: Any) -> tuple[str, ...]:
    """The addresses of a list."""
    return tuple(filter(None, map(link, items(value))))


def _unpacked(value: Any) -> Any:
    """The list or object that a text holds as JSON; any other value as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in {"{", "["}:
        try:
            return orjson.loads(value)
        except ValueError:
            return value
    return value


def _is_nothing(value: Any) -> bool:
    return value is None or value in ([], {}) or (isinstance(value, str) and is_no_value(value.strip()))
