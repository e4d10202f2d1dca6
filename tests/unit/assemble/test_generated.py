"""Generated runs, whole and damaged in every way there is a knob for, become what is true about them."""

import pytest

from tasks.assemble import assemble
from tests.builders import run_input
from tests.generator import FATAL, REPAIRABLE, Damage, Size, generated
from worker.errors import OutputsInvalid, OutputsMissing

QUICK = REPAIRABLE - {Damage.LONG_STRINGS}


def assert_true(seed, *damage, size=Size.NORMAL):
    made = generated(seed, damage=damage, size=size)
    draft, truth = assemble(run_input(made.run)), made.truth
    signals = [draft.find_leads["primary_buying_signal"], *draft.enrich_lead["additional_signals"]]
    assert draft.company_name == truth.company_name
    assert draft.company_domain == truth.company_domain
    assert draft.lead_score == truth.lead_score
    assert draft.timing_urgency == truth.urgency
    assert [(each.name, each.email, each.is_primary) for each in draft.contacts] == [
        (each.name, each.email, each.is_primary) for each in truth.contacts
    ]
    written = tuple((each["target_name"], each["email_subject"]) for each in draft.copy["outreach"])
    assert written == truth.outreach
    assert {each["contact_id"] for each in draft.copy["outreach"]} <= {str(each.id) for each in draft.contacts}
    assert tuple(signal["description"] for signal in signals) == truth.signals
    assert tuple(source["url"] for source in draft.sources) == truth.sources
    return draft


@pytest.mark.parametrize("size", [Size.SMALL, Size.NORMAL])
def test_a_healthy_run_is_read_without_a_warning(size):
    for seed in range(20):
        assert assert_true(seed, size=size).warnings == ()


@pytest.mark.parametrize("knob", sorted(REPAIRABLE))
def test_one_kind_of_damage_is_repaired(knob):
    for seed in range(3):
        assert_true(seed, knob)


@pytest.mark.parametrize("seed", range(6))
def test_all_kinds_of_damage_at_once_are_repaired(seed):
    assert assert_true(seed, *QUICK).warnings
    assert_true(seed, *(QUICK - {Damage.COMPOSER}))


@pytest.mark.parametrize("knobs", [*([knob] for knob in sorted(FATAL)), sorted(FATAL)], ids=str)
def test_fatal_damage_is_an_error_that_says_so(knobs):
    made = generated(1, damage=knobs)
    with pytest.raises((OutputsMissing, OutputsInvalid)) as caught:
        assemble(run_input(made.run))
    assert made.truth.expect == f"error:{caught.value.code}"
