"""When to try again: pure functions of what happened so far and a random number."""

from dataclasses import dataclass
from datetime import timedelta

from worker.settings import Settings

MAX_LOST = 3
"""Claims a job may lose with their workers before it is an error: three deaths are no coincidence."""

_SHORTEST = timedelta(seconds=1)
_LONGEST_LOOK = timedelta(seconds=15)
_LOOKS = 45
_LONGEST_RING_PAUSE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with full jitter, capped (design §2)."""

    base: timedelta
    cap: timedelta

    @classmethod
    def of(cls, config: Settings) -> "RetryPolicy":
        """The policy the settings describe."""
        return cls(timedelta(seconds=config.backoff_base), timedelta(seconds=config.backoff_cap))

    def ceiling(self, attempt: int) -> timedelta:
        """The longest pause after the `attempt`-th attempt (1 is the first): doubles, then stays at the cap."""
        doublings = min(max(attempt - 1, 0), 40)
        return min(self.base * float(2**doublings), self.cap)

    def pause(self, attempt: int, random: float) -> timedelta:
        """The pause after the `attempt`-th attempt; `random` is uniform in [0, 1)."""
        return self.ceiling(attempt) * random


def next_look(waited: timedelta, deadline: timedelta) -> timedelta:
    """How long until the next look for something missing: a quarter of the wait so far, from 1 to 15 s.

    Where the deadline is long, looks are as far apart as a forty-fifth of it.

    The last look falls on the deadline itself, so nothing that came in time is overlooked.
    """
    longest = max(_LONGEST_LOOK, deadline / _LOOKS)
    return min(max(waited / 4, _SHORTEST), longest, max(deadline - waited, timedelta()))


def ring_pause(base: timedelta, rings: int) -> timedelta:
    """How long a due job is left alone after its `rings`-th bell: doubles up to ten minutes."""
    return min(base * float(2 ** min(max(rings - 1, 0), 20)), max(_LONGEST_RING_PAUSE, base))
