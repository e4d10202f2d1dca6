"""A dossier that readers never saw, in error or put away, leaves no gap: what it was to replace is replaced."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from models.jobs import JobState
from models.values import dossier_id_of
from tasks.assemble import assemble
from tasks.publish import publish_run
from tests.database.companies import (
    LATE,
    NORTHWIND,
    accept,
    add_v1,
    complete,
    dossier,
    execute,
    job_of,
    publish,
    read_by,
    register,
    retry,
)
from tests.database.publishing import events, somebody_waits
from tests.database.rerunning import play_pipeline, started
from tests.system.waiting import wait_until
from worker import db, jobs
from worker.calendar import desk
from worker.drain import drain
from worker.settings import settings

SOON = datetime.now(UTC).date() + timedelta(days=3)
AUTO, NAMED = {"supersede": "auto"}, {"supersedes_run_id": "N"}

pytestmark = pytest.mark.usefixtures("clients")


def fails(setting, run_id, **options):
    """A publish that ends in error; returns its dossier."""
    setting(outputs_deadline=0)
    assert publish(register(run_id, without=(LATE,)), **options).state == JobState.ERROR
    return dossier_id_of(run_id)


def archive(run_id):
    with db.transaction() as session:
        desk.archive(session, dossier_id_of(run_id), "the tests")


def release(run_id):
    with db.transaction() as session:
        desk.release_now(session, dossier_id_of(run_id), "the tests")


def current():
    """What readers see that nothing has replaced."""
    return {dossier_id for dossier_id, status in read_by(NORTHWIND).items() if status == "ready"}


def retried_while(monkeypatch, work, *what, **options):
    """Retry D, and have something else begin while it is being assembled; both have ended."""
    others = []

    def meanwhile(run_input):
        monkeypatch.setattr("tasks.publish.assemble", assemble)
        others.append(pool.submit(work, *what, **options))
        wait_until(lambda: somebody_waits() or others[0].done(), "the other to come in between")
        return assemble(run_input)

    with db.transaction() as session:
        jobs.retry(session, settings(), job_of("D").id)
    monkeypatch.setattr("tasks.publish.assemble", meanwhile)
    with ThreadPoolExecutor(1) as pool:
        publish_run(job_id=str(job_of("D").id))
        others[0].result()


def older_of(run_id):
    return dossier(run_id).supersedes_dossier_id


@pytest.mark.parametrize("wish", [AUTO, NAMED])
def test_the_rerun_of_a_failed_dossier_replaces_what_that_was_to_replace(make, setting, wish):
    publish(register("N"))
    rerun = started(fails(setting, "D", **wish))
    newer = play_pipeline(rerun)
    assert (newer.supersedes_dossier_id, older_of("D")) == (dossier_id_of("D"), dossier_id_of("N"))
    assert (dossier("D").superseded_by_dossier_id, dossier("N").superseded_by_dossier_id) == (newer.id, newer.id)
    assert (dossier("N").status, dossier("D").status) == ("superseded", "error")
    assert current() == {newer.id}


def test_a_policy_of_the_client_counts_for_what_failed_as_well(make, setting):
    setting(supersede="auto")
    v1 = add_v1("acme.example")
    rerun = started(fails(setting, "D"))
    assert current() == {v1}
    newer = play_pipeline(rerun)
    assert current() == {newer.id}


def test_where_nothing_was_to_be_replaced_the_rerun_replaces_the_failed_one_alone(make, setting):
    publish(register("N"))
    newer = play_pipeline(started(fails(setting, "D")))
    assert (older_of("D"), newer.supersedes_dossier_id) == (None, dossier_id_of("D"))
    assert current() == {newer.id, dossier_id_of("N")}


def test_a_rerun_of_a_rerun_that_failed_too_replaces_all_that_stands_behind_both(make, setting):
    publish(register("N"))
    first = started(fails(setting, "D", **AUTO))
    second = started(fails(setting, first.run_id))
    newer = play_pipeline(second)
    assert [older_of(first.run_id), older_of("D")] == [dossier_id_of("D"), dossier_id_of("N")]
    assert current() == {newer.id}


def test_what_has_replaced_it_meanwhile_is_replaced_instead(make, setting):
    publish(register("N"))
    rerun = started(fails(setting, "D", **NAMED))
    publish(register("P"), supersedes_run_id="N")
    newer = play_pipeline(rerun)
    assert (older_of("D"), current()) == (dossier_id_of("P"), {newer.id})


def test_a_publish_that_failed_because_what_it_named_is_not_there_ends_the_chain(make, setting):
    publish(register("GONE"))
    accept(register("D"), supersedes_run_id="GONE")
    execute("delete from dossiers where run_id = 'GONE'")
    list(drain())
    assert dossier("D").error["code"] == "dossier_not_found"
    newer = play_pipeline(started(dossier_id_of("D")))
    assert (older_of("D"), current()) == (None, {newer.id})


@pytest.mark.parametrize("wish", [AUTO, NAMED])
@pytest.mark.parametrize("archived_first", [True, False])
def test_the_rerun_of_one_that_was_archived_unseen_replaces_what_that_was_to_replace(make, wish, archived_first):
    publish(register("N"))
    publish(register("O"), release_date=SOON, **wish)
    if archived_first:
        archive("O")
    rerun = started(dossier_id_of("O"))
    if not archived_first:
        archive("O")
    newer = play_pipeline(rerun)
    assert current() == {newer.id}
    assert (dossier("O").status, dossier("N").status) == ("archived", "superseded")


def test_a_request_that_names_a_failed_dossier_closes_the_gap_as_well(setting):
    publish(register("N"))
    fails(setting, "D", **AUTO)
    publish(register("B"), supersedes_run_id="D")
    assert current() == {dossier_id_of("B")}


def test_what_is_to_come_changes_nothing_and_archived_unseen_frees_what_stood_behind_the_gap(make, setting):
    publish(register("N"))
    rerun = started(fails(setting, "D", **AUTO))
    publish(register(rerun.run_id), release_date=SOON)
    assert current() == {dossier_id_of("N")}
    archive(rerun.run_id)
    assert older_of("D") is None
    publish(register("P"), **AUTO)
    assert (older_of("P"), current()) == (dossier_id_of("N"), {dossier_id_of("P")})


def test_republished_without_a_link_it_frees_what_stood_behind_the_gap(setting):
    publish(register("N"))
    fails(setting, "D", **AUTO)
    publish(register("B"), supersedes_run_id="D", release_date=SOON)
    publish("B", supersede="none", republish=True)
    assert (older_of("B"), older_of("D")) == (None, None)


def test_the_failed_one_revived_before_its_rerun_is_released_takes_its_place(make, setting):
    publish(register("N"))
    rerun = started(fails(setting, "D", **AUTO))
    publish(register(rerun.run_id), release_date=SOON)
    complete("D")
    assert retry("D").state == JobState.DONE
    assert current() == {dossier_id_of("D")}
    release(rerun.run_id)
    assert current() == {dossier_id_of(rerun.run_id)}


def test_an_auto_publish_that_waits_for_one_that_is_being_archived_replaces_what_stood_behind_it():
    publish(register("N"))
    publish(register("O"), release_date=SOON, **AUTO)
    accept(register("P"), **AUTO)

    with ThreadPoolExecutor(1) as pool:
        with db.transaction() as session:
            desk.archive(session, dossier_id_of("O"), "the tests")
            publishing = pool.submit(lambda: list(drain()))
            wait_until(somebody_waits, "the publish to wait")
        publishing.result()
    assert (older_of("P"), current()) == (dossier_id_of("N"), {dossier_id_of("P")})


def test_a_failed_run_keeps_its_place_while_it_is_retried(setting, monkeypatch):
    publish(register("N"))
    fails(setting, "D", **AUTO)
    complete("D")
    successor = accept(register("B"), supersedes_run_id="D")
    retried_while(monkeypatch, publish_run, job_id=str(successor))
    assert (older_of("B"), older_of("D"), current()) == (
        dossier_id_of("D"),
        dossier_id_of("N"),
        {dossier_id_of("B")},
    )
    assert [event[0] for event in events("D")] == ["released"]


def test_a_failed_rerun_that_is_retried_keeps_the_place_that_its_own_rerun_gave_it(make, setting):
    publish(register("N"))
    first = started(dossier_id_of("N"))
    second = started(fails(setting, first.run_id))
    publish(register(second.run_id), release_date=SOON)
    complete(first.run_id)
    assert retry(first.run_id).state == JobState.DONE
    assert (older_of(first.run_id), current()) == (dossier_id_of("N"), {dossier_id_of(first.run_id)})
    release(second.run_id)
    assert current() == {dossier_id_of(second.run_id)}


def test_one_that_named_both_the_failed_dossier_and_what_that_was_to_replace_stands_behind_both(setting):
    publish(register("N"))
    fails(setting, "D", **NAMED)
    publish(register("B"), release_date=SOON, **NAMED)
    publish("B", supersedes_run_id="D", republish=True)
    assert (older_of("B"), older_of("D")) == (dossier_id_of("D"), dossier_id_of("N"))
    release("B")
    assert current() == {dossier_id_of("B")}


def test_a_failed_one_that_is_revived_while_its_successor_is_archived_keeps_its_place(setting, monkeypatch):
    publish(register("N"))
    fails(setting, "D", **AUTO)
    publish(register("B"), supersedes_run_id="D", release_date=SOON)
    complete("D")
    retried_while(monkeypatch, archive, "B")
    assert dossier("B").status == "archived"
    assert (older_of("D"), current()) == (dossier_id_of("N"), {dossier_id_of("D")})
