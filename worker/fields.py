"""The kinds of values that come in at the doors, with the tolerance Make.com needs and no more.

`""` and `"null"` mean absent where a field is optional; a date comes in any of the forms Make.com sends. What
could mean two things is refused: nothing is guessed.
"""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, StringConstraints
from pydantic_core import PydanticCustomError

_ABSENT = {"", "null", "undefined"}
_AMERICAN = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
_FIRST_YEAR, _LAST_YEAR = 2000, 2100


def absent_if_empty(value: Any) -> Any:
    """None for what Make.com sends where a mapped value is missing; anything else as it is."""
    return None if isinstance(value, str) and value.strip().lower() in _ABSENT else value


def printable(text: str) -> str:
    """The text, if every character of it is printable: no control, no invisible and no half character.

    Raises:
        PydanticCustomError: it holds another; says which.
    """
    for position, character in enumerate(text):
        if not character.isprintable():
            raise PydanticCustomError(
                "unprintable",
                "has the unprintable character U+{code} at position {position}",
                {"code": f"{ord(character):04X}", "position": position},
            )
    return text


def release_date(value: Any) -> date | datetime | None:
    """A release date in any form Make.com sends: a day, or a moment that is read in the client's time zone.

    Accepts `2026-01-20`, `2026-01-20T00:00:00.000Z`, any offset in place of Z, and `01/20/2026` where it can
    only be month first.

    Raises:
        PydanticCustomError: of type `release_date_invalid`, with what was found and what to send.
    """
    value = absent_if_empty(value)
    if value is None:
        return None
    if not isinstance(value, str):
        if isinstance(value, date):
            return value
        raise _no_date(value, "is no text")
    text = value.strip()
    try:
        found = _read_date(text)
    except ValueError:
        raise _no_date(value, "is no date") from None
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise _no_date(value, f"is not between the years {_FIRST_YEAR} and {_LAST_YEAR}")
    return found


def _read_date(text: str) -> date | datetime:
    if american := _AMERICAN.fullmatch(text):
        first, second, year = map(int, american.groups())
        if first != second and first <= 12 and second <= 12:  # noqa: PLR2004 - months
            raise _no_date(text, "could be month first or day first")
        return date(year, first, second)
    if len(text) == len("2026-01-20"):
        return date.fromisoformat(text)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise _no_date(text, "has a time but no offset")
    return moment.astimezone(UTC)


def _no_date(value: Any, why: str) -> PydanticCustomError:
    return PydanticCustomError(
        "release_date_invalid",
        "{found} {why}. Send a day such as 2026-01-20, or a moment with an offset such as 2026-01-20T05:00:00Z",
        {"found": repr(value)[:80], "why": why},
    )


Name = Annotated[str, StringConstraints(min_length=1, max_length=128), AfterValidator(printable)]
"""A run id, step name, step id or client id: 1 to 128 printable characters."""

OptionalName = Annotated[Name | None, BeforeValidator(absent_if_empty)]
ReleaseDate = Annotated[date | datetime | None, BeforeValidator(release_date)]
OptionalCount = Annotated[int | None, BeforeValidator(absent_if_empty)]
Flag = Annotated[bool, BeforeValidator(lambda value: absent_if_empty(value) or False)]
"""A switch that is off unless it is said to be on."""
