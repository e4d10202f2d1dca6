"""A callback that may not be made is refused at the door, and nothing of its publish is accepted."""

import pytest

from tests.database.companies import execute, query, register

pytestmark = pytest.mark.usefixtures("clients")

BAD = [
    "http://hook.eu1.make.com/x",
    "https://evil.example/x",
    "https://hook.eu1.make.com.evil.example/x",
    "https://127.0.0.1/x",
    "https://[::1]/x",
    "https://user:password@hook.eu1.make.com/x",
    "https://hook.eu1.make.com:99999/x",
    "nonsense",
]


@pytest.mark.parametrize("url", BAD)
def test_a_publish_with_a_bad_callback_is_refused_and_not_accepted(http, url):
    register("R1")
    answer = http.post("/columnline/publish/R1", json={"callback_url": url})
    assert (answer.status_code, answer.json()["code"]) == (422, "callback_refused")
    assert "password@" not in answer.text
    assert query("select 1 from jobs") == []


def test_of_many_publishes_only_the_one_with_the_bad_callback_is_refused(http):
    runs = [
        {"run_id": register("R1"), "callback_url": "https://127.0.0.1/x"},
        {"run_id": register("R2"), "callback_url": "https://hook.eu1.make.com/x"},
    ]
    answer = http.post("/columnline/publish", json={"runs": runs}).json()
    assert (answer["accepted"], answer["refused"]) == (1, 1)
    assert answer["answers"][0]["error"]["code"] == "callback_refused"
    assert [job.key for job in query("select key from jobs")] == ["R2"]


def test_a_request_without_the_address_that_was_sent_before_is_no_other_request(http, setting):
    setting(outputs_deadline=0, callback_hosts="hook.eu1.make.com")
    url = "https://hook.eu1.make.com/x"
    register("R1")
    job_id = http.post("/columnline/publish/R1", json={"callback_url": url}).json()["job_id"]
    for end in ("queued", "error", "cancelled"):
        settled = "null" if end == "queued" else "now()"
        execute(f"update jobs set state = :s, settled_at = {settled}, error = '{{}}'", s=end)
        for _ in range(2):
            answer = http.post("/columnline/publish/R1", json={})
            assert (answer.status_code // 100, answer.json()["job_id"]) == (2, job_id), end
        assert query("select payload from jobs")[0].payload["callback_url"] == url


def test_a_republish_with_a_bad_callback_leaves_the_job_as_it_is(http):
    register("R1")
    http.post("/columnline/publish/R1")
    before = query("select * from jobs")
    answer = http.post("/columnline/publish/R1", json={"callback_url": BAD[0], "republish": True})
    assert answer.json()["code"] == "callback_refused"
    assert query("select * from jobs") == before


@pytest.mark.parametrize("url", ["", "null"])
def test_an_empty_address_is_no_address(http, url):
    register("R1")
    assert http.post("/columnline/publish/R1", json={"callback_url": url}).status_code == 202
    assert "callback_url" not in query("select payload from jobs")[0].payload
