"""Waiting for processes that are not the tests' own children."""

import os
import select
import signal
from collections.abc import Iterable

import psutil

WITHIN = 90.0  # seconds for what takes a fraction of one on an idle machine


def assert_ended(pids: Iterable[int]):
    """All of them end soon; one that does not is killed, and that is a failure.

    A zombie has ended: when it is reaped is up to the machine's first process.
    """
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        except AttributeError:  # not Linux
            psutil.Process(pid).wait(WITHIN)
            continue
        try:
            if not select.select([descriptor], [], [], WITHIN)[0]:
                command = psutil.Process(pid).cmdline()
                os.kill(pid, signal.SIGKILL)
                raise AssertionError(f"{pid} did not end: {command}")
        finally:
            os.close(descriptor)
