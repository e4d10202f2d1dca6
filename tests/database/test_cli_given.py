"""The command line's new words: publish options, figures, refusals, and names that look like markup."""

import getpass
import os
from datetime import timedelta

import pytest

from tests.database.command import code_of, columnline, shown, told
from tests.database.publishing import LAKESHORE, NORTHWIND, dossier, everything, execute, publish, query, register
from tests.database.rows import add, add_batch, add_list, ago, ahead, set_drip
from worker.drain import drain

pytestmark = pytest.mark.usefixtures("clients")

NOBODY = "00000000-0000-4000-8000-000000000000"
ERROR = '{"code": "outputs_missing"}'


def published(*words):
    """Publish the run `RUN` with these words; returns its dossier."""
    (accepted,) = told(columnline("publish", register("RUN"), *words, "--json"))
    assert accepted["ok"], accepted
    list(drain())
    return dossier("RUN")


def test_a_publish_is_told_its_list_its_batch_and_what_it_replaces():
    hot, old = add_list("Hot"), add(run_id="OLD", released_at=ago(days=9))
    found = published("--list", "hot", "--batch-number", "W", "--supersedes", "OLD")
    assert (found.supersedes_dossier_id, dossier("OLD").status) == (old, "superseded")
    assert [row.list_id for row in query("select list_id from dossier_lists")] == [hot]
    assert [row.batch_number for row in query("select batch_number from batches")] == ["W"]


def test_what_a_publish_replaces_may_be_named_by_its_dossier_id():
    old = add(pipeline_version="v1", released_at=ago(days=9))
    assert published("--supersedes", old).supersedes_dossier_id == old


@pytest.mark.parametrize(("policy", "word", "linked"), [("explicit", "auto", True), ("auto", "none", False)])
def test_a_publish_says_whether_to_replace_the_companys_newest(setting, policy, word, linked):
    setting(supersede=policy)
    old = add(pipeline_version="v1", company_domain="acme.example", released_at=ago(days=9))
    assert published("--supersede", word).supersedes_dossier_id == (old if linked else None)


def test_a_publish_takes_a_drip_slot_and_a_republish_another_day():
    set_drip()
    assert published("--release-date", "drip").drip_position == 1
    (answer,) = told(columnline("publish", "RUN", "--republish", "--release-date", "2090-01-20", "--json"))
    assert answer["duplicate"] is False
    list(drain())
    assert str(dossier("RUN").release_date) == "2090-01-20"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--list", "Nowhere"), "list_not_found"),
        (("--supersedes", "OLD"), "dossier_not_found"),
        (("--supersedes", NOBODY), "dossier_not_found"),
        (("--supersedes", "OLD", "--supersede", "auto"), "validation"),
        (("--release-date", "drip"), "drip_unavailable"),
    ],
    ids=str,
)
def test_a_publish_that_is_refused_says_why_for_its_run_and_leaves_no_job(words, code):
    register("RUN")
    before = everything()
    (answer,) = told(columnline("publish", "RUN", "--json", *words), status=1)
    assert (answer["ok"], answer["error"]["code"]) == (False, code)
    assert code in shown(columnline("publish", "RUN", *words), status=1)
    assert everything() == before


@pytest.mark.parametrize(
    "words",
    [
        ("release",),
        ("archive",),
        ("dossiers", "--status", "lost"),
        ("dossiers", "--release", "soon"),
        ("dossiers", "--limit", "0"),
        ("releases", "--limit", "1001"),
        ("batch", "--limit", "0"),
        ("batch", "--follow"),
        ("stats", "--colour"),
        ("publish", "RUN", "--supersede", "always"),
    ],
    ids=str,
)
def test_wrong_usage_is_exit_status_two(words):
    assert columnline(*words).exit_code == 2


@pytest.mark.parametrize(
    "words",
    [
        ("dossiers", "RUN_NOBODY"),
        ("dossiers", NOBODY),
        ("release", "RUN_NOBODY"),
        ("release", NOBODY, "--hold"),
        ("archive", NOBODY),
        ("batch", NOBODY),
        ("batch", "7"),
        ("batch", "7", "--follow"),
        *[(command, "--client", "CLT_NOBODY") for command in ("dossiers", "releases", "batch", "stats")],
    ],
    ids=str,
)
def test_what_is_not_there_is_exit_status_three(words):
    code = code_of(columnline(*words, "--json"), 3)
    assert code.endswith("_not_found")
    result = columnline(*words)
    assert (result.exit_code, result.stdout) == (3, "")
    assert code in result.stderr


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (("release", "SOON", "--date", "someday"), 2, "release_date_invalid"),
        (("release", "SOON", "--date", "02/03/2026"), 2, "release_date_invalid"),
        (("release", "SOON", "--date", ""), 2, "release_date_invalid"),
        (("release", "SOON", "--date", "2090-01-20", "--hold"), 2, "validation"),
        (("release", "SOON", "--date", "drip"), 1, "drip_unavailable"),
        (("release", "SEEN", "--hold"), 1, "already_released"),
        (("release", "SEEN", "--date", "2090-01-20"), 1, "already_released"),
        (("release", "BAD"), 1, "dossier_not_ready"),
        (("archive", "BAD"), 1, "dossier_not_ready"),
        (("releases", "--until", "someday"), 2, "release_date_invalid"),
        (("releases", "--until", "drip"), 2, "validation"),
        (("dossiers", "--since", "soon"), 2, "validation"),
        (("dossiers", "--since", ""), 2, "validation"),
        (("dossiers", "--since", "drip"), 2, "validation"),
        (("export", "signals", "--batch-date", "someday", "--out", "none.csv"), 2, "validation"),
        (("dossiers", "--since", "99999999999d"), 2, "validation"),
        (("stats", "--since", "²d"), 2, "validation"),
        (("stats", "--since", "900000d"), 2, "validation"),
    ],
    ids=str,
)
def test_what_cannot_be_done_or_meant_has_its_code_and_exit_status_and_changes_nothing(words, status, code):
    add(run_id="SOON", release_at=ahead(days=1))
    add(run_id="SEEN", released_at=ago(days=1))
    add(run_id="BAD", status="error", error=ERROR)
    before = everything()
    assert code_of(columnline(*words, "--json"), status) == code
    assert everything() == before


def test_v1_and_v2_are_compared_with_rates_and_times():
    ended = ago(days=1)
    execute("insert into v2_runs (run_id, completed_at) values ('RUN', :m)", m=ended)
    add(run_id="RUN", created_at=ended + timedelta(seconds=90), released_at=ended + timedelta(seconds=3600))
    add(run_id="BAD", status="error", error=ERROR, client_id=LAKESHORE)
    add(pipeline_version="v1", created_at=ago(days=40))
    found = told(columnline("stats", "--json"))
    assert [(row["pipeline_version"], row["success_rate"]) for row in found["totals"]] == [("v2", 0.5)]
    line = next(line.split() for line in shown(columnline("stats")).splitlines() if line.startswith("v2"))
    assert line == ["v2", "1", "1", "50.0%", "90.0", "s", "(90.0", "s)", "1:00:00", "(1:00:00)"]
    assert "v1" in shown(columnline("stats", "--since", "50d"))
    days = shown(columnline("stats", "--days"))
    assert "Lakeshore Interiors" in days
    assert "Northwind Steel" in days
    alone = told(columnline("stats", "--json", "--client", "CLT_LAKESHORE_001"))["totals"]
    assert [(row["published"], row["success_rate"]) for row in alone] == [(0, 0.0)]
    empty = shown(columnline("stats", "--since", "0m"))
    assert "v2" not in empty


ODD = pytest.mark.parametrize("name", ["[red]", "[/red]", "x:a:y"])


@ODD
@pytest.mark.parametrize(
    ("words", "times"),
    [
        (("dossiers",), 6),
        (("dossiers", "RUN"), 3),
        (("dossiers", "NAME"), 3),
        (("releases",), 2),
        (("batch",), 4),
        (("batch", "NAME"), 2),
        (("batch", "NAME", "--follow"), 2),
        (("batch", "V1"), 2),
        (("stats", "--days"), 1),
        (("release", "NAME"), 0),
        (("status", "NAME"), 2),
        (("publish", "NAME"), 1),
    ],
    ids=str,
)
def test_names_that_look_like_markup_are_shown_as_they_are(words, times, name):
    publish(register(name, batch_number=name), batch_number=name)
    execute("update clients set name = :name where id = :id", name=name, id=NORTHWIND)
    (batch,) = query("select id from batches")
    add(run_id="RUN", company_name=name, batch_id=batch.id, release_at=ahead(days=1))
    add_batch("V1", status=name)
    if words[0] == "publish":
        execute("delete from jobs")
    result = columnline(*(name if word == "NAME" else word for word in words))
    assert result.exit_code == 0, result.output
    assert result.stdout.count(name) == times


def test_who_decided_is_recorded_with_the_name_of_the_user(monkeypatch):
    monkeypatch.setattr(getpass, "getuser", lambda: "[red]")
    add(run_id="RUN")
    shown(columnline("release", "RUN"))
    assert "command line, [red]" in shown(columnline("dossiers", "RUN"))


@ODD
def test_a_refusal_shows_what_was_given_as_it_is(name):
    assert name in shown(columnline("publish", name), status=1)
    for command in ("dossiers", "release", "archive", "batch"):
        result = columnline(command, name)
        assert result.exit_code == 3
        assert name in result.stderr


@pytest.mark.parametrize("error", [KeyError("getpwuid(): uid not found: 1234"), OSError("No username set")])
def test_a_user_without_a_name_is_recorded_by_number(monkeypatch, error):
    def nobody():
        raise error

    monkeypatch.setattr(getpass, "getuser", nobody)
    monkeypatch.setattr(os, "getuid", lambda: 1234)
    shown(columnline("release", add(), "--date", "2090-01-20"))
    (event,) = query("select asked_by from calendar_events")
    assert event.asked_by == "command line, uid 1234"
