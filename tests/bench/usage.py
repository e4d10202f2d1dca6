"""What processes cost: CPU seconds of a whole tree, those of children that have ended included; memory."""

import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

GONE = (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError)
EVERY = 0.5
"""Seconds between looks: a look costs milliseconds that the measured processes lack."""

TRIES = 20


def tree(process):
    """The process and everything it started."""
    with suppress(psutil.NoSuchProcess):
        return [process, *process.children(recursive=True)]
    return []


def cpu_seconds(processes):
    """CPU seconds so far, of user and system, of these processes with all that they have reaped.

    Added up anew where one of them ended meanwhile: it may be in no sum, its own or that of who reaped it.
    """
    for _ in range(TRIES):
        alive = [each for process in processes for each in tree(process)]
        spent = sum(sum(_times(each)) for each in alive)
        if all(each.is_running() for each in alive):
            break
    return spent


def _times(process):
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return times.user, times.system, times.children_user, times.children_system
    return ()


def peak_bytes(process):
    """The most memory (RSS) the process has had; none once it is a zombie."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)


def at_rest(processes):
    """Bytes of memory now, each shared page once (PSS) and for each process anew (RSS)."""
    found = {"pss": 0, "rss": 0}
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            memory = process.memory_full_info()
            found["pss"] += memory.pss
            found["rss"] += memory.rss
    return found


class Peaks:
    """The most memory of a main process and of the largest of its children, while it is watched."""

    def __init__(self, processes):
        self._processes = processes
        self.main = self.child = 0

    def look(self):
        for process in self._processes:
            main, *children = tree(process) or [None]
            with suppress(*GONE):
                self.main = max(self.main, peak_bytes(main))
            for child in children:
                with suppress(*GONE):
                    self.child = max(self.child, peak_bytes(child))


@contextmanager
def watched(processes):
    """Look at the processes' memory again and again during the block; yields the peaks."""
    peaks, done = Peaks(processes), threading.Event()

    def keep_looking():
        while not done.wait(EVERY):
            peaks.look()

    watcher = threading.Thread(target=keep_looking, daemon=True)
    watcher.start()
    try:
        yield peaks
    finally:
        done.set()
        watcher.join()
        peaks.look()
