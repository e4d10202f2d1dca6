"""Servers and databases for tests: real ones, embedded unless `DATABASE_URL` and `REDIS_URL` name others.

Every test that asks for `database` finds it migrated and empty; the tests of a process share it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests.kept import Kept
from worker import db, migrate, ring, servers
from worker.settings import Settings, settings

SERVERS = "PYTEST_SERVERS_DIRECTORY"
NO_BROKER = "redis://127.0.0.1:1/0"
SAMPLES = Path(__file__).parent / "samples"


KEEPER = """
import sys
from pathlib import Path
from worker.embedded import attach_postgres
print(attach_postgres(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def pytest_configure(config):
    """Choose where the tests' server lies, and settle Celery's configuration: in tests it reaches no broker.

    Not under pytest's own temporary directory: each run of pytest shuts that to other users, and under root the
    server is one.
    """
    if not hasattr(config, "workerinput"):
        os.environ[SERVERS] = tempfile.mkdtemp(prefix="columnline-tests-")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REDIS_URL", NO_BROKER)
        ring.be_brief()
    forget_cached()


def pytest_unconfigure(config):
    """Remove the server's data; every process that used it has ended."""
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ.pop(SERVERS), ignore_errors=True)


def pytest_collection_modifyitems(items):
    """Begin with the tests that take longest, so that no process is left alone with one of them at the end."""
    items.sort(key=lambda item: "system" not in item.path.parts)


def forget_cached():
    """Have the next call read the environment again."""
    db.dispose()
    settings.cache_clear()
    servers.database_url.cache_clear()
    servers.broker_url.cache_clear()


@pytest.fixture(scope="session")
def server_url():
    """URL of the PostgreSQL server under test; one embedded server serves all test processes.

    Another process holds it for us, so that a test of the holding itself may let go of all that is ours.
    """
    configured = os.environ.get("DATABASE_URL")
    if configured:
        yield make_url(Settings(DATABASE_URL=configured).database_url.get_secret_value())
        return
    command = [sys.executable, "-c", KEEPER, os.environ[SERVERS]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as keeper:
        yield make_url(keeper.stdout.readline().strip())


@pytest.fixture(scope="session")
def admin(server_url):
    """An autocommit connection that may create databases."""
    url = server_url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def empty_database(server_url, admin):
    """URL of a new, empty database."""
    yield from _database(server_url, admin, "template1")


@pytest.fixture(scope="session")
def template(server_url, admin):
    """Name of a migrated database to clone."""
    for url in _database(server_url, admin, "template1"):
        engine = db.make_engine(url, Settings(DATABASE_URL=url))
        migrate.upgrade(engine)
        engine.dispose()
        yield make_url(url).database


@pytest.fixture(scope="session")
def kept(server_url, admin, template):
    """The database that the tests of this process use one after the other."""
    database = Kept(admin, server_url, template, f"columnline_test_{uuid.uuid4().hex[:12]}")
    yield database
    database.drop()


@pytest.fixture
def database(kept, monkeypatch):
    """URL of a migrated, empty database, which this process uses too. Bells are silent: no broker is asked for."""
    monkeypatch.setenv("DATABASE_URL", kept.url)
    monkeypatch.setenv("REDIS_URL", NO_BROKER)
    monkeypatch.setenv("COLUMNLINE_SWEEP_INTERVAL", "3600")  # nothing looks while a test changes servers
    monkeypatch.setattr(ring.breaker, "_open_until", float("inf"))
    forget_cached()
    yield kept.url
    forget_cached()
    kept.clean()


@pytest.fixture
def setting(monkeypatch):
    """A function that sets a setting for this test: `setting(max_attempts=2)`."""

    def change(**values):
        for name, value in values.items():
            monkeypatch.setenv(f"COLUMNLINE_{name.upper()}", str(value))
        settings.cache_clear()

    yield change
    settings.cache_clear()


def _database(server_url, admin, template):
    name = f"columnline_test_{uuid.uuid4().hex[:12]}"
    admin.execute(f'create database "{name}" template "{template}"')
    try:
        yield server_url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    finally:
        admin.execute(f'drop database "{name}" with (force)')
