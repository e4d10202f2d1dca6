"""What `jsonb` and `text` can hold: PostgreSQL refuses NUL and half a surrogate pair; U+FFFD takes their place."""

import re
from typing import Any

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def storable(value: Any) -> tuple[Any, int]:
    """The JSON value with every character replaced that PostgreSQL refuses, keys too, and how many there were.

    The value itself is returned where there was none. Nesting must be within Python's recursion limit.
    """
    match value:
        case str():
            return UNSTORABLE.subn(REPLACEMENT, value)
        case dict():
            cleaned, total = {}, 0
            for key, item in value.items():
                new_key, in_key = UNSTORABLE.subn(REPLACEMENT, key)
                cleaned[new_key], in_item = storable(item)
                total += in_key + in_item
            return (cleaned, total) if total else (value, 0)
        case list():
            items = [storable(item) for item in value]
            total = sum(count for _, count in items)
            return ([item for item, _ in items], total) if total else (value, 0)
        case _:
            return value, 0
