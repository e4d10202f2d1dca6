"""Every way a request can fail, and the problem it ends in. What was sent never reaches a log."""

import re

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from worker import logs, telemetry
from worker.bridge.problems import SHOWN, answer, validation
from worker.errors import ColumnlineError, Internal, MethodNotAllowed, NotFound, Unavailable, Validation
from worker.outcomes import is_outage, lacks_schema, passes, sqlstate

log = logs.get(__name__)

_WRONG_DATA = "22"


def install(app: FastAPI) -> None:
    """Have every way a request can fail end in a problem."""

    @app.exception_handler(ColumnlineError)
    def ours(_: Request, error: ColumnlineError) -> Response:
        return answer(error)

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> Response:
        # FastAPI begins each place with the part of the request: `query`, or `path`.
        return answer(validation([found | {"loc": found["loc"][1:]} for found in error.errors()]))

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> Response:
        headers = {"Allow": _allowed(request, error)} if error.status_code == 405 else error.headers  # noqa: PLR2004
        return answer(_of_http(request, error), headers)

    @app.exception_handler(SQLAlchemyError)
    def database(request: Request, error: SQLAlchemyError) -> Response:
        return answer(of_database(request, error))

    @app.exception_handler(ClientDisconnect)
    def gone(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=400)  # for nobody: the caller hung up

    @app.exception_handler(Exception)
    def unforeseen(request: Request, error: Exception) -> Response:
        return answer(_bug(request, error))


def _of_http(request: Request, error: HTTPException) -> ColumnlineError:
    path = _path(request)
    match error.status_code:
        case 404:
            return NotFound(f"There is no {path}. The paths are at /docs; none ends with a slash.")
        case 405:
            return MethodNotAllowed(f"{path} does not know {request.method[:SHOWN]}. See /docs.")
        case _:
            return Validation(str(error.detail))


def _allowed(request: Request, error: HTTPException) -> str:
    """Every method of the path. The router names those of one route; a path may have several."""
    methods = set((error.headers or {}).get("Allow", "").split(", "))
    for path, operations in request.app.openapi()["paths"].items():
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", path), request.scope["path"]):
            methods |= {method.upper() for method in operations}
    return ", ".join(sorted(methods - {""}))


def of_database(request: Request, error: SQLAlchemyError) -> ColumnlineError:
    """What a failed statement means to the caller; logged."""
    state = sqlstate(error) or ""
    told = {"path": _path(request), "error": type(error).__name__, "sqlstate": state or None}
    if is_outage(error) or passes(error):
        log.warning("request_unavailable", **told)
        return Unavailable(
            "The database is away or busy. Send the same request again later: what was done is not done twice."
        )
    if lacks_schema(error):
        log.error("schema_behind", **told)
        return Unavailable("The database lacks a table or column. Run `columnline migrate`, then send this again.")
    if state.startswith(_WRONG_DATA):
        log.warning("request_refused", **told)
        return Validation(f"The database cannot hold a value of this request (SQLSTATE {state}). Send another.")
    return _bug(request, error)


def _bug(request: Request, error: Exception) -> Internal:
    # Not the exception's text: PostgreSQL's and pydantic's quote what was sent.
    log.error(
        "request_failed",
        path=_path(request),
        error=type(error).__name__,
        sqlstate=sqlstate(error),
        trace=logs.trace(error),
    )
    telemetry.report(error, method=request.method)
    return Internal("The bridge failed. It is logged. Send the same request again; if it fails again, tell ops.")


def _path(request: Request) -> str:
    """The path as it was sent, percent signs and all, cut short."""
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode("utf-8", "replace")
    return raw.decode("ascii", "replace")[: 2 * SHOWN]
