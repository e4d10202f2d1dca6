"""What the routes share: the bell of this process, and the limit on how many callers may wait at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Request

from worker.ring import BackgroundBell

MAX_WAITERS = 60
"""Callers who may hold a thread while they wait; more are answered at once, as if they had not asked to."""

THREADS = 100
"""Threads for routes: enough that waiting callers never keep others out."""

_waiters = threading.BoundedSemaphore(MAX_WAITERS)


def bell(request: Request) -> BackgroundBell:
    """The bell that rings without making an answer wait."""
    found: BackgroundBell = request.app.state.bell
    return found


@contextmanager
def a_place_to_wait() -> Iterator[bool]:
    """Whether there is room for one more waiting caller; the place is given back after the block."""
    got = _waiters.acquire(blocking=False)
    try:
        yield got
    finally:
        if got:
            _waiters.release()
