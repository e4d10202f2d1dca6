"""JSON that PostgreSQL holds and Python's parsers refuse is read all the same."""

import json

import pytest

from worker.stored import DEEPEST, loads


@pytest.mark.parametrize("digits", ["9" * 5000, "-" + "9" * 5000, "9" * 400 + ".5"])
def test_a_number_that_python_does_not_have_is_read_as_text(digits):
    assert loads(f'{{"a": {digits}, "b": 1}}') == {"a": digits, "b": 1}


def test_a_whole_number_beyond_what_orjson_takes_is_read():
    assert loads("9" * 400) == int("9" * 400)


@pytest.mark.parametrize("levels", [1100, 3000, 100_000])
@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ('{"[\\"]": ', "}")])
def test_json_nested_too_deep_is_read_as_far_as_anybody_goes(levels, opens, closes):
    found = loads(f'{{"a": {opens * levels}1{closes * levels}, "b": "]\\"[", "c": [1]}}'.encode())
    assert (found["b"], found["c"]) == ('"'.join("]["), [1])
    depth, value = 0, found["a"]
    while value is not None:
        depth, value = depth + 1, value[0] if isinstance(value, list) else value['["]']
    assert depth == DEEPEST - 1


def test_any_other_json_is_what_it_is():
    value = {"a": [1, 2.5, None, True, 'x\\"]'], "b": {"c": {}}}
    assert loads(json.dumps(value)) == value
