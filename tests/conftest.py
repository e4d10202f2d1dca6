"""Servers and databases for tests: real ones, embedded unless `DATABASE_URL` and `REDIS_URL` name others.

Every test that asks for `database` finds it migrated and empty; the tests of a process share it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from sqlalchemy.engine import make_url

from tests.engines import Engines
from tests.kept import Kept
from worker import attempt, db, migrate, ring, servers
from worker.settings import Settings, settings

HOUR, MARGIN = 3600, 10  # seconds
SERVERS = "PYTEST_SERVERS_DIRECTORY"
NO_BROKER = "redis://127.0.0.1:1/0"
SAMPLES = Path(__file__).parent / "samples"
LONGEST = (
    "test_readme.py::test_a_newcomer",
    "test_chaos.py::test_whatever_breaks",
    "test_bench.py::test_latency",
    "test_bench.py::test_a_drain",
    "test_bench.py::test_a_start",
    "test_page_browser.py",
    "test_bench.py",
    "test_embedded.py",
    "test_image.py",
    "test_adoption.py",
    "test_coexistence.py",
    "test_bridge_processes.py",
    "test_readme.py",
)
"""Each process is given two tests at the start: six that take longest, then the quick ones of `test_bench.py`."""

# How long an example takes says how busy the machine is; a test that means time measures it itself. Each run of
# the suite tries the same examples: it judges a change, not its luck. `--hypothesis-profile=hunt` tries others.
hypothesis_settings.register_profile("hunt", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.register_profile("same", hypothesis_settings.get_profile("hunt"), derandomize=True)
hypothesis_settings.load_profile("same")

# No test of this server cuts its power, and its data die with the tests: it need not wait for a disk.
KEEPER = """
import sys
from pathlib import Path
import psycopg
from worker.embedded import attach_postgres
url = attach_postgres(Path(sys.argv[1]))
with psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True) as admin:
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        admin.execute(f"alter system set {setting} = off")
    admin.execute("select pg_reload_conf()")
print(url, flush=True)
sys.stdin.read()
"""


def pytest_configure(config):
    """Choose where the tests' server lies, and settle Celery's configuration: in tests it reaches no broker.

    Not under pytest's own temporary directory: each run of pytest shuts that to other users, and under root the
    server is one.
    """
    if not hasattr(config, "workerinput"):
        os.environ[SERVERS] = tempfile.mkdtemp(prefix="columnline-tests-")
        # Hundreds of processes import the same modules: without their bytecode each would compile all of them.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        sys.dont_write_bytecode = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REDIS_URL", NO_BROKER)
        ring.be_brief()
    forget_cached()
    db.make_engine = Engines(db.make_engine)
    db.AWAKE = 0  # from test to test all sessions are ended, also those of a bridge that was just asked


def pytest_unconfigure(config):
    """Remove the server's data; every process that used it has ended."""
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ.pop(SERVERS), ignore_errors=True)


def pytest_collection_modifyitems(items):
    """Begin with the tests that take longest, so that no process is left alone with one of them at the end."""
    items.sort(key=_rank)


def _rank(item):
    for place, name in enumerate(LONGEST):
        if name in item.nodeid:
            return place
    return len(LONGEST) + ("system" not in item.path.parts and "interleavings" not in item.path.name)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Deal the tests out in this order."""
    from tests.dealing import Dealing  # noqa: PLC0415 - only where there is xdist

    return Dealing(config, log) if config.getvalue("dist") == "load" else None


def forget_cached():
    """Have the next call read the environment again."""
    db.dispose()
    settings.cache_clear()
    servers.database_url.cache_clear()
    servers.broker_url.cache_clear()


def secret_of(key):
    """What of an API key only its holder may know; an underscore may be part of it."""
    return key.split("_", 2)[2]


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
    """URL of a migrated, empty database, which this process uses too. Bells are silent: no broker is asked for.

    Days, release hours and slots of a drip begin with an hour: a test does not begin just before one.
    """
    if (left := HOUR - time.time() % HOUR) < MARGIN:
        time.sleep(left)
    monkeypatch.setenv("DATABASE_URL", kept.url)
    monkeypatch.setenv("REDIS_URL", NO_BROKER)
    monkeypatch.setenv("COLUMNLINE_SWEEP_INTERVAL", "3600")  # nothing looks while a test changes servers
    monkeypatch.setattr(ring.breaker, "_open_until", float("inf"))
    # With a pause of almost nothing, a drain would go on to the next attempt before a test has seen the first.
    monkeypatch.setattr(attempt, "random", SimpleNamespace(random=lambda: 0.5))
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
