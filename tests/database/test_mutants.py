"""Each defence removed, in turn: the invariants of `tests.chaos` must see it, and see nothing while it is there.

A scenario is what the defence is for, played in one thread: at a point of one attempt, the rest of the world moves
on. Defences that stand behind one another are removed together, or the second would hide that the first is gone.
"""

import psycopg
import pytest
from sqlalchemy import text

from models.jobs import JobState
from tests.chaos import callbacks, chains, invariants, promise, shown, watch, world
from tests.chaos.invariants import LONGEST_DUE
from tests.chaos.look import Look, violations
from tests.database import mutants
from tests.database.machine import ago, change, read
from tests.database.publishing import accept, query, register
from worker import attempt as attempts
from worker import db, jobs, sweep
from worker.celery import app
from worker.drain import drain
from worker.errors import OutputsInvalid
from worker.settings import settings

assert all((callbacks, chains, invariants, shown)), "importing them lists what must hold"

RUN = "RUN_MUTANT_1"

pytestmark = pytest.mark.usefixtures("clients")


class Died(BaseException):
    """The worker dies here: nothing of it runs any more."""


@pytest.fixture
def seen(database):
    """A function that tells which invariants do not hold; the database takes notes from now on."""
    with psycopg.connect(database.replace("+psycopg", ""), autocommit=True) as connection:
        watch.install(connection)

        def codes(*, under_way=False):
            found = violations(connection, under_way=under_way)
            return {violation.code for violation in found}

        yield codes


@pytest.fixture
def at(monkeypatch):
    """A function that has something happen once, at a point of an attempt: `at("claim.committed", act)`."""

    def arm(point, act):
        armed = [act]

        def reached(name):
            if name == point and armed:
                armed.pop()()

        monkeypatch.setattr(attempts, "failpoint", reached)

    return arm


def work_off():
    list(drain())


def rescue(job_id):
    """Have the lease be over, and the sweep look."""
    change(job_id, leased_until=ago(1))
    with db.transaction() as session:
        sweep.rescue(session)


def dies():
    raise Died


def sees_something_else():
    raise OutputsInvalid("The data are another.")


# The scenarios: what happens. With every defence in place, all of them end well.


def a_worker_wakes_after_its_job_was_published_by_another(at):
    job_id = accept(register(RUN))

    def meanwhile():
        rescue(job_id)
        work_off()

    at("claim.committed", meanwhile)
    work_off()


def a_worker_wakes_and_fails_after_its_job_was_published_by_another(at):
    job_id = accept(register(RUN))

    def meanwhile():
        rescue(job_id)
        work_off()
        at("step.load", sees_something_else)

    at("claim.committed", meanwhile)
    work_off()


def a_worker_wakes_while_another_has_its_job_for_a_newer_request(at):
    job_id = accept(register(RUN), batch_number="OLD")

    def meanwhile():
        accept(RUN, batch_number="NEW", republish=True)
        at("claim.committed", dies)
        with pytest.raises(Died):
            work_off()

    at("claim.committed", meanwhile)
    work_off()
    if read(job_id).state == JobState.RUNNING:
        rescue(job_id)
    work_off()


def a_bell_rings_twice(at):
    job_id = accept(register(RUN))
    work_off()
    _ring(job_id)


def a_bell_rings_while_the_job_is_worked_on(at):
    job_id = accept(register(RUN))
    at("claim.committed", lambda: _ring(job_id))
    work_off()


def _ring(job_id):
    try:
        app.tasks["publish.run"](job_id=str(job_id))
    except Exception as error:  # noqa: BLE001 - Celery would hear of it
        assert type(error).__name__ in {"Retry", "JobFailed"}, error  # noqa: PT017


def a_worker_dies_before_the_end_of_its_work(at):
    accept(register(RUN))
    at("step.complete", dies)
    with pytest.raises(Died):
        work_off()


def a_worker_dies_and_the_sweep_looks(at):
    job_id = accept(register(RUN))
    at("step.contacts", dies)
    with pytest.raises(Died):
        work_off()
    rescue(job_id)


def a_worker_dies_and_the_sweep_looks_much_later(at):
    job_id = accept(register(RUN))
    at("step.contacts", dies)
    with pytest.raises(Died):
        work_off()
    change(job_id, run_at=ago(3600), leased_until=ago(LONGEST_DUE + 60))
    with db.transaction() as session:
        sweep.rescue(session)


def a_run_kills_every_worker(at):
    job_id = accept(register(RUN))
    for _ in range(settings().max_attempts):
        if read(job_id).state in {JobState.DONE, JobState.ERROR}:
            break
        at("step.contacts", dies)
        try:
            work_off()
        except Died:
            rescue(job_id)


def a_run_is_published_twice(at):
    accept(register(RUN))
    accept(RUN)
    work_off()


def a_run_cannot_be_published(at):
    accept(register(RUN, outputs=False))
    with db.transaction() as session:
        waited = "update jobs set waiting_since = now() - interval '1 hour', error = :error"
        session.execute(text(waited), {"error": '{"code": "outputs_missing"}'})
    work_off()


def a_job_is_cancelled_and_retried(at):
    job_id = accept(register(RUN))
    with db.transaction() as session:
        jobs.cancel(session, job_id)
    with db.transaction() as session:
        jobs.retry(session, settings(), job_id)
    work_off()


def a_dossier_is_to_be_replaced_by_two(at):
    older = accept(register(RUN))
    work_off()
    for run_id in ("RUN_NEWER_1", "RUN_NEWER_2"):
        accept(register(run_id), supersedes_run_id=RUN)
    work_off()
    assert read(older).state == JobState.DONE


def a_scenario_wants_to_be_told(at):
    _ring(accept(register(RUN), callback_url="https://hook.eu1.make.com/told"))


def a_rerun_is_published(at):
    accept(register(RUN))
    work_off()
    accept(register("RUN_NEWER_1"))
    with db.transaction() as session:
        add = "insert into reruns (dossier_id, run_id, asked_by) select id, 'RUN_NEWER_1', 'tests' from dossiers"
        session.execute(text(add))
    work_off()


ZOMBIE = a_worker_wakes_after_its_job_was_published_by_another
MUTANTS = [
    (mutants.without_fence, ZOMBIE, {"I4"}),
    (mutants.without_fence, a_worker_wakes_and_fails_after_its_job_was_published_by_another, {"I4"}),
    (mutants.without_fence_and_keys, ZOMBIE, {"I3", "I8"}),
    (mutants.without_epoch, a_worker_wakes_while_another_has_its_job_for_a_newer_request, {"I6"}),
    (mutants.without_claim_guard, a_bell_rings_twice, {"I4", "I11"}),
    (mutants.without_claim_guard, a_bell_rings_while_the_job_is_worked_on, {"I9"}),
    (mutants.without_epoch_at_rescue, a_worker_dies_and_the_sweep_looks, {"I11"}),
    (mutants.without_epoch_at_cancel, a_job_is_cancelled_and_retried, {"I11"}),
    (mutants.without_rescue, a_worker_dies_and_the_sweep_looks_much_later, {"I15"}),
    (mutants.without_counting_losses, a_run_kills_every_worker, {"I2"}),
    (mutants.without_key_of_jobs, a_run_is_published_twice, {"I3"}),
    (mutants.with_work_in_two_transactions, a_worker_dies_before_the_end_of_its_work, {"I4"}),
    (mutants.without_error_dossier, a_run_cannot_be_published, {"I4"}),
    (mutants.without_counting_batches, a_run_is_published_twice, {"I7"}),
    (mutants.without_looking_for_a_successor, a_dossier_is_to_be_replaced_by_two, {"I18"}),
    (mutants.without_taking_effect, a_dossier_is_to_be_replaced_by_two, {"I18"}),
    (mutants.without_owing_callbacks, a_scenario_wants_to_be_told, {"I19"}),
    (mutants.without_ending_reruns, a_rerun_is_published, {"I20"}),
    (mutants.without_replacing_by_reruns, a_rerun_is_published, {"I20"}),
]
UNENDED = (
    a_worker_dies_before_the_end_of_its_work,
    a_worker_dies_and_the_sweep_looks,
    a_worker_dies_and_the_sweep_looks_much_later,
    a_scenario_wants_to_be_told,
)


def named(value):
    return value.__name__ if callable(value) else None


@pytest.mark.parametrize(("mutant", "scenario", "expected"), MUTANTS, ids=named)
def test_a_mutant_is_caught(mutant, scenario, expected, seen, at, monkeypatch):
    mutant(monkeypatch)
    scenario(at)
    assert expected <= seen(under_way=scenario in UNENDED)


@pytest.mark.parametrize("scenario", dict.fromkeys(scenario for _, scenario, _ in MUTANTS), ids=named)
def test_with_every_defence_the_same_ends_well(scenario, seen, at):
    scenario(at)
    assert seen(under_way=scenario in UNENDED) == set()


def test_behind_the_fence_the_keys_still_keep_a_run_from_being_doubled(seen, at, monkeypatch):
    mutants.without_fence(monkeypatch)
    ZOMBIE(at)
    assert "I3" not in seen()
    assert [row.n for row in query("select count(*) as n from dossiers")] == [1]


CHANGES = {
    "dossiers": "update dossiers set insight = '{}' where company_name = 'V1 company 2'",
    "contacts": "delete from contacts where id = (select id from contacts limit 1)",
    "batches": "update batches set completed_dossiers = 0",
    "clients": "update clients set release_hour = 9",
}


@pytest.mark.parametrize("table", CHANGES)
def test_whatever_becomes_of_a_row_of_v1_is_seen_but_for_config_that_is_synced(table, database):
    with psycopg.connect(database.replace("+psycopg", ""), autocommit=True) as connection:
        (client,) = connection.execute("select min(id::text)::uuid from clients").fetchone()
        connection.execute(world.V1_OF_A_CLIENT, {"client": client, "batch": world.V1_BATCH, "rows": 3})
        before = promise.v1(Look(connection))
        connection.execute("update clients set icp_config = '{}', updated_at = now()")
        assert promise.v1(Look(connection)) == before
        connection.execute(CHANGES[table])
        changed = promise.v1(Look(connection))
    assert {name for name in before if changed[name] != before[name]} == {table}
