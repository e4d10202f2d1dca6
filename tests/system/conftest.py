"""Fixtures for tests with processes of their own."""

import socket
from contextlib import contextmanager

import pytest

from tests.conftest import SAMPLES
from tests.system.stack import running
from worker import db
from worker.cli.imports import import_clients, read


def listens(port):
    """Whether somebody listens on this port of this machine."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


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
