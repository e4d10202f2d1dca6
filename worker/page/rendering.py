"""How a screen is drawn: its template, the headers that keep it harmless, and what becomes of an error.

LLM text is hostile text: everything is escaped, no inline script or style runs, nothing is fetched from elsewhere,
and only http(s) addresses become links (`models.view` has no others).
"""

import hashlib
import re
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from worker.bridge.download import Download
from worker.bridge.failures import of_database
from worker.bridge.problems import retry_after
from worker.calendar.moments import local
from worker.errors import ColumnlineError, NotFound, Unauthorized
from worker.page import charts
from worker.page.visitors import Visitor

STATIC = Path(__file__).parent / "static"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

UNBROKEN = 200
"""Characters without a space after which a line may be broken."""
_ONE = r"(?:&[#\w]+;|[^ \t\r\n&<>])"  # a space that forbids a break is as a letter
# A title holds no elements. What is shorter is passed over as a whole, so that it is read once.
_PARTS = re.compile(rf"<title>[^<]*</title>|<[^>]*>|({_ONE}{{{UNBROKEN}}})|{_ONE}+")

_MINUTE = 60
_UNITS = ((86_400, "d"), (3600, "h"), (_MINUTE, "min"))


def moment(value: datetime | None) -> str:
    """A moment to the minute, in UTC."""
    return f"{local(value, UTC):%Y-%m-%d %H:%M} UTC" if value else "-"


def ago(value: datetime | None) -> str:
    """How long ago or ahead a moment is, in its largest unit."""
    if value is None:
        return "-"
    seconds = (datetime.now(UTC) - value).total_seconds()
    size = abs(seconds)
    if size < _MINUTE:
        return "just now" if seconds >= 0 else "in a moment"
    unit, name = next((unit, name) for unit, name in _UNITS if size >= unit)
    said = f"{int(size // unit)} {name}"
    return f"{said} ago" if seconds >= 0 else f"in {said}"


def seconds(value: float | None) -> str:
    """A span of time as people say it."""
    if value is None:
        return "-"
    if value < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.1f} s" if value < _MINUTE else f"{value / _MINUTE:.1f} min"


def _version() -> str:
    """What the address of a static file bears, so that a browser fetches it anew after an update."""
    files = (path.read_bytes() for path in sorted(STATIC.iterdir()) if path.is_file())
    return hashlib.sha256(b"".join(files)).hexdigest()[:12]


templates = Environment(
    loader=PackageLoader("worker.page"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
templates.filters |= {
    "moment": moment,
    "ago": ago,
    "seconds": seconds,
    "quoted": lambda text: quote(text, safe=""),
}
templates.globals |= {"static": f"/page-static/{{}}?{_version()}".format, "charts": charts}


def breakable(text: str) -> str:
    """The same HTML, with places to break a line in its texts that have none.

    Where a word is hundreds of thousands of characters long, such as zeros in base64, Chromium may take minutes
    to find out by itself where to break it.
    """
    return _PARTS.sub(lambda part: f"{part[0]}<wbr>" if part[1] else part[0], text)


def _drawn(name: str, visitor: Visitor | None, values: dict[str, Any]) -> str:
    return breakable(templates.get_template(f"{name}.html").render(visitor=visitor, **values))


def screen(name: str, visitor: Visitor | None, status: int = 200, **values: Any) -> HTMLResponse:
    """The screen of that template, for this visitor."""
    return HTMLResponse(_drawn(name, visitor, values), status, HEADERS)


def fragment(request: Request, name: str, visitor: Visitor, **values: Any) -> Response:
    """A part of a screen, for the script that keeps it live; 304 where it is as the browser has it."""
    text = _drawn(name, visitor, values)
    tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:20]}"'
    headers = HEADERS | {"ETag": tag, "Cache-Control": "private, no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return HTMLResponse(text, headers=headers)


def back_to(path: str, said: str) -> RedirectResponse:
    """Have the browser load a screen after an action, which says what was done."""
    return RedirectResponse(f"{path}{'&' if '?' in path else '?'}said={said}", 303, HEADERS)


class Screen(APIRoute):
    """A route whose errors are screens too, and which leads whoever is not signed in to where they can."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with its errors drawn."""
        handler = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                response = await handler(request)
            except (ColumnlineError, SQLAlchemyError) as error:
                return _told(request, error)
            except RequestValidationError:
                return _told(request, NotFound("There is nothing under this address. Look for it above."))
            return _Sent(request, response) if isinstance(response, Download) else response

        return handled


class _Sent(Response):
    """A file, or the screen of what went wrong before any of it was sent."""

    def __init__(self, request: Request, file: Download) -> None:
        super().__init__()
        self._request, self._file = request, file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._file(scope, receive, noted)
        except (ColumnlineError, SQLAlchemyError) as error:
            if begun:
                raise
            await _told(self._request, error)(scope, receive, send)


def _told(request: Request, error: ColumnlineError | SQLAlchemyError) -> Response:
    if isinstance(error, SQLAlchemyError):
        error = of_database(request, error)
    led = request.method == "GET" and not request.url.path.startswith("/live/")
    if isinstance(error, Unauthorized) and led:
        return RedirectResponse(f"/sign-in?then={quote(_as_sent(request), safe='')}", 303, HEADERS)
    back = _local(request.headers.get("referer"), request)
    response = screen("error", None, error.status, error=error, back=back)
    if error.retryable:
        MutableHeaders(raw=response.raw_headers)["Retry-After"] = retry_after(error)
    return response


def _as_sent(request: Request) -> str:
    """The path and the query as they were sent, percent signs and all: decoded, they may be no text."""
    path: bytes = request.scope.get("raw_path") or request.scope["path"].encode("utf-8", "replace")
    query: bytes = request.scope["query_string"]
    return (path + b"?" * bool(query) + query).decode("ascii", "replace")


def _local(address: str | None, request: Request) -> str:
    """The path of an address of this site, or `/`."""
    base = str(request.base_url)
    return local_path("/" + address.removeprefix(base)) if address and address.startswith(base) else "/"


def local_path(path: str | None) -> str:
    """A path of this site, as it is; anything else is `/`."""
    if path and path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable():
        return path
    return "/"


def screens() -> APIRouter:
    """A router for screens; they are no part of the documented API."""
    return APIRouter(route_class=Screen, include_in_schema=False)
