"""Any value becomes one that `jsonb` stores, and nothing else about it changes."""

import math
import re
from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.clean import snake_case
from tasks.assemble.clean import DEPTH, Tally, as_list, clean, is_nothing, overlay
from tasks.assemble.notes import Notes

TEXT = st.text(alphabet=st.characters(exclude_categories=()))
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=30,
)


def cleaned(value):
    tally, notes = Tally(), Notes()
    tidy = clean(value, tally)
    tally.report(notes)
    return tidy, [notice.code for notice in notes.all()]


@given(ANY_JSON)
def test_whatever_comes_out_can_be_stored_and_comes_out_again_unchanged(value):
    tidy, _ = cleaned(value)
    assert orjson.loads(orjson.dumps(tidy)) == tidy
    assert not re.search(rb"(?<!\\)(?:\\\\)*\\u0000", orjson.dumps(tidy))
    assert clean(tidy, Tally()) == tidy


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0\ufffd"), min_size=10))
def test_text_that_can_be_stored_stays_as_it_is(text):
    assert cleaned([text, {"a b": text}]) == ([text, {"a b": text}], [])


@pytest.mark.parametrize("character", ["\0", "\ufffd", *map(chr, (0xD800, 0xDBFF, 0xDC00, 0xDFFF))], ids=ascii)
def test_characters_that_cannot_be_stored_are_replaced_and_counted(character):
    text = f"a{character}b"
    assert cleaned(text) == ("a\ufffdb", ["characters_replaced"])
    assert cleaned({f"{text} key": 1})[0] == {"a\ufffdb key": 1}


@pytest.mark.parametrize("word", ["null", "NULL", "N/A", "n/a", "Unknown", " unknown ", "undefined"])
def test_words_that_say_there_is_nothing_are_nothing(word):
    assert cleaned({"a": word, "b": [word]}) == ({"a": None, "b": [None]}, ["nothing_in_words"])


def test_an_empty_text_is_nothing_and_no_news():
    assert cleaned({"a": "", "b": "  "}) == ({"a": None, "b": None}, [])


@pytest.mark.parametrize("word", ["None", "NA", "Null & Sons", "unknown to us", "-", "0"])
def test_words_that_may_mean_something_stay(word):
    assert cleaned(word) == (word, [])


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_nothing(number):
    assert cleaned([number]) == ([None], ["number_replaced"])


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**400])
def test_integers_beyond_64_bits_keep_their_digits_as_text(number):
    assert cleaned(number) == (str(number), ["number_replaced"])


def test_an_integer_that_python_cannot_write_out_is_nothing():
    assert cleaned(10**5000) == (None, ["number_replaced"])


def test_what_json_does_not_know_is_text():
    assert cleaned([Decimal("1.5"), ("a",)]) == (["1.5", "('a',)"], [])


def test_numbers_within_range_stay():
    assert cleaned([2**63 - 1, -(2**63), 0.5, True]) == ([2**63 - 1, -(2**63), 0.5, True], [])


@pytest.mark.parametrize("make", [lambda inner: [inner], lambda inner: {"a": inner}])
def test_nesting_ends_where_readers_cannot_follow(make):
    value = "deep"
    for _ in range(100_000):
        value = make(value)
    tidy, codes = cleaned(value)
    assert codes == ["too_deep"]
    depth = 0
    while tidy:
        tidy = tidy[0] if isinstance(tidy, list) else tidy["a"]
        depth += 1
    assert depth == DEPTH


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("companyName", "company_name"),
        ("COMPANY_NAME", "company_name"),
        ("company_name", "company_name"),
        ("CompanyName", "company_name"),
        ("linkedinURL", "linkedin_url"),
        ("URL", "url"),
        ("hqCity2", "hq_city2"),
        ("v1Buckets", "v1_buckets"),
        ("Phase 2", "Phase 2"),
        ("Überblick", "Überblick"),
        ("", ""),
        ("x" * 65, "x" * 65),
    ],
)
def test_a_key_that_is_an_identifier_is_in_snake_case(key, name):
    assert snake_case(key) == name


@given(st.text(max_size=80))
def test_naming_a_key_twice_changes_nothing(key):
    assert snake_case(snake_case(key)) == snake_case(key)


def test_two_spellings_of_a_key_lose_nothing():
    assert cleaned({"companyName": "A", "company_name": "A"}) == ({"company_name": "A"}, [])
    assert cleaned({"companyName": None, "company_name": "A"}) == ({"company_name": "A"}, [])
    assert cleaned({"projectImages": [], "project_images": ["A"]}) == ({"project_images": ["A"]}, [])
    assert cleaned({"company_name": "A", "companyName": "B"}) == (
        {"company_name": "A", "companyName": "B"},
        ["keys_collide"],
    )
    assert cleaned({"companyName": "A", "company_name": "B"}) == (
        {"company_name": "A", "company_name_": "B"},
        ["keys_collide"],
    )


def test_changes_are_counted():
    tally, notes = Tally(), Notes()
    clean([{"companyName": "A", "company_name": "B", "COMPANY_NAME": "C"}, "N/A", "null", float("nan")], tally)
    tally.report(notes)
    assert [notice.detail.rpartition(": ")[2] for notice in notes.all()] == ["2", "1", "2"]


def test_nothing_is_nothing_but_false_and_zero_are_something():
    assert all(map(is_nothing, (None, [], {})))
    assert not any(map(is_nothing, (False, 0, "", [None])))


def test_a_value_is_a_list_of_itself_and_nothing_an_empty_one():
    assert (as_list([1, None]), as_list("a"), as_list({}), as_list(None), as_list(0)) == (
        [1, None],
        ["a"],
        [],
        [],
        [0],
    )


def test_nothing_does_not_cover_anything_up():
    assert overlay({"a": 1, "b": 2, "c": []}, {"a": None, "b": 3, "d": None}) == {
        "a": 1,
        "b": 3,
        "c": [],
        "d": None,
    }
