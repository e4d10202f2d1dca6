from datetime import UTC, date, datetime, timedelta, timezone
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError

from worker.fields import (
    Name,
    Number,
    OptionalFlag,
    OptionalMoment,
    OptionalName,
    OptionalObject,
    ReleaseDate,
    Seconds,
)

COUNT = TypeAdapter(Annotated[Annotated[int, Field(ge=0, le=10_000)] | None, Number])
DAY = TypeAdapter(ReleaseDate)
FLAG = TypeAdapter(OptionalFlag)
MOMENT = TypeAdapter(OptionalMoment)
NAME = TypeAdapter(Name)
OBJECT = TypeAdapter(OptionalObject)
OPTIONAL_NAME = TypeAdapter(OptionalName)
WAIT = TypeAdapter(Seconds)

EMPTY = ["", "  ", "null", "NULL", " null ", "undefined", None]


def refusal(adapter, value):
    with pytest.raises(ValidationError) as refused:
        adapter.validate_python(value)
    return refused.value.errors()[0]


@pytest.mark.parametrize("adapter", [COUNT, DAY, FLAG, MOMENT, OBJECT, OPTIONAL_NAME, WAIT])
@pytest.mark.parametrize("value", EMPTY)
def test_what_make_sends_for_a_missing_value_is_absent_in_every_optional_field(adapter, value):
    assert adapter.validate_python(value) is None


def test_a_name_that_must_be_there_may_be_the_word_null_but_not_empty():
    assert NAME.validate_python("null") == "null"
    assert refusal(NAME, "")["type"] == "string_too_short"


@pytest.mark.parametrize("text", ["RUN_20260115_181206", "a", "x" * 128, "Ünïcödé 東京", "a/b", "50 %", "👍", '"'])
def test_a_name_is_any_printable_text(text):
    assert NAME.validate_python(text) == text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a\x00b", "U+0000"),
        ("a\nb", "U+000A"),
        ("a\x7f", "U+007F"),
        ("a\u202eb", "U+202E"),
        ("a\u200b", "U+200B"),
        ("a\u00a0", "U+00A0"),
        ("a\ufffd", "U+FFFD"),
        ("a\ufeff", "U+FEFF"),
    ],
)
def test_a_name_with_an_unprintable_character_is_refused_and_the_character_named(text, code):
    found = refusal(NAME, text)
    assert (found["type"], code in found["msg"], "position 1" in found["msg"]) == ("unprintable", True, True)


def test_a_name_with_half_a_character_is_refused():
    assert refusal(NAME, "a\ud800")["type"] == "string_unicode"


@given(st.text(st.characters(exclude_categories=[]), max_size=20))
def test_a_name_is_kept_as_it_is_or_refused_and_what_is_kept_can_be_stored_and_logged(text):
    try:
        kept = NAME.validate_python(text)
    except ValidationError:
        return
    assert kept == text
    assert text.encode().decode() == text
    assert not set(text) & set("\x00\n\r\t\ufffd")


@pytest.mark.parametrize(
    ("value", "number"),
    [(3, 3), ("3", 3), (" 3 ", 3), (3.0, 3), ("3.0", 3), (0, 0), ("10000", 10_000)],
)
def test_a_number_may_come_as_text(value, number):
    assert COUNT.validate_python(value) == number


@pytest.mark.parametrize(
    "value", [-1, "-1", 10_001, 10**400, "9" * 5000, 1.5, "1.5", "1,5", "3 contacts", "NaN", True, False, [3], {}]
)
def test_what_is_no_number_in_bounds_is_refused(value):
    refusal(COUNT, value)


@pytest.mark.parametrize(("value", "wait"), [(0, 0), ("25", 25), (55, 55)])
def test_a_wait_is_up_to_55_seconds(value, wait):
    assert WAIT.validate_python(value) == wait


@pytest.mark.parametrize("value", [56, "56", -1, 3600])
def test_a_longer_wait_is_refused(value):
    refusal(WAIT, value)


@pytest.mark.parametrize(
    ("value", "flag"),
    [(True, True), ("true", True), ("TRUE", True), ("1", True), (1, True), ("yes", True), (False, False)]
    + [(text, False) for text in ("false", "0", 0, "no")],
)
def test_a_switch_may_come_as_text(value, flag):
    assert FLAG.validate_python(value) is flag


@pytest.mark.parametrize("value", ["ja", 2, [], {}, [True]])
def test_what_is_neither_on_nor_off_is_refused(value):
    refusal(FLAG, value)


@pytest.mark.parametrize("value", [{}, {"a": [1]}])
def test_an_object_is_kept(value):
    assert OBJECT.validate_python(value) == value


@pytest.mark.parametrize("value", ["{}", [], 0, False])
def test_what_is_no_object_is_refused(value):
    refusal(OBJECT, value)


def test_a_moment_needs_an_offset():
    assert MOMENT.validate_python("2026-01-20T05:00:00+01:00") == datetime(2026, 1, 20, 4, tzinfo=UTC)
    assert refusal(MOMENT, "2026-01-20T05:00:00")["type"] == "timezone_aware"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("2026-01-20", date(2026, 1, 20)),
        (" 2026-01-20\n", date(2026, 1, 20)),
        ("01/20/2026", date(2026, 1, 20)),
        ("1/20/2026", date(2026, 1, 20)),
        ("05/05/2026", date(2026, 5, 5)),
        ("2024-02-29", date(2024, 2, 29)),
        ("2026-01-20T00:00:00.000Z", datetime(2026, 1, 20, tzinfo=UTC)),
        ("2026-01-20T05:00:00Z", datetime(2026, 1, 20, 5, tzinfo=UTC)),
        ("2026-01-20 05:00:00Z", datetime(2026, 1, 20, 5, tzinfo=UTC)),
        ("2026-01-20T00:00:00+02:00", datetime(2026, 1, 19, 22, tzinfo=UTC)),
        ("2026-01-20T00:00:00-0500", datetime(2026, 1, 20, 5, tzinfo=UTC)),
        ("2026-01-20T05:00Z", datetime(2026, 1, 20, 5, tzinfo=UTC)),
        ("2026-01-20T05:00:00.123456Z", datetime(2026, 1, 20, 5, 0, 0, 123456, tzinfo=UTC)),
        (date(2026, 1, 20), date(2026, 1, 20)),
        (datetime(2026, 1, 20, tzinfo=UTC), datetime(2026, 1, 20, tzinfo=UTC)),
    ],
)
def test_a_release_date_is_read_in_every_form_make_sends(value, found):
    read = DAY.validate_python(value)
    assert (type(read), read) == (type(found), found)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("tomorrow", "is no date"),
        ("2026-02-30", "is no date"),
        ("2026-13-01", "is no date"),
        ("2026-1-20", "is no date"),
        ("20260120", "is no date"),
        ("2026-W04-2", "is no date"),
        ("2026-020", "is no date"),
        ("20/01/2026", "is no date"),
        ("13/13/2026", "is no date"),
        ("\u0662\u0660\u0662\u0666-01-20", "is no date"),
        ("\u0660\u0661/20/2026", "is no date"),
        ("2026-01-20T25:00:00Z", "is no date"),
        ("2026-01-20T00:00:00+25:00", "is no date"),
        ("0001-01-01T00:00:00+14:00", "is no date"),
        ("9999-12-31T23:59:59-14:00", "is no date"),
        ("2026-01-20\x00", "is no date"),
        ("\ud800", "is no date"),
        ("x" * 100_000, "is no date"),
        ("01/02/2026", "could be month first or day first"),
        ("2026-01-20T00:00:00", "has a time but no offset"),
        ("2026-01-20 00:00", "has a time but no offset"),
        ("1999-12-31", "is not between the years 2000 and 2100"),
        ("2101-01-01", "is not between the years 2000 and 2100"),
        (1768867200, "is no text"),
        (True, "is no text"),
        (["2026-01-20"], "is no text"),
        ({"date": "2026-01-20"}, "is no text"),
    ],
)
def test_what_is_no_date_or_could_be_two_is_refused_with_the_reason(value, why):
    found = refusal(DAY, value)
    assert (found["type"], why in found["msg"]) == ("release_date_invalid", True)
    assert len(found["msg"]) < 300


@given(st.text(st.characters(exclude_categories=[]), max_size=40) | st.from_regex(r"\d{4}-\d\d-\d\dT.{0,20}"))
def test_any_text_is_a_date_within_a_century_or_is_refused(text):
    try:
        found = DAY.validate_python(text)
    except ValidationError:
        assert refusal(DAY, text)["type"] == "release_date_invalid"
    else:
        assert found is None or 2000 <= found.year <= 2100


offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


days = st.dates(date(2000, 1, 1), date(2100, 12, 31))


@given(days.filter(lambda day: (day.month, day.day) not in {(1, 1), (12, 31)}), st.times(timezones=offsets))
def test_a_moment_is_the_same_moment_whatever_its_offset(day, time):
    moment = datetime.combine(day, time)
    assert DAY.validate_python(moment.isoformat()) == moment


@given(days)
def test_a_day_written_two_ways_is_one_day_unless_it_could_be_two(day):
    assert DAY.validate_python(day.isoformat()) == day
    american = f"{day.month}/{day.day}/{day.year}"
    if day.day > 12 or day.day == day.month:
        assert DAY.validate_python(american) == day
    else:
        assert "could be month first or day first" in refusal(DAY, american)["msg"]
