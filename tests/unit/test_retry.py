"""The retry policy and the meaning of exceptions: pure functions."""

from datetime import timedelta
from itertools import pairwise

import psycopg.errors
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from models.jobs import AttemptOutcome
from worker.errors import ClientUnmapped, Internal, OutputsInvalid, OutputsMissing, Unavailable
from worker.outcomes import Standing, is_outage, outcome_of, passes_at_once
from worker.retry import RetryPolicy, next_look, ring_pause

POLICY = RetryPolicy(base=timedelta(seconds=2), cap=timedelta(seconds=300))
seconds = st.floats(0, 1e6).map(lambda value: timedelta(seconds=value))


def sql(code, *, lost=False):
    """A database error of this code, which may have cost the connection."""
    error = psycopg.errors.lookup(code)("text with a contact's name")
    return DBAPIError("statement", {}, error, connection_invalidated=lost)


def outcome(exc, *, attempt=1, waited=timedelta(), overdue=False):
    return outcome_of(
        exc,
        Standing(
            attempt=attempt,
            max_attempts=8,
            waited=waited,
            waited_for=getattr(exc, "code", None),
            overdue=overdue,
        ),
        step="dossier",
        policy=POLICY,
        deadline=timedelta(minutes=10),
        random=0.5,
    )


@pytest.mark.parametrize(("attempt", "ceiling"), [(1, 2), (2, 4), (3, 8), (8, 256), (9, 300), (100, 300)])
def test_the_longest_pause_doubles_and_stays_at_the_cap(attempt, ceiling):
    assert POLICY.ceiling(attempt) == timedelta(seconds=ceiling)


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_pause_lies_between_nothing_and_the_ceiling(attempt, random):
    assert timedelta() <= POLICY.pause(attempt, random) <= POLICY.ceiling(attempt) <= POLICY.cap


@given(st.integers(1, 10_000))
def test_a_later_attempt_never_has_a_lower_ceiling(attempt):
    assert POLICY.ceiling(attempt) <= POLICY.ceiling(attempt + 1)


@given(seconds, seconds)
def test_the_next_look_for_something_missing_is_never_beyond_the_deadline(waited, deadline):
    look = next_look(waited, deadline)
    assert timedelta() <= look <= max(timedelta(seconds=15), timedelta(seconds=deadline.total_seconds() / 40))
    assert waited >= deadline or waited + look <= deadline


def test_looking_for_something_missing_ends():
    waited, looks = timedelta(), 0
    while waited < timedelta(minutes=10):
        waited += next_look(waited, timedelta(minutes=10))
        looks += 1
    assert looks < 60
    assert waited == timedelta(minutes=10)


def test_the_pause_between_bells_grows_to_ten_minutes():
    pauses = [ring_pause(timedelta(seconds=10), rings) for rings in range(1, 30)]
    assert pauses[:3] == [timedelta(seconds=10), timedelta(seconds=20), timedelta(seconds=40)]
    assert all(earlier <= later for earlier, later in pairwise(pauses))
    assert pauses[-1] == timedelta(minutes=10)


@pytest.mark.parametrize("code", ["08006", "53300", "53100", "57P01", "57P02", "57P03", "25006"])
def test_a_database_that_is_away_full_or_read_only_is_an_outage(code):
    assert is_outage(sql(code))
    assert outcome(sql(code)).kind is AttemptOutcome.OUTAGE
    assert isinstance(outcome(sql(code), overdue=True).error, Unavailable)
    assert outcome(sql(code), overdue=True).kind is AttemptOutcome.ERROR


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("statement", {}, psycopg.OperationalError("connection refused")),
        InterfaceError("statement", {}, psycopg.InterfaceError("the connection is closed")),
        PoolTimeoutError(),
    ],
)
def test_a_connection_that_cannot_be_had_is_an_outage(error):
    assert outcome(error).kind is AttemptOutcome.OUTAGE


@pytest.mark.parametrize("lost", [False, True], ids=["connected", "cut off"])
@pytest.mark.parametrize("code", ["40001", "40P01", "55P03", "57014", "25P03", "XX000", "XX001", "42P01"])
def test_what_may_pass_uses_an_attempt_up_and_the_last_one_is_an_error(code, lost):
    assert outcome(sql(code, lost=lost)).kind is AttemptOutcome.RETRY
    assert outcome(sql(code, lost=lost), attempt=8).kind is AttemptOutcome.ERROR


def test_a_stale_plan_costs_its_connection_and_nothing_else():
    stale = sql("0A000", lost=True)
    assert passes_at_once(stale)
    assert outcome(stale).kind is AttemptOutcome.OUTAGE
    unknown = sql("0A000")
    assert not passes_at_once(unknown)
    assert outcome(unknown).kind is AttemptOutcome.RETRY


@pytest.mark.parametrize(("code", "again"), [("40001", True), ("40P01", True), ("55P03", True), ("57014", False)])
def test_only_what_passes_at_once_is_tried_again_within_the_step(code, again):
    assert passes_at_once(sql(code)) is again


@pytest.mark.parametrize("error", [sql("22P05"), sql("22P02"), DataError("s", {}, psycopg.DataError("NUL"))])
def test_data_the_database_refuses_is_final_at_once(error):
    ended = outcome(error)
    assert (ended.kind, type(ended.error)) == (AttemptOutcome.ERROR, OutputsInvalid)


def test_a_broken_rule_of_the_database_is_final_and_not_called_the_datas_fault():
    ended = outcome(sql("23505"))
    assert (ended.kind, type(ended.error)) == (AttemptOutcome.ERROR, Internal)


def test_our_own_endings_are_what_they_say():
    assert outcome(ClientUnmapped("x")).kind is AttemptOutcome.HELD
    assert outcome(OutputsInvalid("x")).kind is AttemptOutcome.ERROR
    assert outcome(OutputsMissing("x")).kind is AttemptOutcome.WAITING
    assert outcome(OutputsMissing("x"), waited=timedelta(minutes=10)).kind is AttemptOutcome.ERROR
    assert outcome(KeyError("x")).kind is AttemptOutcome.RETRY


@given(st.sampled_from(["23505", "40P01", "08006", "22P05", "57014"]), st.integers(1, 8))
def test_no_errors_text_repeats_what_the_database_quoted_from_a_row(code, attempt):
    assert "contact's name" not in outcome(sql(code), attempt=attempt).error.detail
