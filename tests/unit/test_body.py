"""The reader of bodies: every way to be no JSON, told apart; and every JSON value, as it is."""

import json
import threading
from types import SimpleNamespace

import anyio
import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, field_validator

from worker.bridge.body import MAX_DEPTH, Doubled, body_of, doubled_keys, parse, read_raw
from worker.errors import InvalidJson, PayloadTooLarge

NO_JSON = {
    "a form": b"release_date=2026-01-20&wait=5",
    "a multipart form": b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--',
    "cut off": b'{"a": [1, 2',
    "an unescaped quote": b'{"a": "he said "hello""}',
    "an unescaped line break": b'{"a": "one\ntwo"}',
    "a trailing comma": b'{"a": 1,}',
    "single quotes": b"{'a': 1}",
    "a comment": b'{"a": 1} // one',
    "two values": b"{}{}",
    "a leading zero": b'{"a": 01}',
    "a bad escape": rb'{"a": "\x"}',
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": [Infinity]}',
    "-Infinity": b'{"a": -Infinity}',
    "a number no computer holds": b'{"a": 1e400}',
    "a negative one": b"[-1E400]",
    "5,000 digits": b'{"a": ' + b"9" * 5000 + b"}",
    "101 levels of lists": b"[" * 101 + b"]" * 101,
    "200 levels of objects": b'{"a":' * 200 + b"1" + b"}" * 200,
    "a million levels": b"[" * 1_000_000,
    "a million levels of objects": b'{"a":' * 900_000,
    "latin-1": '{"a": "é"}'.encode("latin-1"),
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "a surrogate as bytes": b'{"a": "\xed\xa0\x80"}',
    "bytes": bytes(range(256)),
    "NULs": b"\x00" * 1000,
    "a BOM and nothing": b"\xef\xbb\xbf",
    "XML": b"<?xml version='1.0'?><a/>",
}


def refused(raw):
    with pytest.raises(InvalidJson) as refusal:
        parse(raw)
    return refusal.value.detail


@pytest.mark.parametrize("raw", NO_JSON.values(), ids=NO_JSON)
def test_what_is_no_json_is_refused_in_a_sentence_short_enough_to_read(raw):
    assert 20 < len(refused(raw)) < 400


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("an unescaped quote", "Expecting ',' delimiter at line 1, column 17, near"),
        ("NaN", "The JSON holds NaN, which is no JSON value. Send null."),
        ("a number no computer holds", "The JSON holds the number 1e400, which is too large. Send it as text."),
        ("5,000 digits", "thousands of digits. Send it as text."),
        ("101 levels of lists", "nested more than 100 levels deep"),
        ("a million levels", "nested more than 100 levels deep"),
        ("latin-1", "The body is not UTF-8: byte 0xE9 at position 7. Send UTF-8."),
        ("utf-16", "The body is not UTF-8: byte 0xFF at position 0. Send UTF-8."),
    ],
)
def test_what_is_wrong_is_told(what, told):
    assert told in refused(NO_JSON[what])


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=20,
)


@given(values, st.booleans(), st.sampled_from(["", "\ufeff", " \n\t"]))
def test_any_json_value_is_read_as_it_is(value, ascii_only, before):
    assert parse((before + json.dumps(value, ensure_ascii=ascii_only)).encode()) == value


@given(st.binary(max_size=40) | st.text('[]{}:,"\\0eE+-.tfnul \n', max_size=30).map(str.encode))
def test_any_bytes_are_json_or_are_refused(raw):
    try:
        value = parse(raw)
    except InvalidJson:
        return
    assert parse(json.dumps(value).encode()) == value


@pytest.mark.parametrize("number", [10**30, -(10**400), 2**64, int("9" * 4300)])
def test_a_whole_number_keeps_every_digit(number):
    assert parse(b"[%d]" % number) == [number]


def test_half_a_surrogate_pair_is_read_and_a_whole_one_is_one_character():
    assert parse(rb'["\ud800", "\ud83d\ude00"]') == ["\ud800", "\U0001f600"]


@pytest.mark.parametrize("opening_and_closing", [(b"[", b"]"), (b'{"a":', b"}")])
def test_a_hundred_levels_are_read_and_one_more_is_refused(opening_and_closing):
    opening, closing = opening_and_closing
    assert parse(opening * MAX_DEPTH + b"1" + closing * MAX_DEPTH)
    assert "levels" in refused(opening * (MAX_DEPTH + 1) + b"1" + closing * (MAX_DEPTH + 1))


def test_of_a_key_that_comes_twice_the_last_value_counts_and_it_is_noted():
    value = parse(b'{"a": 1, "a": 2, "b": [{"c": 1, "d": 0, "c": {}}], "e": {"f": 1}}')
    assert value == {"a": 2, "b": [{"c": {}, "d": 0}], "e": {"f": 1}}
    assert list(doubled_keys(value)) == ["a", "c"]
    assert isinstance(value, Doubled)
    assert not isinstance(value["e"], Doubled)


def test_a_body_is_read_and_checked_in_a_thread_so_that_a_large_one_holds_up_nobody():
    where = []

    class Body(BaseModel):
        a: int

        @field_validator("a")
        @classmethod
        def noted(cls, value):
            where.append(threading.current_thread())
            return value

    request = SimpleNamespace(query_params={}, state=SimpleNamespace(raw=b'{"a": 1}'))
    assert anyio.run(body_of(Body), request).a == 1
    assert where != [threading.main_thread()]


@pytest.mark.parametrize(
    ("headers", "sent", "read"),
    [
        ({"content-length": "12"}, 12, 12),
        ({}, 12, 12),
        ({}, 1000, 10 + 100 + 1),  # the limit, and as much again as it is heard out for
        ({"content-length": "1000"}, 1000, 100),
        ({"content-length": "12", "expect": "100-continue"}, 12, 0),
    ],
)
def test_a_sender_of_too_much_is_heard_out_within_bounds_so_that_it_gets_its_answer(
    monkeypatch, headers, sent, read
):
    monkeypatch.setattr("worker.bridge.body.HEARD_OUT", 100)
    received = []

    async def receive():
        received.append(b"x")
        return {"type": "http.request", "body": b"x", "more_body": len(received) < sent}

    raw_headers = [(name.encode(), value.encode()) for name, value in headers.items()]
    request = Request({"type": "http", "headers": raw_headers}, receive)
    with pytest.raises(PayloadTooLarge):
        anyio.run(read_raw, request, 10)
    assert len(received) == read
