"""Fixtures for tests that need PostgreSQL and no other process."""

import errno
import json
import zipfile

import pytest
from fastapi.testclient import TestClient

from models.jobs import Scope
from tests.conftest import SAMPLES
from tests.makecom import SCENARIO, TOKEN, standing_in
from worker import db, keys
from worker.bridge import create_app
from worker.cli.imports import import_clients, import_run, read


@pytest.fixture
def clients(database):
    """The samples' clients are in the database."""
    with db.transaction() as session:
        import_clients(session, read(SAMPLES / "clients.json"))


@pytest.fixture
def sample(clients):
    """A function that puts a sample run into the database and returns its document: `sample("run_clean")`."""

    def load(name):
        document = json.loads((SAMPLES / f"{name}.json").read_text())
        with db.transaction() as session:
            import_run(session, document)
        return document

    return load


@pytest.fixture
def http(database):
    """A client of the bridge, in this process, with a key that may do everything."""
    with db.transaction() as session:
        key = keys.create(session, "tests", Scope.OPS)
    with TestClient(create_app(), raise_server_exceptions=False, headers={"X-API-Key": key}) as client:
        yield client


@pytest.fixture
def make(setting):
    """Make.com, set up for the mode `api`."""
    with standing_in() as server:
        setting(make_mode="api", make_url=server.url, make_token=TOKEN, make_scenario_id=SCENARIO)
        yield server


@pytest.fixture
def disk_full(monkeypatch):
    """There is no room where XLSX files are made."""

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "write", full)
