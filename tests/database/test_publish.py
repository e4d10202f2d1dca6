"""A publish as the app's tables show it: dossier, contacts, batch, run, and what an error leaves."""

import threading
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from models.jobs import JobKind, JobState
from models.orders import PublishOrder
from models.values import contact_id_of, dossier_id_of
from tasks.publish import publish_run
from tests.database.machine import ago, change
from tests.database.publishing import accept, dossier, execute, one, publish, query
from worker import claims, db, inbox, jobs
from worker.drain import drain
from worker.settings import settings

TORONTO = ZoneInfo("America/Toronto")  # the zone of CLT_NORTHWIND_001, whose release_hour is 7


def contacts(run_id):
    return query("select * from contacts where dossier_id = :id order by id", id=dossier_id_of(run_id))


@pytest.fixture
def run_id(sample):
    return sample("run_clean")["run"]["run_id"]


def test_a_run_becomes_a_ready_released_dossier_with_its_contacts_in_its_clients_batch(run_id):
    job = publish(run_id)
    assert (job.state, job.step, job.error) == (JobState.DONE, "complete", None)
    made = dossier(run_id)
    assert (made.id, made.pipeline_version, made.status) == (dossier_id_of(run_id), "v2", "ready")
    assert (made.company_name, made.company_domain) == ("Northgate Copper", "northgatecopper.example")
    assert (made.lead_score, made.timing_urgency) == (82, "HIGH")
    assert set(made.agents_completed) == {
        "find-lead",
        "enrich-contacts",
        "enrich-lead",
        "write-copy",
        "insight",
        "enrich-media",
    }
    assert made.released_at is not None
    people = contacts(run_id)
    assert {person.name for person in people} == {"Marta Lindqvist", "Devon Achterberg", "Priya Raman"}
    assert [person.name for person in people if person.is_primary] == ["Marta Lindqvist"]
    assert {person.id for person in people} == {contact_id_of(made.id, position) for position in range(3)}
    assert {entry["contact_id"] for entry in made.copy["outreach"]} == {str(person.id) for person in people}
    batch = one("select * from batches where id = :id", id=made.batch_id)
    assert batch.batch_number == f"V2_{datetime.now(TORONTO):%Y%m%d}"
    assert (batch.status, batch.total_dossiers, batch.completed_dossiers) == ("complete", 1, 1)
    assert one("select status from v2_runs where run_id = :r", r=run_id).status == "published"


def test_the_batch_is_that_of_the_clients_own_day(run_id):
    for zone in ("Pacific/Kiritimati", "Pacific/Niue"):  # 25 hours apart: one of them is not on UTC's day
        execute("update clients set timezone = :zone", zone=zone)
        execute("delete from jobs")
        execute("delete from dossiers")
        publish(run_id)
        number = one("select batch_number from batches b join dossiers d on d.batch_id = b.id").batch_number
        assert number == f"V2_{datetime.now(ZoneInfo(zone)):%Y%m%d}"


def test_a_time_zone_that_nobody_knows_counts_as_utc(run_id):
    execute("update clients set timezone = 'Mars/Olympus'")
    assert publish(run_id).state == JobState.DONE
    assert one("select batch_number from batches").batch_number == f"V2_{datetime.now(UTC):%Y%m%d}"


def test_a_release_date_ahead_hides_the_dossier_until_then(run_id):
    day = datetime.now(TORONTO).date() + timedelta(days=2)
    publish(run_id, release_date=day)
    assert (dossier(run_id).release_date, dossier(run_id).released_at) == (day, None)


def test_a_release_date_that_has_passed_releases_at_once(run_id):
    publish(run_id, release_date=date(2026, 1, 20))
    assert dossier(run_id).release_date == date(2026, 1, 20)
    assert dossier(run_id).released_at is not None


@pytest.mark.parametrize(("hours", "released"), [(-1, True), (1, False)])
def test_the_release_hour_is_that_of_the_clients_zone(run_id, hours, released):
    moment = datetime.now(TORONTO) + timedelta(hours=hours)
    execute("update clients set release_hour = :hour", hour=moment.hour)
    publish(run_id, release_date=moment.date())
    assert (dossier(run_id).released_at is not None) is released


def test_the_midnight_make_com_sends_is_read_in_the_clients_zone(run_id):
    publish(run_id, release_date=datetime(2031, 9, 17, 4, tzinfo=UTC))  # midnight of the 17th in Toronto
    assert dossier(run_id).release_date == date(2031, 9, 17)
    publish(run_id, release_date=datetime(2031, 9, 17, tzinfo=UTC), republish=True)
    assert dossier(run_id).release_date == date(2031, 9, 16)
    execute("update clients set timezone = 'America/Vancouver'")
    publish(run_id, release_date=datetime(2031, 9, 17, 4, tzinfo=UTC), republish=True)
    assert dossier(run_id).release_date == date(2031, 9, 16)


def test_a_number_beyond_all_bounds_in_an_output_does_not_keep_a_run_from_being_published(run_id):
    execute(
        "update v2_pipeline_logs set output = jsonb_set(output, '{usage}', ('1' || repeat('0', 400))::jsonb) "
        "where step_name = '10_WRITER_INTRO'"
    )
    assert publish(run_id).state == JobState.DONE


def test_a_client_is_found_by_its_slug_where_no_mapping_is_set_unless_mappings_must_be_explicit(sample, setting):
    run_id = sample("run_sloppy_json")["run"]["run_id"]
    setting(client_mapping="explicit")
    assert publish(run_id).held_reason == "client_unmapped"
    setting(client_mapping="slug")
    with db.transaction() as session:
        jobs.retry(session, settings(), jobs.find(session, JobKind.PUBLISH, run_id).id)
    list(drain())
    assert dossier(run_id).status == "ready"


def test_a_run_of_an_unmapped_client_is_held_and_published_once_it_is_mapped(sample):
    run_id = sample("run_unmapped_client")["run"]["run_id"]
    job = publish(run_id)
    assert (job.state, job.held_reason) == (JobState.HELD, "client_unmapped")
    assert query("select 1 from dossiers") == []
    execute("update v2_clients set production_client_id = (select id from clients limit 1) where slug is null")
    with db.transaction() as session:
        jobs.retry(session, settings(), job.id)
    list(drain())
    assert dossier(run_id).status == "ready"


def test_missing_outputs_are_waited_for_and_found_when_they_come(sample):
    document = sample("run_missing_writer")
    run_id = document["run"]["run_id"]
    job = publish(run_id)
    assert (job.state, job.attempt, job.error["code"]) == (JobState.WAITING, 0, "outputs_missing")
    strategy = next(s for s in sample("run_clean")["steps"] if s["step_name"] == "10_WRITER_STRATEGY")
    with db.transaction() as session:
        woken = inbox.store_outputs(session, run_id, [inbox.Output("10_WRITER_STRATEGY", strategy["output"])])
    assert woken.id == job.id
    list(drain())
    assert dossier(run_id).status == "ready"


def test_missing_outputs_beyond_the_deadline_are_an_error_dossier_that_names_them(sample):
    run_id = sample("run_missing_writer")["run"]["run_id"]
    job = publish(run_id)
    change(job.id, run_at=ago(1), waiting_since=ago(600))
    list(drain())
    made = dossier(run_id)
    assert (made.status, made.released_at, made.company_name) == ("error", None, "Halden Data Centers")
    assert made.error["code"] == "outputs_missing"
    assert "10_WRITER_STRATEGY" in made.error["detail"]
    run = one("select status, error_message from v2_runs where run_id = :r", r=run_id)
    assert run.status == "failed"
    assert "10_WRITER_STRATEGY" in run.error_message


def test_an_error_dossier_counts_in_its_batch_and_a_retry_revives_that_very_row(sample):
    document = sample("run_prose_only")
    run_id = document["run"]["run_id"]
    job = publish(run_id)
    assert job.error["code"] == "outputs_invalid"
    assert "10_WRITER_SIGNALS" in job.error["detail"]
    assert one("select total_dossiers, completed_dossiers from batches") == {
        "total_dossiers": 1,
        "completed_dossiers": 0,
    }
    good = next(s for s in sample("run_clean")["steps"] if s["step_name"] == "10_WRITER_SIGNALS")
    execute(
        "update v2_pipeline_logs set output = (select output from v2_pipeline_logs where step_id = :good) "
        "where run_id = :r and step_name = '10_WRITER_SIGNALS'",
        good=good["step_id"],
        r=run_id,
    )
    before = dossier(run_id)
    with db.transaction() as session:
        jobs.retry(session, settings(), job.id)
    list(drain())
    after = dossier(run_id)
    assert (after.id, after.batch_id) == (before.id, before.batch_id)
    assert (after.status, after.error) == ("ready", None)
    assert after.released_at is not None
    assert one("select total_dossiers, completed_dossiers from batches") == {
        "total_dossiers": 1,
        "completed_dossiers": 1,
    }
    assert one("select status from v2_runs where run_id = :r", r=run_id).status == "published"


def test_a_republish_replaces_content_and_contacts_and_keeps_ids_release_and_batch(run_id):
    publish(run_id, release_date=date(2026, 1, 20))
    execute("update batches set batch_number = 'V2_20200101'")
    before, people = dossier(run_id), contacts(run_id)
    execute("update dossiers set company_name = 'Changed by hand', status = 'archived'")
    execute("update contacts set title = 'Changed by hand'")
    (warning,) = publish(run_id, republish=True).warnings
    assert warning["code"] == "dossier_archived"
    assert "new run id" in warning["detail"]
    after = dossier(run_id)
    assert after.company_name == before.company_name
    assert after.status == "archived"
    for kept in ("id", "batch_id", "release_date", "released_at", "created_at"):
        assert after[kept] == before[kept], kept
    assert [(p.id, p.title) for p in contacts(run_id)] == [(p.id, p.title) for p in people]
    assert len(query("select 1 from batches")) == 1


def test_a_republish_that_fails_leaves_the_dossier_as_it_is(run_id):
    publish(run_id)
    before = dossier(run_id)
    execute("delete from v2_pipeline_logs where step_name = '10_WRITER_STRATEGY'")
    job_id = accept(run_id, republish=True)
    change(job_id, waiting_since=ago(600), error={"code": "outputs_missing"})
    list(drain())
    with db.transaction() as session:
        assert jobs.get(session, job_id).error["code"] == "outputs_missing"
    assert dossier(run_id) == before
    assert one("select status from v2_runs where run_id = :r", r=run_id).status == "published"


def test_behind_the_fence_a_published_dossier_is_not_written_over_by_a_second_publish(run_id):
    publish(run_id)
    before = dossier(run_id)
    execute(
        "update jobs set state = 'queued', settled_at = null, attempt = 0, run_at = now() where key = :r", r=run_id
    )
    list(drain())
    with db.transaction() as session:
        job = jobs.find(session, JobKind.PUBLISH, run_id)
    assert (job.state, job.error["code"]) == (JobState.ERROR, "internal")
    assert dossier(run_id) == before


def test_concurrent_first_publishes_of_a_day_make_one_batch_with_true_counts(sample):
    document = sample("run_clean")
    steps = document["steps"]
    run_ids = [f"RUN_{number}" for number in range(8)]
    with db.transaction() as session:
        for run_id in run_ids:
            inbox.register_run(session, run_id, {"client_id": "CLT_NORTHWIND_001"})
            outputs = [inbox.Output(s["step_name"], s["output"], f"{run_id}_{s['step_id']}") for s in steps]
            inbox.store_outputs(session, run_id, outputs)
    job_ids = [accept(run_id) for run_id in run_ids]
    start = threading.Barrier(len(job_ids))

    def work(job_id):
        start.wait()
        publish_run(job_id=str(job_id))

    threads = [threading.Thread(target=work, args=[job_id]) for job_id in job_ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert query("select total_dossiers, completed_dossiers from batches") == [
        {"total_dossiers": 8, "completed_dossiers": 8}
    ]


def test_a_preview_shows_what_a_publish_would_make_and_writes_nothing(run_id):
    with db.transaction() as session:
        job = inbox.accept_preview(session, settings(), PublishOrder(run_id=run_id, release_date=date(2031, 1, 2)))
    list(drain())
    with db.transaction() as session:
        shown = jobs.get(session, job.id)
    assert shown.state == JobState.DONE
    assert shown.result["dossier"]["company_name"] == "Northgate Copper"
    assert shown.result["dossier"]["release_date"] == "2031-01-02"
    assert len(shown.result["contacts"]) == 3
    assert query("select 1 from dossiers union all select 1 from batches") == []
    publish(run_id)
    for section in ("find_leads", "enrich_lead", "copy", "insight", "media", "sources"):
        assert dossier(run_id)[section] == shown.result["dossier"][section]


def test_a_preview_tells_at_once_what_is_missing(sample):
    run_id = sample("run_missing_writer")["run"]["run_id"]
    with db.transaction() as session:
        job = inbox.accept_preview(session, settings(), PublishOrder(run_id=run_id))
    list(drain())
    with db.transaction() as session:
        assert jobs.get(session, job.id).error["code"] == "outputs_missing"
    assert query("select 1 from dossiers") == []


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("run_clean", "done"),
        ("run_composer", "done"),
        ("run_mixed_envelopes", "done"),
        ("run_nulls_and_types", "done"),
        ("run_same_company_again", "done"),
        ("run_sloppy_json", "done"),
        ("run_missing_writer", "error outputs_missing"),
        ("run_prose_only", "error outputs_invalid"),
        ("run_unmapped_client", "held client_unmapped"),
    ],
)
def test_every_sample_ends_as_it_says(name, outcome, sample, setting):
    setting(outputs_deadline=0)
    job = publish(sample(name)["run"]["run_id"])
    assert " ".join(filter(None, [job.state, (job.error or {}).get("code")])) == outcome


def test_drain_works_off_what_a_dead_worker_left_behind_too(run_id):
    with db.transaction() as session:
        claims.claim(session, accept(run_id), JobKind.PUBLISH, timedelta(seconds=-1))
    list(drain())
    assert one("select state, lost from jobs") == {"state": "done", "lost": 1}
