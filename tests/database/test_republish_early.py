"""A run published again before it has become a dossier: what was asked first still counts unless it is named."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from celery.exceptions import Retry

from models.jobs import JobState
from models.values import dossier_id_of
from tasks.publish import publish_run
from tests.database.publishing import (
    CLIENTS,
    NORTHWIND,
    accept,
    at_once,
    complete,
    dossier,
    execute,
    job_of,
    publish,
    query,
    register,
    seen_by,
)
from worker import db, inbox
from worker.drain import drain
from worker.settings import settings

SOON = datetime.now(UTC).date() + timedelta(days=3)
LATER = SOON + timedelta(days=3)

pytestmark = pytest.mark.usefixtures("clients")


@pytest.fixture
def older():
    publish(register("OLD"))
    execute("insert into lists (client_id, name) values (:c, 'Hot'), (:c, 'Cold')", c=NORTHWIND)


def first(state):
    """A publish with options that is in this state; returns its run."""
    register("RUN", outputs=state != "waiting")
    if state == "held":
        execute("update v2_clients set production_client_id = null, slug = null")
    if state == "pending":
        execute("update jobs set state = 'queued', settled_at = null where key = 'OLD'")
        execute("delete from dossiers where run_id = 'OLD'")
    job_id = accept("RUN", release_date=SOON, list="Hot", supersedes_run_id="OLD", batch_number="9")
    if state == "pending":
        with suppress(Retry):
            publish_run(job_id=str(job_id))
    elif state not in {"queued", "cancelled"}:
        list(drain())
    if state == "cancelled":
        with db.transaction() as session:
            inbox.cancel(session, settings(), job_id)
    assert job_of("RUN").state == ("waiting" if state == "pending" else state)
    with db.transaction() as session:
        complete("RUN", session)
    lead = "update v2_clients set production_client_id = :c where client_id = :v"
    execute(lead, c=NORTHWIND, v=CLIENTS[NORTHWIND])
    return "RUN"


def lists_of(run_id):
    statement = "select name from lists join dossier_lists on list_id = id where dossier_id = :id"
    return [row.name for row in query(statement, id=dossier_id_of(run_id))]


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("state", ["queued", "waiting", "held", "pending", "cancelled"])
def test_what_was_asked_before_counts_though_the_republish_says_nothing(older, state, times):
    run_id = first(state)
    for _ in range(times):
        accept(run_id, republish=True)
    list(drain())
    made = dossier(run_id)
    assert (made.release_date, made.released_at) == (SOON, None)
    assert (made.supersedes_dossier_id, lists_of(run_id)) == (dossier_id_of("OLD"), ["Hot"])
    assert query("select batch_number as n from batches where id = :id", id=made.batch_id)[0].n == "9"
    assert seen_by(NORTHWIND) == ["OLD"]


def test_what_the_republish_names_counts_instead_and_the_rest_stays(older):
    publish(first("waiting"), republish=True, release_date=LATER, supersede="none")
    made = dossier("RUN")
    assert (made.release_date, made.supersedes_dossier_id, lists_of("RUN")) == (LATER, None, ["Hot"])
    publish("RUN", republish=True)
    assert dossier("RUN").release_date == LATER
    assert seen_by(NORTHWIND) == ["OLD"]


def test_what_a_publish_failed_for_is_asked_again_so_that_nothing_is_shown_too_early(older):
    register("RUN")
    accept("RUN", release_date=SOON, list="Cold", supersedes_run_id="OLD")
    execute("delete from lists where name = 'Cold'")
    list(drain())
    assert (job_of("RUN").state, job_of("RUN").error["code"]) == (JobState.ERROR, "list_not_found")
    assert publish("RUN", republish=True).error["code"] == "list_not_found"
    assert publish("RUN", republish=True, list="Hot").state == JobState.DONE
    made = dossier("RUN")
    assert (made.release_date, made.supersedes_dossier_id) == (SOON, dossier_id_of("OLD"))
    assert lists_of("RUN") == ["Hot"]


def test_what_a_republish_failed_with_is_not_asked_again_since_the_dossier_is_there(older):
    publish(register("RUN"), release_date=SOON)
    accept("RUN", release_date=LATER, list="Hot", republish=True)
    execute("update dossiers set status = 'archived' where run_id = 'RUN'")
    list(drain())
    assert job_of("RUN").error["code"] == "dossier_not_ready"
    assert "Republish without `release_date`, or publish under a new run id" in job_of("RUN").error["detail"]
    assert publish("RUN", republish=True).state == JobState.DONE
    assert (dossier("RUN").release_date, lists_of("RUN")) == (SOON, ["Inbox"])


def test_an_error_that_starts_over_without_republish_is_asked_only_what_it_is_asked_now(older):
    publish(first("cancelled"), release_date=LATER)
    assert (dossier("RUN").release_date, lists_of("RUN")) == (LATER, ["Inbox"])


def test_of_two_republishes_at_a_time_the_second_keeps_what_the_first_names(older):
    run_id = first("queued")
    orders = [{"release_date": LATER}, {"list": "Cold"}]
    at_once(lambda number: accept(run_id, republish=True, **orders[number]), range(2))
    list(drain())
    assert (dossier("RUN").release_date, lists_of("RUN")) == (LATER, ["Cold"])
