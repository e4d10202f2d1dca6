"""What `jsonb` and `text` can hold: PostgreSQL refuses NUL and half a surrogate pair; U+FFFD takes their place.

JSON knows no infinity and no NaN, but Python's parser does: null takes theirs. Language models spell keys in
several ways, say in words that there is no value, and number contacts as they like.
"""

import math
import re
from functools import lru_cache
from typing import Any

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

NOTHING = frozenset({"", "null", "n/a", "unknown", "undefined"})
"""Texts that stand for a missing value, in lower case. Make.com sends the empty one for absent fields."""

INDEXES = ("contact_index", "contact_id", "index")
"""Fields that say which contact of the list is meant."""

_INDEX = re.compile(r"(?:cont(?:act)?[ _-]?)?(\d{1,6})(?:\.0+)?", re.IGNORECASE)
_LONGEST_NOTHING = max(map(len, NOTHING))
_LONGEST_IDENTIFIER = 64
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def is_no_value(text: str) -> bool:
    """Whether a text, without the spaces around it, only says that there is no value."""
    return len(text) <= _LONGEST_NOTHING and text.lower() in NOTHING


def snake_case(key: str) -> str:
    """`key` as it is stored: an identifier in snake_case, one that is data (`Phase 2`) as it is."""
    return _snake_case(key) if len(key) <= _LONGEST_IDENTIFIER else UNSTORABLE.sub(REPLACEMENT, key)


@lru_cache(maxsize=4096)
def _snake_case(key: str) -> str:
    return _HUMP.sub("_", key).lower() if _IDENTIFIER.fullmatch(key) else UNSTORABLE.sub(REPLACEMENT, key)


def index_of(entry: dict[str, Any]) -> int | None:
    """The contact index an entry gives: a number, its text, or an id that ends in it (`CONT_000`)."""
    return next(iter(indexes_of(entry).values()), None)


def indexes_of(entry: dict[str, Any]) -> dict[str, int]:
    """The number in each field of an entry that says which contact is meant, and has one."""
    numbers: dict[str, int] = {}
    for key in INDEXES:
        value = entry.get(key)
        found = _INDEX.fullmatch(str(value).strip()[:16]) if isinstance(value, str | int | float) else None
        if found and not isinstance(value, bool):
            numbers[key] = int(found[1])
    return numbers


def storable(value: Any) -> tuple[Any, int]:
    """The JSON value with everything replaced that PostgreSQL refuses, in keys too, and how much that was.

    The value itself is returned where there was nothing. Two keys that would become one stay two. Nesting must
    be within Python's recursion limit.
    """
    match value:
        case str():
            return UNSTORABLE.subn(REPLACEMENT, value)
        case dict():
            cleaned: dict[str, Any] = {}
            total = 0
            for key, item in value.items():
                new_key, in_key = UNSTORABLE.subn(REPLACEMENT, key)
                while in_key and (new_key in value or new_key in cleaned):
                    new_key += REPLACEMENT
                cleaned[new_key], in_item = storable(item)
                total += in_key + in_item
            return (cleaned, total) if total else (value, 0)
        case list():
            items = [storable(item) for item in value]
            total = sum(count for _, count in items)
            return ([item for item, _ in items], total) if total else (value, 0)
        case float() if not math.isfinite(value):
            return None, 1
        case _:
            return value, 0
