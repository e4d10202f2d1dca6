"""Beat: intervals only, kept in memory. Every entry says "look now"; what is due is the database's to know."""

from typing import Any

from celery.beat import Scheduler

from worker.celery import alive


class Beat(Scheduler):
    """The plain scheduler, which needs no file, and a sign of life at each turn."""

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        """Send what is due; returns the seconds until the next turn."""
        alive("beat").touch()
        return super().tick(*args, **kwargs)
