"""Exports as jobs: written part by part under a claim, fetched later; killed, taken back, or kept long enough."""

import json
import subprocess
import sys
from datetime import timedelta
from uuid import UUID

import pytest
from celery.exceptions import Retry
from sqlalchemy import text

import tasks.export
from models.jobs import JobKind, JobState
from tasks.export import write_export
from tests.database.exporting import XLSX, dirty, published, read_csv, read_xlsx
from tests.database.machine import ago, change, read, tries
from tests.database.publishing import execute, one, query
from tests.database.rows import add
from tests.database.test_export_stream import Caller
from worker import claims, db, jobs, sweep
from worker.celery import QUEUE_OF, app
from worker.drain import drain
from worker.export import files, reading
from worker.settings import settings


def ask(http, status=202, **body):
    answer = http.post("/columnline/exports", json={"what": "dossiers"} | body)
    assert answer.status_code == status, answer.text
    return answer.json()


def fetch(http, job_id):
    return http.get(f"/columnline/exports/{job_id}/file")


def parts(job_id):
    return [
        row.position for row in query("select position from export_parts where job_id = :j order by 1", j=job_id)
    ]


@pytest.fixture
def five(clients, monkeypatch):
    """Five dossiers, each a page and a part of its own."""
    monkeypatch.setattr(reading, "PAGE", 1)
    monkeypatch.setattr(tasks.export, "PART_SIZE", 1)
    return [add(run_id=f"RUN_{n}", created_at=f"2026-01-0{n} 00:00Z") for n in range(1, 6)]


@pytest.mark.parametrize(("kind", "media_type"), [("csv", "text/csv; charset=utf-8"), ("xlsx", XLSX)])
@pytest.mark.parametrize("what", ["dossiers", "contacts", "signals"])
def test_a_job_writes_the_file_that_the_bridge_would_send(http, sample, what, kind, media_type):
    published(http, sample("run_clean"))
    dirty()
    job = ask(http, what=what, format=kind)
    assert (job["ok"], job["done"], job["status"], job["duplicate"], job["run_id"]) == (
        True,
        False,
        "queued",
        False,
        None,
    )
    list(drain())
    shown = http.get(f"/columnline/jobs/{job['job_id']}").json()
    assert (shown["status"], shown["error"]) == ("done", None)
    answer = fetch(http, job["job_id"])
    assert answer.headers["content-type"] == media_type
    assert answer.headers["content-disposition"] == f'attachment; filename="{what}.{kind}"'
    read_file = read_csv if kind == "csv" else read_xlsx
    rows = read_file(answer.content)
    assert rows == read_file(http.get(f"/columnline/export/{what}.{kind}").content)
    assert shown["result"] == {
        "rows": len(rows),
        "dossiers": 2,
        "bytes": len(answer.content),
        "file": f"/columnline/exports/{job['job_id']}/file",
    }


def test_conditions_and_the_byte_order_mark_travel_with_the_job(http, five):
    job = ask(
        http,
        ids=f"{five[0]},{five[3]}",
        bom=True,
        format="csv",
        since="2026-01-02T00:00:00Z",
        client_id="CLT_NORTHWIND_001",
    )
    list(drain())
    content = fetch(http, job["job_id"]).content
    assert content.startswith(b"\xef\xbb\xbf")
    assert [row["run_id"] for row in read_csv(content)] == ["RUN_4"]


def test_the_same_request_is_one_job_until_it_has_ended(http, five):
    first = ask(http)
    again = ask(http)
    assert (again["job_id"], again["duplicate"]) == (first["job_id"], True)
    assert ask(http, bom=True)["job_id"] != first["job_id"]
    list(drain())
    assert ask(http)["job_id"] != first["job_id"]


def test_a_file_is_there_once_the_job_is_done_and_for_a_week(http, five):
    job_id = ask(http)["job_id"]
    early = fetch(http, job_id)
    assert (early.status_code, early.json()["code"]) == (422, "job_state_conflict")
    list(drain())
    assert fetch(http, job_id).status_code == 200
    change(job_id, settled_at=ago(6 * 86400))
    ask(http, what="signals")
    list(drain())
    assert fetch(http, job_id).status_code == 200
    change(job_id, settled_at=ago(8 * 86400))
    ask(http, what="contacts")
    list(drain())
    late = fetch(http, job_id)
    assert (late.status_code, late.json()["code"]) == (404, "not_found")
    assert "7 days" in late.json()["detail"]


@pytest.mark.parametrize("sent", [0, 2])
def test_a_file_that_is_taken_away_while_it_is_sent_never_looks_whole(http, five, monkeypatch, sent):
    job_id = ask(http)["job_id"]
    list(drain())
    taken = files._part

    def take(job, position):
        if position == sent:
            execute("delete from export_parts")
        return taken(job, position)

    monkeypatch.setattr(files, "_part", take)
    caller = Caller(http, f"/columnline/exports/{job_id}/file")
    if sent:
        with pytest.raises(RuntimeError, match="response already started"):
            caller.get()
        assert len(caller.messages) == 1 + sent
        assert all(message.get("more_body") for message in caller.messages[1:])
    else:
        body, _ = caller.get()
        assert (caller.messages[0]["status"], json.loads(body)["code"]) == (404, "not_found")


def test_the_kind_has_a_task_a_queue_and_more_time_than_others():
    app.loader.import_default_modules()
    task = app.tasks[JobKind.EXPORT]
    assert QUEUE_OF["export.*"] == "export"
    assert settings().task_time_limit < task.soft_time_limit < task.time_limit


def test_the_parts_are_nobodys_but_the_owners_and_go_with_the_job(http, five):
    job_id = ask(http)["job_id"]
    list(drain())
    assert parts(job_id) == [0, 1, 2, 3, 4]
    assert one("select relrowsecurity as on from pg_class where relname = 'export_parts'").on
    assert not query(
        "select 1 from information_schema.table_privileges "
        "where table_name = 'export_parts' and grantee = 'PUBLIC'"
    )
    execute("delete from jobs where id = :id", id=job_id)
    assert parts(job_id) == []


SMALL = """
import tasks.export
from worker.drain import drain
from worker.export import files, reading
reading.PAGE = tasks.export.PART_SIZE = 1
list(drain())
"""


def killed():
    """Whether a process of its own, which works off what is due, was killed."""
    return subprocess.run([sys.executable, "-c", SMALL], capture_output=True, check=False).returncode == -9


@pytest.mark.parametrize(("point", "left"), [("export.part", []), ("step.complete", [0, 1, 2, 3, 4])])
def test_an_attempt_that_died_is_begun_again_from_nothing(http, five, monkeypatch, point, left):
    monkeypatch.setenv("COLUMNLINE_FAILPOINTS", f"{point}=kill")
    job_id = ask(http)["job_id"]
    assert killed()
    assert parts(job_id) == left
    assert fetch(http, job_id).status_code == 422
    execute("delete from dossiers where id = :id", id=five[0])
    change(job_id, leased_until=ago(1))
    with db.transaction() as session:
        assert sweep.rescue(session) == 1
    list(drain())
    assert tries(UUID(job_id)) == ["lost", "done"]
    assert parts(job_id) == [0, 1, 2, 3]
    assert len(read_csv(fetch(http, job_id).content)) == 4


def test_whoever_lost_the_claim_writes_no_further_part(http, five, monkeypatch):
    job_id, renew, renewed = UUID(ask(http)["job_id"]), claims.renew, []

    def renewing(session, held, lease):
        renewed.append(held.epoch)
        if len(renewed) == 4:  # for the third part: presumed dead, and in other hands since
            change(job_id, leased_until=ago(1))
            with db.transaction() as other:
                assert sweep.rescue(other) == 1
            with db.transaction() as other:
                assert claims.claim(other, job_id, JobKind.EXPORT, timedelta(seconds=90))
        renew(session, held, lease)

    monkeypatch.setattr(claims, "renew", renewing)
    write_export(job_id=str(job_id))
    assert len(renewed) == 4
    assert parts(job_id) == [0, 1]
    assert read(job_id).state == JobState.RUNNING
    assert tries(job_id) == ["lost", None]
    monkeypatch.setattr(claims, "renew", renew)
    change(job_id, leased_until=ago(1))
    with db.transaction() as session:
        sweep.rescue(session)
    list(drain())
    assert parts(job_id) == [0, 1, 2, 3, 4]
    assert read(job_id).state == JobState.DONE


def test_each_part_and_each_long_silence_renews_the_lease(http, five, monkeypatch):
    seen, renew = [], claims.renew

    def renewing(session, held, lease):
        seen.append(held.epoch)
        change(held.job_id, leased_until=text("now() + interval '1 second'"))
        renew(session, held, lease)
        left = "select leased_until > now() + interval '290 seconds' from jobs where id = :id"
        assert session.scalar(text(left), {"id": held.job_id})

    monkeypatch.setattr(claims, "renew", renewing)
    job_id = ask(http)["job_id"]
    list(drain())
    assert read(job_id).state == JobState.DONE
    assert len(seen) == 1 + 5
    seen.clear()
    monkeypatch.setattr(tasks.export, "_RENEWALS", 10**9)
    ask(http, format="xlsx")
    list(drain())
    assert len(seen) > 6, "also while nothing is written yet"


def test_another_waits_for_its_turn_without_using_attempts_up(http, five):
    first, second = ask(http)["job_id"], ask(http, bom=True)["job_id"]
    with db.transaction() as session:
        assert claims.claim(session, UUID(first), JobKind.EXPORT, timedelta(seconds=90))
    with pytest.raises(Retry):
        write_export(job_id=second)
    waiting = read(second)
    assert (waiting.state, waiting.attempt, waiting.error["code"]) == (JobState.WAITING, 0, "unavailable")
    assert "Another export" in waiting.error["detail"]
    change(first, state="queued", leased_until=None)
    change(second, run_at=ago(1))
    list(drain())
    assert [read(first).state, read(second).state] == [JobState.DONE, JobState.DONE]


def test_a_job_that_ends_in_error_leaves_no_part(http, five, monkeypatch):
    monkeypatch.setenv("COLUMNLINE_MAX_ATTEMPTS", "1")
    settings.cache_clear()
    before = reading._read

    def broken(order, asked):
        if asked == [five[1]]:
            raise ValueError("broken")
        return before(order, asked)

    monkeypatch.setattr(reading, "_read", broken)
    job_id = ask(http)["job_id"]
    list(drain())
    assert read(job_id).state == JobState.ERROR
    assert parts(job_id) == []
    assert fetch(http, job_id).json()["code"] == "job_state_conflict"
    monkeypatch.setattr(reading, "_read", before)
    with db.transaction() as session:
        jobs.retry(session, settings(), UUID(job_id))
    list(drain())
    assert len(read_csv(fetch(http, job_id).content)) == 5


def test_a_full_disk_is_waited_out_without_using_attempts_up(http, five, disk_full):
    job_id = ask(http, format="xlsx")["job_id"]
    with pytest.raises(Retry):
        write_export(job_id=job_id)
    waiting = read(job_id)
    assert (waiting.state, waiting.attempt, waiting.error["code"]) == (JobState.WAITING, 0, "unavailable")
    assert "No space left" in waiting.error["detail"]


def test_a_job_of_another_kind_has_no_file(http, sample):
    published(http, sample("run_clean"))
    job_id = one("select id from jobs where kind = 'publish.run'").id
    answer = fetch(http, job_id)
    assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")


def test_one_that_is_queued_can_be_cancelled_and_retried(http, five):
    job_id = ask(http)["job_id"]
    assert http.post(f"/columnline/jobs/{job_id}/cancel").json()["status"] == "cancelled"
    list(drain())
    assert parts(job_id) == []
    assert http.post(f"/columnline/jobs/{job_id}/retry").json()["status"] == "queued"
    list(drain())
    assert fetch(http, job_id).status_code == 200
