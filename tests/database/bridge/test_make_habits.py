"""What Make.com sends for values that are missing, and in forms of its own."""

import json
from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy import select

from models.jobs import Job
from models.pipeline import V2PipelineLog, V2Run
from tests.database.bridge.calls import CALLS, RUN, refusal
from worker import db

EMPTY = ["", "null", None]
OPTIONAL = [
    pytest.param(call, place, name, id=f"{call}-{place}-{name}")
    for call in CALLS
    for place, name in call.optionals()
]


def payload(answer):
    with db.transaction() as session:
        return session.get(Job, answer.json()["job_id"]).payload


@pytest.fixture
def run_id(bridge, request):
    """A registered run of this test alone."""
    run_id = f"RUN_{abs(hash(request.node.nodeid))}"
    bridge.http.put(f"/columnline/runs/{run_id}", json={"client_id": "CLT_NORTHWIND_001"}).raise_for_status()
    return run_id


@pytest.mark.parametrize("value", EMPTY)
@pytest.mark.parametrize(("call", "place", "name"), OPTIONAL)
def test_empty_is_absent_in_every_optional_field(bridge, call, place, name, value):
    if place == "query" and value is None:
        value = "null"  # a query has no other
    answer = call.send(bridge, place=place, name=name, value=value)
    if str(call) == "retry_many" and name == "code":  # the example's one condition is gone
        assert "empty" in refusal(answer, 422)["detail"]
    elif str(call) == "map_client" and name == "production_client_id":  # the example's one way is gone
        assert "in one way" in refusal(answer, 422)["detail"]
    elif str(call) == "release" and name == "hold":
        assert refusal(answer, 422)["code"] == "validation"
    elif str(call) == "release" and name == "release_date":  # it would release at once, which nothing takes back
        assert refusal(answer, 422)["code"] == "release_date_invalid"
    else:
        assert answer.is_success, answer.text


@pytest.mark.parametrize("value", EMPTY)
def test_what_is_absent_leaves_a_run_as_it_is(bridge, run_id, value):
    known = {
        "client_id": "CLT_NORTHWIND_001",
        "seed_data": {"name": "Northwind"},
        "dossier_id": "DOSS_1",
        "batch_number": "7",
        "config_snapshot": {"a": 1},
        "expected_contacts": 3,
    }
    bridge.http.put(f"/columnline/runs/{run_id}", json=known).raise_for_status()
    bridge.http.put(f"/columnline/runs/{run_id}", json=dict.fromkeys(known, value)).raise_for_status()
    with db.transaction() as session:
        run = session.get(V2Run, run_id)
        assert {name: getattr(run, name) for name in known} == known


def test_an_option_that_is_empty_in_one_place_is_taken_from_the_other(bridge, run_id):
    query = {"release_date": "", "republish": "", "wait": ""}
    answer = bridge.http.post(
        f"/columnline/publish/{run_id}",
        params=query,
        json={"release_date": "2026-01-20", "republish": True, "wait": 0},
    )
    assert answer.status_code == 202, answer.text
    assert payload(answer) == {"run_id": run_id, "release_date": "2026-01-20", "republish": True}


@pytest.mark.parametrize(
    ("query", "body", "name"),
    [
        ({"release_date": "2026-01-20"}, {"release_date": "2026-01-21"}, "release_date"),
        ({"republish": "true"}, {"republish": False}, "republish"),
        ({"wait": "1"}, {"wait": 2}, "wait"),
    ],
)
def test_an_option_given_twice_with_two_values_is_refused(bridge, query, body, name):
    problem = refusal(bridge.http.post(f"/columnline/publish/{RUN}", params=query, json=body), 422)
    assert problem["errors"][0]["field"] == name


def test_an_option_given_twice_with_one_value_is_taken(bridge, run_id):
    answer = bridge.http.post(
        f"/columnline/publish/{run_id}", params={"release_date": "2026-01-20"}, json={"release_date": "01/20/2026"}
    )
    assert payload(answer)["release_date"] == "2026-01-20"


@pytest.mark.parametrize("place", ["params", "json"])
@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2026-01-20", "2026-01-20"),
        ("01/20/2026", "2026-01-20"),
        ("2026-01-20T00:00:00.000Z", "2026-01-20T00:00:00Z"),
        ("2026-01-20T05:00:00.000Z", "2026-01-20T05:00:00Z"),
        ("2026-01-20T00:00:00+02:00", "2026-01-19T22:00:00Z"),
        ("2026-01-20 00:00:00-05:00", "2026-01-20T05:00:00Z"),
    ],
)
def test_a_release_date_is_accepted_in_every_form_make_sends(bridge, run_id, place, sent, kept):
    answer = bridge.http.post(f"/columnline/publish/{run_id}", **{place: {"release_date": sent}})
    assert answer.status_code == 202, answer.text
    assert payload(answer)["release_date"] == kept


@pytest.mark.parametrize("place", ["params", "json"])
@pytest.mark.parametrize(
    "sent", ["tomorrow", "2026-02-30", "01/02/2026", "2026-01-20T00:00:00", "0001-01-01T00:00:00+14:00"]
)
def test_a_date_that_is_none_is_refused_with_what_to_send(bridge, place, sent):
    for path in (f"/columnline/publish/{RUN}", f"/columnline/publish/{RUN}/preview"):
        problem = refusal(bridge.http.post(path, **{place: {"release_date": sent}}), 422)
        assert problem["code"] == "release_date_invalid"
        assert problem["errors"][0]["field"] == "release_date"
        assert problem["errors"][0]["found"] == sent
        assert "2026-01-20" in problem["detail"]


@pytest.mark.parametrize(
    ("method", "path", "options", "what"),
    [
        (
            "GET",
            "jobs",
            {"params": {"since": "2026-11-29"}},
            "a moment with an offset, such as 2026-01-20T00:00:00Z",
        ),
        (
            "GET",
            "stats",
            {"params": {"until": "tomorrow"}},
            "a moment with an offset, such as 2026-01-20T00:00:00Z",
        ),
        ("GET", "dossiers", {"params": {"batch_date": "29.11.2026"}}, "a day, such as 2026-01-20"),
        ("PUT", f"runs/{RUN}", {"json": {"batch_number": 17}}, "it as text, in quotes"),
    ],
)
def test_what_is_of_the_wrong_kind_is_refused_with_what_to_send(bridge, method, path, options, what):
    problem = refusal(bridge.http.request(method, f"/columnline/{path}", **options), 422)
    assert f": send {what}" in problem["detail"]
    assert f": send {what}" in problem["errors"][0]["detail"]


def test_an_offset_whose_plus_a_query_made_a_space_is_refused(bridge):
    answer = bridge.http.post(f"/columnline/publish/{RUN}?release_date=2026-01-20T00:00:00+02:00")
    assert refusal(answer, 422)["code"] == "release_date_invalid"


def test_numbers_and_switches_come_as_text(bridge, run_id):
    answer = bridge.http.put(f"/columnline/runs/{run_id}", json={"expected_contacts": "3"})
    assert answer.json()["expected_contacts"] == 3
    answer = bridge.http.post(f"/columnline/publish/{run_id}", json={"republish": "true", "wait": "0"})
    assert payload(answer)["republish"] is True


def stored(run_id):
    with db.transaction() as session:
        steps = select(V2PipelineLog.step_id, V2PipelineLog.step_name, V2PipelineLog.output)
        found = session.execute(steps.where(V2PipelineLog.run_id == run_id).order_by(V2PipelineLog.step_id))
        return [tuple(row) for row in found]


def test_an_output_that_comes_twice_is_one_and_sent_anew_it_replaces(bridge, run_id):
    outputs = [{"step_name": "A", "step_id": f"{run_id}/x", "output": 1}] * 2
    answer = bridge.http.post(f"/columnline/runs/{run_id}/outputs", json={"outputs": outputs})
    assert (answer.status_code, answer.json()["stored"]) == (200, 1)
    for output in (2, 3):
        bridge.http.put(f"/columnline/runs/{run_id}/outputs/A", params={"step_id": f"{run_id}/x"}, json=output)
    assert stored(run_id) == [(f"{run_id}/x", "A", 3)]


def test_outputs_of_one_request_that_would_overwrite_each_other_are_refused_with_their_names(bridge, run_id):
    names = ["10_WRITER_INTRO", *["6_ENRICH_CONTACT_INDIVIDUAL"] * 3, *["10A_COPY"] * 2]
    outputs = [{"step_name": name, "output": number} for number, name in enumerate(names)]
    problem = refusal(bridge.http.post(f"/columnline/runs/{run_id}/outputs", json={"outputs": outputs}), 422)
    assert [(found["step"], found["field"]) for found in problem["errors"]] == [
        ("6_ENRICH_CONTACT_INDIVIDUAL", "step_id"),
        ("10A_COPY", "step_id"),
    ]
    assert f"as in {run_id}/6_ENRICH_CONTACT_INDIVIDUAL/1" in problem["detail"]
    assert stored(run_id) == []


def test_a_step_id_that_holds_another_step_is_refused_and_keeps_what_it_holds(bridge, run_id):
    mine, query = f"/columnline/runs/{run_id}/outputs", {"step_id": f"{run_id}-1"}
    bridge.http.put(f"{mine}/6_ENRICH_CONTACT_INDIVIDUAL", params=query, json=1).raise_for_status()
    problem = refusal(bridge.http.put(f"{mine}/10A_COPY", params=query, json=2), 422)
    assert (problem["code"], problem["errors"][0]["field"]) == ("validation", "step_id")
    assert f"'{run_id}-1' holds '6_ENRICH_CONTACT_INDIVIDUAL' of run '{run_id}'" in problem["detail"]
    assert f"as in {run_id}/10A_COPY/1" in problem["detail"]
    assert stored(run_id) == [(f"{run_id}-1", "6_ENRICH_CONTACT_INDIVIDUAL", 1)]


def test_a_step_id_of_another_run_is_refused(bridge, run_id):
    bridge.http.put(f"/columnline/runs/{RUN}/outputs/A", params={"step_id": "theirs"}, json=1).raise_for_status()
    answer = bridge.http.put(f"/columnline/runs/{run_id}/outputs/A", params={"step_id": "theirs"}, json=2)
    problem = refusal(answer, 422)
    assert problem["errors"][0]["field"] == "step_id"
    assert f"holds 'A' of run '{RUN}'" in problem["detail"]


def test_a_client_that_is_not_there_is_refused(bridge, run_id):
    problem = refusal(bridge.http.put(f"/columnline/runs/{run_id}", json={"client_id": "CLT_NOBODY"}), 404)
    assert (problem["code"], problem["errors"][0]["field"]) == ("client_not_found", "client_id")


def test_a_run_without_a_client_is_registered_but_not_published(bridge):
    assert bridge.http.put("/columnline/runs/WITHOUT_CLIENT").status_code == 201
    problem = refusal(bridge.http.post("/columnline/publish/WITHOUT_CLIENT"), 404)
    assert problem["code"] == "client_not_found"


@pytest.mark.parametrize("number", ["9" * 400, "-" + "9" * 4299, "18446744073709551616", "0.1"])
def test_a_number_is_stored_to_its_last_digit(bridge, run_id, number):
    body = f'{{"n": [{number}]}}'
    bridge.http.put(f"/columnline/runs/{run_id}/outputs/A", content=body).raise_for_status()
    bridge.http.put(f"/columnline/runs/{run_id}", content=f'{{"seed_data": {body}}}').raise_for_status()
    url = db.engine().url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "select output::text, seed_data::text from v2_pipeline_logs join v2_runs using (run_id) "
            "where run_id = %s",
            [run_id],
        ).fetchone()
    assert found == (body, body)
    assert bridge.http.get(f"/columnline/runs/{run_id}").status_code == 200
    assert bridge.http.post(f"/columnline/publish/{run_id}").status_code == 202


@pytest.mark.parametrize("since", ["2026-01-20", "2026-01-20T05:00:00", "yesterday", "٢٠٢٦"])
def test_a_moment_without_an_offset_is_no_filter(bridge, since):
    problem = refusal(bridge.http.get("/columnline/jobs", params={"since": since}), 422)
    assert problem["errors"][0]["field"] == "since"


@pytest.mark.parametrize(
    "since", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-20T05:00:00Z", "1768867200", "-1"]
)
def test_a_moment_however_far_is_a_filter(bridge, since):
    answer = bridge.http.get("/columnline/jobs", params={"since": since})
    assert answer.status_code == 200, answer.text
    retried = bridge.http.post("/columnline/jobs/retry", json={"since": since})
    assert retried.status_code == 200, retried.text


def test_a_job_accepted_since_a_moment_is_found(bridge):
    now = datetime.now(UTC).isoformat()
    assert bridge.http.get("/columnline/jobs", params={"since": "2020-01-01T00:00:00Z"}).json()["jobs"]
    assert json.dumps(bridge.http.get("/columnline/jobs", params={"since": now}).json()["jobs"]) == "[]"
