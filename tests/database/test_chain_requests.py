"""What a publish may ask of chains, what it is refused, and what happens where it asks for nothing."""

import threading
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from models.jobs import JobState
from models.orders import PublishOrder
from models.values import dossier_id_of
from tasks.publish import publish_run
from tests.database.companies import (
    LAKESHORE,
    LATE,
    accept,
    add_v1,
    complete,
    dossier,
    dump,
    execute,
    job_of,
    publish,
    query,
    register,
    retry,
)
from worker import db, inbox
from worker.calendar import desk
from worker.drain import drain
from worker.errors import ColumnlineError
from worker.settings import settings

pytestmark = pytest.mark.usefixtures("clients")

SOON = datetime.now(UTC).date() + timedelta(days=3)


def older_of(run_id):
    return dossier(run_id).supersedes_dossier_id


def refused(run_id, **options):
    """The code with which the door refuses the publish; nothing changes."""
    rows = "select (select count(*) from jobs) as jobs, (select count(*) from calendar_events) as events"
    before = (dump(), query(rows))
    with pytest.raises(ColumnlineError) as raised:
        accept(run_id, **options)
    assert (dump(), query(rows)) == before
    return raised.value.code, raised.value.field


@pytest.mark.parametrize("named_by", ["supersedes_run_id", "supersedes_dossier_id"])
def test_a_request_may_name_the_older_dossier_of_whatever_company(named_by):
    publish(register("A", "acme.example"))
    older = "A" if named_by == "supersedes_run_id" else dossier_id_of("A")
    publish(register("B", "bolt.example"), **{named_by: older})
    assert older_of("B") == dossier_id_of("A")
    assert (dossier("A").status, dossier("A").superseded_by_dossier_id) == ("superseded", dossier_id_of("B"))


def test_a_request_may_name_a_v1_dossier():
    v1 = add_v1("acme.example")
    publish(register("A"), supersedes_dossier_id=v1)
    assert older_of("A") == v1
    assert (dossier(v1).status, dossier(v1).superseded_by_dossier_id) == ("superseded", dossier_id_of("A"))


def test_a_dossier_of_another_client_is_refused():
    publish(register("THEIRS", client=LAKESHORE))
    register("A")
    assert refused("A", supersedes_run_id="THEIRS") == ("supersede_other_client", "supersedes_run_id")
    theirs = dossier_id_of("THEIRS")
    assert refused("A", supersedes_dossier_id=theirs) == ("supersede_other_client", "supersedes_dossier_id")


def test_a_dossier_that_has_a_successor_is_refused_whether_that_is_released_or_not():
    publish(register("A"))
    publish(register("B"), supersedes_run_id="A", release_date=SOON)
    register("C")
    assert refused("C", supersedes_run_id="A") == ("supersede_taken", "supersedes_run_id")
    with db.transaction() as session:
        desk.release_now(session, dossier_id_of("B"), "the tests")
    assert refused("C", supersedes_run_id="A") == ("supersede_taken", "supersedes_run_id")
    assert publish("C", supersedes_run_id="B").state == JobState.DONE


def test_a_dossier_that_v1_has_replaced_is_refused():
    old, new = add_v1("acme.example"), add_v1("acme.example")
    execute("update dossiers set superseded_by_dossier_id = :new where id = :old", old=old, new=new)
    register("A")
    assert refused("A", supersedes_dossier_id=old) == ("supersede_taken", "supersedes_dossier_id")


def test_a_dossier_that_is_not_there_is_refused():
    register("A")
    register("UNPUBLISHED")
    for run_id in ("UNPUBLISHED", "UNKNOWN"):
        assert refused("A", supersedes_run_id=run_id) == ("dossier_not_found", "supersedes_run_id")
    assert refused("A", supersedes_dossier_id=uuid4()) == ("dossier_not_found", "supersedes_dossier_id")


def test_a_circle_is_refused_however_long():
    publish(register("A"))
    assert refused("A", supersedes_run_id="A", republish=True) == ("validation", "supersedes_run_id")
    publish(register("B"), supersedes_run_id="A")
    publish(register("C"), supersedes_run_id="B", release_date=SOON)
    for run_id in ("B", "C"):
        assert refused("A", supersedes_run_id=run_id, republish=True) == ("validation", "supersedes_run_id")


def test_what_became_impossible_after_the_door_is_an_error_of_the_job_and_the_chain_stays():
    publish(register("A"))
    register("B")
    register("C")
    accept("B", supersedes_run_id="A")
    accept("C", supersedes_run_id="A")
    list(drain())
    states = {run_id: job_of(run_id) for run_id in ("B", "C")}
    assert (states["B"].state, states["C"].state) == (JobState.DONE, JobState.ERROR)
    assert states["C"].error["code"] == "supersede_taken"
    assert (older_of("B"), dossier("C").status) == (dossier_id_of("A"), "error")
    assert dossier("A").superseded_by_dossier_id == dossier_id_of("B")


def test_a_publish_waits_for_the_older_run_that_is_still_on_its_way_and_goes_on_then():
    publish(register("A", without=(LATE,)))
    job = publish(register("B"), supersedes_run_id="A")
    assert (job.state, job.attempt, job.error["code"]) == (JobState.WAITING, 0, "supersede_pending")
    assert query("select 1 from dossiers") == []
    complete("A")
    list(drain())
    assert job_of("A").state == JobState.DONE
    execute("update jobs set run_at = now() where state = 'waiting'")
    list(drain())
    assert job_of("B").state == JobState.DONE
    assert older_of("B") == dossier_id_of("A")
    assert dossier("A").superseded_by_dossier_id == dossier_id_of("B")


def test_a_publish_that_has_waited_for_its_outputs_waits_for_the_older_run_as_long_as_any():
    publish(register("A", without=(LATE,)))
    publish(register("B", without=(LATE,)), supersedes_run_id="A")
    for looks in (1, 2):
        execute("update jobs set waiting_since = waiting_since - interval '9 min' where key = 'B'")
        complete("B")
        execute("update jobs set run_at = now() where key = 'B'")
        list(drain())
        assert (job_of("B").state, job_of("B").error["code"]) == (JobState.WAITING, "supersede_pending"), looks
    execute("update jobs set waiting_since = waiting_since - interval '2 min', run_at = now() where key = 'B'")
    list(drain())
    assert job_of("B").state == JobState.ERROR


def test_a_publish_whose_older_run_never_comes_ends_in_error_and_can_be_tried_again(setting):
    publish(register("A", without=(LATE,)))
    setting(outputs_deadline=0)
    job = publish(register("B"), supersedes_run_id="A")
    assert (job.state, job.error["code"]) == (JobState.ERROR, "supersede_pending")
    complete("A")
    list(drain())
    assert retry("B").state == JobState.DONE
    assert older_of("B") == dossier_id_of("A")


def test_without_being_asked_nothing_is_linked():
    add_v1("acme.example")
    publish(register("A"))
    publish(register("B"))
    assert (older_of("A"), older_of("B")) == (None, None)


def test_the_setting_links_every_new_publish_unless_the_request_says_otherwise(setting):
    setting(supersede="auto")
    for run_id in ("A", "B"):
        publish(register(run_id))
    assert older_of("B") == dossier_id_of("A")
    publish(register("C"), supersede="none")
    assert (older_of("C"), dossier("B").status) == (None, "ready")
    publish(register("D"), supersedes_run_id="B")
    assert older_of("D") == dossier_id_of("B")


@pytest.mark.parametrize(("setting_says", "client_says"), [("explicit", "auto"), ("auto", "explicit")])
def test_what_the_client_wants_goes_before_the_setting(setting, setting_says, client_says):
    setting(supersede=setting_says)
    execute("update v2_clients set supersede = :s where client_id like 'CLT_NORTH%'", s=client_says)
    for client, run_ids in (("CLT_NORTHWIND_001", ("A", "B")), (LAKESHORE, ("C", "D"))):
        for run_id in run_ids:
            publish(register(run_id, client=client))
    assert (older_of("B") is not None) is (client_says == "auto")
    assert (older_of("D") is not None) is (setting_says == "auto")


def test_a_run_without_a_domain_is_published_and_says_that_no_older_one_was_looked_for():
    add_v1("acme.example")
    job = publish(register("A", domain=None), supersede="auto")
    assert job.state == JobState.DONE
    assert "supersede_no_domain" in {warning["code"] for warning in job.warnings}
    assert older_of("A") is None


def test_a_preview_names_the_older_dossier_and_links_nothing():
    publish(register("A"))
    before = dump()
    register("B")
    with db.transaction() as session:
        job = inbox.accept_preview(session, settings(), PublishOrder(run_id="B", supersede="auto"))
    list(drain())
    (row,) = query("select result from jobs where id = :id", id=job.id)
    assert row.result["supersedes"]["run_id"] == "A"
    assert dump() == before


@pytest.mark.parametrize("options", [{}, {"supersede": "auto"}, {"supersedes_run_id": "A"}])
def test_a_republish_keeps_its_link(options):
    publish(register("A"))
    publish(register("B"), supersedes_run_id="A")
    before = [dossier("A"), older_of("B"), dossier("B").released_at]
    assert publish("B", republish=True, **options).state == JobState.DONE
    assert [dossier("A"), older_of("B"), dossier("B").released_at] == before


def test_a_republish_replaces_none_that_came_after_it():
    publish(register("A"))
    publish(register("B"))
    publish("A", supersede="auto", republish=True)
    assert (older_of("A"), dossier("B").status) == (None, "ready")


def test_a_republish_before_the_release_may_name_another_or_none():
    publish(register("A"))
    publish(register("B"))
    publish(register("C"), supersedes_run_id="A", release_date=SOON)
    publish("C", supersedes_run_id="B", republish=True)
    assert older_of("C") == dossier_id_of("B")
    publish("C", supersede="none", republish=True)
    assert older_of("C") is None
    assert {dossier(run_id).status for run_id in "ABC"} == {"ready"}


@pytest.mark.parametrize("options", [{"supersedes_run_id": "OTHER"}, {"supersede": "none"}])
def test_what_was_replaced_before_readers_eyes_cannot_be_taken_back(options):
    publish(register("A"))
    publish(register("OTHER"))
    publish(register("B"), supersedes_run_id="A")
    before = dump()
    job = publish("B", republish=True, **options)
    assert (job.state, job.error["code"]) == (JobState.ERROR, "supersede_taken")
    assert dump() == before


def test_publishes_of_one_company_at_the_same_moment_form_one_line():
    add_v1("acme.example")
    job_ids = [accept(register(f"R{number}"), supersede="auto") for number in range(6)]
    start = threading.Barrier(len(job_ids))

    def work(job_id):
        start.wait()
        publish_run(job_id=str(job_id))

    threads = [threading.Thread(target=work, args=[job_id]) for job_id in job_ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = query("select supersedes_dossier_id as older, superseded_by_dossier_id as newer from dossiers")
    assert len({row.older for row in rows if row.older}) == len(job_ids)
    assert [row.newer for row in rows].count(None) == 1
