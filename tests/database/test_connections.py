"""Connections of ours: those that are lost in the pool, and what is prepared in those that last."""

import os
from datetime import timedelta

import psycopg
import pytest
from celery import signals
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.database.publishing import job_of, publish, register
from worker import db, servers
from worker.outcomes import is_outage
from worker.settings import settings

pytestmark = pytest.mark.usefixtures("database")


def backend():
    with db.transaction() as session:
        return session.execute(text("select pg_backend_pid()")).scalar_one()


@pytest.fixture
def lost(admin):
    """The backend of the pool's connection, which is gone by now."""
    pid = backend()
    assert backend() == pid, "the pool keeps it"
    assert admin.execute("select pg_terminate_backend(%s, 5000)", [pid]).fetchone() == (True,)
    return pid


def test_one_that_slept_is_replaced_before_anybody_notices(lost, monkeypatch):
    monkeypatch.setattr(db, "AWAKE", 0)
    assert backend() != lost


def test_one_that_was_just_used_fails_once_as_an_outage_and_is_replaced(lost, monkeypatch):
    monkeypatch.setattr(db, "AWAKE", 3600)
    with pytest.raises(DBAPIError) as failure:
        backend()
    assert is_outage(failure.value)
    assert backend() != lost


def in_a_child(work):
    """What this returns in a child, forked and told so as a worker's are."""
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            signals.worker_process_init.send(sender=None)
            os.write(writable, str(work()).encode())
        finally:
            os._exit(0)
    os.close(writable)
    with os.fdopen(readable) as told:
        answer = told.read()
    os.waitpid(pid, 0)
    return answer


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # this process has threads; the child needs none
def test_each_of_a_workers_children_has_a_session_of_its_own_and_the_parent_keeps_its():
    parent = str(backend())
    children = {in_a_child(backend), in_a_child(backend)}
    assert len(children - {parent, ""}) == 2
    assert str(backend()) == parent


def test_a_server_that_takes_nothing_more_is_given_up_before_a_statement_would_be():
    with db.engine().connect() as connection:
        used = connection.connection.driver_connection.info.get_parameters()
    assert 0 < int(used["tcp_user_timeout"]) <= 1000 * settings().statement_timeout


def prepared():
    with db.transaction() as session:
        return session.execute(text("select count(*) from pg_prepared_statements")).scalar_one()


def test_the_first_session_opens_no_transaction_before_it_has_limits(admin, monkeypatch):
    """One that a process left in it, as it died or stood still, would be open for ever."""
    begun = []
    execute = psycopg.Cursor.execute

    def noted(cursor, query, *rest, **options):
        found = execute(cursor, query, *rest, **options)
        begun.append((cursor.connection.info.transaction_status.name, str(query)))
        return found

    engine = db.make_engine(servers.database_url(), settings())
    monkeypatch.setattr(psycopg.Cursor, "execute", noted)
    monkeypatch.setattr(psycopg.types.TypeInfo, "fetch", None)
    with engine.connect() as connection:
        connection.execute(text("select 1"))
    engine.dispose()
    first = next(place for place, (status, _) in enumerate(begun) if status == "INTRANS")
    assert "idle_in_transaction_session_timeout" in begun[first][1]


def test_a_session_of_our_own_has_prepared_what_comes_again_and_again():
    for _ in range(db.PREPARED_AT):
        assert prepared() == 0
    assert prepared() == 1


@pytest.fixture
def app(database):
    """A session of the app: what is changed in ours, the driver sees and prepares anew by itself."""
    with psycopg.connect(database.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


def test_what_is_prepared_goes_on_when_the_app_adds_and_drops_columns(clients, app):
    for number in range(db.PREPARED_AT + 2):
        publish(register(f"R{number}"))
    assert prepared() > 10
    for change in ("add column note text", "add column stars int default 5", "drop column note"):
        app.execute(f"alter table dossiers {change}")
    job = publish(register("LAST"))
    assert (job.state, job.attempt) == ("done", 1)
    assert job_of("LAST").error is None


def test_what_is_prepared_is_prepared_anew_when_the_app_gives_a_column_another_type(clients, app):
    for number in range(db.PREPARED_AT + 2):
        publish(register(f"R{number}"))
    before = backend()
    app.execute("alter table v2_clients alter column default_list type varchar(99)")
    job = publish(register("LAST"))
    assert (job.state, job.attempt, job.error) == ("done", 1, None)
    assert backend() != before


def test_what_postgresql_does_not_know_at_all_is_no_reason_to_close_a_connection():
    before = backend()
    with pytest.raises(DBAPIError) as failure, db.transaction() as session:
        session.execute(text("create table here.there.everywhere (id int)"))
    assert (failure.value.orig.sqlstate, is_outage(failure.value)) == ("0A000", False)
    assert backend() == before


def test_moments_are_told_in_utc_whatever_zone_the_database_prefers(app):
    app.execute(f"alter database {app.info.dbname} set timezone = 'Asia/Kolkata'")
    db.dispose()
    with db.transaction() as session:
        told = session.execute(text("select now(), date_trunc('hour', now())")).one()
    assert [moment.utcoffset() for moment in told] == [timedelta(), timedelta()]
    assert told[1].minute == 0
    with db.engine().connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        assert connection.execute(text("select now()")).scalar_one().utcoffset() == timedelta()
