"""The kinds of values that come in at the doors, with the tolerance Make.com needs and no more.

`""` and `"null"` mean absent where a field is optional; a number may come as text; a date comes in any of the
forms Make.com sends. What could mean two things is refused: nothing is guessed.
"""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from models.orders import DRIP, ReleaseAsked

MAX_WAIT = 55
"""Seconds a caller may wait: proxies cut off at 60, and Make.com's own default is 40."""

LONGEST_NAME = 128
_ABSENT = {"", "null", "undefined"}
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*")
_AMERICAN = re.compile(r"(\d\d?)/(\d\d?)/(\d{4})", re.ASCII)
_MONTHS = 12
_FIRST_YEAR, _LAST_YEAR = 2000, 2100


def absent_if_empty(value: Any) -> Any:
    """None for what Make.com sends where a mapped value is missing; anything else as it is."""
    return None if isinstance(value, str) and value.strip().lower() in _ABSENT else value


def printable(text: str) -> str:
    """The text, if every character of it is printable: no control, no invisible and no half character.

    U+FFFD is refused too: it stands where bytes were no UTF-8, and two ids must not become one by that.

    Raises:
        PydanticCustomError: it holds another; says which.
    """
    for position, character in enumerate(text):
        if not character.isprintable() or character == "\N{REPLACEMENT CHARACTER}":
            raise PydanticCustomError(
                "unprintable",
                "has the unprintable character U+{code} at position {position}",
                {"code": f"{ord(character):04X}", "position": position},
            )
    return text


def release_date(value: Any) -> date | datetime | str | None:
    """A release date in any form Make.com sends: a day, or a moment that is read in the client's time zone.

    Accepts `2026-01-20`, `2026-01-20T00:00:00.000Z`, any offset in place of Z, `01/20/2026` where it can only be
    month first, and `drip`.

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
    if value.strip().lower() == DRIP:
        return DRIP
    try:
        found = _read_date(value.strip())
    except PydanticCustomError:
        raise
    except (ValueError, OverflowError):
        raise _no_date(value, "is no date") from None
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise _no_date(value, f"is not between the years {_FIRST_YEAR} and {_LAST_YEAR}")
    return found


def _read_date(text: str) -> date | datetime:
    if american := _AMERICAN.fullmatch(text):
        first, second, year = map(int, american.groups())
        if first != second and max(first, second) <= _MONTHS:
            raise _no_date(text, "could be month first or day first")
        return date(year, first, second)
    if _DAY.fullmatch(text):
        return date.fromisoformat(text)
    if not _MOMENT.fullmatch(text):
        raise _no_date(text, "is no date")
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise _no_date(text, "has a time but no offset")
    return moment.astimezone(UTC)


def _no_date(value: Any, why: str) -> PydanticCustomError:
    return PydanticCustomError(
        "release_date_invalid",
        "{found} {why}. Send a day such as 2026-01-20, a moment with an offset such as 2026-01-20T05:00:00Z, or "
        "drip",
        {"found": repr(value)[:80], "why": why},
    )


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticCustomError("int_type", "Input should be a whole number, not true or false")
    return absent_if_empty(value)


def _uncopied(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    """The value itself once it is checked: what its reader noted on it stays."""
    check(value)
    return value


AbsentIfEmpty = BeforeValidator(absent_if_empty)
Number = BeforeValidator(_number)
"""For `Annotated[Annotated[int, Field(ge=…, le=…)] | None, Number]`: also as text, and absent where empty."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME), AfterValidator(printable)]
"""A run id, step name, step id or client id: 1 to 128 printable characters."""

OptionalName = Annotated[Name | None, AbsentIfEmpty]
OptionalDay = Annotated[date | None, AbsentIfEmpty]
OptionalMoment = Annotated[AwareDatetime | None, AbsentIfEmpty]
OptionalObject = Annotated[dict[str, Any] | None, WrapValidator(_uncopied), AbsentIfEmpty]
ANY_DAY: Any = {"anyOf": [{"type": "string", "examples": ["2026-01-20"]}, {"type": "null"}]}
"""How the OpenAPI document describes a `ReleaseDate`: a text, whose forms its description names."""

ReleaseDate = Annotated[ReleaseAsked | None, BeforeValidator(release_date)]
Seconds = Annotated[Annotated[int, Field(ge=0, le=MAX_WAIT)] | None, Number]
OptionalFlag = Annotated[bool | None, AbsentIfEmpty]
OptionalUrl = Annotated[
    Annotated[str, StringConstraints(min_length=1, max_length=2000), AfterValidator(printable)] | None,
    AbsentIfEmpty,
]
OptionalId = Annotated[UUID | None, AbsentIfEmpty]
