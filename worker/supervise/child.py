"""One program, kept running by a thread that starts it, waits for its end and starts it again.

The program runs in a session of its own, so that Ctrl-C in a terminal reaches the supervisor alone; on a
leash, so that it ends even if the supervisor is killed; and as a group, whose stragglers are killed once the
program itself has ended. The leash is tied to the thread that starts it, which therefore lives as long.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from worker.supervise import leash

STEADY = 60.0  # a program that ran this many seconds is not failing again but anew

Write = Callable[[str], None]


@dataclass(frozen=True)
class Process:
    """A program to keep running: `argv`, and `env` in place of our own environment. `name` heads its lines."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] | None = None


class Child:
    """A program between `start` and `stop`; `failures` in a row so far, `last` says how it ended last.

    Args:
        process: what to run.
        pause: seconds before it starts again, by its failures in a row.
        say: takes each line of its output, and what happens to it.
    """

    def __init__(self, process: Process, pause: Callable[[int], float], say: Write) -> None:
        self.failures = 0
        self.last = ""
        self.name = process.name
        self._process = process
        self._pause = pause
        self._say = say
        self._lock = threading.RLock()  # re-entrant: a signal handler may come while its thread has it
        self._stopping = threading.Event()
        self._killed = False
        self._running: subprocess.Popen[str] | None = None
        self._keeper = threading.Thread(target=self._keep, name=process.name)

    def start(self) -> None:
        """Start it, and from now on again whenever it ends by itself."""
        self._keeper.start()

    def stop(self, grace: float) -> None:
        """Ask it to end, kill it after `grace` seconds; return when it has ended."""
        with self._lock:
            self._stopping.set()
            if self._running is not None:
                self._running.terminate()
        self._keeper.join(grace)
        if self._keeper.is_alive():
            self._say(f"still there {grace:g} s after SIGTERM: killed")
            self.kill()
            self._keeper.join()

    def kill(self) -> None:
        """End it at once, for good, and all that it started. Fit for a signal handler."""
        with self._lock:
            self._killed = True
            if self._running is not None and self._running.poll() is None:
                _kill_group(self._running.pid)

    def _keep(self) -> None:
        while not self._over():
            began = time.monotonic()
            self.last = self._run()
            if self._over():
                return
            self.failures = 1 if time.monotonic() - began > STEADY else self.failures + 1
            pause = self._pause(self.failures)
            self._say(f"{self.last}; starts again in {pause:g} s")
            self._stopping.wait(pause)

    def _run(self) -> str:
        with self._lock:
            if self._over():
                return "never started"
            try:
                self._running = program = subprocess.Popen(  # noqa: S603 - what our caller wants run
                    [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), *self._process.argv],
                    env=self._process.env,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    encoding="utf-8",
                    errors="replace",
                    start_new_session=True,
                )
            except OSError as error:
                return f"cannot be started: {error}"
        assert program.stdout is not None
        reader = threading.Thread(target=self._forward, args=(program.stdout,), daemon=True)
        reader.start()
        status = program.wait()
        _kill_group(program.pid)
        reader.join(1.0)  # a straggler that left the group may keep the pipe open for ever
        return f"killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"

    def _over(self) -> bool:
        return self._killed or self._stopping.is_set()

    def _forward(self, output: IO[str]) -> None:
        with output:
            for line in output:
                self._say(line.rstrip("\r\n"))


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
