"""What somebody decides by hand about a dossier's release: what readers see then, and what is recorded of it."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from functools import partial
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from models.values import dossier_id_of
from tasks.assemble import assemble
from tasks.publish import publish_run
from tests.database.publishing import (
    NORTHWIND,
    accept,
    at_once,
    dossier,
    events,
    everything,
    execute,
    now,
    one,
    publish,
    published,
    query,
    register,
    seen_by,
    somebody_waits,
)
from tests.system.waiting import wait_until
from worker import db
from worker.calendar import desk
from worker.calendar.moments import moment_of
from worker.calendar.release import release_due
from worker.errors import AlreadyReleased, DossierNotFound, DossierNotReady
from worker.heard import JobFailed

TORONTO = ZoneInfo("America/Toronto")  # the zone of NORTHWIND, whose release_hour is 7
OPS = "key ops"
ACTIONS = {
    "release_now": (),
    "reschedule": (date(2031, 1, 2),),
    "hold": (),
    "archive": (),
}
EVERY = pytest.mark.parametrize("action", ACTIONS)

pytestmark = pytest.mark.usefixtures("clients")


def act(action, dossier_id, *args):
    with db.transaction() as session:
        return getattr(desk, action)(session, dossier_id, *(args or ACTIONS[action]), OPS)


def by_hand(action, run_id, *args):
    return act(action, dossier_id_of(run_id), *args)


def today():
    return now().astimezone(TORONTO).date()


def scheduled(run_id, days=3):
    """A dossier that is published and not yet released; returns its day."""
    return published(run_id, release_date=today() + timedelta(days=days)).release_date


def v1(**values):
    columns = {"client_id": NORTHWIND, "company_name": "Old", "status": "ready"} | values
    places = ", ".join(f":{name}" for name in columns)
    return one(f"insert into dossiers ({', '.join(columns)}) values ({places}) returning id", **columns).id


def test_released_now_it_is_seen_at_once_and_a_second_press_changes_nothing():
    day = scheduled("R1")
    assert by_hand("release_now", "R1")
    assert seen_by(NORTHWIND) == ["R1"]
    assert events("R1")[1:] == [("released", OPS, day, day)]
    before = everything()
    assert not by_hand("release_now", "R1")
    assert list(release_due()) == []
    assert everything() == before


def test_rescheduled_it_is_due_at_the_clients_hour_of_the_new_day_and_not_of_the_old_one():
    day = scheduled("R1")
    later = day + timedelta(days=30)
    assert by_hand("reschedule", "R1", later)
    made = dossier("R1")
    assert (made.release_date, made.release_at, made.released_at) == (
        later,
        moment_of(later, time(7), TORONTO),
        None,
    )
    assert events("R1")[1:] == [("scheduled", OPS, later, day)]
    before = everything()
    assert not by_hand("reschedule", "R1", later)
    assert everything() == before


def test_rescheduled_by_make_coms_midnight_it_is_that_day_of_the_client():
    scheduled("R1")
    by_hand("reschedule", "R1", datetime(2031, 1, 2, tzinfo=TORONTO))
    assert dossier("R1").release_date == date(2031, 1, 2)


def test_rescheduled_to_a_day_that_has_come_it_is_released():
    day = scheduled("R1")
    assert by_hand("reschedule", "R1", date(2026, 1, 20))
    assert seen_by(NORTHWIND) == ["R1"]
    assert events("R1")[1:] == [
        ("scheduled", OPS, date(2026, 1, 20), day),
        ("released", OPS, date(2026, 1, 20), date(2026, 1, 20)),
    ]


def test_held_it_is_off_the_calendar_until_somebody_decides_again():
    day = scheduled("R1")
    assert by_hand("hold", "R1")
    made = dossier("R1")
    assert (made.status, made.release_date, made.release_at, made.released_at) == ("ready", None, None, None)
    assert events("R1")[1:] == [("held", OPS, None, day)]
    before = everything()
    assert not by_hand("hold", "R1")
    assert list(release_due()) == []
    assert everything() == before
    by_hand("release_now", "R1")
    assert seen_by(NORTHWIND) == ["R1"]


def test_archived_before_its_release_it_is_never_seen():
    day = scheduled("R1")
    assert by_hand("archive", "R1")
    execute("update dossiers set release_date = '2026-01-20', release_at = '2026-01-20'")
    assert list(release_due()) == []
    assert (dossier("R1").status, seen_by(NORTHWIND)) == ("archived", [])
    assert events("R1")[1:] == [("archived", OPS, None, day)]
    assert not by_hand("archive", "R1")


def test_archived_after_its_release_readers_keep_it_and_its_dates_stay():
    published("R1", release_date=date(2026, 1, 20))
    before = dossier("R1")
    assert by_hand("archive", "R1")
    after = dossier("R1")
    for kept in ("release_date", "release_at", "released_at"):
        assert after[kept] == before[kept], kept
    assert seen_by(NORTHWIND) == ["R1"]
    assert events("R1")[1:] == [("archived", OPS, date(2026, 1, 20), date(2026, 1, 20))]


@EVERY
@pytest.mark.parametrize("status", ["error", "archived", "superseded", "skeleton", "enriching"])
def test_what_is_not_ready_is_refused_and_nothing_changes(action, status):
    scheduled("R1")
    execute("update dossiers set status = :status", status=status)
    if action == "archive" and status in {"archived", "superseded"}:
        assert by_hand(action, "R1") is (status == "superseded")
        return
    before = everything()
    with pytest.raises(DossierNotReady) as refused:
        by_hand(action, "R1")
    assert (refused.value.code, refused.value.field) == ("dossier_not_ready", "status")
    assert f"is {status}" in refused.value.detail
    assert ("under a new run id" in refused.value.detail) is (status == "archived")
    assert everything() == before


def test_an_error_dossier_is_refused_with_how_to_retry_its_run(setting):
    setting(outputs_deadline=0)
    publish(register("R1", outputs=False))
    with pytest.raises(DossierNotReady, match="columnline retry R1"):
        by_hand("release_now", "R1")
    assert seen_by(NORTHWIND) == []


@pytest.mark.parametrize("action", ["reschedule", "hold"])
def test_what_readers_have_cannot_be_moved_and_nothing_changes(action):
    published("R1")
    before = everything()
    with pytest.raises(AlreadyReleased) as refused:
        by_hand(action, "R1")
    assert refused.value.code == "already_released"
    assert everything() == before


@EVERY
def test_a_dossier_that_is_not_there_is_refused_and_nothing_changes(action):
    scheduled("R1")
    before = everything()
    with pytest.raises(DossierNotFound) as refused:
        act(action, uuid4())
    assert refused.value.code == "dossier_not_found"
    assert everything() == before


@pytest.mark.parametrize("ahead", [{"release_date": date(2031, 1, 2)}, {}])
def test_a_v1_dossier_that_would_show_itself_one_day_can_be_held(ahead):
    v1_id = v1(released_at=now() + timedelta(days=3), **ahead)
    assert act("hold", v1_id)
    assert one("select released_at from dossiers").released_at is None
    rows = query("select action, previous_date from calendar_events")
    assert [tuple(row.values()) for row in rows] == [("held", ahead.get("release_date"))]


def test_a_v1_dossier_that_would_show_itself_one_day_can_be_released_now():
    v1_id = v1(released_at=now() + timedelta(days=3))
    assert act("release_now", v1_id)
    assert seen_by(NORTHWIND) == ["Old"]


def test_a_publish_again_on_another_day_records_which_day_it_was():
    day = scheduled("R1")
    later = day + timedelta(days=30)
    publish("R1", release_date=later, republish=True)
    assert events("R1") == [("scheduled", "publish", day, None), ("scheduled", "publish", later, day)]


def test_the_same_decision_twice_at_the_same_time_is_taken_once():
    scheduled("R1")
    answers = at_once(lambda _: by_hand("release_now", "R1"), ["first", "second", "third"])
    assert sorted(answers) == [False, False, True]
    assert [event[0] for event in events("R1")] == ["scheduled", "released"]


@EVERY
def test_a_decision_begun_before_a_release_and_taken_after_it_finds_the_dossier_released(action):
    scheduled("R1")
    with db.transaction() as session:
        session.execute(text("select now()"))  # its moment: earlier than the release
        by_hand("release_now", "R1")
        decide = partial(getattr(desk, action), session, dossier_id_of("R1"), *ACTIONS[action], OPS)
        if action in {"reschedule", "hold"}:
            with pytest.raises(AlreadyReleased):
                decide()
        else:
            assert decide() is (action == "archive")
    assert seen_by(NORTHWIND) == ["R1"]
    assert [event[0] for event in events("R1")].count("released") == 1


def test_a_release_waits_for_a_publish_again_and_then_shows_what_came_of_it(monkeypatch):
    day = scheduled("R1")
    job_id = accept("R1", release_date=day + timedelta(days=30), republish=True)
    releases = []

    with ThreadPoolExecutor(1) as pool:

        def meanwhile(run_input):
            releases.append(pool.submit(by_hand, "release_now", "R1"))
            wait_until(somebody_waits, "the release to wait")
            return assemble(run_input)

        monkeypatch.setattr("tasks.publish.assemble", meanwhile)
        publish_run(job_id=str(job_id))
        releases[0].result()
    assert seen_by(NORTHWIND) == ["R1"]
    assert [event[0] for event in events("R1")] == ["scheduled", "scheduled", "released"]


def test_behind_that_lock_a_publish_on_a_later_day_does_not_take_back_what_was_released_meanwhile(monkeypatch):
    day = scheduled("R1")
    job_id = accept("R1", release_date=day + timedelta(days=30), republish=True)

    def meanwhile(run_input):
        by_hand("release_now", "R1")
        return assemble(run_input)

    monkeypatch.setattr("tasks.publish.hold_dossier", lambda *_: None)
    monkeypatch.setattr("tasks.publish.assemble", meanwhile)
    with suppress(JobFailed):
        publish_run(job_id=str(job_id))
    assert seen_by(NORTHWIND) == ["R1"]
    assert [event[0] for event in events("R1")] == ["scheduled", "released"]


def test_a_tick_in_the_middle_of_a_publish_again_shows_what_it_links_to_as_replaced(monkeypatch):
    publish(register("OLD"))
    scheduled("R1")
    job_id = accept("R1", supersedes_run_id="OLD", republish=True)

    def meanwhile(run_input):
        list(release_due())
        return assemble(run_input)

    execute(
        "update dossiers set release_date = '2026-01-20', release_at = :at where run_id = 'R1'",
        at=moment_of(date(2026, 1, 20), time(7), TORONTO),
    )
    monkeypatch.setattr("tasks.publish.assemble", meanwhile)
    publish_run(job_id=str(job_id))
    list(release_due())
    assert seen_by(NORTHWIND) == ["OLD", "R1"]
    assert one("select status from dossiers where run_id = 'OLD'").status == "superseded"


def test_a_hold_and_a_tick_at_the_same_time_leave_it_either_seen_or_held():
    scheduled("R1")
    execute(
        "update dossiers set release_date = '2026-01-20', release_at = :at",
        at=moment_of(date(2026, 1, 20), time(7), TORONTO),
    )

    def work(which):
        return by_hand("hold", "R1") if which == "hold" else list(release_due())

    held, _ = at_once(work, ["hold", "tick"])
    if isinstance(held, AlreadyReleased):
        assert (seen_by(NORTHWIND), events("R1")[-1][0]) == (["R1"], "released")
    else:
        assert (held, seen_by(NORTHWIND), events("R1")[-1][0]) == (True, [], "held")
