"""Transactions that are tried again within an attempt."""

from collections.abc import Callable
from typing import TypeVar

from tenacity import (
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential,
    wait_random,
)

from worker.outcomes import is_outage, passes_at_once
from worker.settings import settings

T = TypeVar("T")

_AT_ONCE = 3
_PART = 1 / 6
"""Of a lease: what is waited for a database that is away, so that the claim still holds when it is back."""

at_once = Retrying(
    stop=stop_after_attempt(_AT_ONCE),
    wait=wait_random(0, 0.05),
    retry=retry_if_exception(passes_at_once),
    reraise=True,
)
"""Tries a transaction again at once, a few times, after what passes by itself: a deadlock, a lock timeout."""


def while_away(transaction: Callable[[], T]) -> T:
    """Try a transaction again while the database is away, for a part of the lease."""
    return Retrying(
        stop=stop_after_delay(settings().lease * _PART),
        wait=wait_exponential(multiplier=0.1, max=2),
        retry=retry_if_exception(is_outage),
        reraise=True,
    )(transaction)
