"""Mappings that lead nowhere stop the migration before it touches anything: listed, not deleted."""

from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import text

from tests.conftest import forget_cached
from tests.database.command import code_of, columnline, told
from tests.database.test_migrations import catalogue, load_v1
from worker import db, migrate
from worker.errors import Validation
from worker.settings import Settings

FINE = UUID(int=7)


@pytest.fixture
def engine(empty_database):
    made = db.make_engine(empty_database, Settings(DATABASE_URL=empty_database))
    yield made
    made.dispose()


@pytest.fixture
def connection(empty_database):
    with psycopg.connect(empty_database, autocommit=True) as connected:
        load_v1(connected)
        connected.execute("alter table v2_clients add column production_client_id uuid")
        connected.execute("insert into clients (id, name) values (%s, 'Acme')", [FINE])
        yield connected


def lead(connection, clients):
    for client_id, target in clients.items():
        connection.execute(
            "insert into v2_clients (client_id, client_name, production_client_id) values (%s, %s, %s)",
            [client_id, "x", target],
        )


def everything(connection):
    return catalogue(connection), connection.execute("select * from v2_clients order by 1").fetchall()


def test_every_one_of_them_is_listed_nothing_is_touched_and_once_corrected_it_migrates(engine, connection):
    orphans = {f"CLT_{number:03}": uuid4() for number in range(120)}
    lead(connection, orphans | {"CLT_FINE": FINE, "CLT_NONE": None})
    before = everything(connection)
    with pytest.raises(Validation) as raised:
        migrate.upgrade(engine)
    assert raised.value.field == "production_client_id"
    lines = raised.value.detail.splitlines()[1:]
    assert lines == [f"  {client} -> {target}" for client, target in orphans.items()]
    assert everything(connection) == before
    assert migrate.current(engine) is None
    connection.execute("update v2_clients set production_client_id = null where client_id <> 'CLT_FINE'")
    assert migrate.upgrade(engine) == migrate.current(engine) == migrate.head()
    rows = connection.execute("select production_client_id from v2_clients where production_client_id is not null")
    assert rows.fetchall() == [(FINE,)]
    with engine.connect() as connected:
        valid = "select convalidated from pg_constraint where conname = 'v2_clients_production_client_id_fkey'"
        assert connected.scalar(text(valid)) is True


def test_the_command_tells_of_them_and_ends_as_failed(connection, empty_database, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", empty_database)
    forget_cached()
    target = uuid4()
    lead(connection, {"CLT_[bold]x": target})
    before = everything(connection)
    assert code_of(columnline("migrate", "--json")) == "validation"
    result = columnline("migrate")
    assert result.exit_code == 1
    assert f"CLT_[bold]x -> {target}" in result.stderr.replace("\n", "")
    assert everything(connection) == before

    connection.execute("insert into clients (id, name) values (%s, 'Late')", [target])
    assert told(columnline("migrate", "--json"))["after"] == migrate.head()
    forget_cached()
