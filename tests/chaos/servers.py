"""A PostgreSQL cluster of our own, on a port of its own: to be stopped, stalled, filled up and started again.

Its programs are the embedded wheel's or, without it, the newest of the system's. Everything of it lies in one
directory. Before any signal is sent, the process is one that we started.
"""

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg

from tests.system.stack import free_port, wait_until
from worker.embedded import postgres as embedded
from worker.embedded.holding import EmbeddedServerError

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "on",
    "shared_buffers": "32MB",
    "max_connections": "80",
    "log_min_messages": "warning",
}
DATABASE = "columnline"
BY_HAND = "-c default_transaction_read_only=off -c statement_timeout=10000 -c lock_timeout=3000"


class Postgres:
    """The cluster: `start` makes it on first use; its data are durable, as in production."""

    def __init__(self, folder):
        self.port = free_port()
        self._folder = Path(folder, "postgres")
        self._data = self._folder / "data"
        self._process = None

    def url(self, port=None):
        """Where it is, or where a proxy on `port` leads to it."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{port or self.port}/{DATABASE}"

    def connect(self, **options):
        """A connection of the harness's own, past every proxy, that may write whatever the server says."""
        given = {"dbname": DATABASE, "autocommit": True, "options": BY_HAND, "connect_timeout": 3} | options
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="postgres", application_name="chaos", **given
        )

    def start(self):
        """Start it, with its database, and wait until it answers."""
        self._folder.mkdir(parents=True, exist_ok=True)
        owner = embedded._owner(self._data)
        programs = _programs(owner[0], self._folder)
        is_new = not self._data.exists()
        if is_new:
            os.chown(self._folder, *owner)
            _run(owner, programs / "initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8")
        (self._data / "postmaster.pid").unlink(missing_ok=True)  # ours has ended: nobody else knows the directory
        options = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [programs / "postgres", "-D", self._data, "-k", self._data, "-p", str(self.port), *options],
                stdout=log,
                stderr=log,
                start_new_session=True,
                **_as(owner),
            )
        wait_until(self._answers, "PostgreSQL")
        if is_new:
            with self.connect(dbname="postgres") as connection:
                connection.execute(f"create database {DATABASE}")

    def stop(self, sig=signal.SIGQUIT):
        """Stop it: by default at once, as a crash would, leaving recovery to the next start."""
        self.resume()
        self._process.send_signal(sig)
        self._process.wait(60)

    def stall(self):
        """Have every process of it stand still."""
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                process.suspend()

    def resume(self):
        """Let every process of it go on."""
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                process.resume()

    def owns(self, pid):
        """Whether this is a process of the cluster: look before sending it a signal."""
        return pid in {process.pid for process in self._processes()}

    def close(self):
        """Stop it for good."""
        if self._process is not None and self._process.poll() is None:
            self.stop()

    def _processes(self):
        with suppress(psutil.NoSuchProcess):
            postmaster = psutil.Process(self._process.pid)
            return [postmaster, *postmaster.children(recursive=True)]
        return []

    def _answers(self):
        with suppress(psycopg.OperationalError):
            self.connect(dbname="postgres").close()
            return True
        time.sleep(0.1)
        return False


def _programs(uid, folder):
    """The directory of PostgreSQL's programs, which the server's user can reach."""
    try:
        wheel = embedded._wheel()
    except EmbeddedServerError:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
        one = found[-1] if found else shutil.which("postgres")
        if one is None:
            raise
        return Path(one).parent
    if os.geteuid() != uid:
        embedded._let_through(uid, folder, wheel)
    versions = {int(path.name.removeprefix("pginstall")): path for path in wheel.glob("pginstall[0-9]*")}
    return versions[max(versions)] / "bin"


def _as(owner):
    """As whom the server runs: PostgreSQL refuses to be root."""
    if os.geteuid() != 0:
        return {}
    return {"user": owner[0], "group": owner[1], "extra_groups": []}


def _run(owner, *command):
    subprocess.run(command, check=True, capture_output=True, cwd="/", **_as(owner))
