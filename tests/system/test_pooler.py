"""Poolers of every mode before PostgreSQL: what the doctor says of them, and what `migrate` does."""

import json

import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests.conftest import forget_cached
from tests.database.command import columnline
from tests.system import servers
from tests.system.runs import rows
from worker import db, migrate, pooling

ADVISORY = """
select count(*) from pg_locks l join pg_database d on d.oid = l.database
where locktype = 'advisory' and datname = current_database()
"""


def command(url, *words):
    """A command with this URL of the database: its exit status, and what it answered."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", url)
        forget_cached()
        done = columnline(*words, "--json")
    forget_cached()
    return done.exit_code, json.loads(done.stdout)


@pytest.mark.parametrize("round_robin", [0, 1])
@pytest.mark.parametrize("mode", ["transaction", "session", "statement", ""])
def test_which_pooler_stands_before_postgresql_is_seen(mode, round_robin, empty_database, monkeypatch):
    expected = {"": {"direct"}, "session": {"sessions last"}}.get(mode, {f"{mode} pooler"})
    with servers.pooled(empty_database, mode, server_round_robin=round_robin) as url:
        monkeypatch.setenv("DATABASE_URL", url)
        forget_cached()
        assert {str(pooling.way(db.engine())) for _ in range(5)} == expected
        forget_cached()


@pytest.mark.parametrize(
    ("mode", "severity", "said"),
    [
        ("transaction", "ok", "A transaction pooler"),
        ("session", "ok", "sessions last"),
        ("statement", "problem", "in statement mode"),
    ],
)
def test_the_doctor_names_the_pooler_and_what_to_do(mode, severity, said, kept, database):
    with servers.pooled(kept.url, mode) as url:
        _, answer = command(url, "doctor")
    found = {finding["check"]: finding for finding in answer["findings"]}
    told = found["postgresql" if mode == "statement" else "pooler"]
    assert (told["severity"], said in told["found"]) == (severity, True), answer
    assert "DATABASE_URL" in (told["cure"] or told["found"]) or mode == "session"
    assert mode == "statement" or found["schema"]["severity"] == "ok"


def test_migrating_through_a_transaction_pooler_is_refused_before_anything_is_changed(empty_database, monkeypatch):
    with servers.pooled(empty_database, "transaction") as url:
        status, answer = command(url, "migrate")
        assert (status, answer["error"]["code"], answer["error"]["field"]) == (1, "validation", "DATABASE_URL")
        assert "session" in answer["error"]["detail"]
        assert command(url, "migrate", "--plan")[0] == 0, "looking needs no session"
        with psycopg.connect(make_url(empty_database).set(drivername="postgresql").render_as_string()) as direct:
            assert direct.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone() == (0,)
            assert direct.execute(ADVISORY).fetchone() == (0,)
    with servers.pooled(empty_database, "session") as url:
        assert command(url, "migrate")[0] == 0, "a session pooler will do"
    with servers.pooled(empty_database, "transaction") as url:
        assert command(url, "migrate") == (0, {"ok": True, "before": migrate.head(), "after": migrate.head()})
        assert command(url, "migrate", "--undo", "--yes")[1]["error"]["field"] == "DATABASE_URL"


def test_limits_of_our_transactions_stay_with_nobody_who_shares_the_pool(kept, database, monkeypatch):
    with servers.pooled(kept.url, "transaction", default_pool_size=1) as url:
        monkeypatch.setenv("DATABASE_URL", url)
        forget_cached()
        assert rows("show lock_timeout") != [("0",)]
        for _ in range(2 * db.PREPARED_AT):
            assert rows("select count(*) from pg_prepared_statements") == [(0,)]
        with psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string()) as app:
            for name in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
                assert app.execute(f"show {name}").fetchone() == ("0",), name
        forget_cached()
