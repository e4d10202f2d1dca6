"""Errors as `application/problem+json` (RFC 9457): one shape, one place that makes it.

A caller's mistake is a 4xx, a passing fault a 503 with `Retry-After`, too much or too often a 429: Make.com
retries those two by itself and a 500 never. The body has `ok: false`, so that a scenario which does not stop at
HTTP errors can still tell.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from fastapi import Response
from pydantic import BaseModel, Field

from models.clean import REPLACEMENT, UNSTORABLE, storable
from worker.errors import (
    ColumnlineError,
    Permanent,
    ReleaseDateInvalid,
    Unauthorized,
    Unavailable,
    Validation,
)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = "10"
MAX_FINDINGS = 20
SHOWN = 80
_EXACT = 2**53
_A_MOMENT = ": send a moment with an offset, such as 2026-01-20T00:00:00Z"
_A_DAY = ": send a day, such as 2026-01-20"
_ADVICE = {
    "string_type": ": send it as text, in quotes",
    "timezone_aware": _A_MOMENT,
    "datetime_type": _A_MOMENT,
    "datetime_parsing": _A_MOMENT,
    "datetime_from_date_parsing": _A_MOMENT,
    "date_type": _A_DAY,
    "date_parsing": _A_DAY,
    "date_from_datetime_parsing": _A_DAY,
    "date_from_datetime_inexact": _A_DAY,
}
"""What to send, where pydantic, by its type of error, only says what is wrong."""


class UnsupportedEncoding(Permanent):
    """The body is compressed: the caller must send it as it is."""

    code, title, status = "unsupported_encoding", "The body is compressed", 415


class Overloaded(Unavailable):
    """More requests at once than this bridge takes: the same request will do in a moment."""

    code, title, status = "overloaded", "Too many requests at once", 429


class RateLimited(Unavailable):
    """A caller sends more in a minute than it may: the same request will do after `seconds`."""

    code, title, status = "rate_limited", "Too many requests within a minute", 429

    def __init__(self, detail: str, *, seconds: float) -> None:
        super().__init__(detail)
        self.seconds = seconds


class FieldProblem(BaseModel):
    """One field that is wrong."""

    field: str | None = Field(description="path of the field, dots between the keys")
    found: Any = Field(default=None, description="what was sent, cut to a readable length")
    detail: str
    step: str | None = None


class Problem(BaseModel):
    """What every refusal looks like."""

    type: str
    title: str
    status: int
    code: str = Field(description="one of the codes in the README's error table", examples=["run_not_found"])
    detail: str = Field(description="what was found, and what to do")
    ok: bool = Field(description="always false")
    retryable: bool = Field(description="whether the same request may do later")
    errors: list[FieldProblem] = Field(description=f"the fields concerned, {MAX_FINDINGS} at most")


def problem(error: ColumnlineError) -> Problem:
    """The body that tells of this error."""
    errors = [FieldProblem(**finding) for finding in error.findings[:MAX_FINDINGS]]
    if not errors and error.field is not None:
        errors = [FieldProblem(field=error.field, detail=error.detail)]
    return Problem(
        type=f"urn:columnline:error:{error.code}",
        title=error.title,
        status=error.status,
        code=error.code,
        detail=error.detail,
        ok=False,
        retryable=error.retryable,
        errors=errors,
    )


def answer(error: ColumnlineError, headers: Mapping[str, str] | None = None) -> Response:
    """The HTTP response that tells of this error."""
    more = dict(headers or {})
    if isinstance(error, Unavailable):
        more["Retry-After"] = retry_after(error)
    if isinstance(error, Unauthorized):
        more["WWW-Authenticate"] = "Bearer"
    body, _ = storable(problem(error).model_dump())
    return Response(orjson.dumps(body), error.status, more, MEDIA_TYPE)


def retry_after(error: ColumnlineError) -> str:
    """The header's value, in whole seconds: as the error knows it, else a moment."""
    return str(math.ceil(error.seconds)) if isinstance(error, RateLimited) else RETRY_AFTER


def validation(errors: Sequence[Any]) -> ColumnlineError:
    """The error for pydantic's list of what is wrong with a request."""
    findings = tuple(
        {
            "step": None,
            "field": _field(error["loc"]),
            "found": legible(error.get("input")),
            "detail": error["msg"].removeprefix("Value error, ") + _ADVICE.get(error["type"], ""),
        }
        for error in errors[:MAX_FINDINGS]
    )
    kind = ReleaseDateInvalid if all(error["type"] == "release_date_invalid" for error in errors) else Validation
    first = findings[0]
    more = f" (and {len(errors) - 1} more, see `errors`)" if len(errors) > 1 else ""
    where = f"Field `{first['field']}`" if first["field"] else "The request"
    return kind(f"{where}: {first['detail']}{more}.", field=first["field"], findings=findings)


def legible(value: Any, longest: int = SHOWN) -> Any:
    """What was sent, short enough to read, as a value that any JSON parser takes."""
    if value is None or isinstance(value, bool) or (isinstance(value, int | float) and abs(value) < _EXACT):
        return value
    return UNSTORABLE.sub(REPLACEMENT, (value if isinstance(value, str) else repr(value))[:longest])


def _field(location: Sequence[Any]) -> str | None:
    return ".".join(str(legible(part)) for part in location) or None
