"""Claim, work, settle, rescue, cancel and retry of one job, in every order of their statements.

Pairs are played in all interleavings, larger groups in some that are drawn by seed. Whatever the order: the
job moves as design §2 draws it, is done at most once, and an attempt that was fenced has written nothing.
"""

import itertools
from collections import Counter
from datetime import timedelta

import psycopg
import pytest
from celery.exceptions import Retry
from sqlalchemy import text

from tests.chaos import invariants, watch
from tests.chaos.look import violations
from tests.database import mutants
from tests.database.interleaving import every, in_steps, play, some
from tests.database.machine import KIND, accept
from worker import claims, db, jobs, sweep
from worker.attempt import holding
from worker.errors import JobStateConflict
from worker.heard import JobFailed
from worker.settings import settings

assert invariants, "importing it lists what must hold"

SEEDS = range(60)


@pytest.fixture
def beside(database, monkeypatch):
    """A connection beside the actors'. Every lease is over as soon as it is given: the sweep may take it."""
    claim = claims.claim

    def briefly(session, job_id, kind, lease):
        return claim(session, job_id, kind, -timedelta(seconds=1))

    monkeypatch.setattr(claims, "claim", briefly)
    with psycopg.connect(database.replace("+psycopg", ""), autocommit=True) as connection:
        watch.install(connection)
        connection.execute("create table chaos.effects (job_id uuid not null, epoch bigint not null)")
        yield connection


def work(job_id, failing=False):
    def effect(session, attempt):
        session.execute(
            text("insert into chaos.effects values (:job_id, :epoch)"),
            {"job_id": job_id, "epoch": attempt.claim.epoch},
        )
        if failing:
            raise KeyError
        attempt.complete(session, {})

    def one():
        try:
            with holding(str(job_id), KIND) as attempt:
                if attempt is None:
                    return
                attempt.work(effect, attempt)
        except (Retry, JobFailed):
            pass

    return one


def rescue(job_id):
    def one():
        with db.transaction() as session:
            sweep.rescue(session)

    return one


def cancel(job_id):
    def one():
        try:
            with db.transaction() as session:
                jobs.cancel(session, job_id)
        except JobStateConflict:
            pass

    return one


def retry(job_id):
    def one():
        with db.transaction() as session:
            jobs.retry(session, settings(), job_id)

    return one


def fail(job_id):
    return work(job_id, failing=True)


ACTORS = {"work": work, "fail": fail, "rescue": rescue, "cancel": cancel, "retry": retry}
PAIRS = [pair for pair in itertools.combinations(ACTORS, 2) if pair != ("work", "fail")]
GROUPS = [
    ("work", "work"),
    ("work", "fail"),
    ("work", "rescue", "work"),
    ("work", "rescue", "cancel", "retry"),
    ("fail", "rescue", "work", "cancel"),
    ("work", "cancel", "retry", "work", "rescue"),
]


def playing(group, beside):
    """A function that plays the group over a new job, and says what became of it."""

    def run(choose):
        job_id = accept()
        works = {f"{name}{number}": ACTORS[name](job_id) for number, name in enumerate(group)}
        taken = play(works, choose, beside)
        return taken, beside.execute("select state from jobs where id = %s", (job_id,)).fetchone()[0]

    return run


def holds(beside):
    """Every job of this test moved as it may, and what was written was written by the attempt that succeeded."""
    assert [str(found) for found in violations(beside, under_way=True)] == []
    odd = beside.execute(
        "select e.job_id, e.epoch, a.outcome from chaos.effects e left join job_attempts a using (job_id, epoch) "
        "where a.outcome is distinct from 'done'"
    ).fetchall()
    assert odd == []
    assert beside.execute("select job_id from chaos.effects group by 1 having count(*) > 1").fetchall() == []


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_two_in_every_order(pair, beside):
    with in_steps():
        played = list(every(playing(pair, beside)))
    assert len({tuple(taken) for taken, _ in played}) == len(played)
    holds(beside)


@pytest.mark.parametrize("group", GROUPS, ids="-".join)
def test_several_in_many_orders(group, beside):
    with in_steps():
        ends = Counter(state for _, state in some(playing(group, beside), SEEDS))
    assert ends["done"] > 0 or "work" not in group
    holds(beside)


def test_without_the_fence_some_order_shows_that_it_is_gone(beside, monkeypatch):
    mutants.without_fence(monkeypatch)
    with in_steps():
        list(some(playing(("work", "rescue", "work"), beside), SEEDS))
    with pytest.raises(AssertionError):
        holds(beside)


def test_every_order_of_two_is_played_once():
    def run(choose):
        left, order = {"a": 2, "b": 3}, []
        while any(left.values()):
            ready = [name for name, count in left.items() if count]
            name = ready[choose(len(ready))]
            left[name] -= 1
            order.append(name)
        return "".join(order)

    found = list(every(run))
    assert sorted(found) == sorted({"".join(order) for order in itertools.permutations("aabbb")})
