"""A run whose client was wrong at first: its dossier goes to the right one's readers, or nowhere."""

import pytest

from models.jobs import JobState
from tests.database.publishing import (
    CLIENTS,
    LAKESHORE,
    NORTHWIND,
    complete,
    dossier,
    execute,
    one,
    publish,
    register,
    seen_by,
)
from worker import db

pytestmark = pytest.mark.usefixtures("clients")


def corrected(run_id):
    execute("update v2_runs set client_id = :c where run_id = :r", c=CLIENTS[LAKESHORE], r=run_id)


def failed(setting, run_id):
    """A run of the wrong client that ended in error."""
    setting(outputs_deadline=0)
    register(run_id, outputs=False)
    assert publish(run_id).state == JobState.ERROR
    return dossier(run_id).batch_id


def test_after_an_error_the_dossier_goes_to_the_client_that_the_run_has_now(setting):
    batch = failed(setting, "R1")
    corrected("R1")
    with db.transaction() as session:
        complete("R1", session)
    assert publish("R1").state == JobState.DONE
    assert dossier("R1").client_id == LAKESHORE
    assert (seen_by(NORTHWIND), seen_by(LAKESHORE)) == ([], ["R1"])
    assert one("select total_dossiers as n from batches where id = :b", b=batch).n == 0
    assert one("select client_id as c from batches where id = :b", b=dossier("R1").batch_id).c == LAKESHORE


def test_an_error_that_is_told_again_is_told_of_the_client_that_the_run_has_now(setting):
    failed(setting, "R1")
    corrected("R1")
    assert publish("R1").state == JobState.ERROR
    assert dossier("R1").client_id == LAKESHORE


def test_what_was_published_to_another_client_is_not_published_again_under_this_one():
    register("R1")
    publish("R1")
    before = dossier("R1")
    corrected("R1")
    job = publish("R1", republish=True, batch_number="7", list="Inbox")
    assert (job.state, job.error["code"]) == (JobState.ERROR, "dossier_of_other_client")
    assert dossier("R1") == before
    assert (seen_by(NORTHWIND), seen_by(LAKESHORE)) == (["R1"], [])


def test_a_run_does_not_supersede_itself():
    register("R1")
    for itself in ({"supersedes_run_id": "R1"},):
        with pytest.raises(Exception, match="does not supersede itself"):
            publish("R1", **itself)
