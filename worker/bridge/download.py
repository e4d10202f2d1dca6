"""A file that is sent while it is made: at most a few at once, and gone from memory as soon as its reader is."""

import asyncio
import threading
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any

from anyio import to_thread
from fastapi import Response
from starlette.types import Message, Receive, Scope, Send

from worker import logs
from worker.bridge.problems import Overloaded

AT_ONCE = 4
"""Downloads in this process at which the next one is refused: each keeps a thread busy while it reads."""

STALLED = 60.0
"""Seconds after which a reader that takes nothing has lost its place."""

log = logs.get(__name__)
_places = threading.BoundedSemaphore(AT_ONCE)


class Download(Response):
    """A response whose parts come from an iterator that blocks, each taken in a thread.

    An error before the first part is a problem like any other. After it the connection breaks, so that nobody
    takes half a file for a whole one. When the reader goes away, nothing more is
    taken, and the iterator is closed.

    Args:
        parts: makes the iterator. Empty parts are not sent.
        name: what the file is called where it is saved.
        told: what the two log lines say of it.
        figures: what the last log line says beside that, asked for then.
    """

    def __init__(
        self,
        parts: Callable[[], Generator[bytes, None, None]],
        *,
        name: str,
        media_type: str,
        told: dict[str, Any],
        figures: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        super().__init__(
            media_type=media_type,
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                "X-Content-Type-Options": "nosniff",
                "Cache-Control": "no-store",
            },
        )
        del self.headers["content-length"]
        self._parts, self._told, self._figures = parts, told, figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file.

        Raises:
            Overloaded: too many are being sent already.
        """
        del scope
        if not _places.acquire(blocking=False):
            raise Overloaded(f"{AT_ONCE} exports are being sent. Ask for this one again later, or as a job.")
        try:
            await self._while_wanted(receive, send)
        finally:
            _places.release()

    async def _while_wanted(self, receive: Receive, send: Send) -> None:
        gone = asyncio.Event()
        watching = asyncio.create_task(_watch(receive, gone))
        parts, ended = self._parts(), "failed"
        log.info("export_started", **self._told)
        try:
            ended = "sent" if await self._send(parts, gone, send) else "abandoned"
        finally:
            watching.cancel()
            log.info("export_ended", **self._told, ended=ended, **self._figures())
            await to_thread.run_sync(_close, parts)

    async def _send(self, parts: Generator[bytes, None, None], gone: asyncio.Event, send: Send) -> bool:
        """Whether all of it was sent."""
        start: Message = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        waiting: list[Message] = [start]
        while not gone.is_set():
            part = await to_thread.run_sync(next, parts, None)
            if part == b"":
                continue
            waiting.append({"type": "http.response.body", "body": part or b"", "more_body": part is not None})
            try:
                async with asyncio.timeout(STALLED):
                    for message in waiting:
                        await send(message)
            except (TimeoutError, OSError):
                return False
            waiting.clear()
            if part is None:
                return not gone.is_set()
        return False


async def _watch(receive: Receive, gone: asyncio.Event) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    gone.set()


def _close(parts: Generator[bytes, None, None]) -> None:
    """End the iterator. Where the server itself ends, a thread may still be at work in it: it ends with that."""
    with suppress(ValueError):
        parts.close()
