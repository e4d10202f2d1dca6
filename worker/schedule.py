"""Beat: intervals only, kept in memory. Every entry says "look now"; what is due is the database's to know."""

from typing import Any

from celery.beat import Scheduler

from worker.celery import alive
from worker.ring import waits


class Beat(Scheduler):
    """The plain scheduler, which needs no file, and a sign of life at each turn."""

    _closed = False

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        """Send what is due; returns the seconds until the next turn.

        Raises:
            SystemExit: it was closed. Celery's handler of signals closes it and raises this wherever the process
                is just then, so also where an exception ends unseen: in a destructor, or in what logs.
        """
        if self._closed:
            raise SystemExit
        alive("beat").touch()
        return super().tick(*args, **kwargs)

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send the entry, unless one that was sent before still waits for a worker."""
        if not waits(entry.task):
            super().apply_entry(entry, producer)

    def close(self) -> None:
        """End: no further turn."""
        self._closed = True
        super().close()
