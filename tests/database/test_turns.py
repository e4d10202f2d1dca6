"""Turns: one client's many jobs do not keep another's single one waiting, and none of them is forgotten."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from models.jobs import Job
from tests.database.machine import KIND, accept, ago, attempt, change, read
from worker import attempt as attempts
from worker import claims, db, jobs, sweep
from worker.settings import settings
from worker.turns import OUTSTANDING, next_of

BASE = timedelta(seconds=10)
FEW = OUTSTANDING // 2

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def bells(monkeypatch):
    """The ids of the jobs that a worker rang for, in order."""
    heard = []
    monkeypatch.setattr(attempts, "ring", lambda *rung: heard.extend(job.id for job in rung))
    return heard


def many(number, client_id="A", **values):
    """Jobs of a client, oldest first; returns their ids."""
    ids = [accept(client_id=client_id, **values) for _ in range(number)]
    for minutes, job_id in enumerate(
        reversed(ids), 1
    ):  # far enough apart for a machine that stands still meanwhile
        change(job_id, run_at=ago(60 * minutes))
    return ids


def under_way(client_id="A"):
    """The jobs of the client that are rung for and not begun."""
    with db.transaction() as session:
        of_client = Job.client_id == client_id if client_id else Job.client_id.is_(None)
        waiting = select(Job.id).where(of_client, Job.rung_at.is_not(None), Job.state == "queued")
        return set(session.scalars(waiting))


def claim(job_id):
    with db.transaction() as session:
        return claims.claim(session, job_id, KIND, timedelta(seconds=90))


def begin(job_ids):
    for job_id in job_ids:
        claim(job_id)


def take_turn(client_id="A"):
    with db.transaction() as session:
        return [job.id for job in next_of(session, client_id, KIND)]


def swept():
    with db.transaction() as session:
        return [job.id for job in sweep.to_ring(session, BASE)]


@pytest.mark.parametrize("client_id", ["A", None])
def test_of_many_jobs_accepted_only_the_first_few_are_rung_for(client_id):
    ids = many(OUTSTANDING + 5, client_id)
    assert under_way(client_id) == set(ids[:OUTSTANDING])


def test_jobs_accepted_in_one_transaction_count_each_other():
    with db.transaction() as session:
        made = [
            jobs.accept(session, settings(), kind=KIND, key=f"K{number}", client_id="A", payload={})[0]
            for number in range(OUTSTANDING + 3)
        ]
        assert sum(job.rung_at is not None for job in made) == OUTSTANDING


def test_another_clients_single_job_is_rung_for_at_once_and_so_is_one_without_a_client():
    many(OUTSTANDING + 5)
    for client_id in ("B", None):
        assert read(accept(client_id=client_id)).rung_at is not None


def test_a_job_that_has_begun_or_ended_makes_room_for_the_next_one_accepted():
    ids = many(OUTSTANDING)
    claim(ids[0])
    assert attempt(ids[1]) == "done"
    newer = many(3)
    assert [read(job_id).rung_at is None for job_id in newer] == [False, False, True]


def test_a_claim_says_that_others_wait_once_few_bells_are_left():
    ids = many(OUTSTANDING + 1)
    said = [claim(job_id).starving for job_id in ids[:OUTSTANDING]]
    assert said == [False] * (OUTSTANDING - FEW) + [True] * FEW


def test_a_claim_says_nothing_of_the_kind_where_no_job_of_its_client_waits():
    many(OUTSTANDING + 1, "B")
    assert not any(claim(job_id).starving for job_id in many(OUTSTANDING))
    assert not any(claim(job_id).starving for job_id in many(OUTSTANDING + 1, None)), "the sweep rings for these"


def test_the_oldest_are_rung_for_next_and_their_bells_are_noted():
    ids = many(OUTSTANDING + FEW + 3)
    oldest, last = ids[-3], ids[OUTSTANDING]
    change(oldest, run_at=ago(900))
    change(last, run_at=ago(0))
    begin(ids[:FEW])
    turn = take_turn()
    assert turn[0] == oldest
    assert turn == [oldest, *ids[OUTSTANDING + 1 : OUTSTANDING + FEW]]
    assert set(turn) < under_way()


def test_what_is_not_due_settled_or_anothers_has_no_turn():
    ids = many(OUTSTANDING + 4)
    many(OUTSTANDING + 1, "B")
    later, held, ended, due = ids[OUTSTANDING:]
    change(later, run_at=ago(-60))
    change(held, state="held", held_reason="mapping")
    change(ended, state="cancelled", settled_at=ago(0))
    begin(ids[:4])
    assert take_turn() == [due]
    assert take_turn() == []


def test_rows_in_other_hands_are_passed_over():
    ids = many(OUTSTANDING + 2)
    begin(ids[:2])
    with db.transaction() as session:
        session.execute(select(Job.id).where(Job.id == ids[OUTSTANDING]).with_for_update())
        assert take_turn() == [ids[-1]]
    assert take_turn() == [ids[OUTSTANDING]]


def test_a_backlog_worked_off_in_the_order_of_its_bells_needs_no_sweep(bells):
    ids = many(3 * OUTSTANDING)
    bells += ids[:OUTSTANDING]
    for place in range(len(ids)):
        assert len(under_way()) <= OUTSTANDING
        assert attempt(bells[place]) == "done"
    assert bells == ids


def test_a_client_goes_on_where_its_attempts_fail(bells):
    ids = many(OUTSTANDING + 1)
    bells += ids[:OUTSTANDING]

    def fail(held, session):
        raise RuntimeError

    for job_id in ids[:OUTSTANDING]:
        assert attempt(job_id, fail).startswith("retry: ")
    assert bells == ids


def test_jobs_that_are_begun_together_do_not_ring_for_more_than_may_be_under_way(bells):
    ids = many(4 * OUTSTANDING)
    for job_id in ids[: OUTSTANDING - FEW]:
        claim(job_id)

    def all_others(held, session):
        """Begin another while this one runs, as more workers do."""
        if rest:
            attempt(rest.pop(0), all_others)

    rest = ids[OUTSTANDING - FEW : OUTSTANDING - FEW + 6]
    attempt(rest.pop(0), all_others)
    assert len(under_way()) <= OUTSTANDING


def test_the_sweep_gives_each_client_its_turn_before_anyones_second(monkeypatch):
    monkeypatch.setattr(sweep, "RUNG_AT_ONCE", 4)
    first = {client: many(3, client) for client in ("A", "B", None)}
    for ids in first.values():
        for job_id in ids:
            change(job_id, rung_at=None)
    for place, job_id in enumerate(first["A"]):
        change(job_id, run_at=ago(900 - place))
    rung = swept()
    assert {ids[0] for ids in first.values()} < set(rung)
    assert len(rung) == 4


def test_the_sweep_rings_for_no_more_of_a_client_than_may_be_under_way():
    ids = many(OUTSTANDING + 5)
    assert swept() == []
    for job_id in ids[:2]:
        claim(job_id)
    assert set(swept()) == set(ids[OUTSTANDING : OUTSTANDING + 2])
    assert swept() == []
    assert len(under_way()) == OUTSTANDING


def test_a_job_that_is_due_since_long_waits_for_its_turn_too():
    ids = many(OUTSTANDING + 1)
    change(ids[-1], run_at=ago(900))
    assert swept() == []
    claim(ids[0])
    assert swept() == [ids[-1]]


def test_lost_bells_are_rung_again_after_their_pause_and_not_for_others_in_their_place():
    ids = many(OUTSTANDING + 5)
    for job_id in ids[:OUTSTANDING]:
        change(job_id, rung_at=ago(5))
    assert swept() == []
    for job_id in ids[:OUTSTANDING]:
        change(job_id, rung_at=ago(11))
    assert set(swept()) == set(ids[:OUTSTANDING])


def test_jobs_without_a_client_are_all_rung_for_in_the_end():
    ids = many(OUTSTANDING + 3, None)
    for job_id in ids[:OUTSTANDING]:
        assert attempt(job_id) == "done"
    assert set(swept()) == set(ids[OUTSTANDING:])


def test_two_sweeps_and_a_worker_at_once_ring_for_nothing_twice():
    ids = many(OUTSTANDING)
    for job_id in ids:
        change(job_id, rung_at=None)
    with db.transaction() as session:
        first = [job.id for job in sweep.to_ring(session, BASE)]
        assert (swept(), take_turn()) == ([], [])
    assert sorted(first) == sorted(ids)
    assert swept() == []


def test_jobs_of_one_kind_that_nobody_works_off_do_not_keep_those_of_another_waiting():
    for _ in range(OUTSTANDING):
        with db.transaction() as session:
            key = f"C{len(under_way())}"
            jobs.accept(session, settings(), kind="callback.send", key=key, client_id="A", payload={})
    publish = accept(client_id="A")
    assert read(publish).rung_at is not None or publish in swept()
