"""A client's local day and hour become one moment, on nights when clocks change as on any other."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.calendar.moments import day_of, moment_of, zone

TORONTO, BERLIN = ZoneInfo("America/Toronto"), ZoneInfo("Europe/Berlin")
LORD_HOWE, APIA = ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Pacific/Apia")

ZONES = st.sampled_from(
    [
        "UTC",
        "America/Toronto",
        "America/St_Johns",
        "America/Sao_Paulo",
        "Europe/Berlin",
        "Europe/Dublin",
        "Africa/Casablanca",
        "Asia/Kathmandu",
        "Asia/Gaza",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Pacific/Kiritimati",
        "Pacific/Chatham",
    ]
).map(ZoneInfo)
DAYS = st.dates(date(1995, 1, 1), date(2037, 12, 31))
TIMES = st.times().map(lambda at: at.replace(microsecond=0))


def moment(day, at, where):
    return moment_of(date.fromisoformat(day), time.fromisoformat(at), where)


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "at", "where", "expected"),
    [
        ("2026-01-20", "07:00", TORONTO, "2026-01-20T12:00"),
        ("2026-07-20", "07:00", TORONTO, "2026-07-20T11:00"),
        ("2026-01-20", "00:00", BERLIN, "2026-01-19T23:00"),
        ("2026-01-20", "09:30", ZoneInfo("Asia/Kathmandu"), "2026-01-20T03:45"),
        ("2026-01-20", "07:00", ZoneInfo("UTC"), "2026-01-20T07:00"),
    ],
)
def test_an_hour_of_a_day_is_read_in_the_clients_zone(day, at, where, expected):
    assert moment(day, at, where) == utc(expected)


@pytest.mark.parametrize(
    ("day", "at", "where", "expected", "shown"),
    [
        ("2026-03-08", "02:00", TORONTO, "2026-03-08T07:00", "2026-03-08T03:00"),
        ("2026-03-08", "02:30", TORONTO, "2026-03-08T07:30", "2026-03-08T03:30"),
        ("2026-03-29", "02:00", BERLIN, "2026-03-29T01:00", "2026-03-29T03:00"),
        ("2026-03-29", "02:59", BERLIN, "2026-03-29T01:59", "2026-03-29T03:59"),
        ("2026-10-04", "02:15", LORD_HOWE, "2026-10-03T15:45", "2026-10-04T02:45"),
        ("2011-12-30", "09:00", APIA, "2011-12-30T19:00", "2011-12-31T09:00"),
    ],
)
def test_a_time_the_clocks_skip_is_later_by_the_gap(day, at, where, expected, shown):
    found = moment(day, at, where)
    assert found == utc(expected)
    assert found.astimezone(where).replace(tzinfo=None) == datetime.fromisoformat(shown)


@pytest.mark.parametrize(
    ("day", "before", "after", "where"),
    [
        ("2026-03-08", "01:59", "03:00", TORONTO),
        ("2026-03-29", "01:59", "03:00", BERLIN),
        ("2026-10-04", "01:59", "02:30", LORD_HOWE),
    ],
)
def test_around_a_gap_one_minute_passes(day, before, after, where):
    assert moment(day, after, where) - moment(day, before, where) == timedelta(minutes=1)


@pytest.mark.parametrize(
    ("day", "at", "where", "expected"),
    [
        ("2026-11-01", "01:00", TORONTO, "2026-11-01T05:00"),
        ("2026-11-01", "01:30", TORONTO, "2026-11-01T05:30"),
        ("2026-10-25", "02:30", BERLIN, "2026-10-25T00:30"),
        ("2026-04-05", "01:45", LORD_HOWE, "2026-04-04T14:45"),
    ],
)
def test_of_a_time_that_comes_twice_the_first_counts(day, at, where, expected):
    assert moment(day, at, where) == utc(expected)
    second = moment_of(date.fromisoformat(day), time.fromisoformat(at).replace(fold=1), where)
    assert second == utc(expected)


@pytest.mark.parametrize(
    ("day", "at", "where", "expected"),
    [
        ("2026-11-01", "02:00", TORONTO, "2026-11-01T07:00"),
        ("2026-10-25", "03:00", BERLIN, "2026-10-25T02:00"),
        ("2026-04-05", "02:00", LORD_HOWE, "2026-04-04T15:30"),
    ],
)
def test_after_a_fold_the_new_offset_holds(day, at, where, expected):
    assert moment(day, at, where) == utc(expected)


def test_the_day_that_samoa_left_out_falls_on_the_next_one():
    assert moment("2011-12-30", "09:00", APIA) == moment("2011-12-31", "09:00", APIA)
    assert moment("2011-12-29", "09:00", APIA) == moment("2011-12-31", "09:00", APIA) - timedelta(days=1)


@pytest.mark.parametrize("name", ["America/Toronto", "UTC", "Etc/GMT+5", "Asia/Kolkata"])
def test_a_zone_is_known_by_its_name(name):
    assert zone(name) == ZoneInfo(name)


@pytest.mark.parametrize(
    "name",
    [
        "Mars/Olympus",
        "",
        " ",
        "EDT",
        "GMT-5 (Toronto)",
        "America",
        "Europe/",
        "/etc/passwd",
        "../../etc/passwd",
        "America/Toronto\0",
        "zone.tab",
        "tzdata.zi",
        "é" * 100,
        "a" * 5000,
        "\ud800",
    ],
)
def test_a_name_that_is_no_zone_counts_as_utc(name):
    assert zone(name) == ZoneInfo("UTC")


@settings(deadline=None)  # each is looked for on the disk
@given(st.text())
def test_no_name_at_all_makes_the_zone_fail(name):
    assert datetime(2026, 1, 20, tzinfo=zone(name)).utcoffset() is not None


@pytest.mark.parametrize(
    ("asked", "where", "expected"),
    [
        (datetime(2026, 1, 20, 5, tzinfo=UTC), TORONTO, date(2026, 1, 20)),
        (datetime(2026, 7, 20, 4, tzinfo=UTC), TORONTO, date(2026, 7, 20)),
        (datetime(2026, 1, 20, 4, 59, 59, tzinfo=UTC), TORONTO, date(2026, 1, 19)),
        (datetime(2026, 1, 19, 23, tzinfo=UTC), BERLIN, date(2026, 1, 20)),
        (datetime(2026, 1, 20, tzinfo=timezone(timedelta(hours=14))), TORONTO, date(2026, 1, 19)),
    ],
)
def test_the_midnight_that_make_com_sends_in_utc_is_the_users_day(asked, where, expected):
    assert day_of(asked, where) == expected


@given(DAYS, ZONES)
def test_a_day_stays_that_day_in_every_zone(day, where):
    assert day_of(day, where) == day


@given(DAYS, ZONES)
def test_a_users_midnight_comes_back_as_that_users_day_even_where_clocks_skip_it(day, where):
    midnight = moment_of(day, time(0), where)
    skipped = day == date(2011, 12, 30) and where.key == "Pacific/Apia"
    assert day_of(midnight, where) == day + timedelta(days=skipped)


@given(DAYS, TIMES, ZONES)
def test_a_moment_is_aware_and_in_utc(day, at, where):
    assert moment_of(day, at, where).tzinfo is UTC


@given(DAYS, DAYS, TIMES, ZONES)
def test_a_later_day_never_gives_an_earlier_moment(one, other, at, where):
    earlier, later = sorted((one, other))
    assert moment_of(earlier, at, where) <= moment_of(later, at, where)


@given(DAYS, TIMES, ZONES)
def test_the_next_day_gives_a_later_moment_but_for_a_day_that_was_left_out(day, at, where):
    skipped = day == date(2011, 12, 30) and where.key == "Pacific/Apia"
    assert skipped or moment_of(day, at, where) < moment_of(day + timedelta(days=1), at, where)


@given(DAYS, TIMES, ZONES)
def test_a_clock_there_shows_the_time_asked_for_or_in_a_gap_one_that_is_later(day, at, where):
    asked = datetime.combine(day, at)
    shown = moment_of(day, at, where).astimezone(where).replace(tzinfo=None)
    before, after = (asked.replace(tzinfo=where, fold=fold).utcoffset() for fold in (0, 1))
    assert shown - asked == max(after - before, timedelta())


@given(DAYS, TIMES, ZONES)
def test_a_moment_read_as_its_day_and_time_is_that_moment_again(day, at, where):
    found = moment_of(day, at, where)
    there = found.astimezone(where)
    assert moment_of(there.date(), there.time(), where) == found
