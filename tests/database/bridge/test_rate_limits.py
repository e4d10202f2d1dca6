"""How often one may call, as callers see it: each key for itself, and before the database is asked."""

from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event
from standardwebhooks.webhooks import Webhook

from models.jobs import Scope
from tests.database.bridge.calls import DOCUMENT, RUN, refusal
from worker import db
from worker.bridge.rates import Rates

SECRET = "whsec_b25lIHNlY3JldCBvZiB0ZXN0cyBvZiByYXRlcw=="
WRONG = {"webhook-id": "x", "webhook-timestamp": "1", "webhook-signature": "v1,x"}
GUESS = {"X-API-Key": "clk_000000000000_" + "x" * 43}


@pytest.fixture
def limited(bridge, setting, monkeypatch):
    """A function that sets limits, with nothing counted yet, and returns the client without a key."""

    def limit(**limits) -> TestClient:
        setting(**limits)
        return bridge.http

    monkeypatch.delitem(bridge.http.headers, "X-API-Key")
    bridge.http.app.state.rates = Rates()
    yield limit
    bridge.http.app.state.rates = Rates()


def with_key(bridge, scope):
    return {"X-API-Key": bridge.keys[scope]}


def problem_of(answer):
    problem = refusal(answer, 429)
    assert (problem["code"], problem["retryable"]) == ("rate_limited", True)
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    return problem


def test_a_key_over_its_limit_is_asked_to_wait_and_other_keys_go_on(bridge, limited):
    http = limited(rate_limit=3)
    for _ in range(3):
        assert http.get("/columnline/jobs", headers=with_key(bridge, Scope.READ)).status_code == 200
    problem = problem_of(http.get("/columnline/jobs", headers=with_key(bridge, Scope.READ)))
    assert "3 requests a minute (COLUMNLINE_RATE_LIMIT)" in problem["detail"]
    assert "POST /columnline/publish" in problem["detail"], "it says what to do instead"
    bearer = {"Authorization": f"Bearer {bridge.keys[Scope.READ]}"}
    problem_of(http.get("/columnline/jobs", headers=bearer))  # the same key, whatever header it is in
    assert http.get("/columnline/jobs", headers=with_key(bridge, Scope.OPS)).status_code == 200
    assert http.get("/livez").status_code == 200


def test_a_refused_call_asks_the_database_nothing(bridge, limited):
    http, statements = limited(rate_limit=1), []
    http.get("/columnline/jobs", headers=with_key(bridge, Scope.READ))

    def counted(connection, cursor, statement, *_):
        if "heartbeats" not in statement:  # its sign of life, which it gives whoever calls
            statements.append(statement)

    event.listen(db.engine(), "before_cursor_execute", counted)
    try:
        problem_of(http.get("/columnline/jobs", headers=with_key(bridge, Scope.READ)))
        assert statements == []
        http.get("/columnline/jobs", headers=with_key(bridge, Scope.OPS))
        assert statements, "it does count"
    finally:
        event.remove(db.engine(), "before_cursor_execute", counted)


def test_without_a_limit_nothing_is_refused(bridge, limited):
    http = limited(rate_limit=0, sign_in_limit=0)
    for _ in range(20):
        assert http.get("/columnline/jobs", headers=with_key(bridge, Scope.READ)).status_code == 200
        assert http.get("/columnline/jobs", headers=GUESS).status_code == 401


def test_an_address_that_guesses_keys_is_asked_to_wait_and_known_keys_go_on(bridge, limited):
    http = limited(sign_in_limit=3)
    assert http.get("/columnline/jobs", headers=with_key(bridge, Scope.READ)).status_code == 200
    for _ in range(3):
        assert http.get("/columnline/jobs", headers=GUESS).status_code == 401
    assert "COLUMNLINE_SIGN_IN_LIMIT" in problem_of(http.get("/columnline/jobs", headers=GUESS))["detail"]
    assert http.get("/columnline/jobs", headers=with_key(bridge, Scope.READ)).status_code == 200


def test_the_form_to_sign_in_counts_guesses_too(bridge, limited):
    http = limited(sign_in_limit=2)
    for _ in range(2):
        assert http.post("/sign-in", data={"key": GUESS["X-API-Key"]}).status_code == 401
    answer = http.post("/sign-in", data={"key": GUESS["X-API-Key"]})
    assert answer.status_code == 429
    assert "COLUMNLINE_SIGN_IN_LIMIT" in answer.text
    assert 25 <= int(answer.headers["retry-after"]) <= 30


def test_a_key_that_signed_in_at_the_form_is_known_while_others_at_its_address_guess(bridge, limited):
    http = limited(sign_in_limit=1)
    http.post("/sign-in", data={"key": bridge.keys[Scope.READ]}, follow_redirects=False)
    http.cookies.clear()
    assert http.get("/columnline/jobs", headers=GUESS).status_code == 401
    assert http.get("/columnline/jobs", headers=with_key(bridge, Scope.READ)).status_code == 200


def test_cookies_that_are_guessed_count_as_failed_sign_ins_and_a_visitor_goes_on(bridge, limited):
    http = limited(sign_in_limit=2)
    http.post("/sign-in", data={"key": bridge.keys[Scope.READ]}, follow_redirects=False)
    ours = dict(http.cookies)
    try:
        assert http.get("/jobs").status_code == 200
        statuses = []
        for guess in "abc":
            http.cookies = dict.fromkeys(ours, guess)
            statuses.append(http.get("/jobs", follow_redirects=False).status_code)
        assert [status == 429 for status in statuses] == [False, False, True]
        http.cookies = ours
        assert http.get("/jobs").status_code == 200
    finally:
        http.cookies.clear()


def test_a_visit_to_the_page_is_limited_by_its_key(bridge, limited):
    http = limited(rate_limit=2)
    http.post("/sign-in", data={"key": bridge.keys[Scope.READ]}, follow_redirects=False)
    try:
        assert [http.get("/jobs").status_code for _ in range(3)] == [200, 200, 429]
    finally:
        http.cookies.clear()


def test_visits_with_one_key_share_its_limit_however_often_it_signed_in(bridge, limited):
    http, visits, statuses = limited(rate_limit=3), [], []
    try:
        for _ in range(2):
            http.cookies.clear()
            http.post("/sign-in", data={"key": bridge.keys[Scope.READ]}, follow_redirects=False)
            visits.append(dict(http.cookies))
        for cookies in visits * 2:
            http.cookies = cookies
            statuses.append(http.get("/jobs").status_code)
    finally:
        http.cookies.clear()
    assert statuses == [200, 200, 200, 429]


def send_signed(http, message):
    moment = datetime.now(UTC)
    headers = {
        "webhook-id": message,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(message, moment, ""),
    }
    return http.get(f"/columnline/runs/{RUN}", headers=headers)


def test_signed_requests_share_a_limit_and_the_refused_message_may_come_again(bridge, limited):
    http = limited(rate_limit=1, webhook_secrets=SECRET)
    assert send_signed(http, "rates-1").status_code == 200
    problem_of(send_signed(http, "rates-2"))
    http.app.state.rates = Rates()
    assert send_signed(http, "rates-2").status_code == 200


def test_wrong_signatures_count_as_failed_sign_ins(bridge, limited):
    http = limited(sign_in_limit=2, webhook_secrets=SECRET)
    for _ in range(2):
        assert http.get("/columnline/jobs", headers=WRONG).status_code == 401
    problem_of(http.get("/columnline/jobs", headers=GUESS))
    problem_of(http.get("/columnline/jobs", headers=WRONG))


def test_who_signs_well_goes_on_while_others_at_the_address_sign_wrongly(bridge, limited):
    http = limited(sign_in_limit=2, webhook_secrets=SECRET)
    assert send_signed(http, "rates-3").status_code == 200
    for _ in range(5):
        http.get("/columnline/jobs", headers=WRONG)
    assert send_signed(http, "rates-4").status_code == 200
    problem_of(http.get("/columnline/jobs", headers=GUESS))


def test_the_document_says_that_429_and_503_tell_how_long_to_wait():
    responses = [
        answer
        for operations in DOCUMENT["paths"].values()
        for operation in operations.values()
        for status, answer in operation["responses"].items()
        if status in {"429", "503"} and "application/problem+json" in answer["content"]
    ]
    assert responses
    assert all("Retry-After" in answer["headers"] for answer in responses)
