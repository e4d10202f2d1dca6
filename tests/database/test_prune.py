"""What is old is pruned, rule by rule; nothing that is still needed is, and no publish is forgotten."""

import threading
from datetime import timedelta

import pytest

from models.jobs import JobKind
from tests.database.command import columnline, shown, told
from tests.database.publishing import accept, execute, job_of, now, one, publish, published, query
from tests.database.rows import ago
from worker import db, prune
from worker.settings import settings
from worker.totals import totals

pytestmark = pytest.mark.usefixtures("clients")


def put(kind, state="done", days=0, key="k", **values):
    """A job that ended so many days ago; one that is not over was made then."""
    over = state in {"done", "error", "cancelled"}
    columns = {
        "kind": kind,
        "key": key,
        "state": state,
        "payload": "{}",
        "max_attempts": 8,
        "deadline_at": now(),
        "created_at": ago(days=days, minutes=5),
        "settled_at": ago(days=days) if over else None,
        "result": "{}" if state == "done" else None,
        "error": '{"code": "internal"}' if state == "error" else None,
        "held_reason": "client_unmapped" if state == "held" else None,
        "leased_until": now() if state == "running" else None,
    } | values
    places = ", ".join(f":{name}" for name in columns)
    return one(f"insert into jobs ({', '.join(columns)}) values ({places}) returning id", **columns).id


def is_there(job_id):
    return bool(query("select from jobs where id = :id", id=job_id))


KEPT = {
    (JobKind.PREVIEW, "done"): 7,
    (JobKind.PREVIEW, "error"): 7,
    ("export.write", "done"): 7,
    ("export.write", "error"): 7,
    (JobKind.CALLBACK, "done"): 30,
    (JobKind.CALLBACK, "cancelled"): 30,
    (JobKind.CALLBACK, "error"): 180,
    (JobKind.RERUN, "done"): 30,
    (JobKind.RERUN, "error"): 180,
}


@pytest.mark.parametrize(("kind", "state"), KEPT)
def test_a_job_goes_once_it_is_as_old_as_its_kind_and_its_end_allow(kind, state):
    days = KEPT[kind, state]
    young, old = put(kind, state, days - 1, "young"), put(kind, state, days + 1, "old")
    prune.prune(settings())
    assert (is_there(young), is_there(old)) == (True, False)


@pytest.mark.parametrize("state", ["queued", "waiting", "held", "running"])
@pytest.mark.parametrize("kind", [JobKind.PUBLISH, JobKind.PREVIEW, JobKind.CALLBACK, JobKind.RERUN])
def test_a_job_that_is_not_over_never_goes(kind, state):
    job_id = put(kind, state, 9999)
    prune.prune(settings())
    assert is_there(job_id)


def age(table, column, days, where="true"):
    execute(f"update {table} set {column} = {column} - make_interval(days => :d) where {where}", d=days)


def test_the_same_publish_years_later_is_answered_and_publishes_nothing_again():
    before = published("RUN_A")
    job = job_of("RUN_A")
    age("jobs", "settled_at", 5000)
    age("job_attempts", "finished_at", 5000)
    prune.prune(settings())
    assert query("select from job_attempts where job_id = :id", id=job.id) == []
    again = publish("RUN_A")
    assert (again.id, again.epoch, again.settled_at.date()) == (
        job.id,
        job.epoch,
        job.settled_at.date() - timedelta(5000),
    )
    assert one("select * from dossiers where run_id = 'RUN_A'") == before


def test_a_publish_is_remembered_though_its_dossier_was_deleted_for_as_long_as_its_run_is_there():
    published("RUN_A")
    execute("delete from dossiers")
    age("jobs", "settled_at", 5000)
    prune.prune(settings())
    accept("RUN_A")
    assert job_of("RUN_A").state == "done"


def test_a_publish_goes_once_its_run_and_its_dossier_are_gone():
    published("RUN_A")
    age("jobs", "settled_at", 181)
    execute("delete from v2_pipeline_logs")
    execute("delete from v2_runs")
    prune.prune(settings())
    assert job_of("RUN_A") is not None, "its dossier is there"
    execute("delete from dossiers")
    prune.prune(settings())
    assert job_of("RUN_A") is None


def test_attempts_at_a_publish_that_goes_on_stay():
    job_id = put(JobKind.PUBLISH, "waiting", 300)
    execute(
        """insert into job_attempts (job_id, epoch, attempt, worker, finished_at, outcome)
           values (:id, 1, 1, 'w', now() - interval '300 days', 'waiting')""",
        id=job_id,
    )
    prune.prune(settings())
    assert len(query("select from job_attempts")) == 1


def test_what_the_writers_returned_and_what_the_calendar_recorded_stay():
    published("RUN_A")
    tables = ("v2_pipeline_logs", "v2_runs", "dossiers", "contacts", "calendar_events", "batches")
    for table, column in (
        ("v2_runs", "started_at"),
        ("v2_pipeline_logs", "completed_at"),
        ("calendar_events", "at"),
    ):
        age(table, column, 5000)
    before = {table: query(f"select * from {table}") for table in tables}
    prune.prune(settings())
    assert {table: query(f"select * from {table}") for table in tables} == before


SMALL = {
    "gone_callbacks": ("insert into gone_callbacks (url, gone_at) values (:k, :at)", 180),
    "config_sync_history": (
        """insert into config_sync_history (v2_client_id, client_id, field, action, asked_by, at)
           values (:k, gen_random_uuid(), 'icp_config', 'to_v2', 'tests', :at)""",
        730,
    ),
    "signed_messages": ("insert into signed_messages (id, seen_at) values (:k, :at)", 1),
    "heartbeats": ("insert into heartbeats (process, place, seen_at) values ('worker', :k, :at)", 1),
}


@pytest.mark.parametrize("table", SMALL)
def test_other_rows_go_once_they_are_old(table):
    statement, days = SMALL[table]
    execute(statement, k="young", at=ago(days=days - 1, hours=23))
    execute(statement, k="old", at=ago(days=days, hours=1))
    prune.prune(settings())
    rest = [str(dict(row)) for row in query(f"select * from {table}") if row.get("process") != "prune"]
    assert len(rest) == 1
    assert "young" in rest[0]


def test_sessions_of_the_page_go_once_they_are_over():
    execute("insert into api_keys (id, name, scope, secret_hash) values ('a', 'a', 'read', '')")
    for token, at in (("x", ago(days=2)), ("y", now())):
        execute(
            "insert into page_sessions (token_hash, key_id, expires_at) values (:t, 'a', :at)",
            t=token.encode(),
            at=at,
        )
    prune.prune(settings())
    assert len(query("select from page_sessions")) == 1


def test_no_total_falls_when_rows_are_pruned_and_nothing_is_counted_twice():
    published("RUN_A")
    old = put(JobKind.CALLBACK, "error", 200)
    execute(
        """insert into job_attempts (job_id, epoch, attempt, worker, finished_at, outcome, error)
           values (:id, 1, 1, 'w', now() - interval '200 days', 'error', '{"code": "callback_failed"}')""",
        id=old,
    )

    def counted():
        with db.transaction() as session:
            return {(row.kind, row.outcome, row.code): row.total for row in totals(session)}

    before = counted()
    assert before == {("publish.run", "done", ""): 1, ("callback.send", "error", "callback_failed"): 1}
    for _ in range(2):
        prune.prune(settings())
        assert counted() == before
    assert not is_there(old)
    published("RUN_B")
    assert counted()["publish.run", "done", ""] == 2


def test_more_than_a_chunk_goes_in_several_transactions(monkeypatch):
    monkeypatch.setattr(prune, "CHUNK", 2)
    for number in range(5):
        put(JobKind.PREVIEW, "done", 8, f"{number}")
    opened = []
    transaction = db.transaction
    monkeypatch.setattr(db, "transaction", lambda: opened.append(threading.get_ident()) or transaction())
    found, is_all = prune.prune(settings())
    assert (found[0].rows, is_all) == (5, True)
    ours = opened.count(threading.get_ident())  # a bridge of this process may note its signs of life meanwhile
    assert ours == 1 + 3 + (len(prune.RULES) - 1) + 1, "totals, three chunks, the other rules, the sign"


def test_a_row_that_somebody_holds_is_not_waited_for():
    job_id = put(JobKind.PREVIEW, "done", 8)
    with db.engine().connect() as other:
        other.exec_driver_sql("select from jobs for update")
        prune.prune(settings())
        assert is_there(job_id)
    prune.prune(settings())
    assert not is_there(job_id)


def test_what_does_not_fit_into_the_time_is_left_and_not_taken_for_done():
    put(JobKind.PREVIEW, "done", 8)
    _, is_all = prune.prune(settings(), seconds=-1)
    assert not is_all
    with db.transaction() as session:
        assert prune.is_due(session)


def test_beats_hourly_look_prunes_once_a_day():
    from tasks.prune import prune_old  # noqa: PLC0415 - the task, not the module of the machine

    job_id = put(JobKind.PREVIEW, "done", 8)
    prune_old()
    assert not is_there(job_id)
    again = put(JobKind.PREVIEW, "done", 8)
    prune_old()
    assert is_there(again), "an hour later"
    execute("update heartbeats set seen_at = now() - interval '23 hours 1 minute' where process = 'prune'")
    prune_old()
    assert not is_there(again), "a day later"


def test_the_command_counts_or_deletes():
    job_id = put(JobKind.PREVIEW, "done", 8)
    counted = told(columnline("prune", "--dry-run", "--json"))
    assert (counted["dry_run"], counted["pruned"][0]) == (
        True,
        {"what": "previews and exports", "days": 7, "rows": 1},
    )
    assert is_there(job_id)
    assert "would go" in shown(columnline("prune", "--dry-run"))
    assert told(columnline("prune", "--json"))["pruned"][0]["rows"] == 1
    assert not is_there(job_id)


def test_how_long_what_is_kept_is_a_setting(setting):
    setting(keep_previews=1)
    job_id = put(JobKind.PREVIEW, "done", 2)
    prune.prune(settings())
    assert not is_there(job_id)
