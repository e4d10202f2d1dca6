"""The job answer has the same keys, and values of the same kinds, whatever the outcome."""

import json

import pytest
from sqlalchemy import text

from worker import db

KEYS = [
    *("ok", "done", "retryable", "duplicate", "job_id", "run_id", "status", "step", "attempt", "max_attempts"),
    *("run_at", "held_reason", "error", "warnings", "dossier_id", "batch_id", "batch_number", "contacts_created"),
    *("pipeline_version", "release_date", "released_at", "supersedes_dossier_id", "list_ids", "created_at"),
    *("settled_at", "status_url"),
]
ERROR_KEYS = {"code", "title", "detail", "step", "field", "findings"}
STATES = ["queued", "running", "waiting", "held", "done", "error", "cancelled"]
ERROR = {
    "code": "outputs_missing",
    "title": "Required writer outputs are missing",
    "detail": "10_WRITER_INTRO never came.",
    "step": "10_WRITER_INTRO",
    "field": None,
    "findings": [],
    "retryable": True,
}
PUT_INTO = """
update jobs set state = :state,
  leased_until = case when :state = 'running' then now() + interval '1 hour' end,
  held_reason = case when :state = 'held' then 'client_unmapped' end,
  error = case when :state in ('waiting', 'held', 'error') then cast(:error as jsonb) end,
  result = case when :state = 'done' then cast(:result as jsonb) end,
  settled_at = case when :state in ('done', 'error', 'cancelled') then now() end,
  attempt = case when :state in ('queued', 'cancelled') then 0 else 1 end
"""


@pytest.fixture
def in_state(http, sample):
    """A function that makes a job in a state, and returns its run id and its id."""

    def make(state):
        run_id = sample("run_clean")["run"]["run_id"]
        job_id = http.post(f"/columnline/publish/{run_id}").json()["job_id"]
        result = {"dossier_id": "00000000-0000-4000-8000-000000000000", "contacts_created": 3}
        with db.transaction() as session:
            values = {"state": state, "error": json.dumps(ERROR), "result": json.dumps(result)}
            session.execute(text(PUT_INTO), values)
            session.execute(
                text(
                    "insert into job_attempts (job_id, epoch, attempt, worker, outcome, finished_at, error) "
                    "values (:job_id, 1, 1, 'w', 'retry', now(), cast(:error as jsonb))"
                ),
                {"job_id": job_id, "error": json.dumps(ERROR)},
            )
        return run_id, job_id

    return make


def look(answer):
    """The answer, after looking at its keys in their order and at what is in them."""
    assert list(answer)[: len(KEYS)] == KEYS
    assert all(isinstance(answer[name], bool) for name in ("ok", "done", "retryable", "duplicate"))
    assert all(isinstance(answer[name], int) for name in ("attempt", "max_attempts", "contacts_created"))
    assert all(isinstance(answer[name], list) for name in ("warnings", "list_ids"))
    assert answer["pipeline_version"] == "v2"
    if answer["error"] is not None:
        assert set(answer["error"]) == ERROR_KEYS
    return answer


@pytest.mark.parametrize("state", STATES)
def test_a_job_in_any_state_is_told_with_the_same_keys_wherever_it_is_told(http, in_state, state):
    run_id, job_id = in_state(state)
    detail = http.get(f"/columnline/jobs/{job_id}").json()
    told = [
        detail,
        http.get(f"/columnline/runs/{run_id}").json()["job"],
        *http.get("/columnline/jobs").json()["jobs"],
        http.post(f"/columnline/publish/{run_id}", json={"wait": 0}).json(),
        *http.post("/columnline/publish", json={"runs": [{"run_id": run_id}]}).json()["answers"],
    ]
    assert [look(answer)["job_id"] for answer in told] == [job_id] * 5
    assert {answer["status"] for answer in told[:3]} == {state}
    assert set(detail) == {*KEYS, "attempts", "result"}
    assert detail["attempts"][0]["error"] is not None
    assert set(detail["attempts"][0]["error"]) == ERROR_KEYS


@pytest.mark.parametrize(
    ("state", "ok", "done", "retryable", "status"),
    [
        ("queued", True, False, False, 202),
        ("running", True, False, False, 202),
        ("waiting", True, False, True, 202),
        ("held", True, False, True, 202),
        ("done", True, True, False, 200),
    ],
)
def test_ok_done_and_retryable_say_what_a_scenario_asks(http, in_state, state, ok, done, retryable, status):
    run_id, _ = in_state(state)
    answer = http.post(f"/columnline/publish/{run_id}")
    assert answer.status_code == status
    told = answer.json()
    assert (told["ok"], told["done"], told["retryable"], told["duplicate"]) == (ok, done, retryable, True)
    assert ("location" in answer.headers, "retry-after" in answer.headers) == (not done, not done)
    assert (told["settled_at"] is not None) == done
    assert (told["held_reason"] is not None) == (state == "held")


@pytest.mark.parametrize(("state", "retryable"), [("error", True), ("cancelled", True)])
def test_a_job_that_ended_badly_is_not_ok_and_is_still_an_answer(http, in_state, state, retryable):
    _, job_id = in_state(state)
    answer = http.get(f"/columnline/jobs/{job_id}")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["ok"], told["done"], told["retryable"]) == (False, True, retryable)


@pytest.mark.parametrize("state", STATES)
def test_retry_and_cancel_answer_with_the_same_keys(http, in_state, state):
    _, job_id = in_state(state)
    retried = look(http.post(f"/columnline/jobs/{job_id}/retry").json())
    assert retried["duplicate"] is (state in {"queued", "running", "done"})
    cancelled = http.post(f"/columnline/jobs/{job_id}/cancel")
    if state in {"running", "done"}:
        assert cancelled.status_code == 422
    else:
        assert look(cancelled.json())["status"] == "cancelled"


def test_a_refused_run_among_many_has_the_same_keys(http):
    answer = http.post(
        "/columnline/publish", json={"runs": [{"run_id": "RUN_OF_NOBODY"}, {"run_id": ""}, 5]}
    ).json()
    for told in map(look, answer["answers"]):
        assert (told["ok"], told["done"], told["job_id"], told["status"]) == (False, True, None, None)


def test_a_refused_run_is_told_under_its_whole_id(http):
    run_id = "x" * 128
    (told,) = http.post("/columnline/publish", json={"runs": [{"run_id": run_id}]}).json()["answers"]
    assert (told["run_id"], told["error"]["code"]) == (run_id, "run_not_found")


def test_a_preview_has_the_same_keys_and_its_result(http, sample):
    run_id = sample("run_clean")["run"]["run_id"]
    told = look(http.post(f"/columnline/publish/{run_id}/preview", json={"wait": 0}).json())
    assert set(told) == {*KEYS, "attempts", "result"}


def test_the_dossiers_release_batch_and_lists_are_told_as_they_are_now(http, in_state):
    run_id, _ = in_state("done")
    lists = ["00000000-0000-4000-8000-00000000000b", "00000000-0000-4000-8000-00000000000a"]
    with db.transaction() as session:
        session.execute(
            text(
                """
                with client as (select id from clients order by name limit 1),
                batch as (insert into batches (client_id, batch_number) select id, 'V2_20260115' from client
                          returning id),
                dossier as (insert into dossiers (id, client_id, batch_id, company_name, release_date)
                            select '00000000-0000-4000-8000-000000000000', client.id, batch.id, 'X', '2026-01-20'
                            from client, batch returning id),
                list as (insert into lists (id, client_id, name)
                         select unnest(cast(:lists as uuid[])), id, gen_random_uuid() from client returning id)
                insert into dossier_lists (dossier_id, list_id) select dossier.id, list.id from dossier, list
                """
            ),
            {"lists": lists},
        )
    for told in (
        http.get(f"/columnline/runs/{run_id}").json()["job"],
        http.get("/columnline/jobs").json()["jobs"][0],
    ):
        assert told["batch_number"] == "V2_20260115"
        assert (told["release_date"], told["released_at"]) == ("2026-01-20", None)
        assert (told["list_ids"], told["contacts_created"]) == (sorted(lists), 3)
    with db.transaction() as session:
        session.execute(text("update dossiers set released_at = '2026-01-20T12:00:00Z'"))
    told = http.get(f"/columnline/runs/{run_id}").json()["job"]
    assert told["released_at"] == "2026-01-20T12:00:00Z"
