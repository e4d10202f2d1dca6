"""What came is fitted to the shape that is due, or told about."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.assemble.fields import Anything, Many, Record, Text, fill, lay
from tasks.assemble.notes import Notes
from tasks.assemble.scalars import Number, Score, Urgency
from tasks.assemble.shapes import COORDINATES, CUSTOM_RESEARCH, PLACES, SIGNAL, WARM_PATHS

SITE = Record("name", {"name": Text(), "tags": Many(Anything())}, {"label": "name"})


def fitted(shape, value):
    notes = Notes()
    return shape.fit(value, "field", notes), [notice.code for notice in notes.all()]


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ({"name": "A", "tags": ["x"]}, {"name": "A", "tags": ["x"]}),
        ({"name": "A"}, {"name": "A", "tags": []}),
        ({"name": "A", "tags": None, "other": 1}, {"name": "A", "tags": [], "other": 1}),
        ({"label": "A"}, {"name": "A", "tags": []}),
        ({"label": "A", "name": "B"}, {"label": "A", "name": "B", "tags": []}),
        ({"label": "A", "name": None}, {"name": "A", "tags": []}),
        (None, None),
    ],
)
def test_an_object_has_its_fields_under_their_names_and_its_lists(value, fits):
    assert fitted(SITE, value) == (fits, [])


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ([{"name": "A"}], {"name": "A", "tags": []}),
        ([{"name": "A"}, {"name": "B"}], {"name": "A", "tags": []}),
        ("A", {"name": "A", "tags": []}),
        ('{"name": "A"}', {"name": "A", "tags": []}),
        ({"name": "A", "tags": "x"}, {"name": "A", "tags": ["x"]}),
        ({"name": ["A", None, 2]}, {"name": "A\n2", "tags": []}),
        ({"name": "A", "tags": '["x", "N/A"]'}, {"name": "A", "tags": ["x"]}),
    ],
)
def test_another_shape_is_repaired_with_a_notice(value, fits):
    fit, codes = fitted(SITE, value)
    assert fit == fits
    assert codes[0] == "shape_repaired"


def test_nothing_in_a_list_is_no_object_and_no_news():
    assert fitted(SITE, [None]) == (None, [])


def test_a_list_is_never_null_and_holds_nothing_that_is_nothing():
    many = Many(Text())
    assert fitted(many, None) == ([], [])
    assert fitted(many, {}) == ([], [])
    assert fitted(many, ["a", None, "b"]) == (["a", "b"], [])
    assert fitted(many, "a") == (["a"], ["shape_repaired"])


def test_an_object_where_a_text_is_due_stays_and_is_told():
    assert fitted(Text(), {"a": "b"}) == ({"a": "b"}, ["shape_unexpected"])
    assert fitted(Text(), ["a", {"b": 1}]) == (["a", {"b": 1}], ["shape_unexpected"])


def test_an_object_whose_fields_are_no_texts_cannot_be_one():
    assert fitted(COORDINATES, "45.1, -52.3") == (None, ["shape_unexpected"])


def test_coordinates_are_numbers_whatever_they_are_called():
    assert fitted(COORDINATES, {"latitude": "45.1", "lng": -52}) == ({"lat": 45.1, "lng": -52}, [])
    assert fitted(Number(), "north") == ("north", ["shape_unexpected"])
    assert fitted(Number(), True) == (True, ["shape_unexpected"])


def test_a_list_of_research_is_its_items():
    items = [{"criteria_name": "A", "matches": []}, {"criteria_name": "B", "matches": []}]
    assert fitted(CUSTOM_RESEARCH, items) == ({"items": items}, ["shape_repaired"])
    assert fitted(CUSTOM_RESEARCH, [{"title": "T", "items": items}])[0] == {"title": "T", "items": items}


def test_a_signal_may_speak_the_views_language():
    proof = {"text": "Notice", "url": "https://a.example", "page": 3}
    assert fitted(SIGNAL, {"signal": "hiring", "happening": "They hire", "proof": proof})[0] == {
        "signal": "hiring",
        "description": "They hire",
        "source_name": "Notice",
        "source_url": "https://a.example",
        "proof_page": 3,
    }
    assert fitted(SIGNAL, {"description": "x", "proof": "Notice"})[0] == {
        "description": "x",
        "source_name": "Notice",
    }
    assert fitted(SIGNAL, {"source_url": "kept", "proof": {"url": "lost", "text": "T"}})[0]["source_url"] == "kept"


def test_a_warm_path_may_speak_the_views_language():
    path = {"title": "Ines", "description": "Former colleague", "connection_to_targets": "director"}
    assert fitted(WARM_PATHS, [path])[0] == [
        {"name": "Ines", "title": "Former colleague", "connection_to_targets": "director"}
    ]
    stored = {"name": "Ines", "title": "Former colleague", "description": "long"}
    assert fitted(WARM_PATHS, [stored]) == ([stored], [])


@pytest.mark.parametrize(
    ("response", "text"),
    [
        ("As it is.", "As it is."),
        ({"close": "D", "evidence": "C", "acknowledge": "A", "reframe": "B"}, "A B C D"),
        ({"reframe": " B ", "acknowledge": None, "tip": "E"}, "B E"),
        ({"acknowledge": ["A", "a"], "close": 4}, "A a 4"),
        ({}, None),
        (None, None),
    ],
)
def test_the_answer_to_an_objection_is_one_text_in_the_order_of_speaking(response, text):
    _, objections = PLACES["objections"]
    (objection,) = objections.fit([{"objection": "Price", "response": response}], "objections", Notes())
    assert objection == {"objection": "Price", "response": text}


@pytest.mark.parametrize(
    ("value", "score", "codes"),
    [
        (78, 78, []),
        ("78", 78, []),
        (78.0, 78, []),
        (" 78 ", 78, []),
        (0, 0, []),
        (1, 1, []),
        (100, 100, []),
        ("78/100", 78, ["value_repaired"]),
        ("78 / 100", 78, ["value_repaired"]),
        ("78%", 78, ["value_repaired"]),
        ("8/10", 80, ["value_repaired"]),
        (78.5, 79, ["value_repaired"]),
        (120, 100, ["value_repaired"]),
        ("120/100", 100, ["value_repaired"]),
        (-3, 0, ["value_repaired"]),
        (0.78, None, ["value_unreadable"]),
        ("high", None, ["value_unreadable"]),
        ("78 points of 100, give or take", None, ["value_unreadable"]),
        ("7/0", None, ["value_unreadable"]),
        (True, None, ["value_unreadable"]),
        ([78], 78, ["shape_repaired"]),
        ([78, 80], None, ["value_unreadable"]),
        (None, None, []),
    ],
)
def test_a_score_is_read_and_never_guessed(value, score, codes):
    assert fitted(Score(), value) == (score, codes)


@given(st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text())
def test_a_score_is_within_its_scale_and_reads_again_as_itself(value):
    score, _ = fitted(Score(), value)
    assert score is None or (type(score) is int and 0 <= score <= 100)
    assert fitted(Score(), score) == (score, [])


@pytest.mark.parametrize(
    ("value", "level", "codes"),
    [
        ("HIGH", "HIGH", []),
        ("High", "HIGH", []),
        (" critical ", "CRITICAL", []),
        ("Medium-High", "HIGH", ["value_repaired"]),
        ("high \u2013 medium", "HIGH", ["value_repaired"]),
        ("Low to Medium", "MEDIUM", ["value_repaired"]),
        ("LOW/CRITICAL", "CRITICAL", ["value_repaired"]),
        ("HIGH: closes in March", "HIGH", ["value_repaired"]),
        ("high (RFP is out)", "HIGH", ["value_repaired"]),
        ("not high", None, ["value_unreadable"]),
        ("highest", None, ["value_unreadable"]),
        ("soon", None, ["value_unreadable"]),
        (3, None, ["value_unreadable"]),
        (["HIGH"], "HIGH", ["shape_repaired"]),
        (None, None, []),
    ],
)
def test_an_urgency_is_read_and_of_a_range_the_upper_end(value, level, codes):
    assert fitted(Urgency(), value) == (level, codes)


@given(st.text())
def test_an_urgency_is_one_of_four_and_reads_again_as_itself(text):
    level, _ = fitted(Urgency(), text)
    assert level in {None, *Urgency.ORDER}
    assert fitted(Urgency(), level) == (level, [])


def test_filling_takes_what_is_missing_and_tells_what_lost():
    target = {"a": 1, "b": {"c": None, "d": 2}, "e": [], "g": False}
    lost = fill(target, {"a": 9, "b": {"c": 3, "d": 8, "x": 4}, "e": [5], "f": None, "g": True, "h": {}})
    assert target == {"a": 1, "b": {"c": 3, "d": 2, "x": 4}, "e": [5], "f": None, "g": False, "h": {}}
    assert lost == ["a", "b.d", "g"]


def test_half_a_place_is_not_completed_from_another():
    target = {"coordinates": {"lat": 1, "lng": None}}
    assert fill(target, {"coordinates": {"lat": 2, "lng": 3}}) == ["coordinates"]
    assert target == {"coordinates": {"lat": 1, "lng": None}}


@given(
    st.dictionaries(
        st.text(max_size=2), st.none() | st.integers() | st.dictionaries(st.text(max_size=2), st.integers())
    )
)
def test_filling_with_itself_changes_nothing(value):
    target = dict(value)
    assert fill(target, value) == []
    assert target == value


KEYS = st.sampled_from(["a", "b", "coordinates"])
VALUES = st.none() | st.builds(list) | st.builds(dict) | st.integers(0, 2)
NESTED = st.dictionaries(KEYS, st.recursive(VALUES, lambda inner: st.dictionaries(KEYS, inner), max_leaves=8))


@given(NESTED, NESTED)
def test_laying_on_is_filling_the_other_way_round(older, newer):
    filled = copy.deepcopy(newer)
    lost = fill(filled, copy.deepcopy(older))
    assert sorted(lay(older, newer)) == sorted(lost)
    assert older == filled
