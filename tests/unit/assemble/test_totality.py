"""Whatever the pipeline stored, there is a draft that can be stored, or one of two errors that can be."""

import ast
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tasks.assemble
from models.clean import INDEXES
from tasks.assemble import assemble
from tasks.assemble.envelope import WRAPPERS
from tasks.assemble.roster import NAMES
from tasks.assemble.shapes import OUTREACH, PLACES
from tasks.assemble.steps import ALIASES, STEPS
from tests.builders import CONTENTS, contacts_of, run_of
from tests.totality import ends_well

KEYS = sorted(
    {
        *PLACES,
        *ALIASES,
        *WRAPPERS,
        *OUTREACH.fields,
        *INDEXES,
        *NAMES,
        "sources",
        "choices",
        "candidates",
        "role",
        "type",
    }
    | {name for step in STEPS.values() for name in {*step.fields, *step.wrappers}}
    | {name for _, shape in PLACES.values() for name in getattr(shape, "fields", ())}
)
TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=12)
WORDS = st.sampled_from(
    [
        "N/A",
        "null",
        "78/100",
        "Medium-High",
        "https://a.example",
        "www.a.example",
        "Ann Lee",
        "Acme LLC",
        "CONT_000",
        "a@b.example",
        "message",
        "output_text",
        "incomplete",
        "{",
        '{"a": 1',
        "primary",
    ]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | TEXT | WORDS


def nested(inner):
    objects = st.dictionaries(st.sampled_from(KEYS) | TEXT, inner, max_size=5)
    return objects | st.lists(inner, max_size=4) | objects.map(json.dumps)


OUTPUTS = st.recursive(LEAVES, nested, max_leaves=25)
MIXED = st.one_of(
    *(
        OUTPUTS.flatmap(
            lambda noise, content=content: st.just(content | noise if isinstance(noise, dict) else content)
        )
        for content in [*CONTENTS.values(), contacts_of("Ann Lee", "Acme LLC")]
    )
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(sorted(STEPS)), OUTPUTS | MIXED, max_size=4), OUTPUTS)
def test_any_json_in_any_step_ends_well(outputs, seed):
    ends_well(run_of(outputs, seed_data=seed if isinstance(seed, dict) and all(map(is_utf8, seed)) else {}))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(STEPS)), OUTPUTS, st.integers(0, 400), st.integers(0, 400))
def test_any_json_cut_anywhere_ends_well(step, output, start, end):
    text = json.dumps(output)
    ends_well(run_of({step: text[: start % (len(text) + 1)] + text[end % (len(text) + 1) :]}))


def is_utf8(text):
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


@pytest.mark.parametrize("step", [*CONTENTS, "11_DOSSIER_COMPOSER", "10A_COPY", "8_MEDIA"])
@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, '{"result":' * 100_000, '[{"a":[' * 30_000 + "1"]
)
def test_hostile_nesting_in_text_ends_well(step, text):
    ends_well(run_of({step: text}))
    ends_well(run_of({step: {"result": {"contacts": text, "the_math": text}}}))


@pytest.mark.parametrize(
    "key", ["result", "contacts", "the_math", "sources", "find_leads", "output", "company_name"]
)
def test_hostile_nesting_in_values_ends_well(key):
    objects, lists = "deep", "deep"
    for _ in range(50_000):
        objects, lists = {key: objects}, [lists]
    for output in (objects, lists, {key: lists}, CONTENTS["10_WRITER_STRATEGY"] | {key: objects}):
        for step in ("10_WRITER_STRATEGY", "6_ENRICH_CONTACTS", "10_WRITER_INTRO", "10A_COPY"):
            ends_well(run_of({step: output}, seed_data={key: objects}))


def test_large_lists_take_no_longer_than_they_must():
    count = 5_000
    outputs = {
        "6_ENRICH_CONTACTS": {"contacts": [{"name": f"Ann Lee{number}"} for number in range(count)]},
        "6_ENRICH_CONTACT_INDIVIDUAL": {
            "contacts": [{"name": f"Ann Lee{number}", "phone": "1"} for number in range(count)]
        },
        "10A_COPY": {"copy_outputs": [{"contact_index": number, "email_body": "B"} for number in range(count)]},
        "8_MEDIA": {
            "logo_url": "https://l.example",
            "logo_fallback_chain": [f"https://l.example/{n}" for n in range(count)],
        },
        "5C_CLIENT_SPECIFIC": {
            "custom_research": [{"criteria_name": "A", "matches": [{"evidence": str(n)} for n in range(count)]}]
            * 2
            + [{"criteria_name": "B", "matches": [{"evidence": str(n)}]} for n in range(count)]
        },
        "10_WRITER_CLIENT_SPECIFIC": {"custom_research": [{"criteria_name": "B", "matches": []}]},
        "10_WRITER_INTRO": CONTENTS["10_WRITER_INTRO"]
        | {"sources": [f"https://a.example/{n}" for n in range(count)]},
    }
    draft = assemble(run_of(outputs))
    assert len(draft.contacts) == len(draft.copy["outreach"]) == len(draft.sources) == count
    assert len(draft.find_leads["custom_research"]["items"][0]["matches"]) == count


@pytest.mark.parametrize("motif", [" ", "\t", "\n", "/* ", "\u201c", "\u2018", "1_", "// "])
@pytest.mark.parametrize("opening", ['{"a": "x" "b": "', '{"a": "x" "b', '{"a": "x" "b": ",\n'])
def test_a_broken_text_that_repeats_itself_takes_no_longer_than_it_must(opening, motif):
    ends_well(run_of({"10_WRITER_INTRO": opening + motif * (19_000 // len(motif)) + "x:}"}))


PURE = {"json", "math", "re", "unicodedata", "collections", "dataclasses", "enum", "functools", "typing", "uuid"}
PURE |= {"urllib.parse"}  # of what opens addresses this alone
HELPERS = {"email_validator", "idna", "json_repair", "orjson"}
OURS = ("models.clean.", "models.domain_name.", "models.values.", "worker.errors.", "tasks.assemble.")


@pytest.mark.parametrize(
    "path", sorted(Path(tasks.assemble.__file__).parent.glob("*.py")), ids=lambda path: path.stem
)
def test_assembly_knows_no_database_no_clock_and_no_settings(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    strangers = {
        name
        for name in imported
        if {name, name.partition(".")[0]}.isdisjoint(PURE | HELPERS) and not f"{name}.".startswith(OURS)
    }
    assert strangers == set()
