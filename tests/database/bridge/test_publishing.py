"""What a publish means: one job per run whatever is sent twice, and what a second wish does."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import select, text

from models.jobs import Job, JobState
from models.production import Contact, Dossier
from tests.database.bridge.calls import refusal
from worker import db
from worker.drain import drain


def publish(http, run_id, status=None, **options):
    answer = http.post(f"/columnline/publish/{run_id}", json=options)
    if status is not None:
        assert answer.status_code == status, answer.text
    return answer


def settle():
    """Have every due job done."""
    return [job.key for job in drain()]


@pytest.fixture
def run_id(sample):
    """A finished run whose client is mapped."""
    return sample("run_clean")["run"]["run_id"]


def dossier(run_id):
    with db.transaction() as session:
        found = session.scalars(select(Dossier).where(Dossier.run_id == run_id)).one()
        contacts = session.scalars(select(Contact).where(Contact.dossier_id == found.id)).all()
        return found, sorted(contact.id for contact in contacts)


def test_a_publish_is_accepted_with_where_to_look_and_then_done(http, run_id):
    answer = publish(http, run_id, 202)
    job = answer.json()
    assert (job["status"], job["done"], job["duplicate"]) == ("queued", False, False)
    assert answer.headers["location"] == job["status_url"]
    assert int(answer.headers["retry-after"]) > 0
    assert settle() == [run_id]
    shown = http.get(answer.headers["location"]).json()
    assert (shown["status"], shown["ok"], shown["done"]) == ("done", True, True)
    found, contacts = dossier(run_id)
    assert (shown["dossier_id"], shown["contacts_created"]) == (str(found.id), len(contacts))
    assert [attempt["outcome"] for attempt in shown["attempts"]] == ["done"]


def test_the_same_request_again_answers_the_same_job(http, run_id):
    first = publish(http, run_id, 202).json()
    second = publish(http, run_id, 202).json()
    settle()
    third = publish(http, run_id, 200).json()
    assert {answer["job_id"] for answer in (first, second, third)} == {first["job_id"]}
    assert [answer["duplicate"] for answer in (first, second, third)] == [False, True, True]
    assert settle() == []


@pytest.mark.parametrize("done", [False, True])
def test_other_parameters_are_a_conflict_that_names_them(http, run_id, done):
    publish(http, run_id, 202, release_date="2026-01-20")
    if done:
        settle()
    before = dossier(run_id) if done else None
    for other in ({"release_date": "2026-01-21"}, {}):
        problem = refusal(publish(http, run_id, **other), 422)
        assert (problem["code"], problem["retryable"]) == ("publish_conflict", False)
        assert [(error["field"], error["found"]) for error in problem["errors"]] == [
            ("release_date", other.get("release_date"))
        ]
        assert "republish" in problem["detail"]
    assert settle() == ([] if done else [run_id])
    if done:
        assert dossier(run_id)[0].updated_at == before[0].updated_at


def test_the_same_moment_written_another_way_is_no_conflict(http, run_id):
    publish(http, run_id, 202, release_date="2026-01-20T05:00:00.000Z")
    assert publish(http, run_id, 202, release_date="2026-01-20T00:00:00-05:00").json()["duplicate"] is True


def test_a_republish_assembles_again_into_the_same_dossier_and_keeps_its_release(http, run_id):
    job = publish(http, run_id, 202, release_date="2090-01-20").json()
    settle()
    before, contacts = dossier(run_id)
    with db.transaction() as session:
        session.execute(text("update contacts set name = 'changed by hand'"))
    again = publish(http, run_id, 202, republish=True).json()
    assert (again["job_id"], again["duplicate"], again["status"]) == (job["job_id"], False, "queued")
    assert settle() == [run_id]
    after, contacts_after = dossier(run_id)
    assert (after.id, contacts_after, after.release_date, after.released_at) == (
        before.id,
        contacts,
        before.release_date,
        None,
    )
    with db.transaction() as session:
        assert session.scalar(text("select count(*) from contacts where name = 'changed by hand'")) == 0
    assert publish(http, run_id, 200).json()["duplicate"] is True


def test_a_republish_with_a_date_moves_the_release(http, run_id):
    publish(http, run_id, 202, release_date="2090-01-20")
    settle()
    publish(http, run_id, 202, republish=True, release_date="2090-02-20")
    settle()
    assert str(dossier(run_id)[0].release_date) == "2090-02-20"


def test_a_republish_of_what_was_never_published_publishes_it(http, run_id):
    publish(http, run_id, 202, republish=True)
    assert settle() == [run_id]
    assert dossier(run_id)[0].status == "ready"


@pytest.mark.parametrize("end", ["error", "cancelled"])
def test_a_job_in_error_or_cancelled_starts_over_with_what_is_asked_now(http, run_id, end):
    job = publish(http, run_id, 202, release_date="2090-01-20").json()
    error = '{"code": "internal", "title": "", "detail": "", "step": null, "field": null, "findings": []}'
    with db.transaction() as session:
        session.execute(
            text("update jobs set state = :end, settled_at = now(), error = cast(:error as jsonb)"),
            {"end": end, "error": error},
        )
    again = publish(http, run_id, 202, release_date="2090-03-01").json()
    assert (again["job_id"], again["duplicate"]) == (job["job_id"], False)
    assert (again["status"], again["attempt"], again["error"]) == ("queued", 0, None)
    assert settle() == [run_id]
    assert str(dossier(run_id)[0].release_date) == "2090-03-01"


def test_a_run_whose_outputs_cannot_be_used_ends_in_an_error_that_says_what_to_do(http, sample):
    run_id = sample("run_prose_only")["run"]["run_id"]
    job = publish(http, run_id, 202).json()
    settle()
    shown = http.get(f"/columnline/jobs/{job['job_id']}")
    assert shown.status_code == 200, "a job in error is an answer like any other"
    assert (shown.json()["ok"], shown.json()["status"], shown.json()["error"]["code"]) == (
        False,
        "error",
        "outputs_invalid",
    )
    assert publish(http, run_id, 202).json()["status"] == "queued"


def test_a_run_whose_client_is_not_mapped_is_held_and_retried_once_it_is(http, sample):
    run_id = sample("run_unmapped_client")["run"]["run_id"]
    job = publish(http, run_id, 202).json()
    settle()
    held = publish(http, run_id, 202, wait=55).json()
    assert (held["status"], held["held_reason"], held["duplicate"]) == ("held", "client_unmapped", True)
    assert (held["ok"], held["done"], held["retryable"]) == (True, False, True)
    assert "not mapped" in held["error"]["detail"]
    with db.transaction() as session:
        session.execute(
            text(
                "update v2_clients set production_client_id = (select id from clients order by name limit 1) "
                "where client_id = 'CLT_UNMAPPED_001'"
            )
        )
    retried = http.post(f"/columnline/jobs/{job['job_id']}/retry").json()
    assert (retried["status"], retried["duplicate"], retried["error"]) == ("queued", False, None)
    settle()
    assert http.get(f"/columnline/runs/{run_id}").json()["job"]["status"] == "done"


def test_outputs_that_come_late_wake_the_publish_that_waits_for_them(http, sample, setting):
    setting(outputs_deadline=600)
    document = sample("run_missing_writer")
    run_id = document["run"]["run_id"]
    publish(http, run_id, 202)
    settle()
    waiting = http.get(f"/columnline/runs/{run_id}").json()["job"]
    assert (waiting["status"], waiting["error"]["code"]) == ("waiting", "outputs_missing")
    clean = sample("run_clean")["steps"]
    stored = [
        http.put(f"/columnline/runs/{run_id}/outputs/{step['step_name']}", json=step["output"]).json()
        for step in clean
        if step["step_name"].startswith("10_WRITER")
    ]
    assert all(answer["woke_job"] for answer in stored)
    settle()
    assert http.get(f"/columnline/runs/{run_id}").json()["job"]["status"] == "done"
    late = http.put(f"/columnline/runs/{run_id}/outputs/10_WRITER_INTRO", json=clean[0]["output"]).json()
    assert late["woke_job"] is False


def test_of_many_runs_each_is_accepted_or_refused_by_itself_in_order(http, run_id, sample):
    other = sample("run_composer")["run"]["run_id"]
    entries = [
        {"run_id": run_id},
        {"run_id": "RUN_OF_NOBODY"},
        {"run_id": other, "release_date": "2090-01-20"},
        {"run_id": run_id},
        {"run_id": run_id, "release_date": "2090-01-20"},
        {"run_id": other, "release_date": "someday"},
        {"run_id": ""},
        {"run_id": 7},
        {"run_id": None},
        {"run_id": "\ud800"},
        {},
        "RUN",
        7,
        None,
        [],
        {"run_id": other, "wait": 5},
        {"run_id": other, "republish": "perhaps"},
    ]
    answer = http.post("/columnline/publish", content=json.dumps({"runs": entries}))
    assert answer.status_code == 202
    many = answer.json()
    assert (many["ok"], many["accepted"], many["refused"]) == (False, 3, 14)
    told = [(one["duplicate"], (one["error"] or {}).get("code")) for one in many["answers"]]
    assert told[:6] == [
        (False, None),
        (False, "run_not_found"),
        (False, None),
        (True, None),
        (False, "publish_conflict"),
        (False, "release_date_invalid"),
    ]
    assert {code for _, code in told[6:]} == {"validation"}
    assert [one["run_id"] for one in many["answers"][:3]] == [run_id, "RUN_OF_NOBODY", other]
    assert sorted(settle()) == sorted([run_id, other])
    again = http.post("/columnline/publish", json={"runs": [{"run_id": run_id}]}).json()
    assert (again["ok"], again["answers"][0]["status"], again["answers"][0]["duplicate"]) == (True, "done", True)


def test_a_preview_shows_what_would_come_out_and_writes_nothing(http, run_id):
    job = http.post(f"/columnline/publish/{run_id}/preview", json={"wait": 0, "release_date": "2026-01-20"}).json()
    settle()
    shown = http.get(f"/columnline/jobs/{job['job_id']}").json()
    assert (shown["status"], shown["dossier_id"]) == ("done", None)
    assert shown["result"]["dossier"]["company_name"]
    assert shown["result"]["dossier"]["release_date"] == "2026-01-20"
    assert shown["result"]["contacts"]
    with db.transaction() as session:
        assert session.scalar(select(Dossier.id)) is None
        assert session.scalar(select(Contact.id)) is None
    assert http.get(f"/columnline/runs/{run_id}").json()["job"] is None, "it is no publish"
    again = http.post(f"/columnline/publish/{run_id}/preview", json={"wait": 0}).json()
    assert again["job_id"] != job["job_id"], "what it would say changes with the outputs"


def test_a_job_that_is_queued_is_cancelled_once_and_not_done(http, run_id):
    job_id = publish(http, run_id, 202).json()["job_id"]
    first = http.post(f"/columnline/jobs/{job_id}/cancel").json()
    second = http.post(f"/columnline/jobs/{job_id}/cancel").json()
    assert (first["status"], first["ok"], first["done"], first["retryable"]) == ("cancelled", False, True, True)
    assert (first["duplicate"], second["duplicate"]) == (False, True)
    assert settle() == []


@pytest.mark.parametrize("state", ["running", "done", "error"])
def test_a_job_that_runs_or_has_ended_is_not_cancelled(http, run_id, state):
    job_id = publish(http, run_id, 202).json()["job_id"]
    values = {"state": state}
    with db.transaction() as session:
        session.execute(
            text(
                "update jobs set state = :state, result = '{}', error = '{}', "
                "leased_until = case when :state = 'running' then now() + interval '1 hour' end, "
                "settled_at = case when :state <> 'running' then now() end"
            ),
            values,
        )
    problem = refusal(http.post(f"/columnline/jobs/{job_id}/cancel"), 422)
    assert (problem["code"], problem["errors"][0]["field"]) == ("job_state_conflict", "state")
    retried = http.post(f"/columnline/jobs/{job_id}/retry").json()
    assert retried["duplicate"] is (state != "error")


def test_many_at_once_make_one_job_and_one_of_them_made_it(http, run_id):
    barrier = Barrier(20)

    def send(_):
        barrier.wait()
        return publish(http, run_id)

    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(send, range(20)))
    assert {answer.status_code for answer in found} == {202}
    assert len({answer.json()["job_id"] for answer in found}) == 1
    assert sorted(answer.json()["duplicate"] for answer in found) == [False] + [True] * 19
    with db.transaction() as session:
        assert len(session.scalars(select(Job)).all()) == 1


def test_of_two_different_wishes_at_once_one_wins_and_the_other_is_told(http, run_id):
    days = [f"2090-01-{day:02}" for day in range(1, 9)]
    barrier = Barrier(len(days))

    def send(day):
        barrier.wait()
        return publish(http, run_id, release_date=day)

    with ThreadPoolExecutor(len(days)) as pool:
        found = list(pool.map(send, days))
    statuses = sorted(answer.status_code for answer in found)
    assert statuses == [202] + [422] * 7
    assert {answer.json()["code"] for answer in found if answer.status_code == 422} == {"publish_conflict"}


def test_a_run_registered_by_many_at_once_is_one_run(http):
    barrier = Barrier(8)

    def send(number):
        barrier.wait()
        fields = {"client_id": "CLT_NORTHWIND_001", "batch_number": str(number)}
        return http.put("/columnline/runs/RUN_AT_ONCE", json=fields)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(send, range(8)))
    assert {answer.status_code for answer in found} == {200, 201}
    assert sorted(answer.json()["created"] for answer in found) == [False] * 7 + [True]


def test_outputs_stored_by_many_at_once_in_any_order_are_all_stored(http):
    http.put("/columnline/runs/RUN_AT_ONCE", json={"client_id": "CLT_NORTHWIND_001"}).raise_for_status()
    outputs = [{"step_name": f"STEP_{number:03}", "output": "x" * 1000} for number in range(60)]
    barrier = Barrier(8)

    def send(number):
        barrier.wait()
        sent = outputs if number % 2 else outputs[::-1]
        return http.post("/columnline/runs/RUN_AT_ONCE/outputs", json={"outputs": sent})

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(send, range(8)))
    assert {answer.status_code for answer in found} == {200}, [answer.text for answer in found]
    shown = http.get("/columnline/runs/RUN_AT_ONCE").json()["outputs"]
    assert sorted(step["step_name"] for step in shown) == [one["step_name"] for one in outputs]


def test_every_state_of_a_job_can_be_listed(http):
    for state in JobState:
        assert http.get("/columnline/jobs", params={"state": state}).json() == {
            "ok": True,
            "jobs": [],
            "next_cursor": None,
        }
    refusal(http.get("/columnline/jobs", params={"state": "lost"}), 422)
