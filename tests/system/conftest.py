"""Fixtures for tests with processes of their own, on the servers that this round of tests is for."""

import os
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import SAMPLES, _database, forget_cached
from tests.system import servers
from tests.system.stack import own_broker, running
from worker import db
from worker.cli.imports import import_clients, read

ON_THE_SERVERS = {"stack", "stacks", "page", "database", "broker"}


def pytest_collection_modifyitems(config, items):
    """In a round for other servers, leave out what brings servers of its own: it would be the same again."""
    if (servers.BROKER, servers.POOLER, os.environ.get("DATABASE_URL")) == ("redis", "", None):
        return
    here = Path(__file__).parent
    others = [i for i in items if here in i.path.parents and not ON_THE_SERVERS & set(i.fixturenames)]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]


@pytest.fixture(scope="session", autouse=True)
def _vhost():
    yield
    servers.remove_vhost()


@pytest.fixture
def database(database, monkeypatch):
    """As everywhere, but through a pooler in a round that is for one."""
    with servers.pooled(database) as url:
        monkeypatch.setenv("DATABASE_URL", url)
        forget_cached()
        yield url
        forget_cached()


@pytest.fixture(scope="module")
def shared_database(server_url, admin, template):
    """A module's database with the samples' clients; through a pooler in a round that is for one."""
    with pytest.MonkeyPatch.context() as patch:
        for direct in _database(server_url, admin, template):
            with servers.pooled(direct) as url:
                patch.setenv("DATABASE_URL", url)
                forget_cached()
                with db.transaction() as session:
                    import_clients(session, read(SAMPLES / "clients.json"))
                yield url
                forget_cached()


@pytest.fixture
def broker(tmp_path):
    """A broker of a test's own, which can be stopped and stalled."""
    own = own_broker(tmp_path)
    own.start()
    yield own
    own.close()


@pytest.fixture
def stack(database, tmp_path):
    """A function that runs a stack, its database with the samples' clients: `with stack("bridge") as s`."""
    with db.transaction() as session:
        import_clients(session, read(SAMPLES / "clients.json"))

    @contextmanager
    def run(*names, **options):
        with running(tmp_path, database, *names, **options) as started:
            yield started

    return run
