"""The sweep: lost bells and dead workers harm nothing."""

import threading
from datetime import timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import select

from models.jobs import Job, JobState
from tests.database.machine import KIND, accept, ago, attempt, change, read, tries
from tests.database.publishing import execute
from worker import bridge, claims, db, heartbeats, ring, sweep
from worker.attempt import Ending
from worker.errors import Internal
from worker.turns import OUTSTANDING

BASE = timedelta(seconds=10)

pytestmark = pytest.mark.usefixtures("database")


def claim(job_id):
    with db.transaction() as session:
        return claims.claim(session, job_id, KIND, timedelta(seconds=90))


def rescue():
    with db.transaction() as session:
        return sweep.rescue(session)


def to_ring():
    with db.transaction() as session:
        return [job.id for job in sweep.to_ring(session, BASE)]


def lose(job_id):
    claim(job_id)
    change(job_id, leased_until=ago(1))
    assert rescue() == 1


def test_a_job_whose_lease_is_over_is_put_back_and_its_attempt_is_lost():
    job_id = accept()
    lose(job_id)
    job = read(job_id)
    assert (job.state, job.lost, job.attempt) == (JobState.QUEUED, 1, 1)
    assert tries(job_id) == ["lost"]
    assert attempt(job_id) == "done"


def test_a_job_whose_lease_still_runs_is_left_alone():
    claim(accept())
    assert rescue() == 0


def test_a_job_that_another_session_has_locked_keeps_no_other_from_being_rescued():
    locked, free = accept(), accept()
    for place, job_id in enumerate((locked, free)):
        claim(job_id)
        change(job_id, leased_until=ago(10 - place))
    with db.transaction() as session:
        session.execute(select(Job.id).where(Job.id == locked).with_for_update())
        assert rescue() == 1
    assert [read(job_id).state for job_id in (locked, free)] == [JobState.RUNNING, JobState.QUEUED]
    assert rescue() == 1


def test_the_worker_that_was_given_up_meets_the_fence():
    job_id = accept()
    held = claim(job_id)
    change(job_id, leased_until=ago(1))
    rescue()
    with pytest.raises(claims.Fenced), db.transaction() as session:
        claims.fence(session, held)


def test_a_job_that_kills_its_worker_three_times_ends_as_an_error_without_being_worked_on_again():
    job_id = accept()
    for _ in range(3):
        lose(job_id)
    worked, told = [], []

    def hook(session, held, error):
        told.append(type(error))
        return Ending()

    outcome = attempt(job_id, lambda held, session: worked.append(held), on_error=hook)
    assert outcome.startswith("failed: internal: 3 workers died")
    assert (worked, told) == ([], [Internal])
    assert read(job_id).state == JobState.ERROR


def test_a_worker_lost_in_the_last_attempt_ends_the_job(setting):
    setting(max_attempts=1)
    job_id = accept()
    lose(job_id)
    assert attempt(job_id).startswith("failed: internal")
    assert read(job_id).attempt == 1


def test_a_job_just_rung_for_is_left_alone_and_each_bell_lengthens_the_pause():
    job_id = accept()
    assert to_ring() == []
    for rings, pause in ((1, 10), (2, 20), (3, 40)):
        change(job_id, rings=rings, rung_at=ago(pause - 5))
        assert to_ring() == []
        change(job_id, rung_at=ago(pause))
        assert to_ring() == [job_id]
        assert read(job_id).rings == rings + 1


def test_a_job_rung_for_very_often_is_still_rung_for():
    job_id = accept()
    change(job_id, rings=50, rung_at=ago(601))
    assert to_ring() == [job_id]


def test_only_what_is_due_is_rung_for():
    later, now = accept(), accept()
    change(later, state="waiting", run_at=ago(-60), rung_at=None)
    change(now, rung_at=None)
    assert to_ring() == [now]


def test_one_clients_many_jobs_do_not_come_before_anothers_single_one(monkeypatch):
    monkeypatch.setattr(sweep, "RUNG_AT_ONCE", 3)
    many = [accept(client_id="A") for _ in range(10)]
    single = accept(client_id="B")
    for job_id in (*many, single):
        change(job_id, rung_at=None)
    assert single in to_ring()


@pytest.mark.parametrize("asked", [ring.unheard, list], ids=["away", "gone since it was asked"])
def test_a_bell_that_did_not_leave_does_not_lengthen_the_pause(asked, monkeypatch):
    monkeypatch.setattr(sweep, "unheard", asked)
    job_id = accept()
    change(job_id, rung_at=None, rings=0)
    monkeypatch.setattr(ring, "breaker", ring.Breaker())
    monkeypatch.setattr(sweep, "breaker", ring.breaker)
    assert sweep.sweep() == (0, 0)
    job = read(job_id)
    assert (job.rings, job.rung_at) == (0, None)


def test_two_sweeps_at_once_share_the_work_out():
    first, second = accept(), accept()
    for job_id in (first, second):
        change(job_id, rung_at=None)
    with db.transaction() as session:
        chosen = {job.id for job in sweep.to_ring(session, BASE)}
        assert chosen == {first, second}
        with db.Session(db.engine()) as other:
            assert sweep.to_ring(other, BASE) == []


def test_the_pause_does_not_grow_while_no_bell_waits_in_the_broker():
    job_id = accept()
    change(job_id, rings=7, rung_at=ago(5))
    with db.transaction() as session:
        assert sweep.to_ring(session, BASE, [KIND]) == []
    change(job_id, rung_at=ago(11))
    assert to_ring() == []
    with db.transaction() as session:
        assert [job.id for job in sweep.to_ring(session, BASE, [KIND])] == [job_id]


def test_a_lost_bell_is_rung_again_however_many_of_its_client_are_under_way():
    lost = accept(client_id="A")
    change(lost, rung_at=ago(60), rings=1)
    for _ in range(OUTSTANDING):
        change(accept(client_id="A"), rung_at=ago(0))
    unrung = accept(client_id="A")
    change(unrung, rung_at=None)
    assert to_ring() == [lost]


def test_a_sweep_of_the_bridge_and_a_sign_of_life_that_fail_say_which_error_of_the_database_it_was(
    database, monkeypatch
):
    said = []
    stopping = threading.Event()
    log = SimpleNamespace(warning=lambda event, **values: (said.append((event, values["error"])), stopping.set()))
    for module in (bridge, heartbeats):
        monkeypatch.setattr(module, "log", log)
    monkeypatch.setattr(bridge, "sweep", lambda: execute("select 1 / 0"))
    monkeypatch.setattr(bridge, "settings", lambda: SimpleNamespace(sweep_interval=0))
    bridge._sweep_until(stopping)
    execute("alter table heartbeats rename to heartbeats_away")
    stopping.clear()
    pulse = heartbeats.Pulse("bridge")
    monkeypatch.setattr(pulse, "_stopping", stopping)
    pulse._run()
    assert said == [
        ("sweep_failed", "DataError (SQLSTATE 22012)"),
        ("heartbeat_failed", "ProgrammingError (SQLSTATE 42P01)"),
    ]
