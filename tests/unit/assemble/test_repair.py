"""Text becomes JSON where it is nearly JSON, says how, and is refused where it is none."""

# ruff: noqa: RUF001  (curly quotes and foreign letters are the point)

import json
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.assemble.mend import NotMendedError, mend
from tasks.assemble.notes import Notes, UnusableError
from tasks.assemble.patch import LONGEST, patch
from tasks.assemble.repair import parse

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(), PLAIN, min_size=1, max_size=5)


def read(text):
    notes = Notes()
    return parse(text, notes), [notice.code for notice in notes.all()]


def test_strict_json_is_read_without_a_word():
    assert read('{"a": [1, null, "\\u00e9"]}') == ({"a": [1, None, "é"]}, [])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('Here you are:\n\n```\n{"a": 1}\n```\nAnything else?', {"a": 1}),
        ('Of course! {"a": 1} I hope this helps, see [1].', {"a": 1}),
        ('Use {placeholder} and [1] as in {"a": 1}', {"a": 1}),
        ('\ufeff{"a": 1}', {"a": 1}),
        ('{"a": 1, // a comment, with "quotes" and it\'s\n "b": 2}', {"a": 1, "b": 2}),
        (
            '{\n// first\n"a": "http://x.example/#top", /* two\nlines */ "b": 2, # three\n}',
            {"a": "http://x.example/#top", "b": 2},
        ),
        ('{"a": [1, 2,], "b": {},}', {"a": [1, 2], "b": {}}),
        (
            "{'a': 'it's', 'b': 'she said \"no\"', 'c': 'x \\' y'}",
            {"a": "it's", "b": 'she said "no"', "c": "x ' y"},
        ),
        ("{“a”: “one “two” three”, “b”: “it’s”}", {"a": "one “two” three", "b": "it’s"}),
        ("{‘a’: ‘b’}", {"a": "b"}),
        ('{"a": "he said "hi" to me", "b": 1}', {"a": 'he said "hi" to me', "b": 1}),
        ('{"a": "two\nlines\tand a tab"}', {"a": "two\nlines\tand a tab"}),
        ('{"a": "C:\\dir\\new"}', {"a": "C:\\dir\new"}),
        ("{a: True, b_c: False, d: None, e: undefined}", {"a": True, "b_c": False, "d": None, "e": None}),
        ("{'a': NaN, 'b': -Infinity, 'c': [Infinity]}", {"a": None, "b": None, "c": [None]}),
        ('{"a": 1 "b": 2}', {"a": 1, "b": 2}),
        ('{"a": ["x" "y"]}', {"a": ["x", "y"]}),
        ('{"a": (1, 2) "b": 3}', {"a": [1, 2], "b": 3}),
        ('{"a": 1 "b": 2} and then "c" {x} [y]', {"a": 1, "b": 2}),
        ('{\\"a\\": \\"b\\\\nc\\"}', {"a": "b\nc"}),
        ('"{\\"a\\": \\"cut off here', {"a": "cut off here"}),
        ('[{"a": 1}, {"b": 2},]', [{"a": 1}, {"b": 2}]),
    ],
)
def test_text_that_is_nearly_json_is_read_as_it_was_meant(text, value):
    found, codes = read(text)
    assert found == value
    assert set(codes) <= {"json_repaired", "output_truncated"}
    assert codes or text.startswith(("{\\", '"{'))


@pytest.mark.parametrize(
    ("text", "value", "field"),
    [
        ('{"a": {"b": "cut off he', {"a": {"b": "cut off he"}}, "a.b"),
        ('{"a": [{"b": 1}, {"c": "x y', {"a": [{"b": 1}, {"c": "x y"}]}, "a[1].c"),
        ('{"score": 8', {}, "score"),
        ('{"', {}, None),
        ('{"a": 1, "is_it": tru', {"a": 1}, "is_it"),
        ('{"a": 1, "b', {"a": 1}, "a"),
        ('{"a": 1, "b":', {"a": 1}, "b"),
        ('{"a": {"b": 1}, "domain": "acme.co', {"a": {"b": 1}}, "domain"),
        ('{"a": {"b": 1} "domain": "acme.co', {"a": {"b": 1}}, "domain"),
        ('{"a": 1, "b": ["x", "acme.co', {"a": 1, "b": ["x"]}, "b[1]"),
        ('{"a": 1 "b": ["x", "acme.co', {"a": 1, "b": ["x"]}, "b[1]"),
        ('{"a": [{"b": 1, "Jane Doe": 7', {"a": [{"b": 1}]}, "a[0].*"),
        ('{"a": "x y\\', {"a": "x y"}, "a"),
        ('{"a": "x y\\u12', {"a": "x y"}, "a"),
        ('{"a": "x\\ny\\n', {"a": "x\ny\n"}, "a"),
        ('{"a": 1 "b": ["x", "y z', {"a": 1, "b": ["x", "y z"]}, "b[1]"),
        ('```json\n{"a": "x", "b": ["y"\n```', {"a": "x", "b": ["y"]}, "b[0]"),
        ('```json\n{"a": "x", "b": ["y"\n```\nThat is all.', {"a": "x", "b": ["y"]}, "b[0]"),
        ('{"Jane Doe": "x y', {"Jane Doe": "x y"}, "*"),
    ],
)
def test_of_a_text_that_was_cut_off_what_is_certain_is_kept(text, value, field):
    notes = Notes()
    assert parse(text, notes) == value
    (cut,) = [notice for notice in notes.all() if notice.code == "output_truncated"]
    assert cut.field == field


@pytest.mark.parametrize("before", ['{"a": "x", ', '{"a": "x" '])
@pytest.mark.parametrize(
    "cut",
    [
        '"domain": "acme.co',
        '"company_domain": "acme.co',
        '"email": "bo@acme.co',
        '"name": "Bo R',
        '"contactName": "Bo R',
        '"phone": "+1 555 01',
        '"linkedin_url": "https://l.example/in/b',
        '"SOURCE_URL": "https://a.example/b c',
        '"end_date": "May 20',
        '"hq_state": "Nev',
        '"awards": ["Sa',
        '"awards": {"x": "https://a.example/b',
        '"awards": ["https://a.example/' + "b" * 60,
        '"score": 8',
        '"score": /* of 10 */ 8',
        '"awards": [-7.5',
    ],
)
def test_half_of_a_name_or_an_address_is_another_and_is_not_kept(before, cut):
    found, codes = read(before + cut)
    assert found.pop("awards", None) in (None, [], {})
    assert found == {"a": "x"}
    assert codes == ["json_repaired", "output_truncated"]


@pytest.mark.parametrize("before", ['{"a": "x", ', '{"a": "x" '])
@pytest.mark.parametrize("key", ["email_body", "email_subject", "linkedin_message", "the_angle"])
def test_prose_is_kept_as_far_as_it_goes(before, key):
    assert read(f'{before}"{key}": "Hello Bo, I re')[0] == {"a": "x", key: "Hello Bo, I re"}


@pytest.mark.parametrize("before", ['{"a": "x", ', '{"a": "x" '])
@pytest.mark.parametrize(
    "sentence", ["東京本社の移転計画は来年の春に始まる。", "แผนการย้ายสำนักงานใหญ่"], ids=["Japanese", "Thai"]
)
@pytest.mark.parametrize("is_escaped", [True, False])
def test_prose_without_spaces_is_told_by_its_length(before, sentence, is_escaped):
    prose = sentence * 4
    short, long = (json.dumps(text, ensure_ascii=is_escaped)[:-1] for text in (sentence, prose))
    assert read(f'{before}"the_angle": {long}')[0] == {"a": "x", "the_angle": prose}
    assert read(f'{before}"awards": [{long}')[0] == {"a": "x", "awards": [prose]}
    assert read(f'{before}"company_name": {long}')[0] == {"a": "x"}
    assert read(f'{before}"the_angle": {short}')[0] == {"a": "x"}


@pytest.mark.parametrize("end", ['"acme.com"', '"acme.com", "la', '"acme.com"}', '"acme.com", "b": '])
def test_a_whole_address_before_the_cut_is_kept(end):
    assert read('{"a": {"domain": ' + end)[0] == {"a": {"domain": "acme.com"}}
    assert read('{"x": 1 "a": {"domain": ' + end)[0] == {"x": 1, "a": {"domain": "acme.com"}}


@pytest.mark.parametrize("between", [", ", " "])
@pytest.mark.parametrize("end", [" ", "\n", ",", ', "q1', ', "is_it": tru', "\n// 1 of 2"])
def test_a_whole_number_before_the_cut_is_kept(between, end):
    whole = {"a": "x", "b": {"n": 1}, "lead_score": 78}
    assert read(f'{{"a": "x"{between}"b": {{"n": 1}}, "lead_score": 78{end}')[0] == whole


def test_a_broken_text_is_read_wherever_it_was_cut():
    text = '{"a": "x y" "b": {"c_d": "z" "e": ["f g", 1.5]} "h": "i'
    whole = {"a": "x y", "b": {"c_d": "z", "e": ["f g", 1.5]}}
    for end in range(text.index("b"), len(text) + 1):
        assert set(read(text[:end])[0]) <= set(whole)
    assert read(text)[0] == whole


def test_objects_after_each_other_are_all_found():
    assert read('first {"a": 1} then {"b": 2,} and {"c": 3') == (
        [{"a": 1}, {"b": 2}, {}],
        ["json_repaired", "output_truncated", "several_objects"],
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "no",
        "I could not find {anything} here [1].",
        "[",
        "{{{",
        '"just "a" text',
        "]}",
        "<html>",
        "{(}",
        "\x00",
    ],
)
def test_where_there_is_no_json_object_nothing_is_made_up(text):
    with pytest.raises(UnusableError):
        read(text)


def test_a_broken_text_with_all_its_ends_was_not_cut_off():
    assert read('{"a": ["x" "y"], "b": {"c": "}"}}')[1] == ["json_repaired"]


def test_how_it_was_read_is_told():
    def told(text):
        notes = Notes()
        parse(text, notes)
        return notes.all()[0].detail

    assert "stands in other text" in told('so: {"a": 1}')
    assert "is not strict" in told('{"a": NaN}')
    assert "was mended" in told('{"a": 1,}')
    assert "by guess" in told('{"a": 1 "b": 2}')


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, '{"a": [' * 50_000 + "1,", "x: " + "[[" * 60_000]
)
def test_hostile_nesting_is_refused(text):
    with pytest.raises(UnusableError):
        read(text)


@pytest.mark.parametrize(
    "motif",
    ['{"', '["', "{]", ']{"', '\\"([', '"},', "('", "{a],", "}]", "“", '"“:', "/*", "((", '" "', ",", "{'a':"],
)
@pytest.mark.parametrize("opening", ['{"a": ', "{'a': '"])
def test_hostile_repetition_takes_no_longer_than_a_few_seconds(opening, motif):
    text = opening + motif * (60_000 // len(motif))
    started = time.process_time()
    for cut in (LONGEST, len(text)):
        with suppress(UnusableError):
            read(text[:cut])
    assert time.process_time() - started < 10


def test_a_text_too_long_to_be_patched_is_refused():
    broken = '{"a": 1 "b": 2, '
    assert patch(broken + '"c": "x"}')[0]["b"] == 2
    with pytest.raises(UnusableError, match="too long"):
        patch(broken + '"c": "' + "x" * LONGEST + '"}')


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": "He said "yes", then left", "b": 1}', {"a": 'He said "yes", then left', "b": 1}),
        ('{"a": 1,000, "b": 2}', {"a": "1,000", "b": 2}),
        ('{"a": 1.50 "b": 1e5 "c": 01}', {"a": 1.5, "b": 1e5, "c": 1}),
        ('{"a": 0.00001 "b": 12345678901234567.25}', {"a": 0.00001, "b": 12345678901234567.25}),
        ('{"a": 1_200 "b": 12345678901234567890123}', {"a": 1200, "b": 12345678901234567890123}),
        ('{"a": .5 "b": "0.00001, 1e5 and 1.2.30"}', {"a": 0.5, "b": "0.00001, 1e5 and 1.2.30"}),
        ('{"a_b": True "Phase 2": NaN}', {"a_b": True, "Phase 2": None}),
        ('{"a": "x\\ny" "b": "\\u00e9t\\u00e9 \\"q\\" C:\\\\new"}', {"a": "x\ny", "b": 'été "q" C:\\new'}),
        ('{"a": "x" // a comment\n "b": 2, # two\n "c": /* three */ 3}', {"a": "x", "b": 2, "c": 3}),
        ('{ // one\n "b": 1 "c": 2}', {"b": 1, "c": 2}),
        ('{"a": [ // one\n 1, 2], "b": # two\n 1 "c": 2}', {"a": [1, 2], "b": 1, "c": 2}),
        ('{"a": true // one\n, "b": null  # two\n "c": false // three\n}', {"a": True, "b": None, "c": False}),
        ('{"a": "x"// one\n, "b": "y "   // two\n "c": 2}', {"a": "x", "b": "y ", "c": 2}),
        ('{"a": 1 /* over\ntwo lines */ "c": 2}', {"a": 1, "c": 2}),
        ('{"a": 1 "b": ["x", "y z', {"a": 1, "b": ["x", "y z"]}),
        ('{"a" "x", "b": "y"}', {"a": "x", "b": "y"}),
        ('{"a": 1 "Phase 1: East": "x", "p": 3}', {"a": 1, "Phase 1: East": "x", "p": 3}),
        (
            '{"revenue ($M, est.)": 4, "a": 1 "b \\"c\\" [d]" : {}}',
            {"revenue ($M, est.)": 4, "a": 1, 'b "c" [d]': {}},
        ),
        ('{"a": 1 "b": 2, "a key that is c', {"a": 1, "b": 2}),
        ('[{"a": 1 "b": 2}] and {"c": 3}', [[{"a": 1, "b": 2}], {"c": 3}]),
    ],
)
def test_what_can_be_patched_without_loss_is(text, value):
    found, codes = read(text)
    assert found == value
    assert codes[0] == "json_repaired"


@pytest.mark.parametrize(
    "text",
    [
        '{"scope": "Replace 12", 16" and 24" mains along Main St", "city": "Reno"}',
        '{"headline": "size 10", wide", "why_it_matters": "w"}',
        '{"a": """triple""", "b": 1}',
        '{"a": "say "b", c": 1, "d": "b", "c": "d"}',
        '{"a": 10 + 20}',
        '{"a": "https://a.example/x", "b": "#1", "c": 10 + 20}',
        '{"a" 1}',
        '{"a": "x" "a": "y"}',
        '{"a": 1 "b": 2, "c": "one", two: 3": 5}',
    ],
)
def test_a_patch_that_loses_or_invents_something_is_refused(text):
    with pytest.raises(UnusableError, match="without loss"):
        read(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":: 1}',
        '{"a": 1,, "b": 2}',
        "{: 1}",
        "[1 2]",
        '{"a": [1}',
        '{"a": 01}',
        "{1: 2}",
        '{"a" 1}',
        "]",
        '{"a": b}',
        "{,}",
        '{"a": "x" "y"}',
        '{"a": "x"\n"b": 1}',
        '{"a" "b"}',
        "[,]",
        '{"a": .5}',
        '{"a" 1, "b": 2}',
        '{"a": 1: 2}',
        "[1 [2]]",
        '{"a": "x" 1}',
        '{"a": "he said "hi" and th',
        '{"a": "he said "hi", there"}',
        "{'a's': 1}",
    ],
)
def test_what_needs_a_guess_is_not_mended(text):
    with pytest.raises(NotMendedError):
        mend(text, 0)


@given(OBJECTS)
def test_mending_strict_json_changes_nothing(value):
    text = json.dumps(value)
    assert mend(text, 0).value == value
    assert mend(text + " and prose", 0).end == len(text)


@given(OBJECTS, st.data())
def test_a_cut_object_is_read_as_a_part_of_the_whole(value, data):
    text = json.dumps(value)
    cut = text[: data.draw(st.integers(1, len(text) - 1))]
    mended = mend(cut, 0)
    assert mended.is_cut
    assert is_part(mended.value, value)


def is_part(part, whole):
    """Whether nothing is in `part` that is not in `whole` at the same place, texts being cut."""
    match part:
        case dict():
            return all(key in whole and is_part(item, whole[key]) for key, item in part.items())
        case list():
            return all(map(is_part, part, whole))
        case str():
            return whole.startswith(part)
        case _:
            return part == whole


@settings(max_examples=300)
@given(st.text(alphabet="{}[]\":,'\\/*#ab1 \n“”‘’-.tN", max_size=40))
def test_any_text_is_read_or_refused(text):
    for attempt in (text, '{"a": ' + text, '{"a": "' + text + '"}'):
        with suppress(UnusableError):
            read(attempt)
        with suppress(NotMendedError):
            mend("{" + attempt, 0)


@pytest.mark.parametrize("before", ["", "So:\n", "// So\n"])
@pytest.mark.parametrize(
    ("text", "value", "code"),
    [
        ('{"a": ["A"], "b": 1, "a": ["B", "A"]}', {"a": ["A", "B"], "b": 1}, "json_repaired"),
        (
            '{"a": {"b": "B", "c": ["C"]}, "a" : {"d": 1, "c": []}}',
            {"a": {"b": "B", "c": ["C"], "d": 1}},
            "json_repaired",
        ),
        (
            '{"a": {"b": 1, "c": 2}, "a": {"b": 3, "d": 4}}',
            {"a": {"b": 3, "c": 2, "d": 4, "b_": 1}},
            "json_repaired keys_collide",
        ),
        ('{"a": "A", "a_": "_", "a": "B"}', {"a": "B", "a_": "_", "a__": "A"}, "keys_collide"),
        ('{"a": "A", "a": "B", "a": "C"}', {"a": "C", "a_": ["A", "B"]}, "keys_collide"),
        ('{"a": "A", "a": "B", "a": "A"}', {"a": "A", "a_": "B"}, "keys_collide"),
        ('{"a": {"b": 1}, "a": "A"}', {"a": "A", "a_": {"b": 1}}, "keys_collide"),
        (
            '{"coordinates": {"lat": 1}, "coordinates": {"lng": 2}}',
            {"coordinates": {"lng": 2}, "coordinates_": {"lat": 1}},
            "keys_collide",
        ),
        ('{"a": "N/A", "a": "B", "a": null, "a": []}', {"a": "B"}, None),
        ('{"a": {"b": "B"}, "a": {"b": "B"}}', {"a": {"b": "B"}}, None),
        ('{"a": ":", "b": ": b"}', {"a": ":", "b": ": b"}, None),
    ],
)
def test_what_a_key_says_that_stands_twice_is_joined_or_stands_beside_it(text, value, code, before):
    assert read(before + text) == (value, ["json_repaired"] * bool(before) + (code or "").split())
    assert read(before + text.replace("}", "\n}") + " and prose")[0] == value


def test_a_key_that_stands_there_without_end_takes_no_longer_than_it_must():
    pairs = ", ".join(f'"a": [{number}]' for number in range(50_000))
    value, told = read("{" + pairs + "}")
    assert value["a"] == list(range(50_000 - 17, 50_000))
    assert len(value["a_"]) == 50_000 - 17
    assert told == ["json_repaired", "keys_collide"]


def test_keys_that_stand_twice_at_each_level_are_joined_as_deep_as_is_kept_and_no_text_is_read_at_each():
    both = [json.dumps("x" * 1_000_000), json.dumps("y")]
    for _ in range(200):
        both = [f'{{"a": {one}, "b": 1, "b": 1}}' for one in both]
    value, told = read(f'{{"a": {both[0]}, "a": {both[1]}}}')
    for _ in range(64):
        value = value["a"]
    assert set(value) == {"a", "b", "a_"}
    assert told == ["json_repaired", "keys_collide"]
