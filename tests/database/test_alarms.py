"""Each alarm of the runbook, provoked: it is silent just below its threshold, and fires just above it."""

import pytest
from sqlalchemy import text

from tests.alerts import ALERTS, firing
from tests.database import machine
from tests.database.command import columnline, shown, told
from tests.database.publishing import execute, register
from tests.database.rerunning import add_v2, started
from tests.database.rows import add, ago
from tests.database.sides import A, B, C, both, put
from tests.readme import code, rows
from worker import db, heartbeats, metrics, prune
from worker.errors import OutputsInvalid
from worker.settings import settings

pytestmark = pytest.mark.usefixtures("clients")


@pytest.fixture
def scrape(http, monkeypatch):
    """A function that scrapes the bridge of a system that is well but for what the test has done to it."""
    for process in heartbeats.PROCESSES:
        heartbeats.note(process, "here/1")
    heartbeats.note("prune", "all")

    def answer():
        metrics.measured.forget()
        return http.get("/metrics")

    yield answer
    metrics.measured.forget()


def heard(process, seconds):
    execute(
        "update heartbeats set seen_at = now() - make_interval(secs => :s) where process = :p",
        s=seconds,
        p=process,
    )


def job(state="queued", kind="publish.run", **columns):
    job_id = machine.accept()
    machine.change(job_id, kind=kind, state=state, **columns)
    return job_id


def publish_took(seconds):
    execute(
        """insert into job_attempts (job_id, epoch, attempt, worker, finished_at, outcome)
           values (:j, 0, 1, 'tests', now(), 'done')""",
        j=job("done", result={}, settled_at=text("now()"), created_at=ago(seconds=seconds)),
    )


def rerun_asked(seconds):
    execute(
        "insert into reruns (dossier_id, run_id, asked_by, requested_at) values (:d, :r, 'tests', :at)",
        d=add(run_id=f"OLD_{seconds}"),
        r=f"NEW_{seconds}",
        at=ago(seconds=seconds),
    )


def conflicts(number):
    for field in ("icp_config", "industry_research")[:number]:
        execute(
            """insert into config_sync_state (v2_client_id, field, conflict_since)
               values ('CLT_NORTHWIND_001', :f, now())""",
            f=field,
        )


PROVOKED = {  # what just does not set it off, and what does
    "NoWorker": (lambda: heard("worker", 80), lambda: heard("worker", 95)),
    "NoBeat": (lambda: heard("beat", 110), lambda: heard("beat", 125)),
    "JobsWait": (lambda: job(run_at=ago(seconds=290)), lambda: job(run_at=ago(seconds=305))),
    "LeaseOver": (
        lambda: job("running", leased_until=ago(seconds=50)),
        lambda: job("running", leased_until=ago(seconds=65)),
    ),
    "ReleaseLate": (lambda: add(release_at=ago(seconds=290)), lambda: add(release_at=ago(seconds=305))),
    "RunsHeld": (
        lambda: job("waiting", run_at=text("now() + interval '1 hour'")),
        lambda: job("held", held_reason="client_unmapped"),
    ),
    "JobsFail": (
        lambda: job("error", error={"code": "outputs_invalid"}, settled_at=ago(hours=25)),
        lambda: job("error", error={"code": "outputs_invalid"}, settled_at=ago(hours=23)),
    ),
    "PublishSlow": (lambda: publish_took(110), lambda: publish_took(150)),
    "RerunHangs": (lambda: rerun_asked(7100), lambda: rerun_asked(7300)),
    "ConfigConflict": (lambda: conflicts(0), lambda: conflicts(1)),
    "NotPruned": (lambda: heard("prune", 259_000), lambda: heard("prune", 259_300)),
}


def test_every_alarm_is_provoked_here():
    assert {*PROVOKED, "BridgeAway"} == set(ALERTS)


def test_a_system_that_is_well_sets_none_off(scrape):
    register("RUN_A")
    assert firing(scrape()) == set()


@pytest.mark.parametrize("alarm", PROVOKED)
def test_an_alarm_is_silent_just_before_and_fires_just_after_and_no_other_does(alarm, scrape):
    below, above = PROVOKED[alarm]
    below()
    assert firing(scrape()) == set()
    above()
    assert firing(scrape()) == {alarm}


def test_a_database_that_is_away_is_told_as_the_bridge_being_away(scrape, monkeypatch):
    assert firing(scrape()) == set()
    with db.transaction() as session:
        session.execute(text("alter table heartbeats rename to heartbeats_away"))
    assert firing(scrape()) == {"BridgeAway"}


def test_a_process_that_was_never_heard_of_sets_its_alarm_off(scrape):
    execute("delete from heartbeats where process in ('worker', 'beat')")
    assert firing(scrape()) == {"NoWorker", "NoBeat"}


def test_what_cures_not_pruned_ends_it(scrape):
    heard("prune", 259_300)
    assert firing(scrape()) == {"NotPruned"}
    prune.prune(settings())
    assert firing(scrape()) == set()


def cures(alarm):
    """The commands of the alarm's row in the runbook, each as the words that are typed after `columnline`."""
    (row,) = [row for row in rows("alarm") if code(row[0]) == [alarm]]
    return [typed.split()[1:] for typed in code(row[2]) if typed.startswith("columnline ")]


def test_what_cures_a_config_conflict_ends_it_field_by_field_and_touches_no_other(scrape):
    for field, v2, production in (
        ("icp_config", A, B),
        ("industry_research", A, B),
        ("research_context", None, C),
    ):
        put("v2", v2, field=field)
        put("production", production, field=field)
    columnline("clients", "sync")
    assert firing(scrape()) == {"ConfigConflict"}
    look, settle = cures("ConfigConflict")
    found = [(row["v2_client_id"], row["field"]) for row in told(columnline(*look, "--json"), 1)["differences"]]
    assert len(found) == 3
    expected = {"icp_config": (A, A), "industry_research": (A, B), "research_context": (None, C)}
    for (client, field), side in zip(found, ("v2", "production", "production"), strict=True):
        named = {"CLT_…": client, "F": field, "v2": side}
        assert "1 copied, 0 conflicts" in shown(columnline(*(named.get(word, word) for word in settle)))
        expected[field] = (A, A) if side == "v2" else (expected[field][1],) * 2
        assert {name: both(name) for name in expected} == expected
    assert firing(scrape()) == set()


def typed(words, **named):
    """The words of a cure, with what stands for a `…` or a name of ours in it filled in."""
    return columnline(*(named.get(word, word) for word in words))


def test_what_cures_runs_held_ends_it(scrape):
    job("held", held_reason="client_unmapped", client_id="CLT_UNMAPPED_001")
    assert firing(scrape()) == {"RunsHeld"}
    look, lead = cures("RunsHeld")
    assert "CLT_UNMAPPED_001" in shown(columnline(*look))
    assert "1 held jobs go on" in shown(typed(lead, **{"CLT_…": "CLT_UNMAPPED_001", "…": "northwind-steel"}))
    assert firing(scrape()) == set()


def test_what_cures_jobs_that_failed_finds_one_that_was_accepted_long_before_and_makes_it_due(scrape):
    failed = job(
        "error",
        error=OutputsInvalid("Mend it.").as_dict(),
        created_at=ago(days=9),
        settled_at=ago(hours=1),
    )
    assert firing(scrape()) == {"JobsFail"}
    look, retry = cures("JobsFail")
    assert "outputs_invalid" in shown(columnline(*look))
    assert shown(typed(retry, **{"…": "outputs_invalid"})).startswith("1 made due again")
    assert machine.read(failed).state == "queued"
    assert firing(scrape()) == set()


def test_what_cures_a_rerun_that_hangs_names_it_and_says_what_is_known(scrape, make):
    rerun = started(add_v2())
    execute("update reruns set requested_at = now() - interval '119 minutes'")
    (look,) = cures("RerunHangs")
    assert "Nothing needs you" in shown(columnline(*look))
    execute("update reruns set requested_at = now() - interval '121 minutes'")
    assert firing(scrape()) == {"RerunHangs"}
    said = " ".join(shown(columnline(*look)).split())
    assert f"{rerun.run_id} waiting rerun_timed_out: Make.com runs {rerun.run_id}" in said


@pytest.mark.parametrize("alarm", ALERTS)
def test_each_command_of_the_runbook_is_one_that_may_be_typed(alarm):
    for words in cures(alarm):
        result = typed(words, **{"CLT_…": "CLT_NORTHWIND_001", "RUN_…": "RUN_NOBODY", "F": "icp_config"})
        assert result.exit_code != 2, (words, result.output)
