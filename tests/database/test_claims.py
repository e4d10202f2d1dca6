"""Claim, complete and settle: who may work on a job, and what is left when it goes wrong."""

import threading
from datetime import timedelta

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from models.jobs import JobState
from tests.database.machine import KIND, accept, ago, attempt, change, read, tries
from worker import claims, db, jobs, sweep
from worker.attempt import Ending
from worker.errors import ClientUnmapped, OutputsInvalid, OutputsMissing
from worker.settings import settings

LEASE = timedelta(seconds=90)

pytestmark = pytest.mark.usefixtures("database")


GONE = OperationalError("select 1", {}, Exception("gone"))
"""The database, as the driver says it."""


def raising(error):
    def work(held, session):
        raise error

    return work


def claim(job_id):
    with db.transaction() as session:
        return claims.claim(session, job_id, KIND, LEASE)


def test_a_due_job_is_done_once_and_its_second_bell_finds_nothing_to_do():
    job_id = accept()
    assert attempt(job_id) == "done"
    assert attempt(job_id) == "nothing to do"
    job = read(job_id)
    assert (job.state, job.attempt, job.result, job.error) == (JobState.DONE, 1, {"fine": True}, None)
    assert job.settled_at is not None
    assert tries(job_id) == ["done"]


def test_of_twenty_workers_that_hear_one_bell_one_gets_the_job():
    job_id = accept()
    got, start = [], threading.Barrier(20)
    engine = db.make_engine(settings().database_url.get_secret_value(), settings(), pool_size=20)

    def worker():
        start.wait()
        with db.Session(engine) as session, session.begin():
            got.append(claims.claim(session, job_id, KIND, LEASE))

    threads = [threading.Thread(target=worker) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.dispose()
    assert len(got) == 20
    assert sum(held is not None for held in got) == 1


@pytest.mark.parametrize("state", ["running", "held", "done", "error", "cancelled"])
def test_a_job_that_is_not_due_cannot_be_claimed(state):
    job_id = accept()
    settled = text("now()") if state in {"done", "error", "cancelled"} else None
    change(
        job_id,
        state=state,
        settled_at=settled,
        leased_until=text("now() + interval '1 minute'") if state == "running" else None,
        held_reason="x" if state == "held" else None,
        error={} if state == "error" else None,
        result={} if state == "done" else None,
    )
    assert claim(job_id) is None


def test_a_waiting_job_is_claimed_only_once_its_time_has_come():
    job_id = accept()
    change(job_id, state="waiting", run_at=ago(-60))
    assert claim(job_id) is None
    change(job_id, run_at=ago(1))
    assert claim(job_id) is not None


def test_a_bell_for_another_kind_of_job_finds_nothing_to_do():
    job_id = accept()
    with db.transaction() as session:
        assert claims.claim(session, job_id, "publish.preview", LEASE) is None


def test_an_attempt_is_counted_before_its_work_begins():
    job_id = accept()
    claim(job_id)
    assert (read(job_id).attempt, tries(job_id)) == (1, [None])


def test_wrong_data_is_an_error_at_once_and_says_which_field():
    job_id = accept()
    error = OutputsInvalid("SIGNALS is prose.", step="10_WRITER_SIGNALS", field="signal")
    assert attempt(job_id, raising(error)) == "failed: outputs_invalid: SIGNALS is prose."
    job = read(job_id)
    assert job.state == JobState.ERROR
    assert job.error["code"] == "outputs_invalid"
    assert (job.error["step"], job.error["field"]) == ("10_WRITER_SIGNALS", "signal")


def test_a_held_job_uses_up_no_attempt_and_waits_for_somebody():
    job_id = accept()
    assert attempt(job_id, raising(ClientUnmapped("Map it."))).startswith("retry: held: client_unmapped")
    job = read(job_id)
    assert (job.state, job.held_reason, job.attempt) == (JobState.HELD, "client_unmapped", 0)


def test_an_unforeseen_exception_is_retried_with_a_growing_pause_until_attempts_run_out(setting):
    setting(max_attempts=3, backoff_base=10)
    job_id = accept()
    for number in (1, 2):
        assert "again in" in attempt(job_id, raising(KeyError("secret contact")))
        job = read(job_id)
        assert (job.state, job.attempt) == (JobState.WAITING, number)
        change(job_id, run_at=ago(1))
    assert attempt(job_id, raising(KeyError("secret contact"))).startswith("failed: internal")
    job = read(job_id)
    assert (job.state, job.attempt) == (JobState.ERROR, 3)
    assert "KeyError" in job.error["detail"]
    assert "secret contact" not in str(job.error)
    assert tries(job_id) == ["retry", "retry", "error"]


def test_a_soft_time_limit_is_an_attempt_used_up():
    job_id = accept()
    assert "SoftTimeLimitExceeded" in attempt(job_id, raising(SoftTimeLimitExceeded()))
    assert read(job_id).attempt == 1


def test_a_soft_time_limit_counts_even_if_breaking_off_its_query_broke_the_connection():
    job_id = accept()

    def work(held, session):
        try:
            raise SoftTimeLimitExceeded
        finally:
            session.execute(text("select pg_terminate_backend(pg_backend_pid())"))

    assert "SoftTimeLimitExceeded" in attempt(job_id, work)
    assert (read(job_id).attempt, tries(job_id)) == (1, ["retry"])


def test_an_outage_puts_the_job_off_without_using_up_an_attempt():
    job_id = accept()

    def work(held, session):
        session.execute(text("select pg_terminate_backend(pg_backend_pid())"))

    assert attempt(job_id, work).startswith("retry: outage: unavailable")
    job = read(job_id)
    assert (job.state, job.attempt) == (JobState.WAITING, 0)
    assert tries(job_id) == ["outage"]


def test_a_worker_waits_a_while_for_a_database_that_went_so_that_nobody_takes_it_for_dead(monkeypatch):
    job_id, settle, tried = accept(), claims.settle, []

    def away_at_first(*args, **kwargs):
        tried.append(args)
        if len(tried) < 3:
            raise GONE
        settle(*args, **kwargs)

    monkeypatch.setattr(claims, "settle", away_at_first)
    assert attempt(job_id, raising(GONE)).startswith("retry: outage")
    assert (len(tried), read(job_id).state, tries(job_id)) == (3, JobState.WAITING, ["outage"])


def test_workers_that_died_count_only_while_no_other_has_told_how_its_attempt_ended():
    job_id = accept()
    change(job_id, lost=2)
    attempt(job_id, raising(GONE))
    assert read(job_id).lost == 0


def test_an_outage_beyond_the_deadline_is_an_error():
    job_id = accept()
    change(job_id, deadline_at=ago(1))
    assert attempt(job_id, raising(GONE)).startswith("failed: unavailable")


def test_something_missing_is_waited_for_until_its_deadline_and_then_an_error():
    job_id = accept()
    missing = OutputsMissing("STRATEGY never arrived.")
    assert attempt(job_id, raising(missing)).startswith("retry: waiting: outputs_missing")
    job = read(job_id)
    assert (job.state, job.attempt) == (JobState.WAITING, 0)
    assert job.waiting_since is not None
    change(job_id, run_at=ago(1), waiting_since=ago(570))
    assert attempt(job_id, raising(missing)).startswith("retry: waiting")
    change(job_id, run_at=ago(1), waiting_since=ago(600))
    assert attempt(job_id, raising(missing)) == "failed: outputs_missing: STRATEGY never arrived."


def test_what_a_failed_attempt_wrote_is_gone():
    job_id = accept()

    def work(held, session):
        session.execute(text("insert into clients (name) values ('half')"))
        raise KeyError

    attempt(job_id, work)
    with db.transaction() as session:
        assert session.scalar(text("select count(*) from clients")) == 0


def test_a_worker_whose_claim_was_taken_back_writes_nothing():
    job_id = accept()

    def work(held, session):
        session.execute(text("insert into clients (name) values ('zombie')"))
        session.rollback()
        change(job_id, epoch=99)
        session.begin()
        session.execute(text("insert into clients (name) values ('zombie')"))

    assert attempt(job_id, work) == "done"
    assert read(job_id).state == JobState.RUNNING
    with db.transaction() as session:
        assert session.scalar(text("select count(*) from clients")) == 0


def test_an_exception_after_the_commit_does_not_undo_what_was_done():
    job_id = accept()
    held = claim(job_id)
    with db.transaction() as session:
        claims.fence(session, held)
        claims.complete(session, held, result={}, warnings=[], timings={})
    with pytest.raises(claims.Fenced), db.transaction() as session:
        claims.fence(session, held)
    assert read(job_id).state == JobState.DONE


def test_a_deadlock_is_tried_again_at_once_from_the_beginning_within_the_attempt():
    job_id = accept()
    calls = []

    def victim(session):
        session.execute(text("insert into clients (name) values ('once')"))
        calls.append(1)
        if len(calls) < 3:
            session.execute(text("do $$ begin raise exception 'x' using errcode = '40P01'; end $$"))

    assert attempt(job_id, lambda held, session: victim(session)) == "done"
    assert len(calls) == 3
    assert (read(job_id).state, read(job_id).attempt) == (JobState.DONE, 1)
    with db.transaction() as session:
        assert session.scalar(text("select count(*) from clients where name = 'once'")) == 1


def test_a_deadlock_that_comes_again_and_again_costs_an_attempt():
    job_id = accept()
    calls = []

    def victim(session):
        calls.append(1)
        session.execute(text("do $$ begin raise exception 'x' using errcode = '40P01'; end $$"))

    assert attempt(job_id, lambda held, session: victim(session)).startswith("retry")
    assert len(calls) == 3
    assert (read(job_id).state, read(job_id).attempt) == (JobState.WAITING, 1)


def test_the_milliseconds_of_each_step_are_kept_with_the_attempt():
    job_id = accept()
    attempt(job_id, lambda held, session: held.step("load", lambda: None))
    with db.transaction() as session:
        (only,) = jobs.attempts(session, job_id)
    assert only.timings["load"] >= 0
    assert (only.outcome, only.step) == ("done", "complete")


def test_the_error_hook_runs_in_the_transaction_that_records_the_error():
    job_id = accept()

    def hook(session, held, error):
        session.execute(text("insert into clients (name) values ('from the hook')"))
        return Ending({"told": error.code})

    attempt(job_id, raising(OutputsInvalid("x")), on_error=hook)
    with db.transaction() as session:
        assert session.scalar(text("select name from clients")) == "from the hook"
    assert read(job_id).result == {"told": "outputs_invalid"}


def test_an_error_is_recorded_even_if_its_hook_fails():
    job_id = accept()

    def hook(session, held, error):
        session.execute(text("insert into clients (name) values (null)"))

    attempt(job_id, raising(OutputsInvalid("x")), on_error=hook)
    assert read(job_id).state == JobState.ERROR


class Busy(Exception):
    sqlstate = "55P03"


@pytest.mark.parametrize("left", [True, False])
def test_an_error_whose_record_meets_a_lock_is_recorded_whole_later_or_not_at_all(left, setting):
    setting(max_attempts=2 if left else 1)
    job_id = accept()
    wrong = raising(OutputsInvalid("SIGNALS is prose."))

    def busy(session, held, error):
        raise OperationalError("insert", {}, Busy())

    assert attempt(job_id, wrong, on_error=busy).startswith("retry: ")
    assert read(job_id).state == (JobState.WAITING if left else JobState.RUNNING)
    change(job_id, run_at=ago(1), leased_until=None if left else ago(1))
    with db.transaction() as session:
        sweep.rescue(session)

    def recorded(session, held, error):
        return Ending({"told": error.code})

    assert attempt(job_id, wrong, on_error=recorded).startswith("failed: ")
    assert read(job_id).result == {"told": "outputs_invalid" if left else "internal"}
