"""Waiting for processes that are not the tests' own children."""

import os
import select
from collections.abc import Iterable

import psutil

WITHIN = 30.0  # seconds for what takes a fraction of one on an idle machine


def assert_ended(pids: Iterable[int]):
    """All of them end soon. A zombie has ended: when it is reaped is up to the machine's first process."""
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        except AttributeError:  # not Linux
            psutil.Process(pid).wait(WITHIN)
            continue
        try:
            assert select.select([descriptor], [], [], WITHIN)[0], psutil.Process(pid).cmdline()
        finally:
            os.close(descriptor)
