"""Who may start, use and stop an embedded server: three locks that the kernel keeps true.

A server has a directory, and in it three files that are only ever locked:

- `starting`, by whoever looks whether the server runs, starts it, or waits for its end;
- `holders`, shared, by each process that uses the server, from its first `hold` to its death;
- `running`, by the server's warden and every process of the server.

The first to hold a server starts it, later ones join, and the warden stops it when the last is gone. A
forked child holds what its parent held; a program started by a holder does not. `url` says where the server
is, `log` what it says.
"""

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from worker.embedded import warden

STARTS = 3  # a port may be taken between its choice and its use, so one failure means little
PATIENCE = 120.0  # seconds to wait for an answer: after a power cut PostgreSQL first replays its journal
LOOK_EVERY = 0.02

_held: dict[Path, int] = {}


class EmbeddedServerError(RuntimeError):
    """An embedded server cannot be had. The sentence says why and what to do."""


@dataclass(frozen=True)
class Launch:
    """How to start a server: its command line, whom it runs as, where it will be; how to stop it.

    `stop` is the signal of an orderly stop; after `grace` seconds it is killed.
    """

    argv: tuple[str, ...]
    uid: int
    gid: int
    url: str
    stop: int
    grace: int


def hold(directory: Path, prepare: Callable[[], Launch], answers: Callable[[str], bool]) -> str:
    """Hold the server of `directory` until this process dies or lets go; start it unless it runs.

    Calling it again is cheap, and starts the server again should it have crashed.

    Args:
        directory: the server's own directory, made where it is absent.
        prepare: readies the directory and says how to start. Only called while the server does not live.
        answers: whether the server at a URL serves already.

    Returns:
        The server's URL.

    Raises:
        EmbeddedServerError: it does not start, does not answer, or belongs to another user.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(directory / "starting", fcntl.LOCK_EX):
            _take_hold(directory)  # waits for a warden that is just stopping the server
            try:
                return _started(directory, prepare, answers)
            except BaseException:
                os.close(_held.pop(directory))
                raise
    except PermissionError as refusal:
        raise EmbeddedServerError(
            f"{refusal.filename} is closed to this user: run as its owner, or choose another data directory."
        ) from refusal


def any_crashed(data_dir: Path) -> bool:
    """Whether a server under `data_dir` that this process holds has ended: `hold` starts it again."""
    for directory in [held for held in _held if held.parent == data_dir.resolve()]:
        # Who is just starting it has it locked, and it runs after that. A folder that was deleted has no server.
        with suppress(FileNotFoundError), _locked(directory / "starting", fcntl.LOCK_EX):
            if _nothing_runs(directory):
                return True
    return False


def detach(data_dir: Path) -> None:
    """Let go of the servers under `data_dir` and wait for the end of those that nobody else holds.

    Ending the process does the same without the waiting. This process's forks lose their hold with it.
    Nothing happens where nothing is held.
    """
    for directory in [held for held in _held if held.parent == data_dir.resolve()]:
        holder = _held.pop(directory)
        try:
            with _locked(directory / "starting", fcntl.LOCK_EX):
                last = _try_lock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                fcntl.flock(holder, fcntl.LOCK_UN)
                if last:
                    with _locked(directory / warden.RUNNING, fcntl.LOCK_SH):
                        pass
        except FileNotFoundError:
            pass  # the directory was deleted: the warden holds on to the files, and sees the lock go
        finally:
            os.close(holder)


def _take_hold(directory: Path) -> None:
    holder = os.open(directory / warden.HOLDERS, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(holder, fcntl.LOCK_SH)
    earlier = _held.get(directory)
    _held[directory] = holder
    if earlier is not None:  # not kept in its stead: the directory may have been deleted and made anew
        os.close(earlier)


def _started(directory: Path, prepare: Callable[[], Launch], answers: Callable[[str], bool]) -> str:
    deadline = time.monotonic() + PATIENCE
    starts = 0
    while True:
        # A URL alone proves nothing: in a copied directory it names the server of the original.
        if _nothing_runs(directory):
            if starts == STARTS:
                raise EmbeddedServerError(f"{_name(directory)} does not start: {_last_words(directory)}")
            starts += 1
            _start(directory, prepare())
        elif answers(url := (directory / "url").read_text()):
            return url
        elif time.monotonic() > deadline:
            raise EmbeddedServerError(f"{_name(directory)} does not answer: {_last_words(directory)}")
        else:
            time.sleep(LOOK_EVERY)


def _start(directory: Path, launch: Launch) -> None:
    _record(directory / "url", launch.url)
    log = os.open(directory / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        subprocess.run(  # noqa: S603 - our own program
            [
                *(sys.executable, "-I", "-S", warden.__file__),
                *(str(number) for number in (launch.stop, launch.grace, launch.uid, launch.gid)),
                *launch.argv,
            ],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C in a terminal is for the holders
            check=True,
        )
    except subprocess.CalledProcessError as failure:
        raise EmbeddedServerError(f"{_name(directory)} has no warden: {_last_words(directory)}") from failure
    finally:
        os.close(log)


def _nothing_runs(directory: Path) -> bool:
    with _locked(directory / warden.RUNNING, fcntl.LOCK_EX | fcntl.LOCK_NB) as nothing:
        return nothing


@contextmanager
def _locked(path: Path, how: int) -> Iterator[bool]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield _try_lock(descriptor, how)
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # closing alone would leave it to a child forked meanwhile
        os.close(descriptor)


def _try_lock(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how)
    except BlockingIOError:
        return False
    return True


def _record(path: Path, text: str) -> None:
    """Write all of a file or nothing of it, whenever the power goes."""
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)
    os.chown(draft, path.parent.stat().st_uid, path.parent.stat().st_gid)  # we may be root, at a user's files
    with draft.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _name(directory: Path) -> str:
    return f"The embedded {directory.name}"


def _last_words(directory: Path) -> str:
    log = directory / "log"
    lines = log.read_text(errors="replace").splitlines()[-5:] if log.exists() else []
    return " / ".join(line.strip() for line in [*lines, f"(all of it: {log})"])
