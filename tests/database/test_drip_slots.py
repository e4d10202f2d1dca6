"""A publish with `release_date="drip"` takes the client's next free slot."""

import json
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from models.orders import PublishOrder
from models.values import dossier_id_of
from tasks.publish import publish_run
from tests.database.publishing import (
    LAKESHORE,
    NORTHWIND,
    accept,
    at_once,
    dossier,
    events,
    everything,
    execute,
    job_of,
    now,
    one,
    publish,
    published,
    query,
    register,
    seen_by,
)
from worker import db, inbox
from worker.calendar import desk
from worker.calendar.drip import Drip
from worker.calendar.release import release_due
from worker.drain import drain
from worker.errors import DripUnavailable
from worker.settings import settings

TORONTO = ZoneInfo("America/Toronto")  # the zone of NORTHWIND, whose release_hour is 7
TUE, THU = 1, 3

pytestmark = pytest.mark.usefixtures("clients")


@pytest.fixture
def drip():
    """NORTHWIND drips on Tuesdays and Thursdays at nine; the slots to come."""
    schedule(days=["tue", "thu"], time="09:00")
    return slots(Drip(time(9), weekdays=frozenset({TUE, THU})))


def schedule(**fields):
    execute(
        "update v2_clients set drip_schedule = cast(:schedule as jsonb) where production_client_id = :client",
        schedule=json.dumps(fields),
        client=NORTHWIND,
    )


def v1_drip(**fields):
    execute(f"update clients set {', '.join(f'{name} = :{name}' for name in fields)}", **fields)


def slots(of, where=TORONTO, count=12):
    return list(islice(of.slots(now(), where), count))


def slot_of(run_id):
    found = dossier(run_id)
    return found.release_at, found.drip_position


def dripped(run_id, **options):
    return published(run_id, release_date="drip", **options).release_at


def by_hand(action, run_id, *args):
    with db.transaction() as session:
        return action(session, dossier_id_of(run_id), *args, "key ops")


def test_a_drip_takes_the_next_slot_and_stays_hidden_until_then(drip):
    made = published("R1", release_date="drip")
    assert (made.release_at, made.drip_position, made.released_at) == (drip[0], 1, None)
    assert made.release_date == drip[0].astimezone(TORONTO).date()
    assert events("R1") == [("scheduled", "publish", made.release_date, None)]
    assert seen_by(NORTHWIND) == []


def test_each_dossier_has_a_slot_of_its_own_in_the_order_of_publishing(drip):
    assert [dripped(f"R{number}") for number in range(5)] == drip[:5]


def test_a_dossier_on_a_day_takes_no_slot_although_it_is_due_at_that_moment():
    schedule(days=["tue"])
    tuesday = slots(Drip(time(7), weekdays=frozenset({TUE})))[0]
    assert published("R1", release_date=tuesday.astimezone(TORONTO).date()).release_at == tuesday
    assert dripped("R2") == tuesday


def test_a_slot_may_take_more_than_one(drip):
    schedule(days=["tue", "thu"], time="09:00", per_slot=2)
    taken = [(dripped(f"R{number}"), slot_of(f"R{number}")[1]) for number in range(5)]
    assert taken == [(drip[0], 1), (drip[0], 2), (drip[1], 1), (drip[1], 2), (drip[2], 1)]
    by_hand(desk.archive, "R0")
    dripped("R5")
    assert slot_of("R5") == (drip[0], 1)


@pytest.mark.parametrize("action", ["archive", "hold", "reschedule"])
def test_the_hole_that_one_leaves_is_filled_by_the_next(drip, action):
    for number in range(3):
        dripped(f"R{number}")
    far = now().date() + timedelta(days=400)
    by_hand(getattr(desk, action), "R1", *([far] if action == "reschedule" else []))
    assert slot_of("R1")[1] is None
    assert dripped("R3") == drip[1]
    assert dripped("R4") == drip[3]


def test_the_hole_that_a_republish_leaves_is_filled_by_the_next(drip):
    dripped("R0")
    publish("R0", release_date=now().date() + timedelta(days=400), republish=True)
    assert slot_of("R0")[1] is None
    assert dripped("R1") == drip[0]


def test_a_slot_whose_dossier_was_released_before_its_time_is_free_again(drip):
    dripped("R0")
    by_hand(desk.release_now, "R0")
    assert dripped("R1") == drip[0]


def test_a_republish_without_a_date_keeps_its_slot_and_one_with_drip_does_not_lose_it(drip):
    dripped("R0")
    dripped("R1")
    publish("R1", republish=True)
    assert slot_of("R1") == (drip[1], 1)
    publish("R1", republish=True, release_date="drip")
    assert slot_of("R1") == (drip[1], 1)


def test_rescheduled_to_drip_it_takes_the_next_free_slot_by_hand_too(drip):
    dripped("R0")
    published("R1", release_date=now().date() + timedelta(days=400))
    assert by_hand(desk.reschedule, "R1", "drip")
    assert slot_of("R1") == (drip[1], 1)
    assert events("R1")[-1][:2] == ("scheduled", "key ops")
    assert not by_hand(desk.reschedule, "R1", "drip")


def test_rescheduled_to_drip_from_the_very_day_of_a_slot_it_takes_that_slot():
    schedule(days=["tue"])
    first, second = slots(Drip(time(7), weekdays=frozenset({TUE})))[:2]
    published("R1", release_date=first.astimezone(TORONTO).date())
    by_hand(desk.reschedule, "R1", "drip")
    assert slot_of("R1") == (first, 1)
    assert dripped("R2") == second


def test_a_slot_that_has_come_releases_its_dossier_and_no_other(drip):
    dripped("R0")
    dripped("R1")
    execute("update dossiers set release_at = now() - interval '1 hour' where run_id = 'R0'")
    list(release_due())
    assert seen_by(NORTHWIND) == ["R0"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"drip_frequency": "daily"}, Drip(time(7), weekdays=frozenset(range(7)))),
        ({"drip_frequency": "weekdays"}, Drip(time(7), weekdays=frozenset(range(5)))),
        ({"drip_frequency": "weekly", "drip_day": 2}, Drip(time(7), weekdays=frozenset({TUE}))),
        ({"drip_frequency": "monthly", "drip_day": 31}, Drip(time(7), day_of_month=31)),
    ],
)
def test_v1s_drip_fields_serve_where_the_pipeline_has_no_schedule(fields, expected):
    v1_drip(drip_enabled=True, **fields)
    assert [dripped(f"R{number}") for number in range(3)] == slots(expected)[:3]


@pytest.mark.parametrize("session_zone", ["UTC", "Asia/Tokyo"])
def test_a_fortnightly_drip_of_v1_keeps_to_the_weeks_of_its_next_run_in_the_clients_own_zone(session_zone):
    berlin = ZoneInfo("Europe/Berlin")
    execute("update clients set timezone = 'Europe/Berlin'")
    name = one("select current_database() as name").name
    execute(f"alter database {name} set timezone = '{session_zone}'")
    db.dispose()
    monday = now().astimezone(berlin).date() + timedelta(days=14)
    monday -= timedelta(days=monday.weekday())
    begun = datetime.combine(monday, time(0), tzinfo=berlin)  # in UTC still Sunday, of the week before
    v1_drip(drip_enabled=True, drip_frequency="biweekly", drip_day=1, drip_next_run=begun)
    first = dripped("R0").astimezone(berlin)
    assert (first.date() - monday).days % 14 == 0


def test_the_pipelines_schedule_wins_over_v1s_fields(drip):
    v1_drip(drip_enabled=True, drip_frequency="daily")
    assert dripped("R0") == drip[0]
    assert dripped("R1") == drip[1]


def test_a_mapped_client_without_v1_drip_has_no_use_of_anothers_slots(drip):
    dripped("R0")
    execute(
        "update v2_clients set drip_schedule = (select drip_schedule from v2_clients where "
        "production_client_id = :n) where client_id = 'CLT_LAKESHORE_001'",
        n=NORTHWIND,
    )
    detroit = ZoneInfo("America/Detroit")
    made = published("R1", LAKESHORE, release_date="drip")
    assert made.release_at == slots(Drip(time(9), weekdays=frozenset({TUE, THU})), detroit)[0]


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        (None, "no drip schedule"),
        ({"days": []}, "no drip schedule"),
        ({"days": ["tue"], "enabled": False}, "no drip schedule"),
        ({"days": ["someday"]}, "'someday'"),
        ({"days": ["tue"], "time": "late"}, "'late'"),
        ({"days": ["tue"], "per_slot": 0}, "per_slot 0"),
    ],
)
def test_a_client_without_a_usable_drip_is_refused_at_the_door_and_nothing_changes(fields, found):
    if fields is not None:
        schedule(**fields)
    register("R1")
    before = everything()
    with pytest.raises(DripUnavailable) as refused:
        accept("R1", release_date="drip")
    assert (refused.value.code, refused.value.field) == ("drip_unavailable", "release_date")
    assert found in refused.value.detail
    assert everything() == before


def test_a_drip_that_ends_after_the_door_ends_the_publish_as_an_error(drip):
    accept(register("R1"), release_date="drip")
    execute("update v2_clients set drip_schedule = null")
    list(drain())
    assert (job_of("R1").state, job_of("R1").error["code"]) == ("error", "drip_unavailable")
    assert dossier("R1").status == "error"


def test_a_drip_of_which_every_slot_for_years_is_taken_is_refused(drip, monkeypatch):
    monkeypatch.setattr("worker.calendar.slots.FARTHEST_SLOT", 2)
    dripped("R0")
    dripped("R1")
    job = publish(register("R2"), release_date="drip")
    assert job.error["code"] == "drip_unavailable"
    assert "2 drip slots" in job.error["detail"]


def test_eight_publishes_at_the_same_time_get_eight_slots_with_none_skipped(drip):
    job_ids = [accept(register(f"R{number}"), release_date="drip") for number in range(8)]
    at_once(lambda job_id: publish_run(job_id=str(job_id)), job_ids)
    assert [job_of(f"R{number}").state for number in range(8)] == ["done"] * 8
    assert sorted(slot_of(f"R{number}")[0] for number in range(8)) == drip[:8]


def test_publishes_and_decisions_by_hand_at_the_same_time_never_share_a_slot(drip):
    far = now().date() + timedelta(days=400)
    for number in range(4):
        published(f"D{number}", release_date=far)
    job_ids = {f"P{number}": accept(register(f"P{number}"), release_date="drip") for number in range(4)}

    def work(run_id):
        if run_id in job_ids:
            return publish_run(job_id=str(job_ids[run_id]))
        return by_hand(desk.reschedule, run_id, "drip")

    assert at_once(work, [*job_ids, "D0", "D1", "D2", "D3"]) == [None] * 4 + [True] * 4
    rows = query("select release_at from dossiers where drip_position = 1 order by 1")
    assert [row.release_at for row in rows] == drip[:8]


def test_a_preview_shows_the_slot_and_leaves_it_free(drip):
    register("R1")
    with db.transaction() as session:
        job = inbox.accept_preview(session, settings(), PublishOrder(run_id="R1", release_date="drip"))
    list(drain())
    shown = one("select result from jobs where id = :id", id=job.id).result["dossier"]
    assert datetime.fromisoformat(shown["release_at"]).astimezone(UTC) == drip[0]
    assert dripped("R2") == drip[0]


def test_the_database_itself_refuses_a_slot_to_a_second_dossier(drip):
    dripped("R0")
    statement = (
        "insert into dossiers (id, client_id, company_name, release_at, drip_position) "
        "select :id, client_id, 'Second', release_at, drip_position from dossiers"
    )
    with pytest.raises(Exception, match="dossiers_drip_slot_key"):
        execute(statement, id=uuid4())
