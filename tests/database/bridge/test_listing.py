"""Paging: every job once and newest first, whatever is accepted or ends meanwhile."""

import base64
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update

from models.jobs import Job, JobState
from worker import db, listing
from worker.errors import Validation
from worker.listing import JobFilter
from worker.settings import settings as configuration

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
ERROR = {"code": "outputs_missing"}


def make(moments, **values):
    """Jobs accepted at these seconds after the beginning; returns their ids."""
    rows = [
        {
            "id": uuid4(),
            "kind": "test.work",
            "key": uuid4().hex,
            "payload": {},
            "max_attempts": 8,
            "deadline_at": BEGAN,
            "created_at": BEGAN + timedelta(seconds=moment),
            **values,
        }
        for moment in moments
    ]
    if rows:
        with db.transaction() as session:
            session.execute(insert(Job), rows)
    return {row["id"] for row in rows}


def forget():
    with db.transaction() as session:
        session.execute(delete(Job))


def pages(limit, conditions=JobFilter(), between=lambda: None):  # noqa: B008 - frozen
    """Every page, with something happening between any two."""
    cursor = None
    while True:
        with db.transaction() as session:
            found, cursor = listing.page(session, conditions, limit=limit, cursor=cursor)
        yield found
        if cursor is None:
            return
        between()


moments = st.lists(st.integers(0, 3), max_size=12)  # few moments, so that many jobs share one


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(there=moments, accepted=st.lists(moments, max_size=6), limit=st.integers(1, 5))
def test_every_job_is_listed_exactly_once_while_others_are_accepted(shared_database, there, accepted, limit):
    forget()
    wanted, later = make(there), iter(accepted)
    listed = [job for page in pages(limit, between=lambda: make(next(later, []))) for job in page]
    ids = [job.id for job in listed]
    assert len(set(ids)) == len(ids)
    assert wanted <= set(ids)
    order = [(job.created_at, job.id) for job in listed]
    assert order == sorted(order, reverse=True)


def test_a_full_last_page_is_the_last(shared_database):
    forget()
    make(range(6))
    assert [len(page) for page in pages(3)] == [3, 3]
    assert [len(page) for page in pages(6)] == [6]
    assert [len(page) for page in pages(4)] == [4, 2]


def test_a_page_goes_on_although_the_jobs_before_it_are_gone(shared_database):
    forget()
    ids, seen = make(range(6)), set()

    def forget_what_was_seen():
        with db.transaction() as session:
            session.execute(delete(Job).where(Job.id.in_(seen)))

    for page in pages(2, between=forget_what_was_seen):
        seen.update(job.id for job in page)
    assert seen == ids


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        (JobFilter(), "abcd"),
        (JobFilter(state=JobState.ERROR), "bd"),
        (JobFilter(kind="test.other"), "c"),
        (JobFilter(client_id="one"), "ab"),
        (JobFilter(code="outputs_missing"), "b"),
        (JobFilter(since=BEGAN + timedelta(seconds=2)), "cd"),
        (JobFilter(client_id="one", state=JobState.ERROR), "b"),
        (JobFilter(client_id="nobody"), ""),
    ],
)
def test_a_filter_keeps_what_meets_all_its_conditions(shared_database, conditions, found):
    forget()
    error = {"state": "error", "settled_at": BEGAN}
    names = {
        make([0], client_id="one").pop(): "a",
        make([1], client_id="one", error=ERROR, **error).pop(): "b",
        make([2], client_id="two", kind="test.other").pop(): "c",
        make([3], error={"code": "internal"}, **error).pop(): "d",
    }
    listed = [names[job.id] for page in pages(10, conditions) for job in page]
    assert "".join(reversed(listed)) == found


ID = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe", b"2026-01-01", f"yesterday {ID}".encode(), f"2026-01-01 {ID} x".encode(), b"2026-01-01 1"],
)
def test_a_cursor_that_holds_something_else_is_refused(shared_database, content):
    refused(base64.urlsafe_b64encode(content).decode())


@pytest.mark.parametrize("cursor", ["x", "", "é", "====", "AAAA", "a" * 128])
def test_a_cursor_that_is_none_of_ours_is_refused(shared_database, cursor):
    refused(cursor)


def refused(cursor):
    with db.transaction() as session, pytest.raises(Validation, match="next_cursor"):
        listing.page(session, JobFilter(), limit=1, cursor=cursor)


def retry(conditions, limit=100):
    with db.transaction() as session:
        return [job.id for job in listing.retry(session, configuration(), conditions, limit=limit)]


def test_many_are_retried_oldest_first_and_only_those_that_match(shared_database):
    forget()
    error = {"state": "error", "settled_at": BEGAN, "error": ERROR}
    make([0], client_id="one")
    new, old = make([2], client_id="one", **error).pop(), make([1], client_id="one", **error).pop()
    make([3], client_id="two", **error)
    held = make([4], client_id="one", state="held", held_reason="client_unmapped").pop()
    assert retry(JobFilter(client_id="one"), limit=1) == [old]
    assert retry(JobFilter(client_id="one")) == [new]
    assert retry(JobFilter(client_id="one")) == []
    assert retry(JobFilter(client_id="one", state=JobState.HELD)) == [held]
    with db.transaction() as session:
        assert set(session.scalars(select(Job.state).where(Job.client_id == "one"))) == {"queued"}
        session.execute(update(Job).values(state="cancelled", settled_at=BEGAN))
    assert len(retry(JobFilter(state=JobState.CANCELLED))) == 5


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING, JobState.DONE])
def test_what_is_on_its_way_or_done_is_not_retried(shared_database, state):
    with pytest.raises(Validation, match=f"Jobs that are {state} are not retried"):
        retry(JobFilter(state=state))


def test_an_empty_filter_would_retry_everything_and_is_refused(shared_database):
    with pytest.raises(Validation, match="empty"):
        retry(JobFilter())
