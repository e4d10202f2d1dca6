"""Production adopted while it is at work: 734 dossiers of V1, the app reading, V1's pipeline writing; and back."""

import json
import os
import subprocess
import sys

import psycopg
import pytest

from models.values import dossier_id_of
from tests.builders import CONTENTS
from tests.conftest import forget_cached
from tests.database.publishing import execute, one, publish, seen_by
from tests.database.test_migrations import catalogue, load_v1
from tests.system.app import going_on
from tests.system.stack import wait_until
from tests.v1 import load, production
from worker import db, inbox, migrate

LOCK_TIMEOUT = 1.0
REPORT = 0.6  # below the lock timeout: what waits for one report gets its turn, what waits for two on end does not
ROWS = production(seed=1, dossiers=734)
READERS = {client["slug"]: client["id"] for client in ROWS.clients if client["slug"] != "empty"}
COLUMNS = {table: ", ".join(rows[0]) for table, rows in ROWS.tables.items()}
DEFAULTS = "pipeline_version = 'v1' and num_nulls(run_id, error, release_at, drip_position, company_key) = 5"


@pytest.fixture
def v1(empty_database, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", empty_database)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    forget_cached()
    with psycopg.connect(empty_database, autocommit=True) as connection:
        load_v1(connection)
        load(connection, ROWS)
        yield connection
    forget_cached()


def command(url, *words):
    """The real command, in a process of its own; what it answered."""
    env = os.environ | {"DATABASE_URL": url, "COLUMNLINE_LOCK_TIMEOUT": str(LOCK_TIMEOUT)}
    done = subprocess.run(
        [sys.executable, "-m", "worker.cli", *words, "--json"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def rows(connection):
    """V1's rows: which each is, or of which dossier; where it lies, for one written anew moves; its text's sum."""
    of = {"contacts": "dossier_id", "dossier_lists": "dossier_id"}
    return {
        table: connection.execute(
            f"select {of.get(table, 'id')}, xmin::text, ctid::text, md5(row({columns})::text) "
            f"from {table} order by ctid"
        ).fetchall()
        for table, columns in COLUMNS.items()
    }


def but(touched, found):
    """Those rows without these."""
    return {table: [row for row in each if row[0] not in touched] for table, each in found.items()}


def ready(run_id):
    """A run of a pipeline client that leads to V1's `northwind` by its slug."""
    with db.transaction() as session:
        inbox.register_run(session, run_id, {"client_id": "CLT_V1", "seed_data": {"company_name": "New of V2"}})
        inbox.store_outputs(session, run_id, [inbox.Output(name, output) for name, output in CONTENTS.items()])
    return run_id


def at_work(life):
    """Everybody got through twice more, or somebody met an error."""
    turns = dict(life.turns)
    wait_until(lambda: life.errors or all(life.turns[name] > turns[name] + 1 for name in turns), "the app's turns")


def nobody_was_kept_waiting(life):
    assert life.errors == []
    assert [wait for wait in life.longest if wait[0] > LOCK_TIMEOUT] == []
    return True


def test_production_is_adopted_used_and_given_back_while_the_app_reads_and_v1_writes(v1, empty_database):
    schema, before = catalogue(v1), rows(v1)
    with going_on(empty_database, READERS.values(), READERS["northwind"], REPORT) as life:
        at_work(life)
        answer = command(empty_database, "migrate")
        at_work(life)
    assert answer["after"] == migrate.head()
    assert nobody_was_kept_waiting(life)
    written = set(life.touched)
    assert 0 < len({row["id"] for row in ROWS.dossiers} & written) < 734
    assert but(written, rows(v1)) == but(written, before)
    assert v1.execute(f"select count(*) from dossiers where ({DEFAULTS}) is not true").fetchall() == [(0,)]
    assert command(empty_database, "migrate", "--plan")["ok"] is True

    execute("insert into v2_clients (client_id, client_name, slug) values ('CLT_V1', 'x', 'northwind')")
    assert publish(ready("RUN_BESIDE_V1"), list="Inbox").state == "done"
    northwind = READERS["northwind"]
    assert {"RUN_BESIDE_V1", "Written meanwhile"} < set(seen_by(northwind))
    assert "RUN_BESIDE_V1" not in seen_by(READERS["lakeshore"])
    new = {dossier_id_of("RUN_BESIDE_V1"), one("select id from batches where batch_number like 'V2_%'").id}
    assert but(written | new, rows(v1)) == but(written, before)

    with going_on(empty_database, READERS.values(), northwind, REPORT) as life:
        at_work(life)
        command(empty_database, "migrate", "--undo", "--yes")
        at_work(life)
    assert nobody_was_kept_waiting(life)
    assert catalogue(v1) == schema
    assert but(written | life.touched | new, rows(v1)) == but(written | life.touched, before)
