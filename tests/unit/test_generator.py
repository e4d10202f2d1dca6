"""The generator of runs: same seed, same run; each knob does its damage and no other; the truth survives."""

import json
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.generator import FATAL, REPAIRABLE, Damage, Size, Truth, generate, generated, truth
from tests.generator.__main__ import main
from tests.generator.damage import ENVELOPES, QUOTES, SPELLINGS, WRAPPERS
from tests.generator.forms import NAN_KEYS
from tests.generator.plan import CONTACTS, COPY, INDIVIDUAL, MEDIA, NOTE, OVERRIDE, WRITERS
from tests.generator.reader import content_of, contents
from tests.generator.shapes import NULLABLE, SECTION_OF, SPELLED
from tests.generator.trees import camel, snake, upper, with_objects
from tests.generator.values import COMBINING, FREE_TEXT, LONG, LONG_TEXT, RIGHT_TO_LEFT

SAMPLES = Path(__file__).parents[1] / "samples"
SEEDS = range(1, 6)
SLOW = {Damage.LONG_STRINGS}  # a reader takes its time over them; read alone below
COMPOSER = "11_DOSSIER_COMPOSER"

Run = dict[str, Any]


def outputs(run: Run) -> list[Any]:
    return [each["output"] for each in run["steps"]]


def text_of(output: Any) -> str:
    text = output["output"][-1]["content"][0]["text"]
    assert isinstance(text, str)
    return text


def flat(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else None
    if items is None:
        yield path, tree
        return
    for key, value in items:
        yield from flat(value, (*path, key))


def changes(seed: int, *damage: Damage) -> Iterator[tuple[str, Any, Any]]:
    """The key, the old and the new value of every leaf that differs; `...` where there is none."""
    old, new = (dict(flat(contents(generate(seed, damage=each)))) for each in ((), damage))
    for path in old | new:
        before, after = old.get(path, ...), new.get(path, ...)
        if (type(before), before) != (type(after), after):
            yield next(key for key in reversed(path) if isinstance(key, str)), before, after


# The run file.


def test_the_same_arguments_give_the_same_run_whatever_was_generated_between() -> None:
    first = generated(7, damage=REPAIRABLE)
    generate(8)
    assert generated(7, damage=sorted(REPAIRABLE)) == first


def test_every_seed_is_another_company_with_another_run_id() -> None:
    runs = [generated(seed, size=Size.SMALL) for seed in range(-50, 50)]
    assert len({each.truth.company_domain for each in runs}) == len(runs)
    assert len({each.run["run"]["run_id"] for each in runs}) == len(runs)


def test_the_lead_is_the_same_whatever_the_size_and_the_damage() -> None:
    for seed in SEEDS:
        small, large = truth(seed, size=Size.SMALL, contacts=3), truth(seed, size=Size.LARGE, contacts=3)
        damaged = truth(seed, contacts=3, damage=REPAIRABLE - {Damage.SCORE_OVER_RANGE})
        for each in (large, damaged):
            assert (each.company_name, each.lead_score, each.contacts, each.signals) == (
                small.company_name,
                small.lead_score,
                small.contacts,
                small.signals,
            )


def test_a_run_has_the_shape_of_the_samples() -> None:
    sample = json.loads((SAMPLES / "run_clean.json").read_text(encoding="utf-8"))
    run = generate(7, client_id="CLT_A", run_id="RUN_A")
    assert list(run) == list(sample)
    assert list(run["run"]) == list(sample["run"])
    assert run["client"] == {"client_id": "CLT_A"}
    assert run["run"]["client_id"] == "CLT_A"
    assert run["run"]["run_id"] == "RUN_A"
    for place, step in enumerate(run["steps"]):
        assert list(step) == list(sample["steps"][0])
        assert step["step_id"] == f"RUN_A_{place:02d}"
        assert step["output"].keys() == sample["steps"][0]["output"].keys()
    assert {*WRITERS, CONTACTS, INDIVIDUAL, COPY, OVERRIDE, MEDIA} <= {each["step_name"] for each in run["steps"]}
    for step in run["steps"]:
        for known in sample["steps"]:
            if known["step_name"] == step["step_name"] and step["step_name"] in WRITERS:
                assert content_of(step["output"]).keys() >= content_of(known["output"]).keys() - {"sources"}


@pytest.mark.parametrize(
    ("size", "least", "most"),
    [(Size.SMALL, 4_500, 6_500), (Size.NORMAL, 33_000, 45_000), (Size.LARGE, 900_000, 1_100_000)],
)
def test_a_run_is_as_large_as_asked_for(size: Size, least: int, most: int) -> None:
    for seed in SEEDS:
        run = generate(seed, size=size)
        assert least < len(json.dumps(run, ensure_ascii=False, separators=(",", ":")).encode()) < most


@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_a_run_has_as_many_people_as_asked_for(count: int) -> None:
    known = truth(3, contacts=count, damage=[Damage.COMPANY_AMONG_CONTACTS])
    names = [contact.name for contact in known.contacts]
    assert len({unicodedata.normalize("NFKD", name).casefold() for name in names}) == count
    assert [name for name, _ in known.outreach] == names
    assert sum(contact.is_primary for contact in known.contacts) == min(count, 1)


def test_more_people_than_there_are_names_are_refused() -> None:
    with pytest.raises(ValueError, match="from 0 to 1000"):
        generate(1, contacts=1001)


def test_names_come_in_many_scripts() -> None:
    names = [contact.name for seed in range(60) for contact in truth(seed, size=Size.SMALL, contacts=5).contacts]
    letters = filter(str.isalpha, {letter for name in names for letter in name})
    scripts = {unicodedata.name(letter).split()[0] for letter in letters}
    assert scripts >= {"LATIN", "GREEK", "CYRILLIC", "HEBREW", "ARABIC", "DEVANAGARI", "CJK", "HANGUL", "THAI"}


# Damage that a reader undoes without loss.

LOSSLESS: dict[Damage, Callable[[Any], bool]] = {
    Damage.OPENAI_RESPONSES: lambda output: output["object"] == "response",
    Damage.OPENAI_IN_ARRAY: lambda output: output[0]["object"] == "response",
    Damage.OPENAI_SPLIT_TEXT: lambda output: len(output["output"][-1]["content"]) == 3,
    Damage.OPENAI_INCOMPLETE: lambda output: output["status"] == "incomplete",
    Damage.CHAT_COMPLETIONS: lambda output: "choices" in output,
    Damage.ANTHROPIC: lambda output: output["content"][0]["type"] == "text",
    Damage.GEMINI: lambda output: "candidates" in output,
    Damage.MAKE_RESULT: lambda output: isinstance(output["result"], str),
    Damage.MAKE_TEXT: lambda output: isinstance(output["text"], str),
    Damage.NO_ENVELOPE: lambda output: output.startswith("{"),
    Damage.NESTED_ENVELOPES: lambda output: "resp_" in str(output.get("result") or output["text"]),
    Damage.JSON_STRING: lambda output: text_of(output).startswith("{"),
    Damage.OBJECT: lambda output: "analyst_note" in output,
    Damage.STRING_IN_STRING: lambda output: text_of(output).startswith('"{'),
    Damage.FENCE: lambda output: text_of(output).startswith("```json\n{"),
    Damage.PROSE: lambda output: text_of(output).startswith("Here is the section"),
    Damage.COMMENTS: lambda output: "\n  // " in text_of(output),
    Damage.TRAILING_COMMAS: lambda output: text_of(output).endswith(",\n}"),
    Damage.SINGLE_QUOTES: lambda output: text_of(output).startswith("{\n  '"),
    Damage.CURLY_QUOTES: lambda output: text_of(output).startswith("{\n  \u201c"),
    Damage.WRAP_RESULT: lambda output: text_of(output).startswith('{"result": {'),
    Damage.WRAP_OUTPUT: lambda output: text_of(output).startswith('{"output": {'),
    Damage.WRAP_DATA: lambda output: text_of(output).startswith('{"data": {'),
    Damage.WRAP_RESPONSE: lambda output: text_of(output).startswith('{"response": {'),
    Damage.WRAP_V1_BUCKETS: lambda output: text_of(output).startswith('{"v1_buckets": {'),
}
USUAL = {Damage.OPENAI_RESPONSES, Damage.JSON_STRING}


@pytest.mark.parametrize("knob", LOSSLESS)
def test_the_form_of_every_output_is_damaged_and_the_content_is_not(knob: Damage) -> None:
    for seed in SEEDS:
        clean, damaged = generate(seed), generate(seed, damage=[knob])
        assert contents(damaged) == contents(clean)
        assert all(LOSSLESS[knob](output) for output in outputs(damaged))
        assert knob in USUAL or not any(map(_marked(knob), outputs(clean)))


@pytest.mark.parametrize("group", [ENVELOPES, WRAPPERS[:-1], QUOTES])
def test_alternatives_take_turns(group: tuple[Damage, ...]) -> None:
    for seed in SEEDS:
        found = outputs(generate(seed, damage=group))
        assert all(any(map(_marked(knob), found)) for knob in group)


def _marked(knob: Damage) -> Callable[[Any], bool]:
    def marked(output: Any) -> bool:
        try:
            return LOSSLESS[knob](output)
        except (KeyError, AttributeError, TypeError):
            return False

    return marked


def test_a_content_is_wrapped_in_its_section() -> None:
    clean, damaged = generate(4), generate(4, damage=[Damage.WRAP_SECTION])
    assert contents(damaged) == contents(clean)
    for step in damaged["steps"]:
        if section := SECTION_OF.get(step["step_name"]):
            assert list(json.loads(text_of(step["output"]))) == [section]


@pytest.mark.parametrize(("knob", "case"), [(Damage.CAMEL_KEYS, camel), (Damage.UPPER_KEYS, upper)])
def test_every_key_is_in_the_case_asked_for(knob: Damage, case: Callable[[str], str]) -> None:
    clean, damaged = contents(generate(4)), contents(generate(4, damage=[knob]))
    assert damaged != clean
    assert all(key == case(key) for path, _ in flat(damaged) for key in path if isinstance(key, str))
    assert _snaked(damaged) == _snaked(clean)


def _snaked(tree: Any) -> Any:
    return with_objects(tree, lambda found: {snake(key): value for key, value in found.items()})


# Damage to values.

NUMBERS = {"contact_index", "contact_count", "employees", "founded_year", "lat", "lng", "tenure_months"} | {
    "win_probability",
    "overrides_applied_count",
    "generic_retained_count",
}
DATES = {"date", "enriched_at"}
URGENCIES = {"timing_urgency"}
VALUES: dict[Damage, tuple[frozenset[str] | set[str], Callable[[Any, Any], bool]]] = {
    Damage.SCORE_TEXT: ({"lead_score"}, lambda old, new: new == str(old)),
    Damage.SCORE_FRACTION: ({"lead_score"}, lambda old, new: new == f"{old}/100"),
    Damage.SCORE_FLOAT: ({"lead_score"}, lambda old, new: isinstance(new, float) and new == old),
    Damage.SCORE_OVER_RANGE: ({"lead_score"}, lambda _, new: new > 100),
    Damage.URGENCY_CASE: (URGENCIES, lambda old, new: new.strip().upper() == old),
    Damage.URGENCY_RANGE: (URGENCIES, lambda old, new: old in new.upper().split("-")),
    Damage.NUMBERS_AS_TEXT: (NUMBERS, lambda old, new: new == str(old)),
    Damage.DATES_AS_TIMESTAMPS: (DATES, lambda old, new: new == f"{old}T00:00:00.000Z"),
    Damage.DATES_WITH_SLASHES: (DATES, lambda old, new: new == f"{old[5:7]}/{old[8:]}/{old[:4]}"),
    Damage.EMAIL_SPACES: ({"email"}, lambda old, new: new != old and new.strip() == old),
    Damage.EMAIL_MAILTO: ({"email"}, lambda old, new: new == f"mailto:{old}"),
    Damage.MESSY_DOMAIN: ({"domain"}, lambda old, new: old in new.lower()),
    Damage.NUL: (FREE_TEXT, lambda old, new: new.replace("\x00", "") == old),
    Damage.LONE_SURROGATE: (FREE_TEXT, lambda old, new: new == f"{old} \ud83d"),
    Damage.LONG_STRINGS: (LONG_TEXT, lambda old, new: new.startswith(old) and len(new) >= LONG),
    Damage.RIGHT_TO_LEFT: (FREE_TEXT, lambda old, new: new == old + RIGHT_TO_LEFT),
    Damage.COMBINING: (
        FREE_TEXT | {"contact_name", "contactName"},
        lambda old, new: new.removesuffix(COMBINING) == unicodedata.normalize("NFD", old),
    ),
    Damage.NAN: (NAN_KEYS, lambda _, new: new != new),  # noqa: PLR0124  # nothing else is unlike itself
    Damage.CUT_OFF: ({"analyst_note"}, lambda old, new: old == NOTE and NOTE.startswith(new)),
}


@pytest.mark.parametrize("knob", VALUES)
def test_values_of_the_named_keys_are_damaged_and_no_others(knob: Damage) -> None:
    keys, holds = VALUES[knob]
    found = [change for seed in SEEDS for change in changes(seed, knob)]
    assert found
    assert [change for change in found if change[0] not in keys or not holds(*change[1:])] == []


@pytest.mark.parametrize("knob", SPELLINGS)
def test_missing_values_are_spelled_and_no_others(knob: Damage) -> None:
    found = {(key, before, after) for seed in SEEDS for key, before, after in changes(seed, knob)}
    assert {key for key, *_ in found} >= {"revenue", "phone", "email"}
    assert {(before, after) for _, before, after in found} == {(..., SPELLED[knob])}


def test_a_range_of_urgencies_leaves_the_clear_word_of_the_signals() -> None:
    run = generate(4, damage=[Damage.URGENCY_RANGE])
    (signals,) = contents(run, "10_WRITER_SIGNALS")
    assert signals["timing_urgency"] == truth(4).urgency


# Damage to structure.


def test_sections_are_null() -> None:
    found = list(flat(contents(generate(4, damage=[Damage.NULL_SECTIONS]))))
    assert {path[-1] for path, value in found if value is None} == NULLABLE - {"common_objections"}


def test_one_object_stands_for_a_list_and_the_reverse() -> None:
    for seed in SEEDS:
        unlisted = generate(seed, damage=[Damage.OBJECT_FOR_LIST])
        (site,) = contents(generate(seed), "10_WRITER_OPPORTUNITY")[0]["project_sites"]
        assert contents(unlisted, "10_WRITER_OPPORTUNITY")[0]["project_sites"] == site
        listed = contents(generate(seed, damage=[Damage.LIST_FOR_OBJECT]), "10_WRITER_SIGNALS")[0]
        clean = contents(generate(seed), "10_WRITER_SIGNALS")[0]
        assert listed == clean | {"primary_buying_signal": [clean["primary_buying_signal"]]}
        both = generate(seed, damage=[Damage.OBJECT_FOR_LIST, Damage.LIST_FOR_OBJECT])
        (opportunity,) = contents(both, "10_WRITER_OPPORTUNITY")
        assert opportunity["project_sites"] == site
        assert isinstance(opportunity["company_snapshot"], list)


@pytest.mark.parametrize(
    ("knob", "step", "key", "others"),
    [
        (Damage.CONTACT_LIST_ALIASES, CONTACTS, "contacts", {"enriched_contacts", "key_contacts"}),
        (Damage.OVERRIDE_ALIASES, OVERRIDE, "final_copy_outputs", {"override_copy", "copy_outputs"}),
        (Damage.IMAGE_ALIASES, MEDIA, "project_images", {"recommended_project_images", "image_assets"}),
    ],
)
def test_lists_go_by_other_names(knob: Damage, step: str, key: str, others: set[str]) -> None:
    seen = set()
    for seed in range(20):
        (clean,), (damaged,) = (contents(generate(seed, damage=each), step) for each in ((), [knob]))
        assert list(damaged.values()) == list(clean.values())
        assert clean.keys() - damaged.keys() == {key}
        seen |= damaged.keys() - clean.keys()
    assert seen == others


def test_the_title_of_a_source_goes_by_other_names() -> None:
    (signals,) = contents(generate(4, damage=[Damage.SOURCE_ALIASES]), "10_WRITER_SIGNALS")
    assert all(each.keys() < {"url", "text", "name", "source_name"} for each in signals["sources"])


def test_an_answer_to_an_objection_is_an_object() -> None:
    (clean,), (damaged,) = (
        contents(generate(4, damage=each), "10_WRITER_STRATEGY") for each in ((), [Damage.OBJECTION_OBJECTS])
    )
    for before, after in zip(clean["objections"], damaged["objections"], strict=True):
        assert list(after["response"]) == ["acknowledge", "reframe", "evidence", "close"]
        assert after["response"]["reframe"] == before["response"]
    assert damaged | {"objections": None} == clean | {"objections": None}


def test_the_contact_list_is_bare() -> None:
    (clean,), (bare,) = (contents(generate(4, damage=each), CONTACTS) for each in ((), [Damage.BARE_CONTACT_LIST]))
    assert bare == clean["contacts"]


def test_a_company_is_among_the_contacts_and_takes_a_number() -> None:
    for seed in SEEDS:
        run = generate(seed, damage=[Damage.COMPANY_AMONG_CONTACTS])
        (listed,) = contents(run, CONTACTS)
        names = [each["name"] for each in listed["contacts"]]
        people = [contact.name for contact in truth(seed).contacts]
        assert len(names) == len(people) + 1
        assert [name for name in names if name in people] == people
        for found in contents(run, INDIVIDUAL):
            assert names[found["contact_index"]] == found["name"]
        for copy in (copy for each in contents(run, COPY) for copy in each["copy_outputs"]):
            assert names[int(copy["contact_id"].removeprefix("CONT_"))] == copy["contact_name"]


def test_enrichment_is_known_by_name_only() -> None:
    found = contents(generate(4, damage=[Damage.UNINDEXED_ENRICHMENT]), INDIVIDUAL)
    names = {contact.name.casefold() for contact in truth(4).contacts}
    assert not any("contact_index" in each for each in found)
    assert {" ".join(each["name"].split()).casefold() for each in found} == names


# Damage to the rows and to the run.


def test_an_earlier_output_of_a_step_is_wrong_and_the_last_right() -> None:
    for seed in SEEDS:
        clean, damaged = generate(seed), generate(seed, damage=[Damage.DUPLICATE_STEPS])
        assert contents(damaged)[2:] == contents(clean)
        for stale in damaged["steps"][:2]:
            right = content_of(
                next(each for each in clean["steps"] if each["step_name"] == stale["step_name"])["output"]
            )
            assert content_of(stale["output"]).keys() == right.keys()
            assert content_of(stale["output"]) != right


def test_unfinished_steps_stand_beside_completed_ones() -> None:
    for seed in SEEDS:
        clean, damaged = generate(seed), generate(seed, damage=[Damage.UNFINISHED_STEPS])
        completed = [each for each in damaged["steps"] if each["status"] == "completed"]
        unfinished = [each for each in damaged["steps"] if each["status"] != "completed"]
        assert list(map(content_of, map(_output, completed))) == contents(clean)
        assert {each["status"] for each in unfinished} <= {"pending", "running", "failed"}
        assert len({each["step_id"] for each in damaged["steps"]}) == len(clean["steps"]) + len(unfinished)
        assert unfinished
        assert not any(map(_output, unfinished))


def _output(step: Run) -> Any:
    return step["output"]


def test_two_steps_are_sent_twice_under_their_ids() -> None:
    clean, damaged = generate(4), generate(4, damage=[Damage.SENT_TWICE])
    once = {each["step_id"]: each for each in damaged["steps"]}
    assert list(once.values()) == clean["steps"]
    assert len(damaged["steps"]) == len(clean["steps"]) + 2
    assert all(each == once[each["step_id"]] for each in damaged["steps"])


def test_a_composer_stands_in_for_the_writers() -> None:
    run, known = generate(4, damage=[Damage.COMPOSER]), truth(4, damage=[Damage.COMPOSER])
    (composed,) = contents(run, COMPOSER)
    assert contents(run, *WRITERS) == []
    assert (composed["companyName"], composed["leadScore"]) == (known.company_name, known.lead_score)
    assert contents(run, CONTACTS, COPY) == contents(generate(4), CONTACTS, COPY)


def test_the_seed_and_the_request_have_other_names_and_empty_fields() -> None:
    clean = generate(4)
    messy, empty = (generate(4, damage=[knob]) for knob in (Damage.MESSY_DOMAIN, Damage.EMPTY_FIELDS))
    assert clean["run"]["seed_data"]["domain"] in messy["run"]["seed_data"]["domain"].lower()
    assert empty["steps"] == clean["steps"]
    assert set(empty["run"]["seed_data"].values()) | set(empty["publish"].values()) == {""}
    keys = {str(generate(seed, damage=[Damage.SEED_ALIASES])["run"]["seed_data"].keys()) for seed in range(20)}
    assert keys == {
        str(dict.fromkeys(each).keys()) for each in (("name", "company_domain"), ("company", "domain"), ("seeds",))
    }


@pytest.mark.parametrize(
    ("damage", "expect"),
    [
        ((), "ready"),
        (REPAIRABLE - SLOW, "ready"),
        ({Damage.MISSING_WRITER}, "error:outputs_missing"),
        ({Damage.PROSE_ONLY}, "error:outputs_invalid"),
        (FATAL, "error:outputs_invalid"),
        (frozenset(Damage) - SLOW, "error:outputs_invalid"),
        (REPAIRABLE - SLOW | {Damage.PROSE_ONLY}, "error:outputs_invalid"),
    ],
)
def test_the_expected_end_fits_the_damage(damage: frozenset[Damage], expect: str) -> None:
    for seed in SEEDS:
        run, known = generate(seed, damage=damage), truth(seed, damage=damage)
        assert run["expect"] == known.expect == expect
        wanted = {COMPOSER} if Damage.COMPOSER in damage else set(WRITERS)
        last = {
            each["step_name"]: content_of(each["output"]) for each in run["steps"] if each["status"] == "completed"
        }
        assert len(wanted - last.keys()) == (Damage.MISSING_WRITER in damage)
        refused = [name for name in wanted & last.keys() if isinstance(last[name], str)]
        assert len(refused) == (Damage.PROSE_ONLY in damage and len(wanted) > (Damage.MISSING_WRITER in damage))


# Any seed, any damage.

FEW = st.frozensets(st.sampled_from(sorted(Damage)), max_size=8)
KNOBS = FEW | FEW.map(frozenset(Damage).difference)


@given(
    seed=st.integers(), damage=KNOBS, size=st.sampled_from([Size.SMALL, Size.NORMAL]), contacts=st.integers(0, 5)
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_any_run_is_plain_json_and_always_the_same(
    seed: int, damage: frozenset[Damage], size: Size, contacts: int
) -> None:
    run = generate(seed, size=size, contacts=contacts, damage=damage)
    assert json.loads(json.dumps(run, allow_nan=False)) == run
    assert generate(seed, size=size, contacts=contacts, damage=damage) == run


@given(seed=st.integers(), damage=KNOBS.map(lambda knobs: knobs - FATAL), contacts=st.integers(0, 3))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_the_truth_is_in_any_repairable_run(seed: int, damage: frozenset[Damage], contacts: int) -> None:
    made = generated(seed, size=Size.SMALL, contacts=contacts, damage=damage - SLOW)
    last = {each["step_name"]: each for each in made.run["steps"] if each["status"] == "completed"}
    kept = [
        content_of(each["output"])
        for each in made.run["steps"]
        if each["status"] == "completed"
        and (last[each["step_name"]] is each or each["step_name"] in {INDIVIDUAL, COPY})
    ]
    assert missing_facts(made.truth, kept) == set()


def missing_facts(known: Truth, found: list[Any]) -> set[str]:
    """The facts that no value of the contents gives, odd spellings undone."""
    words = {str(value) for _, value in flat(found)}
    score = 120 if known.lead_score == 100 else known.lead_score
    missing = {
        known.company_name,
        *known.signals,
        *known.sources,
        *(contact.name for contact in known.contacts),
        *(subject for _, subject in known.outreach),
    } - words
    missing |= {contact.email for contact in known.contacts if contact.email} - {
        word.strip().removeprefix("mailto:") for word in words
    }
    if not any(known.company_domain in word.lower() for word in words if "@" not in word and "news." not in word):
        missing.add("company_domain")
    if not words & {f"{score}", f"{score}.0", f"{score}/100"}:
        missing.add("lead_score")
    if known.urgency not in {word.strip().upper() for word in words}:
        missing.add("urgency")
    return missing


def test_the_command_writes_run_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(
        [
            "--seed",
            "7",
            "--count",
            "3",
            "--damage",
            "fence",
            "nul",
            "--damage",
            "object",
            "--out",
            str(tmp_path / "runs"),
        ]
    )
    paths = [Path(line) for line in capsys.readouterr().out.split()]
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    assert runs == [generate(seed, damage=["fence", "nul", "object"]) for seed in (7, 8, 9)]
