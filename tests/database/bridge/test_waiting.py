"""Waiting callers: told at once, never longer than asked, and in nobody's way."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import uuid4

import anyio.to_thread
import pytest
from sqlalchemy import func, null, select, update

from models.jobs import Job, JobKind
from worker import db, jobs, waiting
from worker.bridge.context import MAX_WAITERS
from worker.errors import JobNotFound
from worker.settings import settings
from worker.waiting import Watch, wait_for

LONG = 55
SOON = 30
"""Seconds that only something that hangs takes."""


def job():
    with db.transaction() as session:
        values = {"kind": JobKind.PUBLISH, "key": uuid4().hex, "client_id": None}
        return jobs.accept(session, settings(), **values, payload={"run_id": "RUN"})[0].id


def end(*job_ids, **values):
    values = values or {"state": "done", "result": {}, "settled_at": func.now()}
    with db.transaction() as session:
        session.execute(update(Job).where(Job.id.in_(job_ids)).values(**values))


@contextmanager
def took():
    """Seconds the block took, in a list."""
    began, seconds = time.monotonic(), []
    yield seconds
    seconds.append(time.monotonic() - began)


@pytest.fixture
def looks(monkeypatch):
    """How many jobs each look at the database was for."""
    sizes, look = [], waiting._at_rest

    def looked(job_ids):
        sizes.append(len(job_ids))
        return look(job_ids)

    monkeypatch.setattr(waiting, "_at_rest", looked)
    return sizes


def until(condition):
    limit = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < limit, "it hangs"
        time.sleep(0.005)


@pytest.mark.parametrize(
    "values",
    [
        {"state": "done", "result": {}, "settled_at": func.now()},
        {"state": "error", "error": {}, "settled_at": func.now()},
        {"state": "cancelled", "settled_at": func.now()},
        {"state": "held", "held_reason": "client_unmapped"},
    ],
    ids=lambda values: values["state"],
)
def test_a_waiting_caller_is_told_once_the_job_rests(shared_database, looks, values):
    job_id = job()
    with took() as seconds, ThreadPoolExecutor(1) as pool:
        waiter = pool.submit(wait_for, job_id, LONG)
        until(lambda: looks)
        end(job_id, **values)
        assert waiter.result().state == values["state"]
    assert seconds[0] < SOON


def test_a_job_that_rests_already_is_not_waited_for(shared_database, looks):
    job_id = job()
    end(job_id)
    assert wait_for(job_id, LONG).state == "done"
    assert looks == []


def test_a_caller_waits_no_longer_than_asked(shared_database):
    with took() as seconds:
        assert wait_for(job(), 0.3).state == "queued"
    assert 0.3 <= seconds[0] < SOON


def test_a_job_that_is_not_there_is_not_waited_for(shared_database):
    with pytest.raises(JobNotFound):
        wait_for(uuid4(), LONG)


def test_one_look_serves_all_who_wait(shared_database, looks):
    ids = [job() for _ in range(30)]
    with Watch(100) as watch, ThreadPoolExecutor(60) as pool:
        waiters = [pool.submit(watch.wait_for, job_id, LONG) for job_id in ids * 2]
        until(lambda: max(looks, default=0) == 30)
        end(*ids)
        assert {waiter.result(SOON).state for waiter in waiters} == {"done"}


def test_more_than_may_wait_are_answered_at_once(shared_database, looks):
    with Watch(2) as watch, ThreadPoolExecutor(2) as pool:
        ids = [job(), job()]
        waiters = [pool.submit(watch.wait_for, job_id, LONG) for job_id in ids]
        until(lambda: max(looks, default=0) == 2)
        with took() as seconds:
            assert watch.wait_for(job(), LONG).state == "queued"
        assert seconds[0] < SOON
        end(*ids)
        assert [waiter.result(SOON).state for waiter in waiters] == ["done", "done"]
        end(third := job())
        assert watch.wait_for(third, LONG).state == "done", "there is room again"


def test_a_release_lets_everybody_go_and_keeps_nobody_later(shared_database, looks):
    with Watch(10) as watch, ThreadPoolExecutor(10) as pool:
        waiters = [pool.submit(watch.wait_for, job(), LONG) for _ in range(5)]
        until(lambda: max(looks, default=0) == 5)
        watch.release()
        assert {waiter.result(SOON).state for waiter in waiters} == {"queued"}
        assert watch.wait_for(job(), LONG).state == "queued"


@pytest.mark.parametrize("round_", range(8))
def test_a_release_at_any_moment_reaches_whoever_comes_at_that_moment(shared_database, round_):
    job_id = job()
    with ThreadPoolExecutor(4) as pool:
        with Watch(10) as watch:
            waiters = [pool.submit(watch.wait_for, job_id, LONG) for _ in range(4)]
        assert {waiter.result(SOON).state for waiter in waiters} == {"queued"}


def test_a_database_that_goes_away_for_a_while_ends_no_wait(shared_database, looks, admin):
    job_id = job()
    with Watch() as watch, ThreadPoolExecutor(1) as pool:
        waiter = pool.submit(watch.wait_for, job_id, LONG)
        until(lambda: looks)
        for _ in range(5):
            name = db.engine().url.database
            admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
            before = len(looks)
            until(lambda before=before: len(looks) > before + 1)
        end(job_id)
        assert waiter.result(SOON).state == "done"


def test_a_hundred_waiting_callers_keep_nobody_out_and_are_all_told(bridge, looks):
    ids = [job() for _ in range(MAX_WAITERS)]

    def wait(job_id):
        return bridge.http.get(f"/columnline/jobs/{job_id}", params={"wait": LONG}).json()["status"]

    with ThreadPoolExecutor(MAX_WAITERS) as pool, took() as seconds:
        waiters = [pool.submit(wait, job_id) for job_id in ids]
        until(lambda: max(looks, default=0) == MAX_WAITERS)
        assert wait(job()) == "queued", "one more is answered at once"
        for _ in range(10):
            assert bridge.http.get("/livez").status_code == 200
            assert bridge.http.get("/columnline/jobs").status_code == 200
            assert bridge.http.post("/columnline/publish/RUN_20260115_181206").status_code == 202
        end(*ids)
        assert {waiter.result() for waiter in waiters} == {"done"}
    assert seconds[0] < LONG


def test_the_process_is_alive_although_every_thread_is_taken(bridge, looks):
    limiter = bridge.http.portal.call(anyio.to_thread.current_default_thread_limiter)
    before, job_id = limiter.total_tokens, job()
    limiter.total_tokens = 1
    try:
        with ThreadPoolExecutor(2) as pool:
            waiter = pool.submit(bridge.http.get, f"/columnline/jobs/{job_id}", params={"wait": LONG})
            until(lambda: looks)
            alive = pool.submit(bridge.http.get, "/livez")
            try:
                assert alive.result(SOON).status_code == 200
            finally:
                end(job_id)
            assert waiter.result().json()["status"] == "done"
    finally:
        limiter.total_tokens = before


@pytest.mark.parametrize("path", ["/columnline/jobs/{}", "/columnline/runs/RUN_20260115_181206"])
def test_every_call_that_waits_is_told_once_the_job_rests(bridge, looks, path):
    end(bridge.job_id, state="queued", settled_at=None, result=null())
    with ThreadPoolExecutor(1) as pool, took() as seconds:
        waiter = pool.submit(bridge.http.get, path.format(bridge.job_id), params={"wait": LONG})
        until(lambda: looks)
        end(bridge.job_id)
        answer = waiter.result().json()
        assert (answer.get("job") or answer)["status"] == "done"
    assert seconds[0] < SOON


def test_a_publish_that_ends_while_its_sender_waits_is_a_200(bridge, looks):
    end(bridge.job_id, state="queued", settled_at=None, result=null())
    with ThreadPoolExecutor(1) as pool:
        url = "/columnline/publish/RUN_20260115_181206"
        waiter = pool.submit(bridge.http.post, url, params={"wait": LONG})
        until(lambda: looks)
        with db.transaction() as session:
            assert session.scalar(select(Job.state).where(Job.id == bridge.job_id)) == "queued"
        end(bridge.job_id)
        answer = waiter.result()
    assert (answer.status_code, answer.json()["status"], answer.json()["done"]) == (200, "done", True)
    assert "location" not in answer.headers


@pytest.mark.parametrize("wait", ["56", "-1", "soon", "1e3", "55.5"])
def test_a_wait_that_is_too_long_or_none_is_refused(bridge, wait):
    for method, path in (
        ("GET", f"/columnline/jobs/{bridge.job_id}"),
        ("GET", "/columnline/runs/RUN_20260115_181206"),
        ("POST", "/columnline/publish/RUN_20260115_181206"),
        ("POST", "/columnline/publish/RUN_20260115_181206/preview"),
    ):
        answer = bridge.http.request(method, path, params={"wait": wait})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "wait"
