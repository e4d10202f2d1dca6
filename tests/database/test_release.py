"""The calendar's moments: what is due is released, each once, and what somebody decides by hand is recorded."""

from datetime import date, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from models.values import dossier_id_of
from tests.database.asked import asked
from tests.database.publishing import (
    LAKESHORE,
    NORTHWIND,
    at_once,
    dossier,
    events,
    everything,
    execute,
    now,
    one,
    published,
    query,
    seen_by,
)
from worker import db, ring, sweep
from worker.calendar import desk, release
from worker.calendar.moments import moment_of
from worker.calendar.release import AT_ONCE, release_due
from worker.drain import drain

TORONTO = ZoneInfo("America/Toronto")  # the zone of NORTHWIND, whose release_hour is 7
OPS = "key ops"
pytestmark = pytest.mark.usefixtures("clients")


def today():
    return now().astimezone(TORONTO).date()


def seven(day):
    return moment_of(day, time(7), TORONTO)


def tick():
    return list(release_due())


def scheduled(run_id, client=NORTHWIND, days=3):
    """A dossier that is published and not yet released; returns its day."""
    return published(run_id, client, release_date=today() + timedelta(days=days)).release_date


def let_pass(*run_ids, days=10):
    """Let that many days pass for these dossiers."""
    execute(
        "update dossiers set release_date = release_date - :days, "
        "release_at = (release_at at time zone c.timezone - make_interval(days => :days)) at time zone c.timezone "
        "from clients c where c.id = client_id and run_id = any(:ids)",
        days=days,
        ids=list(run_ids),
    )


def add_many(count, client=NORTHWIND, *, released="null", prefix="M"):
    """Dossiers straight into the table, due since an hour."""
    execute(
        "insert into dossiers (client_id, run_id, company_name, status, release_at, released_at) "
        f"select :c, :p || n, 'Many', 'ready', now() - interval '1 hour' - n * interval '1 second', {released} "
        "from generate_series(1, :count) n",
        c=client,
        p=prefix,
        count=count,
    )


def v1(**values):
    columns = {"client_id": NORTHWIND, "company_name": "Old", "status": "ready"} | values
    places = ", ".join(f":{name}" for name in columns)
    return one(f"insert into dossiers ({', '.join(columns)}) values ({places}) returning id", **columns).id


def test_what_became_due_in_a_downtime_is_released_at_the_next_tick_and_only_then_seen():
    scheduled("R1")
    let_pass("R1")
    day = dossier("R1").release_date
    assert seen_by(NORTHWIND) == []
    assert tick() == [1]
    assert seen_by(NORTHWIND) == ["R1"]
    assert events("R1")[1:] == [("released", "beat", day, day)]
    released = dossier("R1")
    assert tick() == []
    assert dossier("R1") == released
    assert released.release_date == day


def test_what_lies_ahead_stays_hidden():
    scheduled("R1")
    assert tick() == []
    assert (dossier("R1").released_at, seen_by(NORTHWIND)) == (None, [])
    assert [event[0] for event in events("R1")] == ["scheduled"]


@pytest.mark.parametrize("status", ["skeleton", "enriching", "archived", "superseded", "error"])
def test_only_what_is_ready_is_released(status):
    scheduled("R1")
    let_pass("R1")
    execute("update dossiers set status = :status", status=status)
    before = everything()
    assert tick() == []
    assert everything() == before


def test_v1_rows_with_a_date_and_no_moment_stay_byte_for_byte():
    v1(release_date=date(2026, 1, 20))
    v1(release_date=date(2020, 1, 1), status="archived")
    v1(released_at=now() + timedelta(days=400))
    execute("update clients set release_hour = 9, timezone = 'Europe/Berlin'")
    rows = "select xmin::text, d::text from dossiers d order by id"
    before = query(rows)
    assert tick() == []
    assert query(rows) == before


def test_a_v1_row_rescheduled_by_hand_is_released_on_its_day():
    v1_id = v1(release_date=date(2026, 1, 20))
    with db.transaction() as session:
        assert desk.reschedule(session, v1_id, today() + timedelta(days=3), OPS)
    assert (tick(), seen_by(NORTHWIND)) == ([], [])
    execute("update dossiers set release_date = '2026-02-02', release_at = :at", at=seven(date(2026, 2, 2)))
    assert (tick(), seen_by(NORTHWIND)) == ([1], ["Old"])
    rows = query("select action, asked_by, previous_date from calendar_events order by id")
    assert [tuple(row.values()) for row in rows] == [
        ("scheduled", OPS, date(2026, 1, 20)),
        ("released", "beat", date(2026, 2, 2)),
    ]


def test_two_ticks_at_the_same_time_release_each_dossier_once():
    add_many(AT_ONCE * 2 + 50)
    first, second = at_once(lambda _: tick(), ["first", "second"])
    assert sum(first) + sum(second) == AT_ONCE * 2 + 50
    per_dossier = query("select count(*) from calendar_events group by dossier_id, action")
    assert [row.count for row in per_dossier] == [1] * (AT_ONCE * 2 + 50)
    assert len(seen_by(NORTHWIND)) == AT_ONCE * 2 + 50


def test_many_are_released_in_short_transactions_those_due_longest_first():
    add_many(AT_ONCE * 2 + 50)
    ticks = release_due()
    assert next(ticks) == AT_ONCE
    longest = query(f"select run_id from dossiers order by release_at limit {AT_ONCE}")
    assert set(seen_by(NORTHWIND)) == {row.run_id for row in longest}
    assert list(ticks) == [AT_ONCE, 50]


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "America", "é" * 300])
def test_a_client_whose_zone_is_nonsense_hinders_nobody(name):
    for run_id, client in (("R1", NORTHWIND), ("R2", LAKESHORE)):
        scheduled(run_id, client)
    let_pass("R1", "R2")
    execute("update clients set timezone = :name where id = :id", name=name, id=LAKESHORE)
    assert sum(tick()) == 2
    assert (seen_by(NORTHWIND), seen_by(LAKESHORE)) == (["R1"], ["R2"])


@pytest.mark.parametrize(
    ("change", "hour", "where"),
    [
        ("release_hour = 9", 9, TORONTO),
        ("timezone = 'Europe/Berlin'", 7, ZoneInfo("Europe/Berlin")),
        ("timezone = 'Mars/Olympus', release_hour = 0", 0, ZoneInfo("UTC")),
    ],
)
def test_a_changed_hour_or_zone_moves_what_is_scheduled_for_a_day_and_no_drip_slot(change, hour, where):
    day = scheduled("R1")
    execute(
        "update v2_clients set drip_schedule = jsonb_build_object('days', cast(:day as int), 'time', '07:00')",
        day=day.isoweekday(),
    )
    scheduled("R2", LAKESHORE)
    published("R3", release_date="drip")
    published("R4")
    scheduled("R5")
    with db.transaction() as session:
        desk.hold(session, dossier_id_of("R5"), OPS)
    others = {run_id: dossier(run_id) for run_id in ("R2", "R3", "R4", "R5")}
    assert others["R3"].release_at == dossier("R1").release_at
    execute(f"update clients set {change} where id = :id", id=NORTHWIND)
    assert tick() == []
    moved = dossier("R1")
    assert (moved.release_date, moved.release_at) == (day, moment_of(day, time(hour), where))
    noted = one("select * from calendar_events where action = 'moved'")
    assert (noted.dossier_id, noted.asked_by) == (moved.id, "beat")
    assert (noted.release_date, noted.previous_date) == (day, day)
    assert (noted.release_at, noted.previous_at) == (moved.release_at, seven(day))
    assert {run_id: dossier(run_id) for run_id in others} == others
    tick()
    assert len(query("select 1 from calendar_events where action = 'moved'")) == 1


def test_a_release_moved_into_the_past_is_released_by_the_same_tick():
    west, east = "Etc/GMT+12", "Pacific/Kiritimati"  # 26 hours apart
    execute("update clients set timezone = :zone, release_hour = 23", zone=west)
    published("R1", release_date=now().astimezone(ZoneInfo(west)).date() + timedelta(days=1))
    assert tick() == []
    execute("update clients set timezone = :zone, release_hour = 0", zone=east)
    assert (tick(), seen_by(NORTHWIND)) == ([1], ["R1"])


def test_a_row_that_another_transaction_holds_is_skipped_by_the_tick_and_released_by_the_next():
    for run_id in ("R1", "R2"):
        scheduled(run_id)
    let_pass("R1", "R2")
    with db.transaction() as session:
        session.execute(text("select 1 from dossiers where run_id = 'R1' for update"))
        assert (tick(), seen_by(NORTHWIND)) == ([1], ["R2"])
    assert (tick(), seen_by(NORTHWIND)) == ([1], ["R1", "R2"])


def test_a_held_row_that_is_to_be_moved_does_not_keep_the_others_from_being_released(setting):
    setting(lock_timeout=0.2)
    db.dispose()
    scheduled("R1")
    scheduled("R2", LAKESHORE)
    let_pass("R2")
    execute("update clients set release_hour = 9 where id = :id", id=NORTHWIND)
    with db.transaction() as session:
        session.execute(text("select 1 from dossiers where run_id = 'R1' for update"))
        assert (tick(), seen_by(LAKESHORE)) == ([1], ["R2"])
    tick()
    assert dossier("R1").release_at.astimezone(TORONTO).hour == 9


def test_two_ticks_at_the_same_time_move_what_is_scheduled_once():
    days = {scheduled(f"R{number}", days=3 + number) for number in range(5)}
    execute("update clients set release_hour = 9")
    assert at_once(lambda _: tick(), ["first", "second"]) == [[], []]
    moved = query("select release_date from calendar_events where action = 'moved'")
    assert len(moved) == len(days) == 5
    assert {row.release_date for row in moved} == days


def test_looking_for_what_is_due_reads_the_calendars_index_and_not_the_table():
    add_many(5000, released="now()")
    add_many(20, prefix="due")
    execute("analyze")
    with asked() as found:
        with db.transaction() as session:
            assert release.something_is_due(session)
        assert tick() == [20]
    plans = []
    for statement, parameters in (sent for sent in found if sent[0].startswith("SELECT")):
        with db.engine().begin() as connection:
            rows = connection.exec_driver_sql(f"explain {statement}", parameters).scalars()
            plans.append("\n".join(rows))
    assert len(plans) == 4  # is something due; what moves; what is due, twice
    for plan in plans:
        assert "dossiers_release_at_idx" in plan
        assert "Seq Scan on dossiers" not in plan


@pytest.mark.parametrize(("days", "rung"), [(10, 1), (0, 0)])
def test_the_sweep_rings_for_the_calendar_when_something_is_due(monkeypatch, days, rung):
    scheduled("R1")
    let_pass("R1", days=days)
    bells = []
    monkeypatch.setattr(sweep, "breaker", ring.Breaker())
    monkeypatch.setattr(sweep, "ring_release", lambda: bells.append("release.due"))
    sweep.sweep()
    assert len(bells) == rung


def test_draining_releases_what_is_due():
    scheduled("R1")
    let_pass("R1")
    assert list(drain()) == []
    assert seen_by(NORTHWIND) == ["R1"]
