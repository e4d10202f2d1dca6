"""What passes is a 503 that says so, never a 500; what is done twice because of it is done once."""

import json
import os
import random
import threading
import time
from contextlib import contextmanager

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.engine import make_url

from models.jobs import Scope
from tests.conftest import forget_cached, secret_of
from tests.database.bridge.calls import CALLS, RUN, refusal
from worker import db, keys, migrate
from worker.bridge import create_app, health
from worker.bridge.problems import MEDIA_TYPE

SOON = 30
every_call = pytest.mark.parametrize("call", CALLS, ids=str)


def unavailable(answer):
    """The problem of a request that will do later."""
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert int(answer.headers["retry-after"]) > 0
    problem = answer.json()
    assert (problem["code"], problem["retryable"], problem["ok"]) == ("unavailable", True, False)
    return problem


@contextmanager
def elsewhere(url):
    """This process on another database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", url)
        forget_cached()
        yield
    forget_cached()


@contextmanager
def terminating(admin):
    """Every connection to our database is ended, again and again."""
    name, stopping = make_url(os.environ["DATABASE_URL"]).database, threading.Event()

    def terminate():
        while not stopping.is_set():
            admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
            stopping.wait(random.uniform(0, 0.3))

    thread = threading.Thread(target=terminate)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


@pytest.fixture
def no_database(bridge):
    with elsewhere("postgresql://postgres@127.0.0.1:1/none"):
        yield bridge


@every_call
def test_without_a_database_every_call_is_unavailable(no_database, call):
    unavailable(call.send(no_database))
    unavailable(call.send(no_database, content="{broken"))


def test_without_a_database_a_stranger_is_refused_and_the_process_is_alive(no_database):
    refusal(no_database.http.get("/columnline/jobs", headers={"X-API-Key": "nonsense"}), 401)
    assert no_database.http.get("/livez").json() == {"status": "ok"}
    assert no_database.http.get("/columnline/nothing").status_code == 404
    assert no_database.http.get("/openapi.json").status_code == 200


def ready(http):
    answer = http.get("/readyz")
    found = answer.json()
    assert set(found) == {"status", "database", "broker", "schema_revision", "schema_expected"}
    return answer.status_code, found["status"], found["database"], found["broker"]


def test_readiness_tells_a_database_that_is_away(no_database, monkeypatch):
    monkeypatch.setattr(health, "broker_answers", lambda: True)
    assert ready(no_database.http) == (503, "unavailable", "unreachable", "ok")


def test_readiness_without_a_broker_is_degraded_since_publishes_are_accepted_all_the_same(bridge):
    assert ready(bridge.http) == (200, "degraded", "ok", "unreachable")
    assert bridge.http.post(f"/columnline/publish/{RUN}").status_code == 202


def test_readiness_with_everything_there(bridge, monkeypatch):
    monkeypatch.setattr(health, "broker_answers", lambda: True)
    assert ready(bridge.http) == (200, "ready", "ok", "ok")


@pytest.mark.parametrize(
    ("revision", "status"), [("v1_baseline", 503), (None, 503), ("of_a_later_version", 200)], ids=str
)
def test_readiness_needs_the_schema_of_this_code_or_a_later_one(bridge, revision, status):
    expected = migrate.head()
    with db.transaction() as session:
        session.execute(text(f"delete from {migrate.VERSION_TABLE}"))
        if revision:
            session.execute(
                text(f"insert into {migrate.VERSION_TABLE} values (:revision)"), {"revision": revision}
            )
    try:
        assert ready(bridge.http)[0] == status
        assert bridge.http.get("/readyz").json()["schema_revision"] == revision
        assert bridge.http.get("/readyz").json()["schema_expected"] == expected
    finally:
        with db.transaction() as session:
            session.execute(text(f"delete from {migrate.VERSION_TABLE}"))
            session.execute(
                text(f"insert into {migrate.VERSION_TABLE} values (:revision)"), {"revision": expected}
            )


def test_a_database_that_was_never_migrated_is_unavailable_with_what_to_do(empty_database, bridge):
    with elsewhere(empty_database):
        problem = unavailable(bridge.http.get("/columnline/jobs"))
        assert "columnline migrate" in problem["detail"]
        assert ready(bridge.http)[0] == 503


def test_a_pool_without_a_free_connection_is_unavailable(bridge, monkeypatch):
    engine = db.engine()
    held = [engine.connect() for _ in range(engine.pool.size())]
    monkeypatch.setattr(engine.pool, "_timeout", 0.1)
    try:
        unavailable(bridge.http.get("/columnline/jobs"))
        assert bridge.http.get("/livez").status_code == 200
    finally:
        for connection in held:
            connection.close()
    assert bridge.http.get("/columnline/jobs").status_code == 200


@pytest.mark.parametrize("table", ["jobs", "v2_runs", "api_keys"])
def test_a_table_that_somebody_locks_is_unavailable(bridge, setting, admin, table):
    setting(lock_timeout=0.1)
    db.dispose()
    engine = db.engine()
    with engine.connect() as connection, connection.begin():
        connection.execute(text(f"lock table {table}"))
        unavailable(bridge.http.post(f"/columnline/publish/{RUN}"))
    assert bridge.http.post(f"/columnline/publish/{RUN}").status_code == 202
    db.dispose()


@pytest.mark.parametrize(
    ("state", "status", "code"),
    [
        ("53100", 503, "unavailable"),  # disk full
        ("53300", 503, "unavailable"),  # too many connections
        ("57P03", 503, "unavailable"),  # starting up
        ("25006", 503, "unavailable"),  # read-only after a failover
        ("40001", 503, "unavailable"),  # serialization failure
        ("40P01", 503, "unavailable"),  # deadlock
        ("57014", 503, "unavailable"),  # statement timeout
        ("25P03", 503, "unavailable"),  # this process stood still within a transaction
        ("22P05", 422, "validation"),
        ("22003", 422, "validation"),
        ("XX000", 500, "internal"),
    ],
)
def test_what_the_database_says_decides(bridge, state, status, code, caplog):
    raising = "create function fault() returns trigger language plpgsql as $$ begin raise exception '{}' {} $$"
    with db.transaction() as session:
        text_of_row = "SECRET OF A ROW"
        body = raising.format(text_of_row, f"using errcode = '{state}'; end")
        session.execute(text(body))
        session.execute(text("create trigger fault before insert on v2_runs execute function fault()"))
    try:
        answer = bridge.http.put("/columnline/runs/ANOTHER")
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert ("retry-after" in answer.headers) == (status == 503)
        assert text_of_row not in answer.text
        assert text_of_row not in caplog.text
        assert state in caplog.text
    finally:
        with db.transaction() as session:
            session.execute(text("drop function fault cascade"))


def test_a_bug_is_a_500_that_gives_nothing_away(bridge, monkeypatch, caplog):
    def broken(*args, **kwargs):
        raise RuntimeError("SECRET OF THE SENDER")

    monkeypatch.setattr("worker.inbox.accept_publish", broken)
    answer = bridge.http.post(f"/columnline/publish/{RUN}", json={"release_date": "2026-01-20"})
    assert answer.status_code == 500
    problem = answer.json()
    assert (problem["code"], problem["retryable"]) == ("internal", True)
    assert "SECRET" not in answer.text
    assert "SECRET" not in caplog.text
    assert "RuntimeError" in caplog.text
    assert "test_outages.py" in caplog.text, "the place in the code is what helps"


def test_connections_that_are_cut_again_and_again_make_no_500_and_no_second_job(bridge, admin):
    bridge.http.put("/columnline/runs/CUT", json={"client_id": "CLT_NORTHWIND_001"}).raise_for_status()
    statuses = []
    with terminating(admin):
        limit = time.monotonic() + SOON
        while time.monotonic() < limit and not ({202, 503} <= set(statuses) and len(statuses) >= 20):
            statuses.append(bridge.http.post("/columnline/publish/CUT").status_code)
            stored = bridge.http.put("/columnline/runs/CUT/outputs/A", json={"n": len(statuses)})
            assert stored.status_code in {200, 503}, stored.text
    assert set(statuses) == {202, 503}
    assert bridge.http.post("/columnline/publish/CUT").status_code == 202
    with db.transaction() as session:
        assert session.scalar(text("select count(*) from jobs where key = 'CUT'")) == 1


def test_nothing_sent_reaches_the_log(shared_database, capfd):
    with db.transaction() as session:
        key = keys.create(session, "canary", Scope.OPS)
    canary = "CANARY-5f2b"
    with TestClient(create_app(), raise_server_exceptions=False) as client:
        for headers in ({"X-API-Key": key}, {"Authorization": f"Bearer {key}x"}, {"X-API-Key": canary}):
            for content in (json.dumps({"seed_data": {"name": canary}, "client_id": canary}), canary, '{"n":NaN}'):
                client.put("/columnline/runs/LOGGED", content=content, headers=headers)
                client.put("/columnline/runs/LOGGED/outputs/A", content=content, headers=headers)
                client.post("/columnline/publish/LOGGED", content=content, headers=headers)
        with elsewhere("postgresql://postgres@127.0.0.1:1/none"):
            client.put("/columnline/runs/LOGGED", json={"seed_data": canary}, headers={"X-API-Key": key})
    logged = "".join(capfd.readouterr())
    assert "request_unavailable" in logged, "something was logged"
    assert canary not in logged
    assert secret_of(key) not in logged
