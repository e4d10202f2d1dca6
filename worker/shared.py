"""A value that many ask for and one computes."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from sqlalchemy.orm import Session

from worker import db

T = TypeVar("T")


class Shared(Generic[T]):
    """A value that is computed at most once in so many seconds, whoever asks and however many do."""

    def __init__(self, compute: Callable[[Session], T], seconds: float) -> None:
        self._compute = compute
        self._seconds = seconds
        self._lock = threading.Lock()
        self._found: tuple[float, T] | None = None

    def get(self) -> T:
        """The value, so many seconds old at most; whoever asks while it is computed waits for it."""
        with self._lock:
            if self._found is None or time.monotonic() - self._found[0] > self._seconds:
                with db.transaction() as session:
                    value = self._compute(session)
                self._found = (time.monotonic(), value)
            return self._found[1]

    def forget(self) -> None:
        """Have the next one compute it: something was changed."""
        with self._lock:
            self._found = None
