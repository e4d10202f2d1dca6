"""A client's drip schedule: how it is read, what is refused, and which slots it gives."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.calendar.drip import Drip, read_drip
from worker.errors import DripUnavailable

MON, TUE, WED, THU, FRI, SAT, SUN = range(7)
ALL = frozenset(range(7))
TORONTO, BERLIN = ZoneInfo("America/Toronto"), ZoneInfo("Europe/Berlin")
UTC_ZONE = ZoneInfo("UTC")

ZONES = st.sampled_from(
    ["UTC", "America/Toronto", "America/St_Johns", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Chatham"]
).map(ZoneInfo)
AFTER = st.integers(1_104_537_600, 2_082_758_400).map(lambda second: datetime.fromtimestamp(second, UTC))
TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))
DRIPS = st.builds(
    Drip,
    at=TIMES,
    weekdays=st.frozensets(st.integers(0, 6), min_size=1),
    odd_weeks=st.sampled_from([None, True, False]),
) | st.builds(Drip, at=TIMES, day_of_month=st.integers(1, 31))


def v2(schedule, release_hour=7):
    return read_drip(schedule, {}, release_hour)


def v1(frequency, day=None, begun=None):
    fields = {"drip_enabled": True, "drip_frequency": frequency, "drip_day": day, "drip_next_run": begun}
    return read_drip(None, fields, 7)


def local(drip, after, where, count):
    """The first slots as a clock and a calendar there show them."""
    return [f"{slot.astimezone(where):%a %Y-%m-%d %H:%M}" for slot in islice(drip.slots(after, where), count)]


def days(drip, after, count, where=UTC_ZONE):
    return [slot.astimezone(where).date() for slot in islice(drip.slots(after, where), count)]


@pytest.mark.parametrize(
    ("given_days", "weekdays"),
    [
        (["tue", "thu"], {TUE, THU}),
        (["Tuesday", " THU "], {TUE, THU}),
        (["tues", "thur", "mo", "wed"], {MON, TUE, WED, THU}),
        ("tue", {TUE}),
        (["sa", "su"], {SAT, SUN}),
        ([1, 5], {MON, FRI}),
        (["1", "5"], {MON, FRI}),
        ([7], {SUN}),
        ([0], {SUN}),
        (["0", "7"], {SUN}),
        (3, {WED}),
        ("weekdays", {MON, TUE, WED, THU, FRI}),
        (["weekdays", "sat"], {MON, TUE, WED, THU, FRI, SAT}),
        ("daily", ALL),
        ("every day", ALL),
        (["all"], ALL),
        (["mon", "monday", 1], {MON}),
    ],
)
def test_days_are_read_by_name_and_by_number(given_days, weekdays):
    assert v2({"days": given_days}).weekdays == weekdays


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("09:00", time(9)),
        ("9:00", time(9)),
        ("9:30", time(9, 30)),
        ("23:59", time(23, 59)),
        ("00:00", time(0)),
        ("09:00:00", time(9)),
        (" 09:00 ", time(9)),
        (None, time(7)),
        ("", time(7)),
    ],
)
def test_the_time_is_the_one_given_or_the_clients_release_hour(text, at):
    assert v2({"days": ["tue"], "time": text}).at == at
    assert v2({"days": ["tue"]}).at == time(7)


@pytest.mark.parametrize(("value", "per_slot"), [(None, 1), (1, 1), (2, 2), (100, 100)])
def test_a_slot_takes_one_dossier_or_as_many_as_the_schedule_says(value, per_slot):
    assert v2({"days": ["tue"], "per_slot": value}).per_slot == per_slot


@pytest.mark.parametrize(
    ("frequency", "day", "drip"),
    [
        ("daily", None, Drip(time(7), weekdays=ALL)),
        ("weekdays", None, Drip(time(7), weekdays=frozenset(range(5)))),
        ("weekly", 2, Drip(time(7), weekdays=frozenset({TUE}))),
        ("weekly", 0, Drip(time(7), weekdays=frozenset({SUN}))),
        (" Weekly ", 7, Drip(time(7), weekdays=frozenset({SUN}))),
        ("biweekly", 2, Drip(time(7), weekdays=frozenset({TUE}), odd_weeks=False)),
        ("fortnightly", 2, Drip(time(7), weekdays=frozenset({TUE}), odd_weeks=False)),
        ("monthly", 31, Drip(time(7), day_of_month=31)),
        ("MONTHLY", 1, Drip(time(7), day_of_month=1)),
    ],
)
def test_v1s_fields_are_read_where_the_pipeline_has_no_schedule(frequency, day, drip):
    assert v1(frequency, day) == drip


def test_the_pipelines_schedule_wins_over_v1s_fields():
    fields = {"drip_enabled": True, "drip_frequency": "monthly", "drip_day": 1, "drip_next_run": None}
    assert read_drip({"days": ["tue"]}, fields, 7) == Drip(time(7), weekdays=frozenset({TUE}))


@pytest.mark.parametrize(
    "schedule",
    [None, {}, [], "tue", {"days": []}, {"days": None}, {"time": "09:00"}, {"days": ["tue"], "enabled": False}],
)
def test_a_schedule_that_names_no_day_or_is_off_is_none_and_leaves_v1s(schedule):
    assert v2(schedule) is None
    fields = {"drip_enabled": True, "drip_frequency": "daily", "drip_day": None, "drip_next_run": None}
    assert read_drip(schedule, fields, 7).weekdays == ALL
    assert read_drip(schedule, fields | {"drip_enabled": False}, 7) is None


@pytest.mark.parametrize(
    ("schedule", "found"),
    [
        ({"days": ["tue", "someday"]}, "'someday'"),
        ({"days": ["t"]}, "'t'"),
        ({"days": [8]}, "the day 8"),
        ({"days": ["9"]}, "the day '9'"),
        ({"days": [True]}, "True"),
        ({"days": ["12"]}, "'12'"),
        ({"days": [1.5]}, "1.5"),
        ({"days": [None]}, "None"),
        ({"days": [["tue"]]}, "['tue']"),
        ({"days": {"tue": True}}, "{'tue': True}"),
        ({"days": ["tuesdays!"]}, "'tuesdays!'"),
        ({"days": ["²"]}, "'²'"),
        ({"days": ["tue"], "time": "25:00"}, "'25:00'"),
        ({"days": ["tue"], "time": "nine"}, "'nine'"),
        ({"days": ["tue"], "time": "09:00+02:00"}, "'09:00+02:00'"),
        ({"days": ["tue"], "time": ["09:00"]}, "['09:00']"),
        ({"days": ["tue"], "per_slot": 0}, "per_slot 0"),
        ({"days": ["tue"], "per_slot": 101}, "per_slot 101"),
        ({"days": ["tue"], "per_slot": "2"}, "per_slot '2'"),
        ({"days": ["tue"], "per_slot": True}, "per_slot True"),
        ({"days": ["tue"], "per_slot": 1.0}, "per_slot 1.0"),
    ],
)
def test_a_schedule_that_cannot_be_read_is_refused_with_what_was_found(schedule, found):
    with pytest.raises(DripUnavailable) as refused:
        v2(schedule)
    assert found in refused.value.detail
    assert refused.value.field == "release_date"


@pytest.mark.parametrize(
    ("frequency", "day", "found"),
    [
        (None, None, "drip_frequency None with drip_day None"),
        ("hourly", 1, "drip_frequency 'hourly' with drip_day 1"),
        ("weekly", None, "drip_frequency 'weekly' with drip_day None"),
        ("weekly", 9, "the day 9"),
        ("biweekly", None, "drip_frequency 'biweekly' with drip_day None"),
        ("monthly", None, "drip_frequency 'monthly' with drip_day None"),
        ("monthly", 0, "drip_frequency 'monthly' with drip_day 0"),
        ("monthly", 32, "drip_frequency 'monthly' with drip_day 32"),
    ],
)
def test_v1_fields_that_cannot_be_read_are_refused_with_what_was_found(frequency, day, found):
    with pytest.raises(DripUnavailable) as refused:
        v1(frequency, day)
    assert found in refused.value.detail


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(st.fixed_dictionaries({"days": json}, optional={"time": json, "per_slot": json, "enabled": json}))
def test_whatever_json_a_schedule_holds_it_is_a_drip_with_days_or_none_or_refused(schedule):
    try:
        drip = v2(schedule)
    except DripUnavailable:
        return
    assert drip is None or (drip.weekdays and drip.per_slot >= 1)


def test_slots_are_the_local_time_on_each_allowed_day_after_the_moment():
    drip = Drip(time(9), weekdays=frozenset({TUE, THU}))
    tuesday_at_nine = datetime(2026, 1, 20, 14, tzinfo=UTC)
    assert local(drip, tuesday_at_nine - timedelta(seconds=1), TORONTO, 3) == [
        "Tue 2026-01-20 09:00",
        "Thu 2026-01-22 09:00",
        "Tue 2026-01-27 09:00",
    ]
    assert local(drip, tuesday_at_nine, TORONTO, 1) == ["Thu 2026-01-22 09:00"]


def test_the_first_slot_is_found_although_it_is_another_day_in_utc():
    drip = Drip(time(23), weekdays=frozenset({TUE}))
    after = datetime(2026, 1, 21, 1, tzinfo=UTC)  # in Toronto still Tuesday, 20:00
    assert local(drip, after, TORONTO, 1) == ["Tue 2026-01-20 23:00"]
    drip = Drip(time(1), weekdays=frozenset({TUE}))
    after = datetime(2026, 1, 19, 23, 30, tzinfo=UTC)  # in Berlin Tuesday already
    assert local(drip, after, BERLIN, 1) == ["Tue 2026-01-20 01:00"]


@pytest.mark.parametrize(("begun", "first"), [("2026-01-06", "2026-01-20"), ("2025-12-30", "2026-01-13")])
def test_a_fortnightly_drip_keeps_to_the_weeks_it_began_in_over_the_ends_of_years(begun, first):
    drip = v1("biweekly", 2, datetime.fromisoformat(begun).replace(tzinfo=UTC))
    found = days(drip, datetime(2026, 1, 8, tzinfo=UTC), 100)
    assert found[0] == date.fromisoformat(first)
    assert all(later - earlier == timedelta(days=14) for earlier, later in pairwise(found))


def test_two_fortnightly_drips_of_unlike_weeks_share_no_slot_and_leave_none_out():
    start = datetime(2026, 1, 8, tzinfo=UTC)
    odd, even, weekly = (
        days(Drip(time(7), weekdays=frozenset({TUE}), odd_weeks=which), start, count)
        for which, count in ((True, 30), (False, 30), (None, 60))
    )
    assert sorted(odd + even) == weekly
    assert days(v1("biweekly", 2), start, 30) == even


def test_a_monthly_drip_on_the_31st_falls_on_the_last_day_of_shorter_months_leap_years_too():
    found = days(Drip(time(7), day_of_month=31), datetime(2027, 12, 31, 8, tzinfo=UTC), 15)
    last = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31, 28, 31]
    assert [day.day for day in found] == last
    assert found[1] == date(2028, 2, 29)
    assert days(Drip(time(7), day_of_month=29), datetime(2100, 2, 1, tzinfo=UTC), 1) == [date(2100, 2, 28)]


@pytest.mark.parametrize(
    ("where", "at", "night", "shown"),
    [
        (TORONTO, time(2, 30), date(2026, 3, 8), time(3, 30)),
        (TORONTO, time(1, 30), date(2026, 11, 1), time(1, 30)),
        (BERLIN, time(2, 30), date(2026, 3, 29), time(3, 30)),
        (BERLIN, time(2, 30), date(2026, 10, 25), time(2, 30)),
    ],
)
def test_a_night_on_which_clocks_change_has_one_slot(where, at, night, shown):
    eve = datetime.combine(night - timedelta(days=1), time(12), tzinfo=where)
    found = [slot.astimezone(where) for slot in islice(Drip(at, weekdays=ALL).slots(eve, where), 3)]
    assert found[0].time() == shown
    assert [slot.date() for slot in found] == [night + timedelta(days=number) for number in range(3)]


def test_asked_between_the_two_times_of_a_fold_the_night_is_over():
    between = datetime(2026, 11, 1, 6, 15, tzinfo=UTC)  # 01:15 for the second time
    assert days(Drip(time(1, 30), weekdays=ALL), between, 1, TORONTO) == [date(2026, 11, 2)]


def test_a_day_that_samoa_left_out_gives_no_slot_twice():
    apia = ZoneInfo("Pacific/Apia")
    found = list(islice(Drip(time(9), weekdays=ALL).slots(datetime(2011, 12, 29, tzinfo=UTC), apia), 4))
    assert found == [datetime(2011, 12, day, 19, tzinfo=UTC) for day in (29, 30, 31)] + [
        datetime(2012, 1, 1, 19, tzinfo=UTC)
    ]


@given(DRIPS, AFTER, ZONES)
def test_slots_come_in_order_after_the_moment_none_twice(drip, after, where):
    found = list(islice(drip.slots(after, where), 40))
    assert after < found[0]
    assert all(earlier < later for earlier, later in pairwise(found))
    assert all(slot.tzinfo is UTC for slot in found)


@given(DRIPS, AFTER, ZONES)
def test_every_slot_is_on_an_allowed_day_at_the_time_asked_for_or_in_a_gap_a_later_one(drip, after, where):
    for slot in islice(drip.slots(after, where), 40):
        there = slot.astimezone(where)
        asked = datetime.combine(there.date(), drip.at)
        before, behind = (asked.replace(tzinfo=where, fold=fold).utcoffset() for fold in (0, 1))
        assert there.replace(tzinfo=None) - asked == max(behind - before, timedelta())
        if drip.day_of_month is None:
            assert there.weekday() in drip.weekdays
        else:
            is_last = (there.date() + timedelta(days=1)).day == 1
            assert there.day == drip.day_of_month or (is_last and there.day < drip.day_of_month)
        if drip.odd_weeks is not None:
            monday = there.date() - timedelta(days=there.weekday())
            assert bool(monday.toordinal() // 7 % 2) is drip.odd_weeks
