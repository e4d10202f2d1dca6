"""What happens to a request before it is routed: too many at once are refused, and its path is taken apart.

A run id may hold any printable character, a slash too. In a path that is `%2F`, which must not divide it; so the
path is divided first and decoded then. The slash travels to the route as `SLASH`, and `unescaped` restores it.
"""

from typing import Annotated
from urllib.parse import unquote_to_bytes

from fastapi import Path
from pydantic import BeforeValidator
from starlette.types import ASGIApp, Receive, Scope, Send

from worker.bridge.problems import Overloaded, answer
from worker.fields import Name

MOST_AT_ONCE = 250
"""Requests in hand at which the next one is refused: more than there are threads, so that none idles."""

SLASH = "\udc2f"  # half a surrogate pair, so that no request can hold it
_ALWAYS_OPEN = {"/livez", "/readyz"}


class Gate:
    """The middleware; counts within one event loop, so it needs no lock."""

    def __init__(self, app: ASGIApp, most: int = MOST_AT_ONCE) -> None:
        self._app = app
        self._most = most
        self._in_hand = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or scope["path"] in _ALWAYS_OPEN:
            await self._app(scope, receive, send)
            return
        if self._in_hand >= self._most:
            refusal = answer(Overloaded(f"{self._most} requests are being answered. Send this one again later."))
            await refusal(scope, receive, send)
            return
        self._in_hand += 1
        try:
            raw: bytes = scope.get("raw_path") or scope["path"].encode()
            await self._app({**scope, "path": _decoded(raw)}, receive, send)
        finally:
            self._in_hand -= 1


def unescaped(value: str) -> str:
    """A path parameter with its slashes."""
    return value.replace(SLASH, "/")


def _decoded(raw: bytes) -> str:
    """The path in text; bytes that are no UTF-8 become surrogates, which no field takes."""
    parts = (unquote_to_bytes(part).decode("utf-8", "surrogateescape") for part in raw.split(b"/"))
    return "/".join(part.replace("/", SLASH) for part in parts)


RunId = Annotated[
    Name,
    BeforeValidator(unescaped),
    Path(description="the run's id, 1 to 128 printable characters", examples=["RUN_20260115_181206"]),
]
StepName = Annotated[
    Name,
    BeforeValidator(unescaped),
    Path(description="the step's name, as in the pipeline", examples=["10_WRITER_INTRO"]),
]
