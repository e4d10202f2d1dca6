"""A publish whose body, query and headers are anything at all: accepted, or a problem with a code; never a 500."""

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.database.bridge.calls import RUN

TEXTS = st.text(st.characters(exclude_categories=()), max_size=20) | st.sampled_from(
    ["\x00", "\ud800", "{{1.run_id}}", "9" * 400, "1e999", "2026-02-30", "drip", "auto", "x" * 20_000]
)
FIELDS = st.sampled_from(
    [
        "release_date",
        "supersede",
        "supersedes_run_id",
        "supersedes_dossier_id",
        "list",
        "default_list_id",
        "batch_number",
        "callback_url",
        "republish",
        "wait",
        "runs",
    ]
)
NUMBERS = st.integers() | st.floats() | st.sampled_from([10**400, -(10**30)])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(FIELDS | TEXTS, VALUES, max_size=4).map(lambda value: json.dumps(value).encode())
DEEP = st.integers(1, 5_000).map(lambda depth: b'{"list":' * depth + b"1" + b"}" * depth)
CUT = st.tuples(OBJECTS, st.integers(0, 40)).map(lambda drawn: drawn[0][: -drawn[1] or None])
BODIES = OBJECTS | CUT | DEEP | st.binary(max_size=40)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["content-type", "content-encoding", "accept", "x-forwarded-for", "webhook-id", "range", "cookie"]
    ),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30),
    max_size=3,
)
QUERIES = st.dictionaries(
    FIELDS | st.just("cursor"), st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=2
)
LISTS = st.sampled_from(["jobs", "dossiers", "releases", "batches", "clients", "stats", "export/contacts.csv"])
CONDITIONS = st.dictionaries(
    st.sampled_from(
        [
            "cursor",
            "limit",
            "state",
            "kind",
            "code",
            "client_id",
            "since",
            "until",
            "status",
            "release",
            "batch_id",
            "list_id",
            "company",
            "ids",
            "bom",
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    | st.sampled_from(["0001-01-01", "9999-12-31T23:59:59Z", "%00", "bnVsbA==", "W10=", "-1", "9" * 30]),
    max_size=3,
)
few = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def assert_ends_well(answer):
    if answer.status_code < 300:
        return
    assert answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] != "internal"
    assert problem["ok"] is False
    assert problem["detail"]
    assert len(answer.content) < 20_000, "a refusal does not send back all it was sent"


@few
@given(body=BODIES, headers=HEADERS, query=QUERIES, many=st.booleans())
def test_any_publish_is_accepted_or_refused_with_a_code(bridge, body, headers, query, many):
    path = "/columnline/publish" if many else f"/columnline/publish/{RUN}"
    query.pop("wait", None)  # no worker is there to wait for
    assert_ends_well(bridge.http.post(path, content=body, headers=headers, params=query))


@few
@given(path=LISTS, conditions=CONDITIONS)
def test_any_filter_and_cursor_of_a_list_is_answered_or_refused_with_a_code(bridge, path, conditions):
    assert_ends_well(bridge.http.get(f"/columnline/{path}", params=conditions))
