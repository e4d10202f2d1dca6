"""Bodies that are no JSON, too much JSON, or JSON that means nothing, sent to every call that reads one."""

import gzip
import json

import anyio
import pytest

from models.jobs import Scope
from tests.conftest import SAMPLES
from tests.database.bridge.calls import READ_INTO_FIELDS, RUN, WITH_BODY, refusal

every_call = pytest.mark.parametrize("call", WITH_BODY, ids=str)
every_call_with_fields = pytest.mark.parametrize("call", READ_INTO_FIELDS, ids=str)

NO_JSON = {
    "a form": b"release_date=2026-01-20&wait=5",
    "an unescaped quote": b'{"a": "he said "hello""}',
    "NaN": b'{"a": NaN}',
    "200 levels of objects": b'{"a":' * 200 + b"1" + b"}" * 200,
    "latin-1": '{"a": "é"}'.encode("latin-1"),
}


@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
@every_call
def test_what_is_no_json_is_refused_by_every_call(bridge, call, body):
    problem = refusal(call.send(bridge, content=body), 400)
    assert (problem["code"], problem["retryable"]) == ("invalid_json", False)


def test_the_place_where_it_goes_wrong_is_shown_with_a_way_out(bridge):
    body = b'{\n  "release_date": "2026-01-20",\n  "note": "he said "hello" to us"\n}'
    problem = refusal(bridge.http.post(f"/columnline/publish/{RUN}", content=body), 400)
    assert "line 3, column 21, near" in problem["detail"]
    assert '"he said "hello" to us' in problem["detail"]
    assert "Create JSON" in problem["detail"]


def test_a_hundred_levels_are_stored(bridge):
    bodies = [b"[" * 100 + b"]" * 100, b'{"a":' * 100 + b"1" + b"}" * 100]
    for body in bodies:
        answer = bridge.http.put(f"/columnline/runs/{RUN}/outputs/DEEP", content=body)
        assert answer.status_code == 200, answer.text


@every_call
def test_a_body_of_6_mb_is_refused(bridge, call):
    body = json.dumps("x" * 6_000_000)
    problem = refusal(call.send(bridge, content=body), 413)
    assert problem["code"] == "payload_too_large"
    assert "5,000,000" in problem["detail"]


@every_call
def test_a_body_of_6_mb_that_does_not_say_its_length_is_refused_once_it_is_over_the_limit(bridge, call):
    sent = []

    def chunks():
        for _ in range(6000):
            sent.append(1)
            yield b" " * 1000

    refusal(call.send(bridge, content=chunks()), 413)


def test_a_body_that_does_not_arrive_is_given_up(bridge, monkeypatch):
    monkeypatch.setattr("worker.bridge.body.BODY_TIME", 0.05)
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/columnline/publish",
        "raw_path": b"/columnline/publish",
        "query_string": b"",
        "headers": [(b"host", b"bridge"), (b"x-api-key", bridge.keys[Scope.OPS].encode())],
        "state": {},
    }
    sent = []

    async def receive():
        await anyio.sleep_forever()

    async def send(message):
        sent.append(message)

    bridge.http.portal.call(bridge.http.app, scope, receive, send)
    start, body = sent
    assert (start["status"], json.loads(body["body"])["code"]) == (503, "unavailable")
    assert b"did not arrive" in body["body"]


def test_a_body_of_5_mb_is_taken(bridge):
    body = json.dumps("x" * 4_999_998)
    assert len(body) == 5_000_000
    answer = bridge.http.put(f"/columnline/runs/{RUN}/outputs/LARGE", content=body)
    assert answer.status_code == 200, answer.text


@every_call
def test_a_compressed_body_is_refused_unread(bridge, call):
    body = gzip.compress(json.dumps(call.body or {}).encode())
    problem = refusal(call.send(bridge, content=body, headers={"Content-Encoding": "gzip"}), 415)
    assert problem["code"] == "unsupported_encoding"


@pytest.mark.parametrize("encoding", ["br", "deflate", "identity, gzip", "GZIP", "x" * 1000, b"\xff"])
def test_an_encoding_of_any_name_is_refused(bridge, encoding):
    answer = bridge.http.post(f"/columnline/publish/{RUN}", content=b"{}", headers={"Content-Encoding": encoding})
    refusal(answer, 415)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json; charset=utf-8"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "text/html; charset=latin-1"},
        {"Content-Type": "nonsense", "Content-Encoding": "identity"},
        {},
    ],
)
@every_call
def test_json_is_read_whatever_its_content_type_says(bridge, call, headers):
    answer = call.send(bridge, content=json.dumps(call.body or {}).encode(), headers=headers)
    assert answer.is_success, answer.text


@every_call
def test_json_with_a_byte_order_mark_is_read(bridge, call):
    answer = call.send(bridge, content=b"\xef\xbb\xbf" + json.dumps(call.body or {}).encode())
    assert answer.is_success, answer.text


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"5", b"true", b'[{"a": 1}]', b'"\\ud800"'])
@every_call_with_fields
def test_json_that_is_no_object_is_refused(bridge, call, body):
    problem = refusal(call.send(bridge, content=body), 422)
    assert problem["code"] == "validation"
    assert "not a JSON object" in problem["detail"]


@pytest.mark.parametrize("body", [b"", b"  \n", b"null", b"{}"])
@every_call_with_fields
def test_no_body_is_an_empty_object(bridge, call, body):
    answer = call.send(bridge, content=body)
    if call.operation["requestBody"]["required"]:
        assert refusal(answer, 422)["code"] == "validation"
    else:
        assert answer.is_success, answer.text


@pytest.mark.parametrize("body", [b"", b" "])
def test_an_output_without_a_body_is_refused(bridge, body):
    problem = refusal(bridge.http.put(f"/columnline/runs/{RUN}/outputs/EMPTY", content=body), 400)
    assert "empty" in problem["detail"]


@pytest.mark.parametrize("body", [b"null", b"0", b"false", b'""', b"[]", b'"\\ud83d\\ude00"', b"1e-400", b"-0.0"])
def test_any_json_value_is_an_output(bridge, body):
    answer = bridge.http.put(f"/columnline/runs/{RUN}/outputs/ANY", content=body)
    assert answer.status_code == 200, answer.text


@every_call_with_fields
def test_a_key_that_comes_twice_is_refused(bridge, call):
    name = next(iter(call.body_schema["properties"]))
    problem = refusal(call.send(bridge, content=f'{{"{name}": null, "{name}": null}}'), 422)
    assert problem["code"] == "validation"
    assert f"'{name}' comes twice" in problem["detail"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("publish", '{"runs": [{"run_id": "A", "run_id": "B"}]}'),
        (f"runs/{RUN}/outputs", '{"outputs": [{"step_name": "A", "step_name": "B", "output": 1}]}'),
    ],
)
def test_a_key_that_comes_twice_in_one_of_many_is_refused(bridge, path, body):
    assert "comes twice" in refusal(bridge.http.post(f"/columnline/{path}", content=body), 422)["detail"]


def test_a_key_that_comes_twice_in_what_a_writer_sent_is_stored_and_told(bridge):
    doubled = '{"a": 1, "a": 2, "b": [{"c": 1, "c": 2}]}'
    sent = [
        bridge.http.put(f"/columnline/runs/{RUN}/outputs/DOUBLED", content=doubled),
        bridge.http.post(
            f"/columnline/runs/{RUN}/outputs",
            content=f'{{"outputs": [{{"step_name": "D", "output": {doubled}}}]}}',
        ),
        bridge.http.put(f"/columnline/runs/{RUN}", content=f'{{"seed_data": {doubled}}}'),
    ]
    for answer in sent:
        assert answer.status_code == 200, answer.text
        (warning,) = answer.json()["warnings"]
        assert warning["code"] == "key_doubled"
        assert "In 2 objects" in warning["detail"]


@pytest.mark.parametrize("name", ["expected_contacts", "client_id", "seed_data"])
@pytest.mark.parametrize("number", [10**400, 2**64, -(10**30), 1.5e308])
def test_a_huge_number_where_none_belongs_is_refused(bridge, name, number):
    answer = bridge.http.put(f"/columnline/runs/{RUN}", content=json.dumps({name: number}))
    assert refusal(answer, 422)["errors"][0]["field"] == name


def test_a_wide_body_is_read_in_bounded_time(bridge):
    for body in (b"[" + b"[]," * 50_000 + b"0]", b"[" + b'{"a":1,"a":2},' * 30_000 + b"0]"):
        answer = bridge.http.put(f"/columnline/runs/{RUN}/outputs/WIDE", content=body)
        assert answer.status_code == 200, answer.text


def test_as_many_runs_or_outputs_as_may_come_at_once_and_no_more(bridge):
    runs = {"runs": [{"run_id": f"NONE_{number}"} for number in range(501)]}
    outputs = {"outputs": [{"step_name": f"STEP_{number}", "output": 1} for number in range(501)]}
    for path, body in (("publish", runs), (f"runs/{RUN}/outputs", outputs)):
        (name,) = body
        assert refusal(bridge.http.post(f"/columnline/{path}", json=body), 422)["errors"][0]["field"] == name
    answer = bridge.http.post(f"/columnline/runs/{RUN}/outputs", json={"outputs": outputs["outputs"][:500]})
    assert answer.json()["stored"] == 500


def test_an_answer_about_many_runs_that_are_all_wrong_is_no_flood(bridge):
    answer = bridge.http.post("/columnline/publish", json={"runs": [{"run_id": "x" * 9000, "y": 1}] * 500})
    assert (answer.status_code, answer.json()["refused"]) == (202, 500)
    assert len(answer.content) < 1_000_000


def test_every_sample_is_taken_as_it_is(bridge):
    for path in sorted(SAMPLES.glob("run_*.json")):
        document = json.loads(path.read_text())
        run_id = document["run"]["run_id"]
        fields = {"client_id": document["run"]["client_id"], "seed_data": document["run"]["seed_data"]}
        bridge.http.put(f"/columnline/runs/{run_id}", json=fields).raise_for_status()
        outputs = [{key: step[key] for key in ("step_name", "step_id", "output")} for step in document["steps"]]
        bridge.http.post(f"/columnline/runs/{run_id}/outputs", json={"outputs": outputs}).raise_for_status()
