"""The batch that a dossier is counted in, by each of the four strategies, and how far an opened batch is."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tasks.publish import publish_run
from tasks.release import release_due_dossiers
from tests.database.publishing import (
    LAKESHORE,
    NORTHWIND,
    accept,
    at_once,
    complete,
    dossier,
    execute,
    job_of,
    publish,
    published,
    query,
    register,
)
from worker import db, inbox, progress
from worker.drain import drain
from worker.settings import settings

EARLY = pytest.mark.parametrize("strategy", ["run", "make"])
EVERY = pytest.mark.parametrize("strategy", ["daily", "run", "make", "none"])

pytestmark = pytest.mark.usefixtures("clients")


def today():
    return f"V2_{datetime.now(ZoneInfo('America/Toronto')):%Y%m%d}"


def all_batches(client=NORTHWIND):
    """Each batch as its status, total and completed, by its number."""
    rows = query(
        "select batch_number, status, total_dossiers, completed_dossiers from batches where client_id = :c",
        c=client,
    )
    return {row.batch_number: (row.status, row.total_dossiers, row.completed_dossiers) for row in rows}


def how_far():
    """The only batch as it is shown: total, completed, failed, running, held, outstanding, whether it is over."""
    with db.transaction() as session:
        ((batch,), _) = progress.page(session, limit=10, cursor=None)
    told = (batch.total, batch.completed, batch.failed, batch.running, batch.held, batch.outstanding)
    return *told, batch.is_over


def number_of(run_id):
    """The number of the batch that the run's dossier is in."""
    rows = query(
        "select batch_number from batches b join dossiers d on d.batch_id = b.id where run_id = :r", r=run_id
    )
    return rows[0].batch_number if rows else None


def opened_for(run_id):
    """The number of the batch that was opened when the run was registered."""
    rows = query(
        "select b.batch_number from batches b join v2_runs r on r.batch_id = b.id where run_id = :r", r=run_id
    )
    return rows[0].batch_number if rows else None


def v1_batch(number, status, total=9, done=4):
    execute(
        "insert into batches (client_id, batch_number, status, total_dossiers, completed_dossiers) "
        "values (:c, :n, :s, :t, :d)",
        c=NORTHWIND,
        n=number,
        s=status,
        t=total,
        d=done,
    )


def cancel(run_id):
    with db.transaction() as session:
        inbox.cancel(session, settings(), job_of(run_id).id)


def retry(run_id):
    with db.transaction() as session:
        inbox.restart(session, settings(), [job_of(run_id).id])


def test_by_the_day_dossiers_share_their_clients_batch_which_is_complete_at_once():
    register("R1")
    assert all_batches() == {}
    published("R2")
    assert all_batches() == {today(): ("complete", 1, 1)}
    published("R3", LAKESHORE)
    published("R4")
    assert all_batches() == {today(): ("complete", 2, 2)}
    assert {status[1:] for status in all_batches(LAKESHORE).values()} == {(1, 1)}


def test_by_the_day_what_a_run_announces_does_not_matter():
    register("R1", batch_number="B1")
    publish("R1")
    assert (number_of("R1"), opened_for("R1")) == (today(), None)


def test_with_none_a_dossier_has_no_batch_unless_the_publish_names_one(setting):
    setting(batch_strategy="none")
    register("R1", batch_number="B1")
    job = publish("R1")
    assert (dossier("R1").batch_id, job.result["batch_id"], job.result["batch_number"]) == (None, None, None)
    assert all_batches() == {}
    published("R2", batch_number="B2")
    assert all_batches() == {"B2": ("complete", 1, 1)}


def test_by_run_the_batch_shows_from_the_registration_on_and_goes_on_to_complete(setting):
    setting(batch_strategy="run")
    register("R1")
    assert (all_batches(), opened_for("R1")) == ({today(): ("pending", 1, 0)}, today())
    register("R2")
    assert all_batches() == {today(): ("pending", 2, 0)}
    accept("R1")
    assert all_batches() == {today(): ("processing", 2, 0)}
    publish("R1")
    assert all_batches() == {today(): ("processing", 2, 1)}
    publish("R2")
    assert all_batches() == {today(): ("complete", 2, 2)}
    register("R3")
    assert all_batches() == {today(): ("processing", 3, 2)}


def test_by_run_registering_again_counts_once(setting):
    setting(batch_strategy="run")
    register("R1")
    register("R1")
    assert all_batches() == {today(): ("pending", 1, 0)}
    publish("R1")
    register("R1")
    assert all_batches() == {today(): ("complete", 1, 1)}


def test_by_run_a_dossier_stays_in_the_batch_that_was_opened_for_it_when_another_day_comes(setting):
    setting(batch_strategy="run")
    register("R1")
    execute("update batches set batch_number = 'V2_20200101'")
    publish("R1")
    assert all_batches() == {"V2_20200101": ("complete", 1, 1)}


def test_a_failure_is_counted_and_a_retry_moves_the_counts(setting):
    setting(batch_strategy="run", outputs_deadline=0)
    register("R1")
    publish("R1")
    register("R2", outputs=False)
    assert publish("R2").state == "error"
    assert all_batches() == {today(): ("complete_with_errors", 2, 1)}
    with db.transaction() as session:
        complete("R2", session)
    retry("R2")
    publish("R2")
    assert all_batches() == {today(): ("complete", 2, 2)}


def test_a_run_that_fails_in_the_pipeline_itself_has_failed_by_the_next_tick(setting):
    setting(batch_strategy="run")
    publish(register("R1"))
    register("R2")
    execute("update v2_runs set status = 'failed' where run_id = 'R2'")
    release_due_dossiers()
    assert all_batches() == {today(): ("complete_with_errors", 2, 1)}


def test_a_publish_whose_error_no_dossier_could_keep_has_failed_by_the_next_tick(setting):
    setting(batch_strategy="run")
    publish(register("R1"))
    accept(register("R2"))
    execute("update jobs set lost = 3 where key = 'R2'")
    execute("update v2_clients set client_name = 'Nobody', production_client_id = null, slug = null")
    list(drain())
    assert (job_of("R2").state, query("select 1 from dossiers where run_id = 'R2'")) == ("error", [])
    release_due_dossiers()
    assert all_batches() == {today(): ("complete_with_errors", 2, 1)}
    assert how_far() == (2, 1, 1, 0, 0, 0, True)


@pytest.mark.parametrize("state", ["queued", "running", "waiting", "held", "error"])
def test_a_run_that_failed_counts_once_however_its_publish_stands(setting, state):
    setting(batch_strategy="run")
    publish(register("R1"))
    accept(register("R2"))
    register("R3")
    assert how_far() == (3, 1, 0, 1, 0, 1, False)
    execute(
        """update jobs set state = :s, leased_until = case when :s = 'running' then now() end,
             held_reason = case when :s = 'held' then 'client_unmapped' end,
             settled_at = case when :s = 'error' then now() end,
             error = case when :s = 'error' then '{}'::jsonb end
           where key = 'R2'""",
        s=state,
    )
    execute("update v2_runs set status = 'failed' where run_id = 'R2'")
    assert how_far() == (3, 1, 1, 0, 0, 1, False)


def test_a_run_whose_dossier_was_deleted_is_no_longer_on_its_way(setting):
    setting(batch_strategy="run")
    publish(register("R1"))
    publish(register("R2"))
    execute("delete from dossiers where run_id = 'R2'")
    release_due_dossiers()
    assert how_far() == (1, 1, 0, 0, 0, 0, True)
    publish("R2", republish=True)
    assert how_far() == (2, 2, 0, 0, 0, 0, True)


def test_a_cancelled_publish_leaves_and_comes_back_when_it_is_asked_for_again(setting):
    setting(batch_strategy="run")
    publish(register("R1"))
    accept(register("R2"))
    assert all_batches() == {today(): ("processing", 2, 1)}
    cancel("R2")
    assert all_batches() == {today(): ("complete", 1, 1)}
    accept("R2")
    assert all_batches() == {today(): ("processing", 2, 1)}
    publish("R2")
    assert all_batches() == {today(): ("complete", 2, 2)}


def test_a_cancelled_publish_comes_back_when_it_is_retried(setting):
    setting(batch_strategy="run")
    publish(register("R1"))
    accept(register("R2"))
    cancel("R2")
    retry("R2")
    assert all_batches() == {today(): ("processing", 2, 1)}


def test_by_run_a_run_whose_client_is_corrected_leaves_the_other_clients_batch(setting):
    setting(batch_strategy="run")
    register("R1")
    assert all_batches() == {today(): ("pending", 1, 0)}
    register("R1", LAKESHORE)
    publish("R1")
    assert all_batches() == {today(): ("complete", 0, 0)}
    assert all_batches(LAKESHORE) == {today(): ("complete", 1, 1)}


def test_by_run_a_dossier_of_a_client_that_was_mapped_elsewhere_meanwhile_is_in_no_other_clients_batch(setting):
    setting(batch_strategy="run")
    register("R1")
    execute("update v2_clients set production_client_id = :p where client_id = 'CLT_NORTHWIND_001'", p=LAKESHORE)
    publish("R1")
    assert all_batches(LAKESHORE) == {today(): ("complete", 1, 1)}


def test_archived_and_superseded_dossiers_go_on_counting_as_completed(setting):
    setting(batch_strategy="run")
    for number, status in enumerate(("archived", "superseded", "ready")):
        publish(register(f"R{number}"))
        execute("update dossiers set status = :s where run_id = :r", s=status, r=f"R{number}")
    publish("R2", republish=True)
    assert all_batches() == {today(): ("complete", 3, 3)}


@EARLY
def test_the_runs_own_number_opens_that_batch(setting, strategy):
    setting(batch_strategy=strategy)
    register("R1", batch_number="B1")
    register("R2", batch_number="B1")
    assert all_batches() == {"B1": ("pending", 2, 0)}
    publish("R1")
    assert (number_of("R1"), all_batches()) == ("B1", {"B1": ("processing", 2, 1)})


@EARLY
def test_a_run_registered_with_another_number_moves_and_both_counts_are_right(setting, strategy):
    setting(batch_strategy=strategy)
    register("R1", batch_number="B1")
    register("R2", batch_number="B1")
    register("R2", batch_number="B2")
    assert all_batches() == {"B1": ("pending", 1, 0), "B2": ("pending", 1, 0)}


@EVERY
def test_the_number_of_the_publish_comes_before_all_others(setting, strategy):
    setting(batch_strategy=strategy)
    register("R1", batch_number="B1")
    job = publish("R1", batch_number="B2")
    assert (number_of("R1"), job.result["batch_number"]) == ("B2", "B2")
    assert all_batches()["B2"] == ("complete", 1, 1)
    assert all_batches().get("B1", ("complete", 0, 0))[1:] == (0, 0)


def test_with_make_a_run_without_a_number_falls_back_to_the_day_when_it_is_published(setting):
    setting(batch_strategy="make")
    register("R1")
    assert (all_batches(), opened_for("R1")) == ({}, None)
    publish("R1")
    assert all_batches() == {today(): ("complete", 1, 1)}


@EVERY
def test_a_republish_with_another_number_moves_the_dossier_and_both_counts_are_right(setting, strategy):
    setting(batch_strategy=strategy)
    for run_id in ("R1", "R2"):
        register(run_id, batch_number="B1")
        publish(run_id, batch_number="B1")
    publish("R1", batch_number="B2", republish=True)
    assert number_of("R1") == "B2"
    assert {number: counts[1:] for number, counts in all_batches().items()} == {"B1": (1, 1), "B2": (1, 1)}
    publish("R1", republish=True)
    assert number_of("R1") == "B2"


@EARLY
def test_first_registrations_and_publishes_at_the_same_time_make_one_batch(setting, strategy):
    setting(batch_strategy=strategy)
    run_ids = [f"R{number}" for number in range(8)]
    assert at_once(lambda run_id: register(run_id, batch_number="B1"), run_ids) == run_ids
    assert all_batches() == {"B1": ("pending", 8, 0)}
    job_ids = [accept(run_id) for run_id in run_ids]
    at_once(lambda job_id: publish_run(job_id=str(job_id)), job_ids)
    assert [job_of(run_id).state for run_id in run_ids] == ["done"] * 8
    assert all_batches() == {"B1": ("complete", 8, 8)}


def test_a_run_of_an_unmapped_client_opens_none_until_it_is_mapped_and_published(setting):
    setting(batch_strategy="run", client_mapping="explicit")
    register("R1", LAKESHORE)
    assert opened_for("R1") is None
    execute("update v2_clients set production_client_id = :c where client_id = 'CLT_LAKESHORE_001'", c=LAKESHORE)
    publish("R1")
    assert [status[1:] for status in all_batches(LAKESHORE).values()] == [(1, 1)]


@EVERY
def test_v1s_batches_stay_byte_for_byte_whatever_is_published_beside_them(setting, strategy):
    setting(batch_strategy=strategy)
    for status in ("pending", "processing", "active", "complete"):
        v1_batch(f"2025 {status}", status)
    of_v1 = "select batch_number, xmin::text, b::text from batches b where batch_number like '2025%' order by 1"
    before = query(of_v1)
    publish(register("R1", batch_number="B1"))
    release_due_dossiers()
    assert query(of_v1) == before


@EVERY
def test_a_v1_batch_that_a_publish_names_keeps_its_status(setting, strategy):
    setting(batch_strategy=strategy)
    v1_batch("2025-11", "active", total=0, done=0)
    published("R1", batch_number="2025-11")
    release_due_dossiers()
    assert all_batches()["2025-11"] == ("active", 1, 1)


@EARLY
def test_a_v1_batch_that_a_run_names_keeps_its_status(setting, strategy):
    setting(batch_strategy=strategy)
    v1_batch("2025-11", "active", total=0, done=0)
    register("R1", batch_number="2025-11")
    publish("R1")
    assert all_batches()["2025-11"] == ("active", 1, 1)
