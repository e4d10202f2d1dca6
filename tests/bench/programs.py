"""The programs that are measured, as they are started in production: each a process of its own."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import httpx2
import psutil

from tests.system.stack import free_port, wait_until
from worker.cli import up

CELERY = (sys.executable, "-m", "celery", "-A", "worker")
WORKER = (*CELERY, "worker", "-c", "2")
BEAT = (*CELERY, "beat")
BRIDGE = (sys.executable, "-m", *up.BRIDGE)
PEER = (sys.executable, "-m", "uvicorn", "tests.bench.peer:app", "--no-access-log")
GRACE = 180
NO_LIMIT = "1000000"
"""Requests a minute of the one key that stands for everybody: counted as in production, and never refused."""
LOOK = 0.25
"""Seconds between looks at the database: often enough, and too seldom to be felt by what is measured."""


@contextmanager
def program(command, folder, says=None, **env):
    """Run it during the block, what it says going to a file in `folder`; yields it once it has said `says`."""
    path = folder / f"{time.time_ns()}.log"
    with path.open("wb") as log:
        process = subprocess.Popen(
            command,
            env=os.environ | {"COLUMNLINE_DATA_DIR": str(folder), "COLUMNLINE_RATE_LIMIT": NO_LIMIT, **env},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def has_said():
        said = path.read_text(errors="replace")
        assert process.poll() is None, f"{' '.join(command)} ended: {said[-2000:]}"
        return says in said

    try:
        if says is not None:
            wait_until(has_said, f"{' '.join(command)} to say {says!r}", GRACE)
        yield psutil.Process(process.pid)
    finally:
        stop(process)


def stop(process):
    """End it, and whatever it has started, in an orderly way if that is possible."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(GRACE)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def patiently(look, what, seconds):
    """Look now and then until there is something to see, and return it."""
    until = time.monotonic() + seconds
    while (found := look()) is None:
        assert time.monotonic() < until, f"waited {seconds} s for {what}"
        time.sleep(LOOK)
    return found


@contextmanager
def worker(folder):
    """A worker with two children, and the beat whose sweep is its safety net; yields the worker's process."""
    with program(WORKER, folder, "ready.") as process, program(BEAT, folder, "beat: Starting"):
        yield process


@contextmanager
def server(command, folder):
    """A server of HTTP; yields its process and its port."""
    port = free_port()

    def answers():
        with suppress(httpx2.HTTPError):
            return httpx2.get(f"http://127.0.0.1:{port}/livez", timeout=2).is_success
        return False

    with program((*command, f"--port={port}"), folder) as process:
        wait_until(answers, f"{' '.join(command)} to answer", GRACE)
        yield process, port
