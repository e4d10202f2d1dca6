"""What happens seldom: all the same, readers see one current dossier of each chain, and of each slot."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from models.jobs import JobState
from models.values import dossier_id_of
from tests.database.companies import (
    LATE,
    NORTHWIND,
    accept,
    add_v1,
    complete,
    days_pass,
    dossier,
    dump,
    execute,
    publish,
    query,
    read_by,
    register,
    retry,
)
from worker import db
from worker.calendar import desk
from worker.errors import ColumnlineError

pytestmark = pytest.mark.usefixtures("clients")

SOON = datetime.now(UTC).date() + timedelta(days=3)


def older_of(run_id):
    return dossier(run_id).supersedes_dossier_id


def archive(run_id):
    with db.transaction() as session:
        desk.archive(session, dossier_id_of(run_id), "the tests")


def test_a_released_dossier_that_replaces_one_afterwards_does_so_at_once_and_is_not_released_again():
    publish(register("A"))
    publish(register("B"))
    publish("B", supersedes_run_id="A", republish=True)
    assert (dossier("A").status, dossier("A").superseded_by_dossier_id) == ("superseded", dossier_id_of("B"))
    events = query("select action from calendar_events where dossier_id = :id", id=dossier_id_of("B"))
    assert [event.action for event in events] == ["released"]


def test_a_revived_run_does_not_replace_its_own_successor(setting):
    setting(outputs_deadline=0)
    publish(register("A", without=(LATE,)), supersede="auto")
    publish(register("B"), supersedes_run_id="A")
    complete("A")
    assert retry("A").state == JobState.DONE
    assert (older_of("A"), older_of("B")) == (None, dossier_id_of("A"))


def test_a_run_revived_behind_its_released_successor_leaves_one_current_dossier_in_the_chain(setting):
    publish(register("A"))
    setting(outputs_deadline=0)
    publish(register("B", without=(LATE,)), supersedes_run_id="A")
    publish(register("C"), supersedes_run_id="B")
    complete("B")
    assert retry("B").state == JobState.DONE
    linked = older_of("B") == dossier_id_of("A")
    assert (dossier("A").superseded_by_dossier_id is not None) is linked


def test_the_same_request_gets_the_same_answer_whatever_became_of_the_chain():
    publish(register("A"))
    done = publish(register("B"), supersedes_run_id="A", release_date=SOON)
    archive("B")
    publish(register("C"), supersedes_run_id="A")
    before = dump()
    assert accept("B", supersedes_run_id="A", release_date=SOON) == done.id
    assert dump() == before


def test_one_that_was_archived_before_its_release_takes_no_place_in_a_chain_when_it_is_republished():
    publish(register("A"))
    publish(register("B"), release_date=SOON)
    archive("B")
    publish("B", supersedes_run_id="A", republish=True)
    publish(register("C"), supersede="auto")
    assert older_of("C") == dossier_id_of("A")


def test_a_hidden_dossier_that_leaves_its_link_lets_nobody_form_a_circle_behind_its_successor():
    publish(register("A"))
    publish(register("B"), supersedes_run_id="A", release_date=SOON)
    publish(register("C"), supersedes_run_id="B")
    publish("B", supersede="none", republish=True)
    with suppress(ColumnlineError):
        publish("A", supersedes_run_id="C", republish=True)
    current = query(
        "select run_id from dossiers where released_at is not null and superseded_by_dossier_id is null"
    )
    assert [row.run_id for row in current] == ["C"]


def test_a_hidden_dossier_that_was_replaced_leaves_one_current_dossier_whatever_it_links_to():
    publish(register("A"))
    publish(register("B"), release_date=SOON)
    publish(register("C"), supersedes_run_id="B")
    publish("B", supersedes_run_id="A", republish=True)
    linked = older_of("B") == dossier_id_of("A")
    assert (dossier("A").superseded_by_dossier_id is not None) is linked


def test_a_dossier_that_moves_from_a_day_into_the_slot_of_that_moment_takes_the_slot():
    execute("update clients set release_hour = 9")
    execute(
        "update v2_clients set drip_schedule = :s where client_id = :c",
        s='{"days": "daily", "time": "09:00"}',
        c=NORTHWIND,
    )
    publish(register("A"), release_date="drip")
    slot = dossier("A").release_date
    publish(register("B"), release_date=slot + timedelta(days=1))
    with db.transaction() as session:
        desk.reschedule(session, dossier_id_of("B"), "drip", "the tests")
    publish(register("C"), release_date="drip")
    assert dossier("C").release_date == slot + timedelta(days=2)


def test_a_v1_dossier_that_is_held_before_its_moment_does_not_appear_at_it():
    dossier_id = add_v1("acme.example", released="now() + interval '1 day'")
    with db.transaction() as session:
        desk.hold(session, dossier_id, "the tests")
    days_pass(2)
    assert read_by(NORTHWIND) == {}


@pytest.mark.parametrize("links", [True, False], ids=["amid its chain", "at its beginning"])
def test_one_that_was_replaced_keeps_its_place_when_it_is_republished_as_it_was_sent(links):
    if links:
        publish(register("A"), supersede="auto")
    publish(register("B"), supersede="auto")
    publish(register("C"), supersede="auto")
    again = publish("B", supersede="auto", republish=True)
    assert again.state == JobState.DONE
    assert ("supersede_kept" in {warning["code"] for warning in again.warnings}) is not links
    assert older_of("B") == (dossier_id_of("A") if links else None)
    assert (dossier("B").status, dossier("B").superseded_by_dossier_id) == ("superseded", dossier_id_of("C"))
    assert publish("B", supersede="none", republish=True).error["code"] == "dossier_not_ready", (
        "that would move it"
    )
