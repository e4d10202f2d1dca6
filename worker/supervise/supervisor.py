"""All the programs: started together, waited for until they are ready, stopped one after the other."""

import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

from worker.supervise.child import Child, Process, Write

LOOK_EVERY = 0.1
HOPELESS = 3  # failures of one program, before all were ready, that no patience will cure

Ending = signal.Signals | BaseException | None
Endings = queue.SimpleQueue[Ending]


class NotReadyError(RuntimeError):
    """The programs did not get ready. The sentence says which of them failed, and how."""


def growing_pause(failures: int) -> float:
    """Seconds before a program starts again after so many failures in a row: 1, 2, 4, … 30."""
    return min(30.0, 2.0 ** (failures - 1))


def print_line(line: str) -> None:
    """Print at once. A reader that went away, or cannot show a letter, must not stall the programs."""
    with suppress(OSError, ValueError):
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
        body: what to do once all is ready, in a thread of its own, which nobody waits for after a signal;
            absent: only a signal ends it.
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
    endings: Endings = queue.SimpleQueue()
    under = _under_names(processes, write)
    children = [Child(process, pause, under(process.name)) for process in processes]
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


def _when_ready(
    ready: Callable[[], bool],
    patience: float,
    children: Sequence[Child],
    endings: Endings,
) -> Ending:
    """None once all is ready, or the signal that came before."""
    began = time.monotonic()
    while not ready():
        failing = [child for child in children if child.failures]
        waited = time.monotonic() - began
        if waited > patience or any(child.failures >= HOPELESS for child in failing):
            reasons = "; ".join(f"{child.name} {child.last} ({child.failures} times)" for child in failing)
            raise NotReadyError(f"not ready after {waited:.0f} s: {reasons or 'none of them failed'}")
        with suppress(queue.Empty):
            return endings.get(timeout=LOOK_EVERY)
    return None


def _report(body: Callable[[], None], endings: Endings) -> None:
    try:
        body()
    except BaseException as failure:  # noqa: BLE001 - raised again in the supervisor's thread
        endings.put(failure)
    else:
        endings.put(None)


@contextmanager
def _signals(endings: Endings, children: Sequence[Child]) -> Iterator[None]:
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


def _under_names(processes: Sequence[Process], write: Write) -> Callable[[str], Write]:
    """A writer for each name, all names equally wide, one line at a time."""
    turn = threading.Lock()
    width = max(len(process.name) for process in processes)

    def under(name: str) -> Write:
        def say(text: str) -> None:
            with turn:
                write(f"{name:{width}} | {text}")

        return say

    return under
