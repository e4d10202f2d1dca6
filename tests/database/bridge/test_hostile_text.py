"""Text that no field may take, in every place for text of every call."""

import re

import pytest

from tests.database.bridge.calls import CALLS, READ_INTO_FIELDS, refusal

HOSTILE = {"NUL": "a\x00b", "half a surrogate pair": "a\ud800b", "10,000 characters": "x" * 10_000}
PLACES = [
    pytest.param(call, place, name, id=f"{call}-{place}-{name}") for call in CALLS for place, name in call.texts()
]


def test_every_call_is_attacked_and_the_places_are_found():
    found = {(place, name) for call in CALLS for place, name in call.texts()}
    assert {
        ("path", "run_id"),
        ("path", "job_id"),
        ("path", "step_name"),
        ("query", "step_id"),
        ("query", "release_date"),
        ("query", "cursor"),
        ("query", "state"),
        ("query", "since"),
        ("body", "release_date"),
        ("body", "client_id"),
        ("item of runs", "run_id"),
        ("item of runs", "release_date"),
        ("item of outputs", "step_name"),
        ("item of outputs", "step_id"),
    } <= found


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize(("call", "place", "name"), PLACES)
def test_hostile_text_is_refused_and_the_field_named(bridge, call, place, name, text):
    answer = call.send(bridge, place=place, name=name, value=text)
    if answer.status_code == 202:  # of many runs, each is refused by itself
        (one,) = answer.json()["answers"]
        assert (one["ok"], one["job_id"]) == (False, None)
        code, fields = one["error"]["code"], [finding["field"] for finding in one["error"]["findings"]]
    else:
        problem = refusal(answer, 422)
        code, fields = problem["code"], [error["field"] for error in problem["errors"]]
    assert code == ("release_date_invalid" if name == "release_date" else "validation")
    assert fields[0].rpartition(".")[2] == name
    assert "�" not in fields[0]


@pytest.mark.parametrize("call", READ_INTO_FIELDS, ids=str)
@pytest.mark.parametrize(
    "key", ["a\x00b", "a\ud800b", "x" * 10_000, ""], ids=["NUL", "surrogate", "long", "empty"]
)
def test_an_unknown_key_is_refused_whatever_it_is_made_of(bridge, call, key):
    problem = refusal(call.send(bridge, place="body", name=key, value=1), 422)
    assert problem["code"] == "validation"


@pytest.mark.parametrize("call", READ_INTO_FIELDS, ids=str)
def test_a_long_list_of_faults_is_cut_short(bridge, call):
    body = "{" + ",".join(f'"unknown {number}": 1' for number in range(5000)) + "}"
    problem = refusal(call.send(bridge, content=body), 422)
    assert len(problem["errors"]) == 20
    assert re.search("and (4999|5000) more", problem["detail"])


@pytest.mark.parametrize("path", ["%00", "%FF", "%ED%A0%80", "%C0%AF", "%F5%80%80%80", "a%0D%0AX-Injected:%20yes"])
@pytest.mark.parametrize("call", [call for call in CALLS if "{run_id}" in call.path], ids=str)
def test_bytes_in_the_path_that_are_no_text_are_refused(bridge, call, path):
    url = call.path.replace("{run_id}", path).replace("{step_name}", "10_WRITER_INTRO")
    problem = refusal(call.send(bridge, url=url), 422)
    assert (problem["code"], problem["errors"][0]["field"]) == ("validation", "run_id")


def test_hostile_text_in_what_is_stored_as_it_came_is_replaced_and_told(bridge):
    body = r'{"\u0000": "a\u0000b", "\ud800": ["\udfff", {"\u0000x": "\ud83d\ude00"}]}'
    for url in (f"/columnline/runs/{'R'}", "/columnline/runs/R/outputs/10_WRITER_INTRO"):
        sent = body if "outputs" in url else f'{{"client_id": "CLT_NORTHWIND_001", "seed_data": {body}}}'
        answer = bridge.http.put(url, content=sent)
        assert answer.status_code in {200, 201}, answer.text
        (warning,) = answer.json()["warnings"]
        assert warning["code"] == "characters_replaced"
        assert warning["detail"].startswith("5 characters")
