"""The command line about the calendar, batches and figures: what it shows, and its exit statuses."""

import getpass
import re
import threading
from datetime import UTC, datetime

import pytest

from tests.database.command import code_of, columnline, shown, told
from tests.database.publishing import LAKESHORE, NORTHWIND, accept, events, register
from tests.database.rows import add, add_batch, ago, ahead, set_drip
from worker import progress
from worker.cli import overview
from worker.drain import drain

pytestmark = pytest.mark.usefixtures("clients")


def test_dossiers_of_both_versions_are_listed_with_what_their_readers_see():
    batch = add_batch("7")
    add(pipeline_version="v1", company_name="Old", released_at=ago(days=1), created_at=ago(days=9))
    add(run_id="RUN_S", company_name="Soon", release_at=datetime(2090, 1, 20, 12, tzinfo=UTC), batch_id=batch)
    add(run_id="RUN_H", company_name="Held", client_id=LAKESHORE)
    add(run_id="RUN_E", company_name="Bad", status="error", error='{"code": "outputs_missing"}')
    text = shown(columnline("dossiers"))
    lines = {line.split()[1]: line for line in text.splitlines()[1:]}
    assert set(lines) == {"v1", "RUN_S", "RUN_H", "RUN_E"}
    assert "since " in lines["v1"]
    assert "from 2090-01-20 12:00:00Z" in lines["RUN_S"]
    assert lines["RUN_S"].rstrip().endswith("7")
    assert "Lakeshore Interiors" in lines["RUN_H"]
    assert "held" in lines["RUN_H"]
    assert "outputs_missing" in lines["RUN_E"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ((), ["BAD", "NEW", "OLD"]),
        (("--version", "v2"), ["BAD", "NEW"]),
        (("--client", "CLT_LAKESHORE_001"), ["NEW"]),
        (("--client", LAKESHORE), ["NEW"]),
        (("--status", "error"), ["BAD"]),
        (("--release", "scheduled"), ["NEW"]),
        (("--release", "released"), ["OLD"]),
        (("--company", "ol"), ["OLD"]),
        (("--since", "2d"), ["NEW"]),
        (("--limit", "1"), ["NEW"]),
    ],
    ids=str,
)
def test_dossiers_are_found_by_filters(words, found):
    add(pipeline_version="v1", company_name="OLD", released_at=ago(days=1), created_at=ago(days=9))
    add(run_id="BAD", company_name="BAD", status="error", error="{}", created_at=ago(days=3))
    add(run_id="NEW", company_name="NEW", client_id=LAKESHORE, release_at=ahead(days=1))
    assert sorted(row["company_name"] for row in told(columnline("dossiers", "--json", *words))) == found


def test_a_dossier_that_v1_itself_is_to_release_is_told_with_its_day():
    dossier_id = add(pipeline_version="v1", release_date="2090-01-20")
    assert "from 2090-01-20, by V1" in shown(columnline("dossiers", dossier_id))


def test_one_dossier_is_shown_with_its_history_by_its_run_or_its_id():
    dossier_id = add(run_id="RUN")
    columnline("release", "RUN", "--date", "2090-01-20")
    for name in ("RUN", dossier_id):
        answer = told(columnline("dossiers", name, "--json"))
        assert (answer["dossier_id"], len(answer["history"])) == (str(dossier_id), 1)
    text = shown(columnline("dossiers", "RUN"))
    for found in ("scheduled", f"command line, {getpass.getuser()}", "2090-01-20 12:00:00Z", "Northwind Steel"):
        assert found in text


def test_the_calendar_shows_what_comes_when_and_what_it_supersedes():
    set_drip()
    old = add(pipeline_version="v1", released_at=ago(days=9))
    first = add(run_id="A", company_name="First", release_at=ahead(days=2), supersedes_dossier_id=old)
    newer = add(run_id="B", company_name="Newer", release_at=ago(hours=1), supersedes_dossier_id=first)
    columnline("release", add(run_id="C", company_name="Third"), "--date", "drip")
    text = shown(columnline("releases", "--client", "CLT_NORTHWIND_001"))
    lines = {line.split()[3]: line for line in text.splitlines() if "Northwind" in line}
    assert str(old) in lines["Newer"]
    assert f"not shown: {newer} is newer" in lines["First"]
    assert "(drip)" in text
    assert "Free drip slots: " in text
    answer = told(columnline("releases", "--json", "--client", NORTHWIND, "--limit", "1"))
    assert [entry["run_id"] for entry in answer["releases"]] == ["B"]
    assert len(answer["free_slots"]) == 10


def test_until_a_day_is_what_readers_see_by_its_end_in_utc_and_no_more():
    for run_id, moment in (
        ("IN", "2090-01-20 23:59:59Z"),
        ("NEXT", "2090-01-21 00:00Z"),
        ("OUT", "2090-01-21 12:00Z"),
    ):
        add(run_id=run_id, release_at=moment)
    runs = [row["run_id"] for row in told(columnline("releases", "--json", "--until", "2090-01-20"))["releases"]]
    assert runs == ["IN"]


def test_until_a_moment_is_what_readers_see_by_then():
    add(run_id="IN", release_at="2090-01-20 12:00Z")
    add(run_id="OUT", release_at="2090-01-20 12:01Z")
    answer = told(columnline("releases", "--json", "--until", "2090-01-20T12:00:00Z"))
    assert [row["run_id"] for row in answer["releases"]] == ["IN"]


def test_a_dossier_is_released_now_once():
    add(run_id="RUN", release_at=ahead(days=3))
    assert "since " in shown(columnline("release", "RUN"))
    assert "(as before)" in shown(columnline("release", "RUN"))
    assert told(columnline("release", "RUN", "--json"))["duplicate"] is True
    assert events("RUN") == [("released", f"command line, {getpass.getuser()}", None, None)]


def test_a_dossier_is_put_on_another_day_held_and_archived():
    add(run_id="RUN")
    assert "from 2090-01-20 12:00:00Z" in shown(columnline("release", "RUN", "--date", "2090-01-20"))
    assert "(as before)" in shown(columnline("release", "RUN", "--date", "2090-01-20"))
    assert "held" in shown(columnline("release", "RUN", "--hold"))
    answer = told(columnline("archive", "RUN", "--json"))
    assert (answer["ok"], answer["duplicate"], answer["status"]) == (True, False, "archived")
    assert told(columnline("archive", "RUN", "--json"))["duplicate"] is True
    assert [event[0] for event in events("RUN")] == ["scheduled", "held", "archived"]


def test_batches_are_listed_and_one_is_found_by_its_number_or_id():
    add_batch("7", status="complete")
    batch = add_batch("8", LAKESHORE)
    add(client_id=LAKESHORE, batch_id=batch)
    text = shown(columnline("batch"))
    assert re.findall(r" (\d) +(?:pending|complete) ", text) == ["8", "7"]
    assert [row["batch_number"] for row in told(columnline("batch", "--json", "--client", LAKESHORE))] == ["8"]
    for name in ("8", batch):
        assert told(columnline("batch", name, "--json"))["total"] == 1
    assert str(batch) in shown(columnline("batch", "8"))


def test_a_batch_in_which_something_failed_is_exit_status_one():
    batch = add_batch("7")
    add(batch_id=batch, run_id="BAD", status="error", error="{}")
    assert told(columnline("batch", "7", "--json"), status=1)["failed"] == 1
    assert str(batch) in shown(columnline("batch", batch), status=1)


def test_a_number_that_two_clients_have_needs_the_client():
    add_batch("7")
    batch = add_batch("7", LAKESHORE)
    assert code_of(columnline("batch", "7", "--json")) == "validation"
    found = told(columnline("batch", "7", "--json", "--client", "CLT_LAKESHORE_001"))
    assert found["batch_id"] == str(batch)


@pytest.mark.parametrize("ends_well", [True, False])
def test_a_batch_is_followed_until_everything_in_it_has_ended(setting, monkeypatch, ends_well):
    setting(batch_strategy="run", outputs_deadline=0)
    monkeypatch.setattr(overview, "_LOOK", 0.01)
    register("RUN_1", batch_number="W")
    register("RUN_2", batch_number="W", outputs=ends_well)
    looks, looked = [], threading.Semaphore(0)
    look = progress.show

    def show(session, batch_id):
        found = look(session, batch_id)
        looks.append((found.status, found.completed + found.failed))
        looked.release()
        return found

    monkeypatch.setattr(progress, "show", show)
    answers = []
    following = threading.Thread(target=lambda: answers.append(columnline("batch", "W", "--follow", "--json")))
    following.start()
    for run_id in ("RUN_1", "RUN_2"):
        assert looked.acquire(timeout=30)
        assert looked.acquire(timeout=30), "it looks again"
        assert following.is_alive()
        accept(run_id)
        list(drain())
    following.join(30)
    answer = told(answers[0], status=0 if ends_well else 1)
    assert (answer["total"], answer["completed"], answer["failed"]) == (2, 2, 0) if ends_well else (2, 1, 1)
    assert looks[0] == ("pending", 0)
    assert looks[-1] == ("complete" if ends_well else "complete_with_errors", 2)
    assert [ended for _, ended in looks].count(2) == 1, "it ends at the first look that shows the end"
