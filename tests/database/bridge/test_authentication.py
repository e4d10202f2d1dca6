"""Who may call what: one sentence for every way to have no valid key, and before anything else is looked at."""

import json

import pytest

from models.jobs import Scope
from tests.database.bridge.calls import CALLS, RUN, WITH_BODY, refusal
from worker import db, keys

every_call = pytest.mark.parametrize("call", CALLS, ids=str)
MAY = {
    Scope.READ: {Scope.READ},
    Scope.PUBLISH: {Scope.READ, Scope.PUBLISH},
    Scope.OPS: {Scope.READ, Scope.PUBLISH, Scope.OPS},
}


@pytest.fixture(scope="module")
def revoked(bridge):
    with db.transaction() as session:
        key = keys.create(session, "revoked", Scope.OPS)
        keys.revoke(session, "revoked")
    return key


def wrong(bridge, revoked):
    """Headers that hold no valid key, by what is wrong with them."""
    key = bridge.keys[Scope.OPS]
    prefix, key_id, secret = key.split("_", 2)
    other = bridge.keys[Scope.READ].split("_", 2)[2]
    values = {
        "unknown": "clk_000000000000_" + "x" * 43,
        "of another key": f"{prefix}_{key_id}_{other}",
        "cut off": key[:-1],
        "too long": key + "x",
        "without a prefix": f"{key_id}_{secret}",
        "in capitals": key.upper(),
        "the id alone": f"{prefix}_{key_id}",
        "without a secret": f"{prefix}_{key_id}_",
        "without an id": f"{prefix}__{secret}",
        "with a wild card": f"{prefix}_%_{secret}",
        "revoked": revoked,
        "with bytes beyond ASCII": key.encode() + b"\xff",
        "all bytes beyond ASCII": b"\xc3\xa9\xff\xfe",
        "a quote": key + "' or '1'='1",
        "very long": "clk_" + "a" * 30_000,
        "the word Bearer": f"Bearer {key}",
    }
    for what, value in values.items():
        yield what, {"X-API-Key": value}
    for what in ("unknown", "of another key", "revoked", "with bytes beyond ASCII", "all bytes beyond ASCII"):
        value = values[what].encode() if isinstance(values[what], str) else values[what]
        yield f"{what}, as bearer", {"Authorization": b"Bearer " + value}
    odd = [
        "Bearer",
        "Bearer ",
        "bearer\t",
        key,
        f"Basic {key}",
        f"Token {key}",
        f"Bearer{key}",
        f"Bearer {key} x",
        "",
    ]
    for value in odd:
        yield f"odd: {value.replace(key, 'KEY')!r}", {"Authorization": value}
    yield "empty", {"X-API-Key": ""}
    yield "a wrong one beside a good one", {"X-API-Key": values["unknown"], "Authorization": f"Bearer {key}"}


def without_key(bridge):
    """The client's own headers but for the key."""
    return {name: value for name, value in bridge.http.headers.items() if name.lower() != "x-api-key"}


@every_call
def test_a_call_without_a_valid_key_is_refused(bridge, revoked, call, monkeypatch):
    monkeypatch.setattr(bridge.http, "headers", without_key(bridge))
    for headers in ({}, {"X-API-Key": "clk_0_x"}, {"X-API-Key": revoked}, {"Authorization": "Basic dTpw"}):
        assert refusal(call.send(bridge, headers=headers), 401)["code"] == "unauthorized"


def test_whatever_is_wrong_with_a_key_the_sentence_is_the_same(bridge, revoked, monkeypatch):
    monkeypatch.setattr(bridge.http, "headers", without_key(bridge))
    bodies = set()
    for what, headers in wrong(bridge, revoked):
        answer = bridge.http.get("/columnline/jobs", headers=headers)
        assert answer.status_code == 401, what
        assert answer.headers["www-authenticate"] == "Bearer"
        bodies.add(answer.text)
    (body,) = bodies
    problem = json.loads(body)
    assert (problem["code"], problem["retryable"], problem["errors"]) == ("unauthorized", False, [])
    assert "X-API-Key" in problem["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        lambda key: {"X-API-Key": key},
        lambda key: {"x-api-key": f"  {key}  "},
        lambda key: {"Authorization": f"Bearer {key}"},
        lambda key: {"Authorization": f"bearer   {key}"},
        lambda key: {"Authorization": f"BEARER {key}", "X-API-Key": ""},
        lambda key: {"Authorization": "Basic dTpw", "X-API-Key": key},
    ],
)
def test_a_key_is_taken_from_either_header(bridge, monkeypatch, headers):
    monkeypatch.setattr(bridge.http, "headers", without_key(bridge))
    answer = bridge.http.get("/columnline/jobs", headers=headers(bridge.keys[Scope.READ]))
    assert answer.status_code == 200


@pytest.mark.parametrize("scope", Scope)
@every_call
def test_a_key_may_do_what_its_scope_says(bridge, call, scope):
    answer = call.send(bridge, headers={"X-API-Key": bridge.keys[scope]})
    if call.scope in MAY[scope]:
        assert answer.status_code < 300, answer.text
    else:
        problem = refusal(answer, 403)
        assert problem["code"] == "forbidden"
        assert f"`{call.scope}`" in problem["detail"]


def test_reading_needs_read_sending_needs_publish_and_acting_on_jobs_or_clients_or_archiving_needs_ops():
    for call in CALLS:
        acts = call.path.startswith(("/columnline/jobs", "/columnline/clients")) or call.path.endswith("/archive")
        wanted = Scope.READ if call.method == "GET" else Scope.OPS if acts else Scope.PUBLISH
        assert call.scope == wanted, call


@pytest.mark.parametrize("body", [b"{broken", b"x" * 6_000_000])
@pytest.mark.parametrize("call", WITH_BODY, ids=str)
def test_a_strangers_body_is_not_looked_at(bridge, call, body, monkeypatch):
    monkeypatch.setattr(bridge.http, "headers", without_key(bridge))
    assert refusal(call.send(bridge, content=body), 401)["code"] == "unauthorized"
    headers = {"X-API-Key": bridge.keys[Scope.READ]}
    assert refusal(call.send(bridge, content=body, headers=headers), 403)["code"] == "forbidden"


@every_call
def test_a_stranger_does_not_learn_what_is_there(bridge, call, monkeypatch):
    monkeypatch.setattr(bridge.http, "headers", without_key(bridge))
    for place, name in call.texts():
        if place in {"path", "query"}:
            refusal(call.send(bridge, place=place, name=name, value="nothing of this name"), 401)


def test_a_revoked_key_is_refused_at_once_and_the_other_goes_on(bridge):
    with db.transaction() as session:
        old, new = keys.create(session, "old", Scope.READ), keys.create(session, "new", Scope.READ)
    for key in (old, new):
        assert bridge.http.get("/columnline/jobs", headers={"X-API-Key": key}).status_code == 200
    with db.transaction() as session:
        keys.revoke(session, "old")
    assert bridge.http.get("/columnline/jobs", headers={"X-API-Key": old}).status_code == 401
    assert bridge.http.get("/columnline/jobs", headers={"X-API-Key": new}).status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/docs", "/openapi.json"])
def test_health_and_documentation_need_no_key(bridge, path, monkeypatch):
    monkeypatch.setattr(bridge.http, "headers", without_key(bridge))
    assert bridge.http.get(path).status_code == 200


def test_a_key_in_the_url_is_no_key(bridge, monkeypatch):
    monkeypatch.setattr(bridge.http, "headers", without_key(bridge))
    for name in ("key", "api_key", "X-API-Key", "access_token"):
        answer = bridge.http.get(f"/columnline/runs/{RUN}", params={name: bridge.keys[Scope.OPS]})
        refusal(answer, 401)
