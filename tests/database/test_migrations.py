"""Migrations: create on an empty database, adopt production's, take back, and never touch a V1 row."""

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event

from models.tables import METADATA
from worker import db, migrate
from worker.settings import Settings

V1 = Path(__file__).parents[1] / "v1_schema.sql"
V1_TABLES = ("clients", "batches", "dossiers", "contacts", "lists", "dossier_lists")


@pytest.fixture
def engine(empty_database):
    made = db.make_engine(empty_database, Settings(DATABASE_URL=empty_database))
    yield made
    made.dispose()


@pytest.fixture
def connection(empty_database):
    with psycopg.connect(empty_database, autocommit=True) as connected:
        yield connected


def load_v1(connection):
    """Production before us. Roles belong to the server, not to the database, so `app_reader` may be there."""
    sql = V1.read_text().replace("create role app_reader nologin;", "")
    connection.execute(
        "do $$ begin create role app_reader nologin; "
        "exception when duplicate_object or unique_violation then null; end $$"
    )
    connection.execute(sql)


def fill_v1(connection, dossiers=20):
    connection.execute("insert into clients (name, slug) values ('Northwind', 'northwind')")
    connection.execute(
        "insert into dossiers (client_id, company_name, status, find_leads, released_at, agents_completed) "
        "select id, 'Company ' || n, 'ready', jsonb_build_object('n', n), now(), '{find-lead}' "
        "from clients, generate_series(1, %s) n",
        [dossiers],
    )
    connection.execute("insert into contacts (dossier_id, name, is_primary) select id, 'A', true from dossiers")


def rows(connection, columns):
    return {
        table: connection.execute(
            f"select {', '.join(columns[table])} from {table} order by 1::text, 2::text"
        ).fetchall()
        for table in V1_TABLES
    }


def columns_of(connection):
    return {
        table: [
            name
            for (name,) in connection.execute(
                "select column_name from information_schema.columns where table_name = %s order by 1",
                [table],
            )
        ]
        for table in V1_TABLES
    }


def catalogue(connection):
    """Columns, constraints, indexes, policies and grants of every V1 table, as PostgreSQL describes them."""
    queries = (
        """select table_name, column_name, data_type, is_nullable, column_default
           from information_schema.columns where table_schema = 'public'""",
        """select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint
           where connamespace = 'public'::regnamespace and contype <> 'n'""",
        "select tablename, indexname, indexdef from pg_indexes where schemaname = 'public'",
        "select tablename, policyname, roles::text, cmd, qual from pg_policies where schemaname = 'public'",
        "select table_name, privilege_type from information_schema.role_table_grants where grantee = 'app_reader'",
        """select relname, relrowsecurity::text from pg_class
           where relnamespace = 'public'::regnamespace and relkind = 'r'""",
    )
    return [
        sorted(row for row in connection.execute(query).fetchall() if row[0] != migrate.VERSION_TABLE)
        for query in queries
    ]


def test_an_empty_database_gets_the_schema_the_models_describe(engine):
    migrate.upgrade(engine)
    with engine.connect() as connected:
        context = MigrationContext.configure(
            connected,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                "include_object": lambda _, name, kind, *__: (
                    not (kind == "table" and name == migrate.VERSION_TABLE)
                ),
            },
        )
        assert compare_metadata(context, METADATA) == []


def test_the_baseline_makes_exactly_what_production_has(engine, connection, server_url, admin):
    migrate.upgrade(engine)
    migrate.downgrade(engine, "v1_baseline")
    ours = catalogue(connection)
    name = f"columnline_test_{uuid.uuid4().hex[:12]}"
    admin.execute(f"create database {name}")
    try:
        url = server_url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as production:
            load_v1(production)
            assert ours == catalogue(production)
    finally:
        admin.execute(f"drop database {name} with (force)")


def test_adopting_production_changes_no_v1_row_and_nothing_else_of_its_tables(engine, connection):
    load_v1(connection)
    fill_v1(connection)
    columns, before, schema_before = columns_of(connection), None, catalogue(connection)
    before = rows(connection, columns)
    migrate.upgrade(engine)
    assert rows(connection, columns) == before
    assert connection.execute("select distinct pipeline_version, run_id, error from dossiers").fetchall() == [
        ("v1", None, None)
    ]
    migrate.downgrade(engine, "v1_baseline")
    assert catalogue(connection) == schema_before
    assert rows(connection, columns) == before


def test_up_down_up_ends_where_up_did(engine, connection):
    migrate.upgrade(engine)
    once = catalogue(connection)
    migrate.downgrade(engine, "v1_baseline")
    assert migrate.current(engine) == "v1_baseline"
    assert migrate.upgrade(engine) == migrate.current(engine) == migrate.head()
    assert catalogue(connection) == once


def test_an_index_left_invalid_by_an_interrupted_migration_is_built_anew(engine, connection):
    migrate.upgrade(engine)
    migrate.downgrade(engine, "v1_baseline")
    connection.execute("alter table dossiers add column run_id text")
    connection.execute("insert into clients (name) values ('x')")
    connection.execute(
        "insert into dossiers (client_id, company_name, run_id) select id, 'x', 'same' from clients, "
        "generate_series(1, 2)"
    )
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("create unique index concurrently dossiers_run_id_key on dossiers (run_id)")
    connection.execute("delete from dossiers")
    migrate.upgrade(engine)
    assert connection.execute(
        "select indisvalid from pg_index where indexrelid = 'dossiers_run_id_key'::regclass"
    ).fetchall() == [(True,)]


def test_the_sql_that_is_printed_makes_the_same_schema(engine, connection):
    for statement in migrate.sql().replace("BEGIN;", "").replace("COMMIT;", "").split(";\n\n"):
        if statement.strip():
            connection.execute(statement)
    by_sql = catalogue(connection)
    assert migrate.current(engine) == migrate.head()
    migrate.downgrade(engine, "v1_baseline")
    migrate.upgrade(engine)
    assert catalogue(connection) == by_sql


def test_a_database_owner_who_is_no_superuser_can_migrate_and_publish(engine, connection, admin, server_url):
    migrate.upgrade(engine)  # makes app_reader, as an administrator would have
    role, name = f"owner_{uuid.uuid4().hex[:8]}", f"columnline_test_{uuid.uuid4().hex[:12]}"
    admin.execute(f"create role {role} login password 'x'")
    admin.execute(f"create database {name} owner {role}")
    url = server_url.set(username=role, password="x", database=name).render_as_string(hide_password=False)
    owner = db.make_engine(url, Settings(DATABASE_URL=url.replace("+psycopg", "")))
    try:
        assert migrate.upgrade(owner) == migrate.head()
        with owner.begin() as connected:
            assert (
                connected.exec_driver_sql("select rolsuper from pg_roles where rolname = current_user").scalar()
                is False
            )
            connected.exec_driver_sql("insert into clients (name) values ('x')")
            assert connected.exec_driver_sql("select count(*) from clients").scalar() == 1
    finally:
        owner.dispose()
        admin.execute(f"drop database {name} with (force)")
        admin.execute(f"drop role {role}")


def test_three_processes_that_migrate_at_once_all_arrive(empty_database, engine):
    command = [sys.executable, "-m", "worker.cli", "migrate", "--json"]
    env = os.environ | {"DATABASE_URL": empty_database}
    processes = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE) for _ in range(3)]
    answers = [json.loads(process.communicate()[0]) for process in processes]
    assert [answer["after"] for answer in answers] == [migrate.head()] * 3
    assert migrate.current(engine) == migrate.head()


def test_a_migration_gives_way_to_the_app_and_tries_again(engine, connection, monkeypatch):
    load_v1(connection)
    waits = []
    with psycopg.connect(connection.info.dsn) as app:
        app.execute("lock table dossiers in access share mode")

        def let_go(seconds):
            waits.append(seconds)
            app.rollback()

        monkeypatch.setattr(migrate.upgrade.retry, "sleep", let_go)
        migrate.upgrade(engine)
    assert len(waits) == 1


@pytest.fixture
def impatient(empty_database):
    """An engine whose lock timeout is 0.1 s, and all that was executed over it."""
    made = db.make_engine(empty_database, Settings(DATABASE_URL=empty_database, lock_timeout=0.1))
    executed = []
    event.listen(made, "before_cursor_execute", lambda _c, _k, statement, *_: executed.append(statement))
    yield made, executed
    made.dispose()


def test_the_lock_timeout_that_is_configured_holds_for_every_table_of_the_apps(impatient, connection):
    load_v1(connection)
    engine, executed = impatient
    migrate.upgrade(engine)
    limits = [statement for statement in executed if statement.startswith("set lock_timeout")]
    assert set(limits) == {"set lock_timeout = '100ms'", "set lock_timeout = '60s'"}
    within = ""
    for statement in executed:
        within = statement if statement in limits else within
        if "concurrently" not in statement and "alter table" in statement:
            assert within == "set lock_timeout = '100ms'", statement


def test_it_waits_for_an_old_transaction_where_nobody_queues_behind_it(impatient, connection, monkeypatch):
    load_v1(connection)
    retries = []
    monkeypatch.setattr(migrate.upgrade.retry, "sleep", retries.append)
    with psycopg.connect(connection.info.dsn) as app:
        app.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        app.execute("select 1")  # has a snapshot, and no table

        def end_the_old_one():
            waiting = """select from pg_locks where not granted and locktype = 'virtualxid'
                         and clock_timestamp() - waitstart > interval '0.3 s'"""
            while not connection.execute(waiting).fetchall():
                time.sleep(0.02)
            app.rollback()

        ending = threading.Thread(target=end_the_old_one)
        ending.start()
        assert migrate.upgrade(impatient[0]) == migrate.head()
        ending.join()
    assert retries == []
