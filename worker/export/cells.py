"""Values as cells of a spreadsheet: pure, and safe to open whatever an outsider wrote into them."""

import unicodedata
from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from worker.calendar.moments import local

Cell = str | int | float | bool | None
Value = Cell | date | UUID | Sequence[str]

SEPARATOR = "; "
_FORMULA = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")
_BREAKS = frozenset("\t\r\n")
_PASSED_OVER = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp", "Mn", "Me"})
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0")  # letters of Hangul by category, and nothing to see


def cell(value: Value, zone: ZoneInfo) -> Cell:
    """The value as text, number, truth or nothing.

    A moment is ISO 8601 with the offset of `zone` then, a day is `2026-01-20`, several texts are joined by `; `.
    """
    match value:
        case None | str() | int() | float():  # bool is an int, and stays one
            return value
        case datetime():
            return local(value, zone).isoformat(timespec="seconds")
        case date():
            return value.isoformat()
        case UUID():
            return str(value)
        case _:
            return SEPARATOR.join(value)


def neutral(text: str) -> str:
    """The text, with a `'` before it if a spreadsheet would run it as a formula.

    That is where its first character that is no space, control, mark or invisible one is `=`, `+`, `-` or `@`,
    also in full width; or where it begins with a tab or a line break, which some take off first (OWASP, "CSV
    Injection").
    """
    if not text or (text[0].isalnum() and text[0] not in _FILLERS):
        return text
    if text[0] in _BREAKS:
        return f"'{text}"
    seen = (char for char in text if char not in _FILLERS and unicodedata.category(char) not in _PASSED_OVER)
    return f"'{text}" if next(seen, "") in _FORMULA else text
