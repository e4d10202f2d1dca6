"""What `jsonb` and `text` can hold: PostgreSQL refuses NUL and half a surrogate pair; U+FFFD takes their place.

JSON knows no infinity and no NaN, but Python's parser does: null takes theirs.
"""

import math
import re
from typing import Any

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


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
