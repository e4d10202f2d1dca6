"""The system under test, whole: its own PostgreSQL and Redis, proxies before both, bridge, two workers, beat.

A keeper starts again what has ended, as a supervisor would in production.
"""

import os
import signal
import subprocess
import threading
import time
from contextlib import ExitStack, suppress

import psutil

from tests import makecom
from tests.chaos import watch
from tests.chaos.proxy import Proxy
from tests.chaos.servers import Postgres
from tests.conftest import forget_cached
from tests.system.stack import Redis, Stack
from worker import db, migrate
from worker.settings import settings

CLOCKS = {
    "COLUMNLINE_BACKOFF_CAP": "5",
    "COLUMNLINE_OUTPUTS_DEADLINE": "15",
    "COLUMNLINE_RELEASE_INTERVAL": "2",
    "COLUMNLINE_SWEEP_INTERVAL": "1",
    "COLUMNLINE_RERUN_TIMEOUT": "30",
    "COLUMNLINE_LOG_FORMAT": "json",
}
SLOWLY = "step.batch=sleep~0.05,step.contacts=sleep~0.05"
"""Work takes a while, so that faults meet it: else it is done within a fiftieth of a second."""
LEASE = 5.0
WORKERS = ("worker", "worker2")
KEPT = ("bridge", *WORKERS, "beat")
CLIENTS = {f"CLT_{name}": f"00000000-0000-4000-8000-00000000000{n}" for n, name in enumerate("ABCD", 1)}
UNMAPPED = "CLT_LATE"
LATE = "00000000-0000-4000-8000-000000000009"
V1_ROWS = 50
V1_BATCH = "BATCH_2025_07"

_CLIENT = """
insert into clients (id, name, slug, timezone, release_hour) values (%s, %s, %s, 'UTC', 7)
"""
_V2_CLIENT = """
insert into v2_clients (client_id, client_name, slug, status, production_client_id)
values (%s, %s, %s, 'active', %s)
"""
V1_OF_A_CLIENT = """
with batch as (
  insert into batches (client_id, batch_number, status, total_dossiers, completed_dossiers)
  values (%(client)s, %(batch)s, 'complete', %(rows)s, %(rows)s) returning id),
dossier as (
  insert into dossiers (client_id, batch_id, company_name, status, pipeline_version, released_at, insight)
  select %(client)s, batch.id, 'V1 company ' || n, 'ready', 'v1', now() - n * interval '1 day',
    jsonb_build_object('n', n)
  from batch, generate_series(1, %(rows)s) n returning id)
insert into contacts (dossier_id, name, is_primary) select id, 'V1 contact', true from dossier
"""


class Processes(Stack):
    """The stack's processes, and a second beat."""

    def _command(self, name):
        command = super()._command(name.rstrip("2") if name.startswith("beat") else name)
        return (
            [part.replace("concurrency=2", "concurrency=1") for part in command] if name == "worker2" else command
        )


class World:
    """Everything, from an empty folder: `open` starts it, `heal` mends it, `close` leaves nothing running."""

    def __init__(self, folder, say=lambda *_: None):
        self.folder, self.say = folder, say
        self.over = threading.Event()
        self.restarts = 0
        self._lock, self._kept = threading.RLock(), set()
        self.postgres, self.redis = Postgres(folder), Redis(folder)
        self.proxies, self.stack = {}, None
        self._around = ExitStack()
        self.make = self._around.enter_context(makecom.standing_in())
        self._keeper = threading.Thread(target=self._keep, daemon=True)

    def open(self):
        """Start everything, and wait until it is ready."""
        self.postgres.start()
        self.redis.start()
        self.proxies = {
            name: Proxy(self.postgres.port if name.endswith("postgres") else self.redis.port)
            for name in ("worker_postgres", "bridge_postgres", "worker_redis", "bridge_redis")
        }
        self._prepare()
        told = makecom.settings_for(self.make.url)
        self.stack = Processes(self.folder, os.environ["DATABASE_URL"], self.redis, **CLOCKS, **told)
        for name in KEPT:
            self.spawn(name)
        for name in KEPT:
            self._await(name)
        self._kept = set(KEPT)
        self._keeper.start()

    def wait(self, seconds):
        """Stand still for so long, or until all is over."""
        self.over.wait(seconds)

    def every(self, pause, seconds):
        """Come round every `pause` seconds, for `seconds`, unless all is over."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.over.is_set():
            yield
            self.over.wait(pause)

    def spawn(self, name, *options, **env):
        """Start a process behind the proxies of its side, with more options on its command line if need be.

        The second worker goes to PostgreSQL directly: only there are statements prepared.
        """
        side = "bridge" if name == "bridge" else "worker"
        port = None if name == "worker2" else self.proxies[f"{side}_postgres"].port
        urls = {
            "DATABASE_URL": self.postgres.url(port),
            "REDIS_URL": f"redis://127.0.0.1:{self.proxies[f'{side}_redis'].port}/0",
        }
        if name in WORKERS:
            env["COLUMNLINE_FAILPOINTS"] = ",".join(filter(None, (SLOWLY, env.get("COLUMNLINE_FAILPOINTS"))))
        with self._lock:
            self.stack.spawn(name, *options, **urls, **env)

    def process(self, name):
        """The process of that name as it runs now, or None."""
        with self._lock, suppress(KeyError, psutil.NoSuchProcess):
            return psutil.Process(self.stack.processes[name].pid)
        return None

    def group(self, name):
        """The process and all its children."""
        main = self.process(name)
        with suppress(psutil.NoSuchProcess):
            return [main, *main.children(recursive=True)] if main else []
        return []

    def kill(self, process, sig=signal.SIGKILL):
        """Send a signal to a process of ours; returns whether it was there to receive it."""
        with suppress(psutil.NoSuchProcess):
            if process is not None and process.status() != psutil.STATUS_ZOMBIE:
                process.send_signal(sig)
                return True
        return False

    def restart(self, name, *options, sig=signal.SIGTERM, patience=8.0, **env):
        """Have the process end, at last by force, and start anew with these options, in this environment.

        Returns whether it was running before.
        """
        with self._lock:
            self._kept.discard(name)
            process = self.stack.processes[name]
        was_running = process.poll() is None
        process.send_signal(sig)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.spawn(name, *options, **env)
        with self._lock:
            self._kept.add(name)
        return was_running

    def end(self, name):
        """End a process for good."""
        with self._lock:
            self._kept.discard(name)
            process = self.stack.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.kill()
        process.wait()

    def outlived(self):
        """Processes of ours whose main process has ended.

        They are known by the environment that they were given: by now their main's id, and so that of its session,
        may be a stranger's.
        """
        others = {None, *(process.pid for process in self.stack.processes.values())}  # None: ended meanwhile
        return [one for one in psutil.process_iter() if self._is_ours(one) and _session(one.pid) not in others]

    def _is_ours(self, process):
        with suppress(psutil.Error):
            return process.environ().get("COLUMNLINE_DATA_DIR") == str(self.folder)
        return False

    def heal(self):
        """Mend whatever a fault may have left; safe to call at any time."""
        self.redis.resume()
        for proxy in self.proxies.values():
            proxy.heal()
        self.postgres.resume()
        for name in KEPT:
            for process in self.group(name):
                self.kill(process, signal.SIGCONT)

    def close(self):
        """End everything, by force."""
        self.over.set()
        if self._keeper.is_alive():
            self._keeper.join(5)
        if self.stack is not None:
            self.stack.close()
            for process in self.outlived():
                self.kill(process)
        db.dispose()
        for proxy in self.proxies.values():
            proxy.close()
        if self.redis.process is not None:
            self.redis.stop()
        self.postgres.close()
        self._around.close()

    def migrate(self):
        """Bring the schema to its newest version, past every proxy."""
        engine = db.make_engine(self.postgres.url(), settings())
        migrate.upgrade(engine)
        engine.dispose()

    def _prepare(self):
        os.environ["DATABASE_URL"] = self.postgres.url()
        forget_cached()
        self.migrate()
        with self.postgres.connect() as connection:
            watch.install(connection)
            for client_id, uuid in CLIENTS.items():
                connection.execute(_CLIENT, (uuid, client_id, client_id.lower()))
                connection.execute(_V2_CLIENT, (client_id, client_id, client_id.lower(), uuid))
                connection.execute(V1_OF_A_CLIENT, {"client": uuid, "batch": V1_BATCH, "rows": V1_ROWS})
            connection.execute(_CLIENT, (LATE, "Late", "late"))
            connection.execute(_V2_CLIENT, (UNMAPPED, "Late", "not-late-yet", None))

    def _await(self, name):
        until = time.monotonic() + 60
        while not self.stack._ready(name):
            if time.monotonic() > until:
                raise AssertionError(f"{name} did not start: {self.stack.log(name)[-2000:]}")
            time.sleep(0.1)

    def _keep(self):
        while not self.over.wait(0.3):
            with self._lock:
                for name in sorted(self._kept):
                    process = self.stack.processes.get(name)
                    if process is not None and process.poll() is not None:
                        self.restarts += 1
                        self.say(f"{name} has ended ({process.returncode}); started again")
                        self.spawn(name)


def _session(pid):
    with suppress(ProcessLookupError):
        return os.getsid(pid)
    return None
