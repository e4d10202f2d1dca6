"""JSON text that any UTF-8 file can hold."""

import json
import re
from typing import Any, Final

SURROGATES: Final = re.compile("[\ud800-\udfff]")


def dumped(value: Any, indent: int | None = None) -> str:
    """The value as JSON in its own script; only a lone surrogate, which has no UTF-8, is an escape."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return SURROGATES.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
