"""A publish killed at any step or statement ends once: whole, or not at all until it is tried again."""

import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress

import psycopg
import pytest
from celery.exceptions import Retry
from sqlalchemy import Engine, event, text

from models.jobs import JobKind, JobState
from models.orders import PublishOrder
from tests.database.machine import ago, change, read, tries
from worker import db, inbox, jobs, sweep
from worker.celery import app
from worker.drain import drain
from worker.settings import settings

BEFORE_COMMIT = (
    "claim.committed",
    "step.load",
    "step.assemble",
    "step.batch",
    "step.dossier",
    "step.contacts",
    "step.complete",
    "work.commit",
)
AFTER_COMMIT = ("work.committed",)
FEWEST_STATEMENTS = 15


def publish(run_id):
    with db.transaction() as session:
        job, _ = inbox.accept_publish(session, settings(), PublishOrder(run_id=run_id))
        return job.id


def killed_at(point):
    """Work off what is due in a process that dies at the failpoint."""
    command = [sys.executable, "-m", "worker.cli", "drain"]
    env = os.environ | {"COLUMNLINE_FAILPOINTS": f"{point}=kill"}
    return subprocess.run(command, env=env, capture_output=True, check=False).returncode == -9


def what_is_there():
    with db.transaction() as session:
        return session.execute(
            text(
                "select (select count(*) from dossiers where status = 'ready'), (select count(*) from dossiers), "
                "(select count(*) from contacts), (select count(*) from contacts where is_primary), "
                "(select sum(total_dossiers) from batches), (select sum(completed_dossiers) from batches)"
            )
        ).one()


@pytest.fixture
def whole(sample):
    """What is there after an undisturbed publish, and the run to publish again from nothing."""
    run_id = sample("run_clean")["run"]["run_id"]
    publish(run_id)
    assert len(list(drain())) == 1
    expected = what_is_there()
    with db.transaction() as session:
        for table in ("jobs", "dossiers", "batches"):
            session.execute(text(f"delete from {table}"))
    return run_id, expected


@pytest.mark.parametrize("point", BEFORE_COMMIT)
def test_killed_before_the_commit_nothing_is_there_and_the_next_attempt_does_all(point, whole):
    run_id, expected = whole
    job_id = publish(run_id)
    assert killed_at(point)
    assert what_is_there() == (0, 0, 0, 0, None, None)
    assert list(drain()) == []  # its lease still runs
    change(job_id, leased_until=ago(1))
    with db.transaction() as session:
        assert sweep.rescue(session) == 1
    assert len(list(drain())) == 1
    assert what_is_there() == expected
    assert read(job_id).state == JobState.DONE
    assert tries(job_id) == ["lost", "done"]


@pytest.mark.parametrize("point", AFTER_COMMIT)
def test_killed_after_the_commit_all_is_there_and_nothing_is_tried_again(point, whole):
    run_id, expected = whole
    job_id = publish(run_id)
    assert killed_at(point)
    assert what_is_there() == expected
    with db.transaction() as session:
        assert sweep.rescue(session) == 0
    assert list(drain()) == []
    assert tries(job_id) == ["done"]


def test_a_run_that_kills_every_worker_ends_as_an_error_dossier_that_a_retry_revives(whole):
    run_id, expected = whole
    job_id = publish(run_id)
    for _ in range(3):
        assert killed_at("step.dossier")
        change(job_id, leased_until=ago(1))
        with db.transaction() as session:
            sweep.rescue(session)
    list(drain())
    assert read(job_id).state == JobState.ERROR
    assert what_is_there() == (0, 1, 0, 0, 1, 0)
    with db.transaction() as session:
        jobs.retry(session, settings(), job_id)
    list(drain())
    assert what_is_there() == expected
    with db.transaction() as session:
        assert jobs.find(session, JobKind.PUBLISH, run_id).state == JobState.DONE


class Died(BaseException):
    """The process dies here: nothing catches it, and what is open is rolled back."""


@contextmanager
def at_statement(number, act):
    """Call `act(connection)` before the statement or commit of that number; yields how many there were."""
    seen = []
    here = threading.get_ident()

    def count(connection, *_):
        if threading.get_ident() != here:
            return  # a bridge of this process notes its sign of life
        seen.append(connection)
        if len(seen) == number:
            act(connection)

    event.listen(Engine, "before_cursor_execute", count)
    event.listen(Engine, "commit", count)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", count)
        event.remove(Engine, "commit", count)


def dies(connection):
    raise Died


def loses_its_session(connection):
    """The server ends the session of the connection, and has ended it when this returns."""
    pid = connection.connection.dbapi_connection.info.backend_pid
    with psycopg.connect(os.environ["DATABASE_URL"].replace("+psycopg", ""), autocommit=True) as beside:
        beside.execute("select pg_terminate_backend(%s)", (pid,))
        while beside.execute("select 1 from pg_stat_activity where pid = %s", (pid,)).fetchone():
            time.sleep(0.001)


def attempt(job_id):
    with suppress(Retry):
        app.tasks[JobKind.PUBLISH](job_id=str(job_id))


@pytest.mark.parametrize("act", [dies, loses_its_session])
def test_whatever_happens_at_any_statement_of_a_publish_it_ends_once_and_whole(act, whole):
    run_id, expected = whole
    job_id = publish(run_id)
    with at_statement(0, act) as statements:
        attempt(job_id)
    assert len(statements) > FEWEST_STATEMENTS
    for number in range(1, len(statements) + 1):
        with db.transaction() as session:
            for table in ("jobs", "dossiers", "batches"):
                session.execute(text(f"delete from {table}"))
        job_id = publish(run_id)
        with at_statement(number, act), suppress(Died):
            attempt(job_id)
        assert what_is_there() == (0, 0, 0, 0, None, None), number
        with db.transaction() as session:
            session.execute(text("update jobs set run_at = now()"))
            session.execute(text("update jobs set leased_until = now() - interval '1 s' where state = 'running'"))
            sweep.rescue(session)
        list(drain())
        assert what_is_there() == expected, number
        assert read(job_id).state == JobState.DONE
        assert tries(job_id).count("done") == 1, number
