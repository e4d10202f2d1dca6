"""The command line, as ops use it: what it prints for programs, and its exit statuses."""

import json

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from models.jobs import JobKind
from tests.conftest import SAMPLES, forget_cached
from worker import db, jobs
from worker.cli import app
from worker.settings import settings

pytestmark = pytest.mark.usefixtures("clients")


@pytest.fixture
def columnline():
    """A function that runs a command: `columnline("status")`, exit status and output."""
    runner = CliRunner()
    return lambda *words: runner.invoke(app, words, catch_exceptions=False)


def told(result, status=0):
    """What the command printed as JSON."""
    assert result.exit_code == status, result.output
    return json.loads(result.stdout)


@pytest.fixture
def run_id(columnline):
    """An imported run, not published yet."""
    return told(columnline("import", "--json", str(SAMPLES / "run_clean.json")))["run_ids"][0]


def publish(columnline, *names):
    paths = [str(SAMPLES / f"{name}.json") for name in names]
    run_ids = told(columnline("import", "--json", *paths))["run_ids"]
    columnline("publish", *run_ids)
    columnline("drain")
    return run_ids


def test_a_run_goes_from_a_file_to_a_dossier(columnline, run_id):
    (accepted,) = told(columnline("publish", "--json", run_id))
    assert (accepted["status"], accepted["done"]) == ("queued", False)
    assert told(columnline("drain", "--json")) == {"ok": True, "worked_off": 1}
    shown = told(columnline("status", "--json", run_id))
    assert (shown["status"], shown["contacts_created"]) == ("done", 3)
    assert [attempt["outcome"] for attempt in shown["attempts"]] == ["done"]
    assert told(columnline("status", "--json", shown["job_id"]))["run_id"] == run_id
    assert run_id in columnline("status", run_id).stdout.replace("\n", "")


def test_publishing_again_answers_the_same_job(columnline, run_id):
    (first,) = told(columnline("publish", "--json", run_id))
    (second,) = told(columnline("publish", "--json", run_id))
    assert second["duplicate"]
    assert second["job_id"] == first["job_id"]


def test_a_run_nobody_registered_is_refused_and_the_others_are_accepted(columnline, run_id):
    refused, accepted = told(columnline("publish", "--json", "RUN_NOBODY", run_id), status=1)
    assert (refused["ok"], refused["error"]["code"], refused["run_id"]) == (False, "run_not_found", "RUN_NOBODY")
    assert accepted["ok"]


@pytest.mark.parametrize("date", ["tomorrow", "2026-02-30", "02/03/2026", "2026-01-20T00:00:00"])
def test_a_date_that_is_none_is_refused_before_anything_is_accepted(columnline, run_id, date):
    answer = told(columnline("publish", "--json", run_id, "--release-date", date), status=2)
    assert answer["error"]["code"] == "release_date_invalid"
    assert columnline("status", run_id).exit_code == 3


def test_waiting_tells_the_outcome_of_each(columnline, run_id):
    columnline("publish", run_id)
    columnline("drain")
    (answer,) = told(columnline("publish", "--json", "--wait", run_id))
    assert answer["status"] == "done"


def test_errors_lists_what_needs_somebody_with_the_reason(columnline, setting):
    setting(outputs_deadline=0)
    publish(columnline, "run_clean", "run_missing_writer", "run_prose_only", "run_unmapped_client")
    found = told(columnline("errors", "--json"))
    assert {(entry["status"], entry["error"]["code"]) for entry in found} == {
        ("error", "outputs_missing"),
        ("error", "outputs_invalid"),
        ("held", "client_unmapped"),
    }
    assert "outputs_invalid" in columnline("errors").stdout
    assert told(columnline("errors", "--json", "--since", "0m")) == []
    assert len(told(columnline("errors", "--json", "--client", "CLT_LAKESHORE_001"))) == 1


def test_with_nothing_wrong_errors_says_so(columnline):
    assert "Nothing needs you" in columnline("errors").stdout


def test_retry_makes_a_failed_run_due_again(columnline):
    (run_id,) = publish(columnline, "run_prose_only")
    assert told(columnline("retry", "--json", run_id))["retried"] == 1
    assert told(columnline("status", "--json", run_id))["status"] == "queued"
    assert told(columnline("retry", "--json", run_id))["retried"] == 0


def test_retry_by_filter_takes_what_matches_and_refuses_an_empty_filter(columnline, setting):
    setting(outputs_deadline=0)
    publish(columnline, "run_missing_writer", "run_prose_only")
    assert told(columnline("retry", "--json"), status=2)["error"]["code"] == "validation"
    assert told(columnline("retry", "--json", "--code", "outputs_missing"))["retried"] == 1


def test_the_overview_counts_jobs_by_state(columnline, run_id):
    columnline("publish", run_id)
    overview = told(columnline("status", "--json"))
    assert (overview["jobs"]["queued"], overview["jobs"]["done"]) == (1, 0)
    assert overview["oldest_due"] is not None
    assert "queued" in columnline("status").stdout


def test_what_is_not_there_is_exit_status_three(columnline):
    assert columnline("status", "RUN_NOBODY").exit_code == 3
    assert columnline("keys", "revoke", "nobody").exit_code == 3


def test_a_key_is_shown_once_listed_without_its_secret_and_revoked(columnline):
    made = told(columnline("keys", "create", "make", "--scope", "publish", "--json"))
    assert made["key"].startswith("clk_")
    listed = columnline("keys", "list", "--json")
    assert made["key"].split("_", 2)[2] not in listed.stdout
    assert [(key["name"], key["revoked_at"]) for key in told(listed)] == [("make", None)]
    assert columnline("keys", "create", "make", "--scope", "read").exit_code == 1
    assert columnline("keys", "revoke", "make").exit_code == 0
    assert told(columnline("keys", "list", "--json"))[0]["revoked_at"] is not None


@pytest.mark.parametrize("name", ["[/x]", "[ops] prod", "it's \\[bold]"])
def test_a_key_may_have_any_name_that_can_be_read(columnline, name):
    assert columnline("keys", "create", name, "--scope", "read").exit_code == 0
    assert name in columnline("keys", "list").stdout
    assert repr(name) in columnline("keys", "revoke", name).stdout


def test_an_older_run_is_known_by_its_id_though_that_looks_like_a_dossiers(columnline, run_id, tmp_path):
    older, path = "7e4b8f0c6d3f4f579a550c1d7c1f3a11", tmp_path / "older.json"
    path.write_text((SAMPLES / "run_composer.json").read_text().replace("RUN_20260114_134554", older))
    columnline("import", str(path))
    columnline("publish", older)
    columnline("publish", run_id, "--supersedes", older)
    with db.transaction() as session:
        assert jobs.find(session, JobKind.PUBLISH, run_id).payload["supersedes_run_id"] == older


def test_a_retry_of_named_jobs_takes_no_filter_that_it_would_ignore(columnline, run_id):
    columnline("publish", run_id)
    error = told(columnline("retry", run_id, "--code", "internal", "--json"), status=2)["error"]
    assert error["code"] == "validation"


def test_a_file_that_is_no_run_is_refused_and_nothing_is_imported(columnline, tmp_path, run_id):
    stranger = tmp_path / "stranger.json"
    stranger.write_text("[1]")
    answer = told(columnline("import", "--json", str(SAMPLES / "run_composer.json"), str(stranger)), status=1)
    assert str(stranger) in answer["error"]["detail"]
    assert columnline("publish", "RUN_20260114_134554").exit_code == 1


def test_a_dossier_that_somebody_else_holds_is_exit_status_four_and_what_to_do(columnline, run_id, setting):
    setting(lock_timeout=0.1)
    columnline("publish", run_id)
    columnline("drain")
    with db.transaction() as session:
        session.execute(text("select id from dossiers for update"))
        answer = told(columnline("archive", run_id, "--json"), status=4)
    assert answer["error"]["detail"] == "Somebody else worked on the same rows. Run the command again."
    assert columnline("archive", run_id).exit_code == 0


def test_an_unreachable_database_is_exit_status_four(columnline, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/x")
    forget_cached()
    assert columnline("status").exit_code == 4


def test_wrong_settings_are_exit_status_two_and_all_named(columnline, monkeypatch):
    monkeypatch.setenv("COLUMNLINE_LEASE", "soon")
    monkeypatch.setenv("COLUMNLINE_LEASSE", "90")
    settings.cache_clear()
    result = columnline("publish", "x")
    assert result.exit_code == 2
    assert "COLUMNLINE_LEASE:" in result.stderr
    assert "did you mean COLUMNLINE_LEASE?" in result.stderr
