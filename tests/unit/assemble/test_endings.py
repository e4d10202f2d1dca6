"""A run that cannot become a dossier ends in an error that names every step, field and finding."""

import pytest

from tasks.assemble import assemble
from tasks.assemble.notes import FOUND
from tests.builders import CONTENTS, contacts_of, run_of
from worker.errors import OutputsInvalid, OutputsMissing

WRITERS = tuple(name for name in CONTENTS if "WRITER" in name)
PROSE = "I could not find enough information to write this section."
COMPOSER = {"11_DOSSIER_COMPOSER": {"companyName": "Acme Works", "theAngle": "An angle"}}


def refused(outputs=None, **overrides):
    with pytest.raises(OutputsInvalid) as caught:
        assemble(run_of(outputs, **overrides))
    return caught.value


def awaited(outputs=None, **overrides):
    with pytest.raises(OutputsMissing) as caught:
        assemble(run_of(outputs, **overrides))
    return caught.value


def steps(error):
    return [finding["step"] for finding in error.findings]


@pytest.mark.parametrize("name", CONTENTS)
def test_a_required_step_that_has_no_output_is_awaited(name):
    error = awaited(without=(name,))
    assert steps(error) == [name]
    assert error.step == name
    assert name in error.detail
    assert error.findings[0]["found"] == "never started"


def test_everything_that_is_missing_is_named_with_its_state():
    error = awaited(
        without=tuple(CONTENTS), unfinished={"10_WRITER_INTRO": "running", "6_ENRICH_CONTACTS": "failed"}
    )
    assert steps(error) == list(CONTENTS)
    assert {finding["step"]: finding["found"] for finding in error.findings} == dict.fromkeys(
        CONTENTS, "never started"
    ) | {
        "10_WRITER_INTRO": "running",
        "6_ENRICH_CONTACTS": "failed",
    }
    assert "11_DOSSIER_COMPOSER would do instead" in error.findings[0]["detail"]


def test_a_composer_that_is_on_its_way_is_told():
    error = awaited(without=WRITERS, unfinished={"11_DOSSIER_COMPOSER": "running"})
    assert "11_DOSSIER_COMPOSER, which would do instead, is running" in error.findings[0]["detail"]


@pytest.mark.parametrize(
    ("enriched", "announced", "found"),
    [
        ((), 2, "0 of 2"),
        (({"contact_index": 0, "phone": "1"},), 2, "1 of 2"),
        (({"contact_index": 0, "phone": "1"}, {"contact_index": 0, "phone": "2"}), 2, "1 of 2"),
        (({"name": "Ann Lee"}, {"name": "Ann Lee"}), 2, "1 of 2"),
    ],
)
def test_announced_enrichment_is_awaited(enriched, announced, found):
    outputs = {"6_ENRICH_CONTACTS": contacts_of("Ann Lee", "Bo Ray"), "6_ENRICH_CONTACT_INDIVIDUAL": enriched}
    (finding,) = awaited(outputs, expected_contacts=announced).findings
    assert (finding["step"], finding["found"]) == ("6_ENRICH_CONTACT_INDIVIDUAL", found)


@pytest.mark.parametrize("announced", [None, 0, -1, 1, 2])
def test_enrichment_that_was_not_announced_or_came_is_not_awaited(announced):
    enriched = ({"contact_index": 0, "phone": "1"}, "prose, but it came")
    outputs = {"6_ENRICH_CONTACTS": contacts_of("Ann Lee", "Bo Ray"), "6_ENRICH_CONTACT_INDIVIDUAL": enriched}
    assert assemble(run_of(outputs, expected_contacts=announced)).contacts


def test_the_state_of_enrichment_is_told():
    error = awaited(expected_contacts=1, unfinished={"6_ENRICH_CONTACT_INDIVIDUAL": "running"})
    assert error.findings[0]["found"] == "0 of 1, running"


def test_what_is_said_about_missing_outputs_can_be_followed():
    one_of_two = {"6_ENRICH_CONTACT_INDIVIDUAL": ({"contact_index": 0, "phone": "1"},)}
    assert "6_ENRICH_CONTACT_INDIVIDUAL with a ?step_id=" in awaited(one_of_two, expected_contacts=2).detail
    detail = awaited(without=("10_WRITER_INTRO",), run_id="a b/c?").detail
    assert "PUT /columnline/runs/a%20b%2Fc%3F/outputs/{step_name}, or" in detail


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("output", [PROSE, None, {}, {"error": "rate limit"}, 7, {"result": None}])
def test_a_required_output_that_cannot_be_used_is_refused(name, output):
    error = refused({name: output})
    assert steps(error) == [name]
    assert error.step == name
    assert name in error.detail


def test_all_that_cannot_be_used_is_told_at_once():
    error = refused(dict.fromkeys(CONTENTS, PROSE))
    assert steps(error) == list(CONTENTS)
    assert all(name in error.detail for name in CONTENTS)


def test_what_cannot_be_used_is_not_held_back_by_what_is_missing():
    error = refused({"10_WRITER_SIGNALS": PROSE}, without=("10_WRITER_STRATEGY", "6_ENRICH_CONTACTS"))
    assert steps(error) == ["10_WRITER_SIGNALS"]


def test_the_last_output_of_a_step_counts_even_if_an_earlier_one_was_better():
    assert steps(refused({"10_WRITER_INTRO": (CONTENTS["10_WRITER_INTRO"], PROSE)})) == ["10_WRITER_INTRO"]
    assert assemble(run_of({"10_WRITER_INTRO": (PROSE, CONTENTS["10_WRITER_INTRO"])})).warnings == ()


def test_what_was_found_is_quoted_briefly_and_without_addresses():
    text = "Sorry, ask jane.doe@acme.example or call +1 (555) 010-1276 about this " + "and more " * 50
    (finding,) = refused({"10_WRITER_SIGNALS": text}).findings
    assert finding["found"].startswith("Sorry, ask [address] or call [number] about")
    assert len(finding["found"]) == FOUND
    assert finding["found"].endswith("…")


@pytest.mark.parametrize(
    "output", ["Jane Doe is the CEO", {"Jane Doe": {"title": "CEO"}}, {"people": ["Jane Doe"]}]
)
def test_nothing_of_people_is_quoted(output):
    error = refused({"6_ENRICH_CONTACTS": output})
    assert "Jane" not in str(error.as_dict())


def test_a_company_without_a_name_is_refused():
    nameless = {"10_WRITER_INTRO": {"one_liner": "x"}}
    (finding,) = refused(nameless).findings
    assert (finding["step"], finding["field"]) == ("10_WRITER_INTRO", "company_name")
    assert steps(refused(nameless | {"10_WRITER_SIGNALS": PROSE})) == ["10_WRITER_SIGNALS", "10_WRITER_INTRO"]
    (finding,) = refused({"11_DOSSIER_COMPOSER": {"theAngle": "x"}}, without=WRITERS).findings
    assert (finding["step"], finding["field"]) == ("11_DOSSIER_COMPOSER", "company_name")


def test_a_name_that_may_still_come_is_awaited():
    assert steps(awaited({"10_WRITER_INTRO": {"one_liner": "x"}}, without=("10_WRITER_OPPORTUNITY",))) == [
        "10_WRITER_OPPORTUNITY"
    ]
    assert steps(awaited(without=("10_WRITER_INTRO",))) == ["10_WRITER_INTRO"]


def test_the_composer_stands_in_for_the_writers_but_not_for_the_contacts():
    assert assemble(run_of(COMPOSER, without=WRITERS)).company_name == "Acme Works"
    assert steps(awaited(COMPOSER, without=(*WRITERS, "6_ENRICH_CONTACTS"))) == ["6_ENRICH_CONTACTS"]
    assert steps(refused(COMPOSER | {"6_ENRICH_CONTACTS": PROSE}, without=WRITERS)) == ["6_ENRICH_CONTACTS"]


def test_with_a_composer_writers_that_fail_are_notices():
    draft = assemble(run_of(COMPOSER | {"10_WRITER_SIGNALS": PROSE}, without=("10_WRITER_STRATEGY",)))
    told = {(notice.code, notice.step) for notice in draft.warnings}
    assert ("step_unusable", "10_WRITER_SIGNALS") in told
    assert ("composer_stands_in", "11_DOSSIER_COMPOSER") in told
    (stands_in,) = [notice for notice in draft.warnings if notice.code == "composer_stands_in"]
    assert "10_WRITER_SIGNALS, 10_WRITER_STRATEGY" in stands_in.detail


def test_a_composer_that_fails_is_a_notice_beside_all_writers_and_an_error_beside_some():
    unusable = {"11_DOSSIER_COMPOSER": PROSE}
    (notice,) = assemble(run_of(unusable)).warnings
    assert (notice.code, notice.step) == ("step_unusable", "11_DOSSIER_COMPOSER")
    assert steps(refused(unusable, without=("10_WRITER_INTRO",))) == ["11_DOSSIER_COMPOSER"]
    assert steps(refused(unusable, without=WRITERS)) == ["11_DOSSIER_COMPOSER"]


@pytest.mark.parametrize(
    "name",
    [
        "10_WRITER_CLIENT_SPECIFIC",
        "07B_INSIGHT",
        "3_ENTITY_RESEARCH",
        "5C_CLIENT_SPECIFIC",
        "6_ENRICH_CONTACT_INDIVIDUAL",
        "10A_COPY",
        "10B_COPY_CLIENT_OVERRIDE",
        "8_MEDIA",
    ],
)
@pytest.mark.parametrize("output", [PROSE, {}, None, {"error": "x"}, "[" * 100_000])
def test_an_optional_output_that_cannot_be_used_is_a_notice(name, output):
    (notice,) = assemble(run_of({name: output})).warnings
    assert (notice.code, notice.step) == ("step_unusable", name)


def test_more_notices_than_anybody_reads_are_counted():
    sources = [f"no address {number}" for number in range(1000)]
    draft = assemble(run_of({"10_WRITER_INTRO": CONTENTS["10_WRITER_INTRO"] | {"sources": sources}}))
    assert len(draft.warnings) == 201
    assert (draft.warnings[-1].code, draft.warnings[-1].detail) == ("more", "800 more notices are not listed")
