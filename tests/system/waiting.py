"""Wait for what other processes do."""

import time
from functools import partial

import httpx2

PATIENCE = 180
"""Seconds for what takes a fraction of one on an idle machine."""

get = partial(httpx2.get, timeout=PATIENCE)


def wait_until(condition, what, seconds=PATIENCE):
    """Ask again and again until `condition()` is true; returns what it returned."""
    until = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > until:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.05)
    return found
