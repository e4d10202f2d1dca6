"""What is around a step's content comes off, whoever put it there and in whatever order."""

import json

import pytest

from tasks.assemble.envelope import LAYERS, unwrap
from tasks.assemble.notes import Notes, UnusableError
from tasks.assemble.steps import STEPS

CONTENT = {"company_name": "Acme", "lead_score": 70}
TEXT = json.dumps(CONTENT)


def opened(output, step="10_WRITER_INTRO"):
    notes = Notes()
    return unwrap(output, STEPS[step], notes), [notice.code for notice in notes.all()]


def responses(*texts, **fields):
    parts = [{"type": "output_text", "text": text} for text in texts]
    thought = {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "Let me think."}]}
    blocks = [thought, {"type": "web_search_call", "text": "acme"}]
    return {"object": "response", "output": [*blocks, {"type": "message", "content": parts}]} | fields


def chat(content, **choice):
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": content}} | choice]}


def anthropic(*texts, **fields):
    return {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": text} for text in texts],
    } | fields


def gemini(*parts, **candidate):
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}} | candidate]}


ENVELOPES = [
    responses(TEXT),
    responses(TEXT[:10], TEXT[10:20], TEXT[20:]),
    [responses(TEXT)],
    responses(TEXT)["output"],
    chat(TEXT),
    chat([{"type": "text", "text": TEXT[:9]}, {"type": "text", "text": TEXT[9:]}]),
    chat(CONTENT),
    chat(TEXT)["choices"][0]["message"],
    anthropic(TEXT),
    anthropic(TEXT[:5], TEXT[5:]),
    anthropic(TEXT)["content"],
    anthropic(TEXT[:5], TEXT[5:])["content"],
    responses(TEXT[:5], TEXT[5:])["output"][-1:],
    chat(TEXT) | {"choices": [*chat(TEXT)["choices"], None]},
    {"choices": [{"content": TEXT}]},
    {"choices": [{"content": [{"type": "text", "text": TEXT}]}]},
    {"candidates": [{"content": [{"text": TEXT[:9]}, {"text": TEXT[9:]}]}]},
    gemini({"text": TEXT}),
    gemini({"text": "let me think", "thought": True}, {"text": TEXT[:9]}, {"text": TEXT[9:]}),
    {"content": [{"type": "thinking", "text": "hm"}, {"type": "text", "text": TEXT}], "role": "assistant"},
    {"result": CONTENT},
    {"result": {"result": CONTENT}},
    {"text": TEXT},
    {"output": TEXT},
    {"data": [CONTENT]},
    {"response": {"v1_buckets": CONTENT}},
    {"find_leads": CONTENT},
    {"RESULT": {"COMPANY_NAME": "Acme", "LEAD_SCORE": 70}},
    {"companyName": "Acme", "leadScore": 70},
    {"status": "ok", "result": CONTENT, "usage": {"tokens": 1}, "error": None},
    json.dumps(TEXT),
    json.dumps(json.dumps(TEXT)),
    [TEXT],
]


@pytest.mark.parametrize("output", ENVELOPES)
def test_an_envelope_comes_off(output):
    assert opened(output) == (CONTENT, [])


@pytest.mark.parametrize("inner", ENVELOPES)
def test_envelopes_come_off_in_any_order(inner):
    for outer in (
        responses(json.dumps(inner)),
        chat(json.dumps(inner)),
        {"result": inner},
        {"text": json.dumps(inner)},
    ):
        assert opened(outer) == (CONTENT, [])


@pytest.mark.parametrize(
    "output",
    [
        responses(TEXT, status="incomplete"),
        chat(TEXT, finish_reason="length"),
        anthropic(TEXT, stop_reason="max_tokens"),
        gemini({"text": TEXT}, finishReason="MAX_TOKENS"),
        chat(TEXT, finish_reason="content_filter"),
        gemini({"text": TEXT}, finishReason="SAFETY"),
        anthropic(TEXT, stop_reason="refusal"),
    ],
)
def test_an_answer_that_was_cut_short_is_told(output):
    assert opened(output) == (CONTENT, ["output_truncated"])


@pytest.mark.parametrize("beside", [{"candidates": [{"name": "B"}]}, {"choices": ["x"]}, {"candidates": []}])
def test_a_writers_candidates_and_choices_are_no_answer_of_a_provider(beside):
    listed = {"contacts": [{"name": "A"}]}
    assert opened(listed | beside, "6_ENRICH_CONTACTS") == (listed | beside, [])


def test_a_signal_of_a_type_that_ends_like_a_tools_is_no_step_of_a_model():
    signals = {"primary_buying_signal": "x", "output": [{"type": "earnings_call", "description": "y"}]}
    assert opened(signals, "10_WRITER_SIGNALS") == (signals, [])


@pytest.mark.parametrize(
    "text", [f"Based on [[1]](https://a.example):\n{TEXT}", f"{TEXT}\n\nSources: [[1]](b), [[2]]"]
)
def test_marks_of_citations_around_the_content_are_prose(text):
    assert opened(text) == (CONTENT, ["json_repaired"])


def test_text_beside_the_content_in_a_list_is_passed_over():
    assert opened(["Here it is:", CONTENT]) == (CONTENT, ["json_repaired"])
    listed = {"contacts": [{"name": "A"}]}
    assert opened(["Here they are:", listed], "6_ENRICH_CONTACTS") == (listed, ["json_repaired"])
    assert opened(["Ann Lee", {"name": "B"}], "6_ENRICH_CONTACTS")[0] == {"contacts": ["Ann Lee", {"name": "B"}]}
    with pytest.raises(UnusableError, match="no JSON object"):
        opened(["Here it is:", "nothing"])


@pytest.mark.parametrize(
    ("step", "beside"),
    [("10_WRITER_INTRO", {"timing_urgency": "HIGH"}), ("6_ENRICH_CONTACTS", {"key_contacts": [{"name": "B"}]})],
)
@pytest.mark.parametrize("before", ["", "Here it is: "])
def test_a_document_that_cannot_be_read_is_refused_and_not_passed_over_as_text(step, beside, before):
    broken = before + '{"company_name": "Acme", "one_liner": "x" [1], "lead_score": 70}'
    with pytest.raises(UnusableError, match="JSON"):
        opened([broken, beside], step)


@pytest.mark.parametrize(
    "name", ["Jane Doe", "Al Bo", "Anna van der Berg, Head of Buying", "Jo Ray - CEO at Acme"]
)
def test_a_name_beside_a_document_is_an_entry(name):
    document = {"key_contacts": [{"name": "B"}]}
    assert opened(["Here they are:", name, document], "6_ENRICH_CONTACTS") == (
        document | {"contacts": [name]},
        ["json_repaired"],
    )


def test_a_document_with_words_before_it_is_read_beside_another():
    output = ['Here they are: {"contacts": [{"name": "A"}]}', {"contacts": [{"name": "B"}]}]
    assert opened(output, "6_ENRICH_CONTACTS")[0] == {"contacts": [{"name": "A"}, {"name": "B"}]}


def test_what_stands_beside_a_wrapper_is_kept_and_the_carriers_own_is_not():
    output = {"status": "ok", "model": "m", "data": CONTENT, "sources": ["https://a.example"], "confidence": 0.5}
    assert opened(output)[0] == CONTENT | {"sources": ["https://a.example"], "confidence": 0.5}


def test_sections_side_by_side_are_one_content():
    output = {"insight": {"the_math": {"bottom_line": "x"}}, "copy": {"objections": []}}
    assert opened(output, "10_WRITER_STRATEGY")[0] == {"the_math": {"bottom_line": "x"}, "objections": []}


@pytest.mark.parametrize(
    ("step", "output"),
    [
        (
            "10_WRITER_OPPORTUNITY",
            {"find_leads": {"company_snapshot": "x", "sources": ["A"]}, "enrich_lead": {"sources": ["B", "C"]}},
        ),
        (
            "10_WRITER_STRATEGY",
            {"sources": ["A"], "insight": {"the_math": "x", "sources": "B"}, "copy": {"sources": [{"url": "C"}]}},
        ),
        (
            "11_DOSSIER_COMPOSER",
            {
                "dossier": {
                    "find_leads": {"the_angle": "x", "sources": ["A"]},
                    "insight": {"sources": ["B"]},
                    "copy": {"sources": ["C"]},
                }
            },
        ),
        ("10_WRITER_INTRO", chat(CONTENT | {"sources": ["B", "C"]}) | {"sources": ["A"]}),
        ("10_WRITER_INTRO", [CONTENT | {"sources": ["A"]}, {"sources": ["B", "C"]} | CONTENT]),
        (
            "6_ENRICH_CONTACTS",
            [
                {"contacts": [], "sources": ["A"]},
                {"contacts": [], "sources": ["B"]},
                {"contacts": [], "sources": "C"},
            ],
        ),
    ],
)
def test_the_sources_of_all_parts_of_a_content_are_kept(step, output):
    content, codes = opened(output, step)
    urls = [source["url"] if isinstance(source, dict) else source for source in content["sources"]]
    assert sorted(urls) == ["A", "B", "C"]
    assert set(codes) <= {"several_objects"}


@pytest.mark.parametrize(
    ("step", "output", "kept"),
    [
        (
            "10_WRITER_OPPORTUNITY",
            {
                "find_leads": {"company_snapshot": {"domain": "a.example", "industry": "I"}, "note": "N"},
                "enrich_lead": {"company_snapshot": {"domain": "b.example"}, "note": "M"},
            },
            {"company_snapshot": {"domain": "b.example", "industry": "I"}, "note": "M"},
        ),
        (
            "6_ENRICH_CONTACTS",
            [{"contacts": [{"name": "A"}], "note": "N", "Bo Ray": 1}, {"contacts": [], "note": "M", "Bo Ray": 2}],
            {"contacts": [{"name": "A"}], "note": "M", "Bo Ray": 2},
        ),
    ],
)
def test_where_parts_of_a_content_differ_the_later_counts_and_that_is_told(step, output, kept):
    notes = Notes()
    assert unwrap(output, STEPS[step], notes) == kept
    (notice,) = notes.all()
    assert notice.code == "overruled"
    assert "note" in notice.detail
    assert "Bo Ray" not in notice.detail


def test_people_in_two_parts_of_a_content_are_all_on_the_list():
    output = {"enrich_contacts": {"contacts": [{"name": "B"}]}, "contacts": [{"name": "A"}]}
    assert opened(output, "6_ENRICH_CONTACTS") == ({"contacts": [{"name": "A"}, {"name": "B"}]}, [])


def test_lists_of_several_documents_keep_their_names():
    entry = {"contact_index": 0, "email_body": "x"}
    output = [{"final_copy_outputs": [entry], "copy_outputs": [entry]}, {"final_copy_outputs": [entry]}]
    assert opened(output, "10B_COPY_CLIENT_OVERRIDE")[0] == {
        "final_copy_outputs": [entry, entry],
        "copy_outputs": [entry],
    }


def test_a_wrapper_with_an_object_comes_before_one_with_text():
    assert opened({"message": "done", "data": CONTENT})[0] == CONTENT | {"message": "done"}


def test_a_wrappers_name_inside_the_content_is_a_field_of_it():
    assert opened(CONTENT | {"data": {"a": 1}, "text": "hello"})[0] == CONTENT | {
        "data": {"a": 1},
        "text": "hello",
    }


@pytest.mark.parametrize(
    ("step", "beside", "inner"),
    [
        ("10_WRITER_INTRO", {"company_name": "Acme"}, {"one_liner": "x", "lead_score": 81}),
        ("10_WRITER_INTRO", {"company_name": "Acme", "status": "new"}, {"company_name": "Acme", "lead_score": 81}),
        (
            "6_ENRICH_CONTACT_INDIVIDUAL",
            {"contact_index": 0, "contact_name": "Ann Lee", "role": "CEO"},
            {"email": "ann@acme.example"},
        ),
    ],
)
def test_a_wrapper_beside_fields_comes_off_where_it_has_others_of_them(step, beside, inner):
    assert opened(beside | {"result": inner}, step) == (beside | inner, [])


def test_a_wrapper_beside_fields_that_has_another_value_for_one_stays():
    output = CONTENT | {"result": {"company_name": "Other", "one_liner": "x"}}
    assert opened(output)[0] == output


def test_several_objects_where_one_is_due_are_one_and_the_later_counts():
    content, codes = opened([{"company_name": "Old", "one_liner": "kept"}, {"company_name": "New"}])
    assert content == {"company_name": "New", "one_liner": "kept"}
    assert codes == ["several_objects", "overruled"]


def test_of_many_objects_the_last_value_counts_and_all_sources_are_kept_in_order():
    output = [
        {"company_name": f"Acme {n}", f"key_{n}": {"n": n}, "both": {f"n{n}": n}, "sources": [n]}
        for n in range(50)
    ]
    content, codes = opened(output)
    assert content["company_name"] == "Acme 49"
    assert content["sources"] == list(range(50))
    assert content["both"] == {f"n{n}": n for n in range(50)}
    assert all(content[f"key_{n}"] == {"n": n} for n in range(50))
    assert codes == ["several_objects", "overruled"]


def test_of_several_objects_it_is_told_which_fields_lost():
    notes = Notes()
    output = [{"additional_signals": ["A"]}, {"additional_signals": ["B"]}]
    assert unwrap(output, STEPS["10_WRITER_SIGNALS"], notes) == {"additional_signals": ["B"]}
    assert "additional_signals" in notes.all()[-1].detail


@pytest.mark.parametrize("empty", [None, [], {}])
def test_a_field_under_another_name_is_not_hidden_by_an_empty_one(empty):
    content, codes = opened({"one_liner": "x", "timing_urgency": empty, "urgency": "HIGH"})
    assert content == {"one_liner": "x", "timing_urgency": "HIGH"}
    assert codes == []


@pytest.mark.parametrize("same", [None, [], "HIGH"])
def test_another_name_that_says_nothing_else_is_not_kept(same):
    assert opened({"timing_urgency": "HIGH", "urgency": same}) == ({"timing_urgency": "HIGH"}, [])


def test_a_field_under_two_names_with_two_values_is_told():
    content = {"timing_urgency": "HIGH", "urgency": "LOW"}
    assert opened(content) == (content, ["keys_collide"])


@pytest.mark.parametrize(
    "output",
    [
        [{"name": "A"}, {"name": "B"}],
        {"contacts": [{"name": "A"}, {"name": "B"}]},
        [{"contacts": [{"name": "A"}]}, {"contacts": [{"name": "B"}]}],
        [{"result": {"name": "A"}}, {"text": '{"name": "B"}'}],
        {"result": [{"name": "A"}, {"name": "B"}]},
        {"enrich_contacts": [{"name": "A"}, {"name": "B"}]},
        responses('[{"name": "A"}, {"name": "B"}]'),
        responses('{"name": "A"}\n{"name": "B"}'),
        ['{"name": "A"}', '{"name": "B"}'],
    ],
)
def test_a_list_of_people_is_known_by_its_first_name_however_it_comes(output):
    assert opened(output, "6_ENRICH_CONTACTS")[0] == {"contacts": [{"name": "A"}, {"name": "B"}]}


def test_a_list_of_one_person_stays_a_list():
    assert opened([{"name": "A"}], "6_ENRICH_CONTACTS")[0] == {"contacts": [{"name": "A"}]}


def test_a_list_of_one_document_is_the_document():
    document = {"contacts": "None were found", "contact_count": 0}
    assert opened([document], "6_ENRICH_CONTACTS")[0] == document


@pytest.mark.parametrize("output", [[], {"contacts": []}, {"result": []}, {"contacts": None}, "[]"])
def test_nobody_is_a_list_of_people_too(output):
    assert opened(output, "6_ENRICH_CONTACTS")[0]["contacts"] in ([], None)


@pytest.mark.parametrize(
    ("output", "says"),
    [
        (None, "no JSON object"),
        (7, "no JSON object"),
        ("", "no JSON object"),
        ("I could not find enough.", "no JSON object"),
        (responses("I could not find enough."), "no JSON object"),
        (responses(), "said nothing"),
        ({"object": "response", "status": "failed", "output": []}, "said nothing"),
        ({"choices": []}, "said nothing"),
        (chat(None), "said nothing"),
        (chat(None) | {"choices": [{"message": {"content": None, "refusal": "I will not."}}]}, "no JSON object"),
        ({}, "none of the fields"),
        ({"error": "rate limit"}, "none of the fields"),
        ({"company_name": None, "one_liner": "N/A"}, "none of the fields"),
        ({"the_math": {"bottom_line": "another step's"}}, "none of the fields"),
        ([], "empty list"),
        ({"result": {"result": None}}, "none of the fields"),
    ],
)
def test_what_is_not_the_steps_content_is_refused(output, says):
    with pytest.raises(UnusableError) as caught:
        opened(output)
    assert says in caught.value.detail


@pytest.mark.parametrize("output", [{"object": "response", "status": "failed", "output": []}, {"choices": []}])
def test_an_answer_that_never_came_is_not_a_list_of_nobody(output):
    with pytest.raises(UnusableError, match="said nothing"):
        opened(output, "6_ENRICH_CONTACTS")


def test_envelopes_without_end_are_refused():
    output = CONTENT
    for _ in range(LAYERS + 1):
        output = {"result": output}
    with pytest.raises(UnusableError, match="envelopes around each other"):
        opened(output)


def test_replaced_characters_are_counted_once():
    notes = Notes()
    unwrap(responses('{"company_name": "A\ufffd\\u0000\\ud800"}'), STEPS["10_WRITER_INTRO"], notes)
    assert [notice.detail for notice in notes.all() if notice.code == "characters_replaced"] == [
        "characters that cannot be stored are U+FFFD now: 3"
    ]
