"""Servers other than the usual ones: a RabbitMQ that runs here already, and a pooler of our own before PostgreSQL.

`TEST_BROKER=rabbitmq` and `TEST_POOLER=transaction` (or `session`) have every stack use them: `make test-system`.
"""

import atexit
import fcntl
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

import amqp
import pytest
from sqlalchemy.engine import make_url

from tests.chaos.proxy import Proxy
from tests.system.waiting import wait_until
from worker.celery import QUEUE_OF

BROKER, POOLER = os.environ.get("TEST_BROKER", "redis"), os.environ.get("TEST_POOLER", "")
RABBITMQ_PORT = 5672
GUEST = "guest"  # who RabbitMQ lets in from its own machine
SERVER_CONNECTIONS = 4
"""Of a pooler to PostgreSQL: fewer than our processes have to it, so that each gets all of them in turn."""


def free_port():
    """A port of this machine on which nobody listens, and which is given to nobody else while we run."""
    probe = socket.socket()
    atexit.register(probe.close)  # not before: the next to ask for any port might be given the same
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # so that another may listen, as servers ask to
    probe.bind(("127.0.0.1", 0))
    return probe.getsockname()[1]


def listens(port):
    """Whether somebody listens on this port of this machine."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


class RabbitMQ:
    """A virtual host of the RabbitMQ that runs here, behind a proxy: to be cut off, stalled and found empty again.

    Each test process has a virtual host; where none may be made, the tests take turns in the default one.
    """

    def __init__(self):
        self._vhost = vhost()
        self._lock = None
        self._proxy = Proxy(RABBITMQ_PORT)
        self.port = self._proxy.port
        name = self._vhost.replace("/", "%2f")
        self.url = f"amqp://{GUEST}:{GUEST}@127.0.0.1:{self.port}/{name}"

    def start(self):
        """Begin, or answer again after `stop`, with nothing in it."""
        if self._lock is None:
            path = Path(tempfile.gettempdir(), "columnline-tests-rabbitmq.lock")
            self._lock = path.open("a")
            if self._vhost == "/":
                fcntl.flock(self._lock, fcntl.LOCK_EX)
            self._empty()
        self._proxy.heal()

    def stop(self):
        """End all connections, refuse others, and lose what was in it."""
        self._proxy.heal()
        self._proxy.refuse()
        self._empty()

    def stall(self):
        """Answer nobody, and hang up on nobody."""
        self._proxy.blackhole()

    def resume(self):
        """Go on after `stall`."""
        self._proxy.heal()

    def close(self):
        """End it for good."""
        self.stop()
        self._proxy.close()
        self._lock.close()

    def _empty(self):
        address = f"127.0.0.1:{RABBITMQ_PORT}"
        with amqp.Connection(address, userid=GUEST, password=GUEST, virtual_host=self._vhost) as connection:
            for name in set(QUEUE_OF.values()):
                connection.channel().queue_delete(name)


@lru_cache(maxsize=1)
def vhost():
    """The virtual host of this test process; the default one where we may make none."""
    name = f"columnline-tests-{uuid.uuid4().hex[:12]}"
    if not _rabbitmqctl("add_vhost", name):
        return "/"
    assert _rabbitmqctl("set_permissions", "--vhost", name, GUEST, ".*", ".*", ".*")
    return name


def remove_vhost():
    """Remove what `vhost` made, if it did."""
    if vhost.cache_info().currsize:
        if vhost() != "/":
            _rabbitmqctl("delete_vhost", vhost())
        vhost.cache_clear()


def _rabbitmqctl(*words):
    try:
        return subprocess.run(["rabbitmqctl", *words], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def needs_redis():
    """Skip a test of what only Redis has or does."""
    if BROKER != "redis":
        pytest.skip(f"about Redis, and the broker is {BROKER}")


@contextmanager
def pooled(url, mode=POOLER, **settings):
    """URL of a pooler in this mode before the database at `url`; that URL itself where there is no mode.

    Args:
        url: the database's.
        mode: pgbouncer's `pool_mode`, or nothing.
        settings: more of pgbouncer's settings.
    """
    if not mode:
        yield url
        return
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("pgbouncer is not installed here")
    target, port = make_url(url), free_port()
    host = target.query.get("host", target.host or "127.0.0.1")
    owner = _owner(host)
    folder = Path(tempfile.mkdtemp(prefix="columnline-pooler-"))
    _configure(folder, target, host, {"listen_port": port, "pool_mode": mode} | settings)
    for path in (folder, *folder.iterdir()):
        os.chown(path, owner.pw_uid, owner.pw_gid)
    as_owner = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([program, folder / "pgbouncer.ini"], stdout=log, stderr=log, **as_owner)
    try:
        wait_until(lambda: listens(port), "pgbouncer")
        there = target.set(host="127.0.0.1", port=port, query={}, password=None)
        yield there.render_as_string(hide_password=False)
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def _owner(host):
    """As whom a pooler runs: who may enter the server's socket directory, or anybody but root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    with suppress(FileNotFoundError):
        if owner := Path(host).stat().st_uid if host.startswith("/") else 0:
            return pwd.getpwuid(owner)
    return pwd.getpwnam("nobody")


def _configure(folder, target, host, settings):
    server = {"host": host, "port": target.port or target.query.get("port", 5432), "password": target.password}
    given = " ".join(f"{name}='{value}'" for name, value in server.items() if value is not None)
    usual = {
        "listen_addr": "127.0.0.1",
        "unix_socket_dir": "",
        "auth_type": "trust",
        "auth_file": folder / "users",
        "default_pool_size": SERVER_CONNECTIONS,
        "server_round_robin": 1,  # the next transaction has another session, also where there is little to do
    }
    lines = [f"{name} = {value}" for name, value in (usual | settings).items()]
    (folder / "users").write_text(f'"{target.username}" ""\n')
    (folder / "pgbouncer.ini").write_text("\n".join(["[databases]", f"* = {given}", "[pgbouncer]", *lines, ""]))
