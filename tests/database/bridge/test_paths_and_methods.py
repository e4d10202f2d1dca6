"""Paths and methods as senders get them wrong, and run ids as strange as they may be."""

from urllib.parse import quote

import pytest

from tests.database.bridge.calls import CALLS, DOCUMENT, PROBLEM, RUN, refusal

STRANGE_IDS = [
    "a/b",
    "a/../b",
    "%2F",
    "a b",
    "?x=1#y",
    "a&b=c",
    "Ünïcödé 東京",
    "👍",
    "..",
    "~",
    '"',
    "\\",
    "x" * 128,
]


def url(call, bridge):
    return call.path.format(**bridge.path_values)


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_no_path_ends_with_a_slash_and_nothing_is_redirected(bridge, call):
    answer = call.send(bridge, url=url(call, bridge) + "/", follow_redirects=False)
    assert refusal(answer, 404)["code"] == "not_found"


METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "PURGE"}
PATHS = sorted({call.path for call in CALLS} | {"/livez", "/readyz"})


def known_to(path):
    """The methods the path knows."""
    known = {name.upper() for name in DOCUMENT["paths"][path]}
    if path == "/columnline/jobs/retry":
        known |= {"GET"}  # where it is a job's id, and none
    return known | ({"HEAD"} if path in {"/livez", "/readyz"} else set())


@pytest.mark.parametrize(
    ("path", "method"), [(path, method) for path in PATHS for method in sorted(METHODS - known_to(path))]
)
def test_a_method_the_path_does_not_know_is_405_and_allow_names_those_it_knows(bridge, path, method):
    known = known_to(path)
    answer = bridge.http.request(method, path.format(**bridge.path_values))
    assert answer.status_code == 405
    assert answer.headers["content-type"] == PROBLEM
    assert set(answer.headers["allow"].split(", ")) | {"HEAD"} == known | {"HEAD"}
    if method != "HEAD":
        assert refusal(answer, 405)["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/columnline",
        "/columnline/",
        "/columnline/nothing",
        "/columnline/runs",
        "/columnline/runs/",
        "/nothing//",
        "/%00",
        "/columnline/runs//outputs/A",
        "/columnline/publish/A/B",
        "/columnline/jobs/a/b/c",
        "/%ED%A0%80",
        "/" + "x" * 9000,
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_path_that_is_none_is_404_and_is_shown_cut_short(bridge, path, method):
    problem = refusal(bridge.http.request(method, path), 404)
    assert problem["code"] == "not_found"
    assert len(problem["detail"]) < 300


@pytest.mark.parametrize("run_id", STRANGE_IDS)
def test_a_run_id_is_any_printable_text_and_means_one_run_on_every_path(bridge, run_id):
    path = f"/columnline/runs/{quote(run_id, safe='')}"
    path = path.replace("..", "%2E%2E")  # or the client would resolve it
    registered = bridge.http.put(path, json={"client_id": "CLT_NORTHWIND_001"})
    assert (registered.status_code, registered.json()["run_id"]) == (201, run_id)
    stored = bridge.http.put(f"{path}/outputs/{quote('a/b', safe='')}", json={})
    assert (stored.status_code, stored.json()["run_id"]) == (200, run_id)
    accepted = bridge.http.post(path.replace("/runs/", "/publish/"))
    assert (accepted.status_code, accepted.json()["run_id"]) == (202, run_id)
    again = bridge.http.post("/columnline/publish", json={"runs": [{"run_id": run_id}]}).json()["answers"][0]
    assert (again["job_id"], again["duplicate"]) == (accepted.json()["job_id"], True)
    shown = bridge.http.get(path).json()
    assert (shown["run_id"], shown["job"]["job_id"]) == (run_id, accepted.json()["job_id"])
    assert [step["step_name"] for step in shown["outputs"]] == ["a/b"]


def test_a_slash_in_a_run_id_does_not_lead_to_another_route(bridge):
    bridge.http.put("/columnline/runs/A%2Foutputs%2FB", json={"client_id": "CLT_NORTHWIND_001"})
    assert bridge.http.get("/columnline/runs/A%2Foutputs%2FB").json()["run_id"] == "A/outputs/B"
    refusal(bridge.http.put("/columnline/runs/A/outputs/B", json={}), 404)


@pytest.mark.parametrize(
    "job_id", ["x", "1", "retry", "00000000-0000-0000-0000-00000000000", "{job_id}", "%7B%7D"]
)
def test_a_job_id_that_is_none_is_refused(bridge, job_id):
    problem = refusal(bridge.http.get(f"/columnline/jobs/{job_id}"), 422)
    assert problem["errors"][0]["field"] == "job_id"


@pytest.mark.parametrize(
    "method_and_end", [("GET", ""), ("GET", "?wait=5"), ("POST", "/retry"), ("POST", "/cancel")]
)
def test_a_job_that_is_not_there_is_404(bridge, method_and_end):
    method, end = method_and_end
    answer = bridge.http.request(method, f"/columnline/jobs/00000000-0000-4000-8000-000000000000{end}")
    assert refusal(answer, 404)["code"] == "job_not_found"


@pytest.mark.parametrize(
    "call", [call for call in CALLS if "{run_id}" in call.path and str(call) != "register"], ids=str
)
def test_a_run_that_is_not_registered_is_404_with_what_to_do(bridge, call):
    problem = refusal(call.send(bridge, place="path", name="run_id", value="RUN_OF_NOBODY"), 404)
    assert problem["code"] == "run_not_found"
    assert "'RUN_OF_NOBODY'" in problem["detail"]
    assert "PUT /columnline/runs" in problem["detail"]


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health_answers_a_head_too(bridge, path):
    answer = bridge.http.head(path)
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("query", ["wait=1&wait=2", "&&&", "=", "wait", "wait=0&=x", "%FF=%FF", "a" * 20_000])
def test_a_query_of_any_shape_is_answered_with_no_fault_of_ours(bridge, query):
    answer = bridge.http.get(f"/columnline/runs/{RUN}?{query}".replace("wait=2", "wait=0"))
    assert answer.status_code in {200, 422}, answer.text


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_a_query_that_a_call_does_not_know_is_refused_not_ignored(bridge, call):
    problem = refusal(call.send(bridge, params="stepId=1"), 422)
    assert (problem["code"], problem["errors"][0]["field"]) == ("validation", "stepId")
    named = [f"`{each['name']}`" for each in call.operation.get("parameters", ()) if each["in"] == "query"]
    assert f"takes {', '.join(named) or 'nothing'}." in problem["detail"]


@pytest.mark.parametrize("accept", ["*/*", "text/html", "application/xml", "", "nonsense;;q=;"])
def test_json_is_answered_whatever_is_accepted(bridge, accept):
    answer = bridge.http.get("/columnline/jobs", headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")


@pytest.mark.parametrize(
    "host", ["bridge.example", "bridge.example:8443", "[::1]:80", "[::1", "a b", "é", "x" * 5000]
)
def test_a_host_of_any_shape_is_answered(bridge, host):
    answer = bridge.http.get(f"/columnline/jobs/{bridge.job_id}", headers={"Host": host.encode()})
    assert answer.status_code == 200, answer.text
    assert answer.json()["status_url"].endswith(f"/columnline/jobs/{bridge.job_id}")
