"""What Prometheus reads: from the database, behind a key, bounded, and true after whatever restart."""

import re

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from models.jobs import Scope
from tests.alerts import ALERTS, DASHBOARD, OBSERVABILITY, PROMETHEUS, named
from tests.database import machine
from tests.database.publishing import accept, execute, job_of, publish, published, register
from tests.database.rows import add, ago, ahead
from tests.readme import rows, sections
from worker import db, heartbeats, keys, metrics
from worker.page import figures

pytestmark = pytest.mark.usefixtures("clients")


@pytest.fixture(autouse=True)
def fresh():
    metrics.measured.forget()
    yield
    metrics.measured.forget()


def scraped(http):
    """The samples by name and labels."""
    metrics.measured.forget()
    answer = http.get("/metrics")
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_a_key_that_may_read_is_needed(http):
    with db.transaction() as session:
        key = keys.create(session, "prometheus", Scope.READ)
    assert http.get("/metrics", headers={"X-API-Key": ""}).status_code == 401
    answer = http.get("/metrics", headers={"X-API-Key": "", "Authorization": f"Bearer {key}"})
    assert answer.status_code == 200
    assert PROMETHEUS["scrape_configs"][0]["authorization"]["credentials_file"].startswith("/run/secrets/")


def test_it_is_prometheus_text_with_help_and_type_and_names_by_its_conventions(http):
    published("RUN_A")
    answer = http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    ours = [f for f in text_string_to_metric_families(answer.text) if f.name.startswith("columnline_")]
    assert len(ours) > 15
    for family in ours:
        assert family.documentation.endswith("."), family.name
        assert family.type in {"gauge", "counter"}
        assert re.fullmatch(r"[a-z][a-z_]+", family.name)
        assert all(s.name.endswith("_total") == (family.type == "counter") for s in family.samples)
    assert "process_resident_memory_bytes" in answer.text


def test_publishes_and_errors_are_counted_for_ever(http):
    published("RUN_A")
    publish(register("RUN_B", outputs=False))  # waits
    execute("update jobs set waiting_since = now() - interval '1 day', run_at = now() where key = 'RUN_B'")
    publish("RUN_B")
    assert job_of("RUN_B").state == "error"
    found = scraped(http)
    assert found["columnline_jobs_done_total", "publish.run"] == 1
    assert found["columnline_jobs_failed_total", "outputs_missing", "publish.run"] == 1
    assert found["columnline_errors_last_day", "outputs_missing", "publish.run"] == 1
    assert found["columnline_jobs", "error", "publish.run"] == 1
    assert 0 <= found["columnline_publish_seconds", "0.5"] < 60
    published("RUN_A", republish=True)
    assert scraped(http)["columnline_jobs_done_total", "publish.run"] == 2


def test_a_publish_that_took_days_is_measured_once_it_ends_and_one_that_is_made_again_is_not(http):
    register("RUN_A")
    accept("RUN_A")
    execute("update jobs set created_at = now() - interval '3 days'")
    publish("RUN_A")
    assert scraped(http)["columnline_publish_seconds", "0.95"] == pytest.approx(3 * 86400, abs=60)
    published("RUN_B")
    assert scraped(http)["columnline_publish_seconds", "0.5"] == pytest.approx(1.5 * 86400, abs=60)
    execute("update job_attempts set finished_at = finished_at - interval '61 minutes'")
    assert ("columnline_publish_seconds", "0.5") not in scraped(http)
    publish("RUN_A", republish=True)
    assert ("columnline_publish_seconds", "0.5") not in scraped(http), "nobody waited three days for that"
    execute("delete from job_attempts where epoch = 1")
    assert ("columnline_publish_seconds", "0.5") not in scraped(http), "nor where its first attempt was pruned"


@pytest.mark.parametrize("statement", [metrics._TIMES, figures._BY_HOUR], ids=["metrics", "page"])
def test_the_publishes_of_the_last_hours_are_found_by_an_index(http, statement):
    execute(
        """with made as (
             insert into jobs (kind, key, payload, max_attempts, deadline_at, state, result, settled_at)
             select 'publish.run', n::text, '{}', 8, now(), 'done', '{}', now() - make_interval(hours => n)
             from generate_series(1, 5000) n returning id, settled_at)
           insert into job_attempts (job_id, epoch, attempt, worker, finished_at, outcome)
           select id, 0, 1, 'tests', settled_at, 'done' from made"""
    )
    execute("analyze jobs, job_attempts")
    with db.transaction() as session:
        plan = "\n".join(session.scalars(text(f"explain {statement}")))
    assert "job_attempts_ended_idx" in plan
    assert "Seq Scan" not in plan


def test_jobs_are_counted_by_kind_and_state_and_the_oldest_that_is_due_is_told(http):
    machine.change(machine.accept(), run_at=machine.ago(50))
    machine.change(machine.accept(), run_at=ahead(hours=1))
    machine.change(machine.accept(), state="running", leased_until=machine.ago(20))
    found = scraped(http)
    assert found["columnline_jobs", "queued", machine.KIND] == 2
    assert found["columnline_jobs", "running", machine.KIND] == 1
    assert 50 <= found["columnline_oldest_due_seconds", machine.KIND] < 60
    assert found["columnline_oldest_due_seconds", "publish.run"] == 0
    assert 20 <= found["columnline_lease_overdue_seconds",] < 30


def test_held_jobs_callbacks_reruns_releases_and_conflicts_are_told(http):
    for number, client in enumerate(("CLT_A", "CLT_A", "CLT_B")):
        execute(
            """insert into jobs (kind, key, client_id, payload, max_attempts, deadline_at, state, held_reason)
               values ('publish.run', :k, :c, '{}', 8, now(), 'held', 'client_unmapped')""",
            k=f"{number}",
            c=client,
        )
    execute(
        """insert into jobs (kind, key, payload, max_attempts, deadline_at, state)
           select 'callback.send', state, '{}', 8, now(), state from unnest(array['waiting', 'queued']) state"""
    )
    late, _ = add(run_id="LATE", release_at=ago(seconds=100)), add(release_at=ahead(days=1))
    execute(
        """insert into reruns (dossier_id, run_id, asked_by, requested_at)
           values (:d, 'RUN_R', 'tests', now() - interval '1 hour')""",
        d=late,
    )
    execute(
        """insert into config_sync_state (v2_client_id, field, conflict_since)
           values ('CLT_NORTHWIND_001', 'icp_config', now())"""
    )
    found = scraped(http)
    assert found["columnline_jobs_held", "client_unmapped"] == 3
    assert found["columnline_clients_held",] == 2
    assert found["columnline_callbacks_outstanding",] == 2
    assert found["columnline_releases_scheduled",] == 2
    assert 100 <= found["columnline_release_overdue_seconds",] < 110
    assert found["columnline_reruns_open",] == 1
    assert 3600 <= found["columnline_rerun_oldest_seconds",] < 3610
    assert found["columnline_config_conflicts",] == 1


def test_processes_are_told_from_whatever_machine_and_silence_is_endless(http):
    for place in ("a/1", "b/1"):
        heartbeats.note("worker", place)
    execute("update heartbeats set seen_at = now() - interval '91 seconds' where place = 'b/1'")
    found = scraped(http)
    assert found["columnline_processes", "worker"] == 1
    assert found["columnline_heartbeat_age_seconds", "worker"] < 5
    assert found["columnline_processes", "beat"] == 0
    assert found["columnline_heartbeat_age_seconds", "beat"] == float("inf")
    assert found["columnline_processes", "bridge"] == 1, "the one that answers"


def test_who_asks_often_costs_the_database_nothing_more(http):
    before = http.get("/metrics").text
    machine.accept()
    ours = [line for line in before.splitlines() if line.startswith("columnline_")]
    again = http.get("/metrics").text
    assert [line for line in again.splitlines() if line.startswith("columnline_")] == ours
    assert scraped(http)["columnline_jobs", "queued", machine.KIND] == 1


def test_labels_name_no_run_no_client_and_no_host(http):
    published("RUN_A")
    answer = http.get("/metrics").text
    assert not re.search("RUN_A|NORTHWIND|6f0d5c1e", answer)
    names = {
        name
        for family in text_string_to_metric_families(answer)
        if family.name.startswith("columnline_")
        for sample in family.samples
        for name in sample.labels
    }
    assert names <= {"kind", "state", "reason", "code", "process", "quantile", "version", "schema"}


@pytest.fixture
def told(http):
    """Every name that `/metrics` tells, where each has a sample."""
    published("RUN_A")
    publish(register("RUN_B", outputs=False))
    execute("update jobs set waiting_since = now() - interval '1 day', run_at = now() where key = 'RUN_B'")
    publish("RUN_B")
    execute(
        """insert into jobs (kind, key, payload, max_attempts, deadline_at, state, held_reason)
           values ('publish.run', 'H', '{}', 8, now(), 'held', 'client_unmapped')"""
    )
    return {name for name, *_ in scraped(http)} | {"up"}


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_names_metrics_that_are_told_and_a_row_of_the_runbook(alert, told):
    rule = ALERTS[alert]
    assert named(rule["expr"])
    assert named(rule["expr"]) <= told
    assert rule["for"]
    assert rule["labels"]["severity"] in {"page", "ticket"}
    file, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert file == "README.md"
    assert anchor in {heading.lower().replace(" ", "-") for heading in sections()}
    assert f"`{alert}`" in [name for name, *_ in rows("alarm")]
    assert rule["annotations"]["summary"].endswith(".")


def test_the_runbook_has_every_alert_and_no_other():
    assert [name.strip("`") for name, *_ in rows("alarm")] == list(ALERTS)


def test_every_panel_of_the_dashboard_shows_metrics_that_are_told(told):
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"]) > 10
    for panel in DASHBOARD["panels"]:
        assert panel["title"]
        assert panel["description"]
        for target in panel["targets"]:
            assert named(target["expr"]), panel["title"]
            assert named(target["expr"]) <= told, panel["title"]


def test_the_dashboard_reads_from_the_source_that_is_provided():
    (source,) = yaml.safe_load((OBSERVABILITY / "grafana" / "datasources.yml").read_text())["datasources"]
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {source["uid"]}
