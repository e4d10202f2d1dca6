"""The company's name and domain come from whoever says them best."""

import pytest

from tasks.assemble import assemble
from tests.builders import CONTENTS, run_of

COMPOSER = {"theAngle": "x", "companyName": "Composed", "domain": "composed.example"}
INTRO = {"one_liner": "x", "company_name": "Introduced", "domain": "intro.example"}
OPPORTUNITY = {"company_snapshot": {"company_name": "Snapped", "domain": "snap.example"}}
MEDIA = {"target_company": {"name": "Pictured", "domain": "media.example"}}
SEED = {"company_name": "Seeded", "domain": "seed.example"}


def identity(*, composer=None, intro=None, opportunity=None, media=None, seed=None):
    outputs = {"10_WRITER_INTRO": intro or {"one_liner": "x"}}
    outputs["10_WRITER_OPPORTUNITY"] = opportunity or {"project_sites": [{"name": "x"}]}
    outputs |= {"11_DOSSIER_COMPOSER": composer} if composer else {}
    outputs |= {"8_MEDIA": media} if media else {}
    draft = assemble(run_of(outputs, seed_data=seed or {}))
    assert draft.find_leads["company_name"] == draft.company_name
    return draft.company_name, draft.company_domain


def test_the_composer_is_heard_first_then_intro_the_snapshot_and_the_seed():
    everything = {"intro": INTRO, "opportunity": OPPORTUNITY, "media": MEDIA, "seed": SEED}
    assert identity(composer=COMPOSER, **everything) == ("Composed", "composed.example")
    assert identity(**everything) == ("Introduced", "intro.example")
    assert identity(**everything | {"intro": None}) == ("Snapped", "snap.example")
    assert identity(media=MEDIA, seed=SEED) == ("Seeded", "media.example")
    assert identity(seed=SEED) == ("Seeded", "seed.example")


def test_of_several_snapshots_the_first_counts():
    snapshots = [{"domain": "first.example"}, OPPORTUNITY["company_snapshot"]]
    assert identity(opportunity={"company_snapshot": snapshots}, seed=SEED) == ("Seeded", "first.example")


def test_a_snapshot_may_be_a_list_of_one():
    assert identity(opportunity={"company_snapshot": [OPPORTUNITY["company_snapshot"]]}) == (
        "Snapped",
        "snap.example",
    )


@pytest.mark.parametrize(
    "seed",
    [
        {"name": "Seeded", "company_domain": "www.Seed.example"},
        {"company": "Seeded", "domain": "https://seed.example/"},
        {"companyName": "Seeded", "companyDomain": "seed.example"},
        {"company": {"name": "Seeded", "domain": "seed.example"}},
        {"seeds": [{"company_name": "Seeded", "domain": "seed.example"}]},
        {"seeds": {"company": "Seeded", "domain": "seed.example"}},
        {"company_name": "", "seeds": [{"name": " Seeded "}], "domain": "seed.example"},
    ],
)
def test_the_seed_goes_by_several_names(seed):
    assert identity(seed=seed) == ("Seeded", "seed.example")


def test_a_seed_may_be_a_bare_name_and_one_of_several_seeds_is_not_chosen():
    assert identity(seed={"seeds": ["Seeded"]}) == ("Seeded", None)
    assert (
        identity(intro=INTRO, seed={"seeds": [{"domain": "a.example"}, {"domain": "b.example"}]})[1]
        == "intro.example"
    )


def test_a_domain_that_is_none_is_passed_over_with_a_notice():
    outputs = {
        "10_WRITER_OPPORTUNITY": CONTENTS["10_WRITER_OPPORTUNITY"]
        | {"company_snapshot": {"domain": "unknown yet"}}
    }
    draft = assemble(run_of(outputs, seed_data={"domain": "seed.example"}))
    assert draft.company_domain == "seed.example"
    (notice,) = draft.warnings
    assert (notice.code, notice.field) == ("value_unreadable", "company_domain")
    assert "unknown yet" in notice.detail


def test_without_any_domain_there_is_none():
    outputs = {
        "10_WRITER_OPPORTUNITY": {
            "company_snapshot": {"description": "x"},
            "opportunity_intelligence": {"headline": "x"},
        }
    }
    draft = assemble(run_of(outputs))
    assert draft.company_domain is None
    assert draft.warnings == ()


@pytest.mark.parametrize("name", [7, "  Acme \n Works "])
def test_a_name_is_a_line_of_text(name):
    assert identity(intro={"one_liner": "x", "company_name": name})[0] == " ".join(str(name).split())


@pytest.mark.parametrize("name", [None, "", "N/A", "Unknown", {"a": 1}, ["Acme"], True])
def test_what_is_no_name_is_passed_over(name):
    assert identity(intro={"one_liner": "x", "company_name": name}, seed=SEED)[0] == "Seeded"
