"""Keep several programs running, show what they say, stop them in order. Knows nothing of what they are.

Each program has a thread that starts it, waits for its end and starts it again. A program runs in a session
of its own, so that Ctrl-C in a terminal reaches the supervisor alone; on a leash, so that it ends, with
SIGTERM, even if the supervisor is killed (on Linux); and as a group, whose stragglers are killed once the
program itself has ended. The leash is tied to the starting thread, which therefore lives as long.
"""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import IO

from worker import leash

LOOK_EVERY = 0.1
STEADY = 60.0  # a program that ran this many seconds is not failing again but anew
HOPELESS = 3  # failures of one program, before all were ready, that no patience will cure

Write = Callable[[str], None]


@dataclass(frozen=True)
class Process:
    """A program to keep running: `argv`, and `env` in place of our own environment. `name` heads its lines."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] | None = None


class NotReadyError(RuntimeError):
    """The programs did not get ready. The sentence says which of them failed, and how."""


def growing_pause(failures: int) -> float:
    """Seconds before a program starts again after so many failures in a row: 1, 2, 4, … 30."""
    return min(30.0, 2.0 ** (failures - 1))


def print_line(line: str) -> None:
    """Print at once. A reader that went away must not stall the programs."""
    with suppress(OSError):
        print(line, flush=True)  # noqa: T201


def supervise(
    processes: Sequence[Process],
    *,
    ready: Callable[[], bool] = lambda: True,
    body: Callable[[], None] | None = None,
    patience: float = 60.0,
    grace: float = 60.0,
    pause: Callable[[int], float] = growing_pause,
    write: Write = print_line,
) -> signal.Signals | None:
    """Run the programs until `body` returns or a signal comes; then stop them in the order given.

    Each is sent SIGTERM and has `grace` to end before it is killed and the next one's turn comes. From the
    main thread SIGINT, SIGTERM and SIGHUP are heeded (SIGHUP not under nohup); a second SIGINT kills all.

    Args:
        processes: started together; stopped one after the other, in this order.
        ready: asked again and again until it says yes, so it must answer soon.
        body: what to do once all is ready, in a thread of its own; absent: only a signal ends it.
        patience: seconds until `ready` must have said yes.
        grace: seconds a program has to end.
        pause: seconds before a program that ended by itself starts again, by its failures in a row.
        write: takes each line, `name | what the program said`, one call at a time.

    Returns:
        The signal that ended it, or None when the body returned. Nothing runs any more.

    Raises:
        NotReadyError: not ready in time, or a program failed again and again before it.
        BaseException: whatever `body` or `ready` raised, after all were stopped.
    """
    endings: queue.SimpleQueue[signal.Signals | BaseException | None] = queue.SimpleQueue()
    say = _in_turn(write)
    width = max(len(process.name) for process in processes)
    children = [_Child(process, width, pause, say) for process in processes]
    with _signals(endings, children):
        try:
            for child in children:
                child.start()
            ending = _when_ready(ready, patience, children, endings)
            if ending is None:
                if body is not None:
                    threading.Thread(target=_report, args=(body, endings), name="body", daemon=True).start()
                ending = endings.get()
        finally:
            for child in children:
                child.stop(grace)
    if isinstance(ending, BaseException):
        raise ending
    return ending


class _Child:
    """One program and the thread that keeps it running."""

    def __init__(self, process: Process, width: int, pause: Callable[[int], float], write: Write) -> None:
        self.failures = 0
        self.last = ""
        self.name = process.name
        self._process = process
        self._pause = pause
        self._say: Write = lambda text: write(f"{process.name:{width}} | {text}")
        self._lock = threading.RLock()  # re-entrant: a signal handler may come while its thread has it
        self._stopping = threading.Event()
        self._running: subprocess.Popen[str] | None = None
        self._keeper = threading.Thread(target=self._keep, name=process.name)

    def start(self) -> None:
        self._keeper.start()

    def stop(self, grace: float) -> None:
        """Ask it to end, kill it after `grace`; return when it has ended."""
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
        with self._lock:
            if self._running is not None and self._running.poll() is None:
                _kill_group(self._running.pid)

    def _keep(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            self.last = self._run()
            if self._stopping.is_set():
                return
            self.failures = 1 if time.monotonic() - began > STEADY else self.failures + 1
            pause = self._pause(self.failures)
            self._say(f"{self.last}; starts again in {pause:g} s")
            self._stopping.wait(pause)

    def _run(self) -> str:
        with self._lock:
            if self._stopping.is_set():
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

    def _forward(self, output: IO[str]) -> None:
        with output:
            for line in output:
                self._say(line.rstrip("\r\n"))


def _when_ready(
    ready: Callable[[], bool],
    patience: float,
    children: Sequence[_Child],
    endings: queue.SimpleQueue[signal.Signals | BaseException | None],
) -> signal.Signals | BaseException | None:
    """None once all is ready, or the signal that came before."""
    deadline = time.monotonic() + patience
    while not ready():
        failing = [child for child in children if child.failures]
        hopeless = any(child.failures >= HOPELESS for child in failing)
        if hopeless or time.monotonic() > deadline:
            reasons = "; ".join(f"{child.name} {child.last} ({child.failures} times)" for child in failing)
            raise NotReadyError(f"not ready after {patience:g} s: {reasons or 'none of them failed'}")
        with suppress(queue.Empty):
            return endings.get(timeout=LOOK_EVERY)
    return None


def _report(body: Callable[[], None], endings: queue.SimpleQueue[signal.Signals | BaseException | None]) -> None:
    try:
        body()
    except BaseException as failure:  # noqa: BLE001 - raised again in the supervisor's thread
        endings.put(failure)
    else:
        endings.put(None)


@contextmanager
def _signals(
    endings: queue.SimpleQueue[signal.Signals | BaseException | None], children: Sequence[_Child]
) -> Iterator[None]:
    """Turn signals into endings; they are not exceptions, which could strike in the midst of stopping."""
    interrupts = 0

    def on_signal(number: int, _frame: FrameType | None) -> None:
        nonlocal interrupts
        endings.put(signal.Signals(number))  # a SimpleQueue is made for this: its `put` takes no lock
        interrupts += number == signal.SIGINT
        if interrupts > 1:
            for child in children:
                child.kill()

    before = {}
    if threading.current_thread() is threading.main_thread():
        heeded = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            heeded.append(signal.SIGHUP)
        before = {number: signal.signal(number, on_signal) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_turn(write: Write) -> Write:
    turn = threading.Lock()

    def take_turns(line: str) -> None:
        with turn:
            write(line)

    return take_turns


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
