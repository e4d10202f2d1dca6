"""Errors as `application/problem+json` (RFC 9457): one shape, one place that makes it.

A caller's mistake is a 4xx, a passing fault a 503 with `Retry-After`: Make.com retries a 503 by itself and a 500
never. The body has `ok: false`, so that a scenario which does not stop at HTTP errors can still tell.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from worker import logs
from worker.errors import (
    ColumnlineError,
    Internal,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    ReleaseDateInvalid,
    Unavailable,
    Validation,
)
from worker.outcomes import is_outage, sqlstate

log = logs.get(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = "10"
BODY_LIMIT = 5_000_000
_PASSING = ("40", "55P03", "57014")


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
    code: str = Field(description="one of the codes in the README's error table")
    detail: str = Field(description="what was found, and what to do")
    ok: bool = False
    retryable: bool = Field(description="whether the same request may do later")
    errors: list[FieldProblem] = []


def problem(error: ColumnlineError) -> Problem:
    """The body that tells of this error."""
    errors = [FieldProblem(**finding) for finding in error.findings]
    if not errors and error.field is not None:
        errors = [FieldProblem(field=error.field, detail=error.detail)]
    return Problem(
        type=f"urn:columnline:error:{error.code}",
        title=error.title,
        status=error.status,
        code=error.code,
        detail=error.detail,
        retryable=error.retryable,
        errors=errors,
    )


def answer(error: ColumnlineError, headers: Mapping[str, str] | None = None) -> Response:
    """The HTTP response that tells of this error."""
    more = dict(headers or {})
    if error.status == Unavailable.status:
        more["Retry-After"] = RETRY_AFTER
    if error.status == 401:  # noqa: PLR2004
        more["WWW-Authenticate"] = "Bearer"
    body = orjson.dumps(problem(error).model_dump(mode="json"), default=str)
    return Response(body, error.status, more, MEDIA_TYPE)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route, for OpenAPI: the statuses every route may answer, and these."""
    every = {400, 401, 403, 404, 405, 413, 422, 503, *statuses}
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": "A problem", "content": content} for status in sorted(every)}


def install(app: FastAPI) -> None:
    """Have every way a request can fail end in a problem."""

    @app.exception_handler(ColumnlineError)
    def ours(_: Request, error: ColumnlineError) -> Response:
        return answer(error)

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> Response:
        return answer(validation(error.errors()))

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> Response:
        return answer(_of_http(request, error), error.headers)

    @app.exception_handler(Exception)
    def unforeseen(request: Request, error: Exception) -> Response:
        return answer(_of_exception(request, error))


def validation(errors: Sequence[Any]) -> ColumnlineError:
    """The error for pydantic's list of what is wrong with a request."""
    findings = tuple(
        {
            "step": None,
            "field": ".".join(str(part) for part in error["loc"] if part not in {"body", "query", "path"}) or None,
            "found": _shown(error.get("input")),
            "detail": error["msg"].removeprefix("Value error, "),
        }
        for error in errors
    )
    kind = ReleaseDateInvalid if all(error["type"] == "release_date_invalid" for error in errors) else Validation
    first = findings[0]
    more = f" (and {len(findings) - 1} more, see `errors`)" if len(findings) > 1 else ""
    where = f"Field `{first['field']}`" if first["field"] else "The request"
    return kind(f"{where}: {first['detail']}{more}.", field=first["field"], findings=findings)


def _shown(value: Any) -> Any:
    """What was found, short enough for a log, and without characters JSON cannot carry."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else repr(value)
    return text[:80].encode("utf-8", "replace").decode()


def _of_http(request: Request, error: HTTPException) -> ColumnlineError:
    match error.status_code:
        case 404:
            return NotFound(f"There is no {request.url.path}. The paths are at /docs; none ends with a slash.")
        case 405:
            return MethodNotAllowed(f"{request.url.path} does not know {request.method}. See /docs.")
        case 413:
            return PayloadTooLarge(
                f"The body is over {BODY_LIMIT:,} bytes. Send the outputs in several requests, each with a few."
            )
        case _:
            return Validation(str(error.detail))


def _of_exception(request: Request, error: Exception) -> ColumnlineError:
    state = sqlstate(error) or ""
    if is_outage(error) or state.startswith(_PASSING):
        log.warning(
            "request_unavailable", path=request.url.path, error=type(error).__name__, sqlstate=state or None
        )
        return Unavailable("The database is away or busy. Nothing was changed. Send the same request again later.")
    log.error("request_failed", path=request.url.path, exc_info=error)
    return Internal("The bridge failed. It is logged. Send the same request again; if it fails again, tell ops.")
