"""Requests that are signed rather than keyed: over the bytes as they came, fresh, and each taken once."""

import json
import threading
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import anyio
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import text
from standardwebhooks.webhooks import Webhook

from models.jobs import Scope
from models.make import SignedMessage
from tests.database.bridge.calls import CALLS, RUN, refusal
from worker import db, inbox
from worker.bridge.body import BODY_LIMIT, HEARD_OUT
from worker.errors import Unavailable
from worker.settings import settings

OLD, NEW, STRANGE = (f"whsec_{b64encode(word * 8).decode()}" for word in (b"old!", b"new!", b"else"))
PUBLISH = f"/columnline/publish/{RUN}"
BODY = b'{"release_date":  "2026-01-20"}\n'
every_call = pytest.mark.parametrize("call", CALLS, ids=str)


@pytest.fixture(autouse=True)
def no_key(bridge, monkeypatch):
    """The client presents no key of its own."""
    headers = {name: value for name, value in bridge.http.headers.items() if name.lower() != "x-api-key"}
    monkeypatch.setattr(bridge.http, "headers", headers)


@pytest.fixture
def secrets(setting):
    setting(webhook_secrets=f"{OLD}, {NEW}")


def signed(body=b"", secret=NEW, message=None, ago=0, now=None):
    """The headers of a request with this body, as a sender signs it."""
    message = message or f"msg_{uuid4().hex}"
    moment = (now or datetime.now(tz=UTC)) - timedelta(seconds=ago)
    return {
        "webhook-id": message,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(message, moment, body.decode()),
    }


def send(bridge, headers, body=BODY):
    return bridge.http.post(PUBLISH, content=body, headers=headers)


def refused(answer):
    assert refusal(answer, 401)["code"] == "unauthorized"
    return answer.json()["detail"]


def raises(error):
    def fail(*_, **__):
        raise error

    return fail


def remembered():
    with db.transaction() as session:
        return set(session.scalars(text("select id from signed_messages")))


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_a_request_signed_with_either_secret_needs_no_key(bridge, secrets, secret):
    answer = bridge.http.post(f"/columnline/publish/{RUN}/preview", headers=signed(secret=secret))
    assert answer.is_success, answer.text
    assert bridge.http.get("/columnline/jobs", headers=signed(secret=secret)).status_code == 200


@every_call
def test_a_signed_request_may_read_and_publish_and_not_act(bridge, secrets, call):
    body = b"" if call.content is None else json.dumps(call.body).encode()
    answer = call.send(bridge, headers=signed(body), **({"content": body} if body else {}))
    if call.scope == Scope.OPS:
        refused(answer)
    else:
        assert answer.status_code not in {401, 403}, answer.text


def test_a_good_key_beside_a_good_signature_may_act(bridge, secrets):
    headers = signed() | {"X-API-Key": bridge.keys[Scope.OPS]}
    assert bridge.http.post(f"/columnline/jobs/{bridge.job_id}/retry", headers=headers).is_success


def test_white_space_is_signed_too(bridge, secrets):
    assert send(bridge, signed(BODY)).status_code not in {401, 403}
    for body in (BODY.strip(), BODY.replace(b"  ", b" "), BODY + b" ", b"\xef\xbb\xbf" + BODY, b""):
        refused(send(bridge, signed(BODY), body))


def test_a_body_that_is_no_json_is_told_so_once_its_signature_is_good(bridge, secrets):
    assert refusal(send(bridge, signed(b"{broken"), b"{broken"), 400)["code"] == "invalid_json"


def test_what_the_signature_covers_may_not_be_changed(bridge, secrets):
    good = signed(BODY)
    refused(send(bridge, good | {"webhook-id": "another"}))
    refused(send(bridge, good | {"webhook-timestamp": str(int(good["webhook-timestamp"]) + 1)}))
    refused(send(bridge, good, BODY.replace(b"20", b"21")))
    assert send(bridge, good).status_code not in {401, 403}, "what was refused does not use the message up"


def test_a_strangers_signature_is_refused_whatever_stands_beside_it(bridge, secrets):
    now = datetime.now(tz=UTC)  # two signatures of one message are of one second
    strange = signed(BODY, STRANGE, now=now)
    assert "signature is wrong" in refused(send(bridge, strange))
    good = signed(BODY, message=strange["webhook-id"], now=now)["webhook-signature"]
    several = {"webhook-signature": f"v1a,AAAA {strange['webhook-signature']} {good}"}
    assert send(bridge, strange | several).status_code not in {401, 403}, "senders sign twice while secrets change"


@pytest.mark.parametrize(("ago", "is_taken"), [(280, True), (320, False), (-280, True), (-320, False)])
def test_a_signature_counts_five_minutes_before_and_after_its_moment(bridge, secrets, ago, is_taken):
    answer = send(bridge, signed(BODY, ago=ago))
    assert (answer.status_code == 401) != is_taken, answer.text


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp"])
def test_a_signature_without_its_other_parts_is_refused(bridge, secrets, missing):
    headers = signed(BODY)
    refused(send(bridge, {name: value for name, value in headers.items() if name != missing}))
    refused(send(bridge, headers | {missing: ""}))


def test_a_request_without_a_signature_needs_a_key(bridge, secrets):
    headers = signed(BODY)
    del headers["webhook-signature"]
    assert "X-API-Key" in refused(send(bridge, headers))
    assert send(bridge, {"X-API-Key": bridge.keys[Scope.PUBLISH]}).status_code not in {401, 403}


LATIN = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60)
ODD = st.one_of(
    LATIN,
    st.sampled_from(
        ["v1", "v1,", ",", " ", "v1,,", "v1,A", "v1,é", "v2,AAAA", "v1,AAAA " * 50, "nan", "inf", "-1"]
    ),
    st.integers().map(str),
    st.floats().map(str),
)


@examples(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    odd=st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), ODD, min_size=1)
)
def test_headers_of_every_kind_are_refused_and_nothing_breaks(bridge, secrets, odd):
    headers = signed(BODY) | odd
    if "webhook-signature" not in odd and headers["webhook-id"] == signed(BODY)["webhook-id"]:
        return
    sent = {name: value.encode("latin-1") for name, value in headers.items()}
    refused(bridge.http.post(PUBLISH, content=BODY, headers=sent))


def test_a_body_that_is_no_text_is_refused_and_nothing_breaks(bridge, secrets):
    refused(send(bridge, signed(BODY), b"\xff\xfe"))


def test_a_message_is_taken_once(bridge, secrets):
    headers = signed(BODY)
    first = send(bridge, headers)
    assert first.status_code not in {401, 403}
    assert "taken before" in refused(send(bridge, headers))
    assert "taken before" in refused(send(bridge, signed(BODY, OLD, message=headers["webhook-id"])))


def test_a_message_that_met_an_outage_may_be_sent_again_as_the_answer_says(bridge, secrets, monkeypatch):
    headers = signed(BODY)
    with monkeypatch.context() as outage:
        outage.setattr(inbox, "accept_publish", raises(Unavailable("The database is away. Send the same again.")))
        assert send(bridge, headers).status_code == 503
    assert send(bridge, headers).status_code not in {401, 403}


@pytest.mark.parametrize("length", [200, 201])
def test_an_id_may_be_long_and_not_endless(bridge, secrets, length):
    answer = send(bridge, signed(BODY, message=uuid4().hex.ljust(length, "x")))
    assert (answer.status_code == 401) == (length > 200)


def test_of_two_copies_at_the_same_time_one_is_taken(bridge, secrets):
    headers, together, statuses = signed(), threading.Barrier(4), []

    def post():
        together.wait(10)
        statuses.append(bridge.http.get("/columnline/jobs", headers=headers).status_code)

    senders = [threading.Thread(target=post) for _ in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert sorted(statuses) == [200, 401, 401, 401]


@pytest.mark.parametrize("secret", [OLD, STRANGE])
def test_without_the_setting_a_signature_counts_for_nothing(bridge, secret):
    assert settings().webhook_secrets is None
    assert "X-API-Key" in refused(send(bridge, signed(BODY, secret)))
    headers = signed(BODY, secret) | {"X-API-Key": bridge.keys[Scope.PUBLISH]}
    assert send(bridge, headers).status_code not in {401, 403}
    assert send(bridge, headers).status_code not in {401, 403}, "and is not taken, so not taken before"


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_over_the_limit_is_refused_before_it_is_read_whole(bridge, secrets, announced):
    sent = []

    async def receive():
        sent.append(1)
        return {"type": "http.request", "body": b" " * 1_000_000, "more_body": True}

    answered = []

    async def answer(message):
        answered.append(message)

    headers = {**signed(), "host": "bridge"} | ({"content-length": str(BODY_LIMIT + 1)} if announced else {})
    scope = {
        "type": "http",
        "method": "POST",
        "path": PUBLISH,
        "raw_path": PUBLISH.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "state": {},
    }
    anyio.run(bridge.http.app, scope, receive, answer)
    assert answered[0]["status"] == 413
    assert len(sent) == HEARD_OUT // 1_000_000 + (0 if announced else BODY_LIMIT // 1_000_000 + 1)


def test_ids_are_forgotten_once_no_signature_of_theirs_could_count(bridge, secrets):
    with db.transaction() as session:
        for minutes in (14, 16):
            seen = datetime.now(tz=UTC) - timedelta(minutes=minutes)
            session.merge(SignedMessage(id=f"seen {minutes} minutes ago", seen_at=seen))
    headers = signed(BODY)
    send(bridge, headers)
    assert "seen 16 minutes ago" not in remembered()
    assert {"seen 14 minutes ago", headers["webhook-id"]} <= remembered()
