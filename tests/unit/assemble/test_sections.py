"""Every field lands in its section, whoever sends it and in whose language; nothing is lost on the way."""

import pytest

from tasks.assemble import AGENTS, assemble
from tests.builders import CONTENTS, run_of

COMPOSER = {
    "companyName": "Acme Works",
    "domain": "https://www.acme.example/",
    "whatTheyDo": "Makes works",
    "theAngle": "An angle",
    "leadScore": "61/100",
    "explanation": "Because",
    "urgency": "Medium",
    "timingContext": "Soon",
    "whyNow": [
        {
            "signal": "consent",
            "happening": "Consent was given",
            "proof": {"text": "Notice", "url": "https://n.example"},
        },
        {"signal": "hiring", "happening": "They hire", "proof": {"text": "Ad", "url": "https://j.example"}},
    ],
    "companyIntel": {
        "summary": "A summary",
        "numbers": ["410"],
        "mainlinePhones": ["+1"],
        "generalEmails": [],
        "founded": 1900,
    },
    "opportunityIntelligence": {"headline": "H", "whyItMatters": "W", "keyDetails": ["K"]},
    "customResearch": {"title": "T", "items": []},
    "networkIntelligence": {
        "warmPathsIn": [{"title": "Ines", "description": "Colleague", "approach": "Phone"}],
        "awards": [],
    },
    "theMathStructured": {"theirReality": "R", "theOpportunity": "O", "translation": "T", "bottomLine": "B"},
    "competitivePositioning": {"whatTheyDontKnow": [{"insight": "I", "advantage": "A"}], "landminesToAvoid": []},
    "dealStrategy": {"howTheyBuy": "RFQ", "uniqueValue": ["U"]},
    "decisionStrategy": {
        "companyType": "Public",
        "keyRoles": [{"role": "CE", "whatTheyCareAbout": "Grants"}],
        "entryPoints": [],
    },
    "commonObjections": [{"objection": "Price", "response": "Date"}],
    "quickReference": {"conversationStarters": ["How firm?"], "keyDates": ["May"]},
    "sources": [{"text": "S", "url": "https://s.example"}],
    "media": {"logoUrl": "https://l.example/logo.png"},
    "mood": "bright",
}


def composed(composer=COMPOSER, **outputs):
    without = tuple(name for name in CONTENTS if name != "6_ENRICH_CONTACTS" and name not in outputs)
    return assemble(run_of({"11_DOSSIER_COMPOSER": composer} | outputs, without=without))


def written(**outputs):
    return assemble(run_of(outputs))


def codes(draft):
    return [notice.code for notice in draft.warnings]


def test_a_draft_is_complete():
    assert written().agents_completed == AGENTS
    assert set(AGENTS) == {"find-lead", "enrich-contacts", "enrich-lead", "write-copy", "insight", "enrich-media"}


def test_every_known_field_is_there_and_no_list_is_null():
    draft = written()
    assert draft.enrich_lead["additional_signals"] == draft.enrich_lead["project_sites"] == []
    assert draft.copy == {"objections": [], "conversation_starters": [], "outreach": []}
    assert draft.find_leads["custom_research"] is None
    assert draft.find_leads["one_liner"] == "Ground was broken"
    assert draft.media["project_images"] == []
    assert draft.insight["sources"] == []
    assert draft.enrich_lead["network_intelligence"]["awards"] == []


def test_root_columns_are_what_the_sections_say():
    draft = written()
    assert (draft.company_name, draft.lead_score, draft.timing_urgency) == ("Acme Works", 70, "HIGH")
    assert draft.find_leads["company_name"] == "Acme Works"
    assert draft.find_leads["lead_score"] == 70
    assert draft.company_domain == "acme.example"
    assert draft.primary_signal == "Ground was broken"


@pytest.mark.parametrize(
    ("signal", "line"),
    [
        ({"signal": "S", "headline": "H", "description": "D", "signal_type": "T"}, "S"),
        ({"headline": "H", "description": "D", "signal_type": "T"}, "H"),
        ({"description": "D", "signal_type": "T"}, "D"),
        ({"signal_type": "T"}, "T"),
        ({"date": "2026-01-01"}, None),
        ("Ground was broken", "Ground was broken"),
    ],
)
def test_the_primary_signal_is_told_in_one_line(signal, line):
    assert written(**{"10_WRITER_SIGNALS": {"primary_buying_signal": signal}}).primary_signal == line


def test_signals_urgency_wins_and_intros_stands_in():
    intro = CONTENTS["10_WRITER_INTRO"] | {"timing_urgency": "Low-Medium"}
    signals = CONTENTS["10_WRITER_SIGNALS"]
    assert written(**{"10_WRITER_INTRO": intro}).timing_urgency == "HIGH"
    for urgency in (None, "", "soon"):
        draft = written(**{"10_WRITER_INTRO": intro, "10_WRITER_SIGNALS": signals | {"timing_urgency": urgency}})
        assert draft.timing_urgency == draft.find_leads["timing_urgency"] == "MEDIUM"


def test_of_several_primary_signals_the_first_is_it():
    several = [{"description": "A"}, {"description": "B"}, None]
    draft = written(
        **{"10_WRITER_SIGNALS": {"primary_buying_signal": several, "additional_signals": [{"description": "C"}]}}
    )
    assert draft.primary_signal == "A"
    assert [signal["description"] for signal in draft.enrich_lead["additional_signals"]] == ["B", "C"]


def test_a_field_belongs_to_its_section_whoever_sends_it():
    intro = CONTENTS["10_WRITER_INTRO"] | {"project_sites": [{"site_name": "Quarry"}], "objections": ["Price"]}
    draft = written(**{"10_WRITER_INTRO": intro})
    assert draft.enrich_lead["project_sites"] == [{"site_name": "Quarry"}]
    assert draft.copy["objections"] == [{"objection": "Price"}]


def test_the_writer_that_is_asked_for_a_field_is_heard_first():
    signals = CONTENTS["10_WRITER_SIGNALS"] | {"lead_score": 10, "one_liner": "other"}
    draft = written(**{"10_WRITER_SIGNALS": signals})
    assert draft.lead_score == 70
    (notice,) = draft.warnings
    assert (notice.code, notice.step) == ("overruled", "10_WRITER_SIGNALS")
    assert "lead_score, one_liner" in notice.detail


@pytest.mark.parametrize(
    ("step", "section"),
    [
        ("10_WRITER_INTRO", "find_leads"),
        ("10_WRITER_SIGNALS", "find_leads"),
        ("10_WRITER_LEAD_INTELLIGENCE", "enrich_lead"),
        ("10_WRITER_OPPORTUNITY", "enrich_lead"),
        ("10_WRITER_STRATEGY", "insight"),
    ],
)
def test_unknown_fields_are_kept_in_their_writers_section(step, section):
    draft = written(**{step: CONTENTS[step] | {"analystNote": {"deepKey": [1, None]}}})
    assert getattr(draft, section)["analyst_note"] == {"deep_key": [1, None]}
    assert draft.warnings == ()


def test_unknown_fields_are_kept_at_every_level():
    strategy = CONTENTS["10_WRITER_STRATEGY"] | {"deal_strategy": {"win_probability": 60, "how_they_buy": "RFQ"}}
    assert written(**{"10_WRITER_STRATEGY": strategy}).insight["deal_strategy"]["win_probability"] == 60


def test_the_composer_speaks_the_views_language():
    draft = composed()
    assert (draft.company_name, draft.company_domain) == ("Acme Works", "acme.example")
    assert (draft.lead_score, draft.timing_urgency, draft.primary_signal) == (61, "MEDIUM", "consent")
    assert draft.find_leads["the_angle"] == "An angle"
    assert draft.find_leads["score_explanation"] == "Because"
    assert draft.find_leads["timing_analysis"] == "Soon"
    assert draft.find_leads["primary_buying_signal"] == {
        "signal": "consent",
        "description": "Consent was given",
        "source_name": "Notice",
        "source_url": "https://n.example",
    }
    assert draft.enrich_lead["additional_signals"] == [
        {"signal": "hiring", "description": "They hire", "source_name": "Ad", "source_url": "https://j.example"}
    ]
    assert draft.find_leads["company_snapshot"] == {
        "company_name": "Acme Works",
        "description": "Makes works",
        "domain": "https://www.acme.example/",
    }
    deep_dive = draft.enrich_lead["company_deep_dive"]
    assert deep_dive == {
        "description": "A summary",
        "numbers": ["410"],
        "mainline_phones": ["+1"],
        "general_emails": [],
        "founded": 1900,
        "recent_moves": [],
    }
    assert draft.find_leads["opportunity_intelligence"] == {
        "headline": "H",
        "why_it_matters": "W",
        "key_details": ["K"],
    }
    assert draft.find_leads["custom_research"] == {"title": "T", "items": []}
    (path,) = draft.enrich_lead["network_intelligence"]["warm_paths"]
    assert path == {"name": "Ines", "title": "Colleague", "approach": "Phone"}
    assert draft.insight["the_math"] == {
        "their_reality": "R",
        "the_opportunity": "O",
        "translation": "T",
        "bottom_line": "B",
    }
    assert draft.insight["competitive_positioning"]["insights_they_dont_know"] == [
        {"insight": "I", "advantage": "A"}
    ]
    assert draft.insight["deal_strategy"] == {"how_they_buy": "RFQ", "unique_value_props": ["U"]}
    assert draft.insight["decision_making_process"]["key_roles"] == [
        {"role": "CE", "what_they_care_about": "Grants"}
    ]
    assert draft.copy["objections"] == [{"objection": "Price", "response": "Date"}]
    assert draft.copy["conversation_starters"] == ["How firm?"]
    assert draft.copy["quick_reference"] == {"key_dates": ["May"]}
    assert draft.sources == [{"title": "S", "url": "https://s.example"}]
    assert draft.media["logo_url"] == "https://l.example/logo.png"
    assert draft.find_leads["mood"] == "bright"
    assert codes(draft) == ["value_repaired"]


def test_writers_win_over_the_composer_which_fills_what_they_left_out():
    intro = {"company_name": "Acme Works Ltd", "lead_score": None, "the_angle": "The writer's"}
    draft = composed(**{"10_WRITER_INTRO": intro})
    assert draft.find_leads["the_angle"] == "The writer's"
    assert draft.lead_score == 61
    assert draft.company_name == draft.find_leads["company_name"] == "Acme Works"
    assert {"overruled", "composer_stands_in"} <= set(codes(draft))


def test_the_composers_own_stored_form_wins_over_its_view_form():
    draft = composed(
        COMPOSER | {"primary_buying_signal": {"signal": "mine"}, "company_snapshot": {"description": "mine"}}
    )
    assert draft.primary_signal == "mine"
    assert draft.find_leads["company_snapshot"]["description"] == "mine"
    assert draft.find_leads["company_snapshot"]["domain"] == "https://www.acme.example/"
    assert draft.find_leads["primary_buying_signal"] == {"signal": "mine"}
    assert [signal["signal"] for signal in draft.enrich_lead["additional_signals"]] == ["consent", "hiring"]
    (told,) = [notice.detail for notice in draft.warnings if notice.code == "overruled"]
    assert told.endswith(": company_snapshot.description")


def test_a_signal_is_never_completed_from_another():
    signals = {
        "primary_buying_signal": {"description": "Ground was broken"},
        "additional_signals": [{"description": "x"}],
    }
    draft = composed(**{"10_WRITER_SIGNALS": signals})
    assert draft.find_leads["primary_buying_signal"] == {"description": "Ground was broken"}
    assert draft.primary_signal == "Ground was broken"


@pytest.mark.parametrize(
    ("intel", "deep_dive"),
    [
        ("A summary", {"description": "A summary"}),
        ({"summary": "S", "description": "D"}, {"summary": "S", "description": "D"}),
        ([{"summary": "S"}], {"description": "S"}),
    ],
)
def test_the_composers_company_intel_is_the_deep_dive_in_any_shape(intel, deep_dive):
    made = composed(COMPOSER | {"companyIntel": intel}).enrich_lead["company_deep_dive"]
    assert {name: value for name, value in made.items() if value != []} == deep_dive


@pytest.mark.parametrize(
    "starters",
    [["How firm?"], {"conversationStarters": "How firm?"}, [{"conversationStarters": ["How firm?"]}], "How firm?"],
)
def test_the_composers_conversation_starters_come_in_any_shape(starters):
    assert composed(COMPOSER | {"quickReference": starters}).copy["conversation_starters"] == ["How firm?"]


def test_insight_fills_what_strategy_left_empty():
    insight = {
        "v1_buckets": {
            "insight": {
                "the_math": {"bottom_line": "late", "translation": "T"},
                "deal_strategy": {"unique_value": ["U"]},
                "extra": 1,
            }
        }
    }
    draft = written(**{"07B_INSIGHT": insight})
    assert draft.insight["the_math"] == {"bottom_line": "It pays", "translation": "T"}
    assert draft.insight["deal_strategy"] == {"how_they_buy": "By tender", "unique_value_props": ["U"]}
    assert draft.insight["extra"] == 1
    assert [(notice.code, notice.step) for notice in draft.warnings] == [("overruled", "07B_INSIGHT")]


@pytest.mark.parametrize(
    ("output", "entity"),
    [
        ({"resolved_entity": {"legal_name": "Acme Works Inc"}, "confidence": 1}, {"legal_name": "Acme Works Inc"}),
        ({"legal_name": "Acme Works Inc", "confidence": 1}, {"legal_name": "Acme Works Inc", "confidence": 1}),
    ],
)
def test_the_resolved_entity_is_kept(output, entity):
    draft = written(**{"3_ENTITY_RESEARCH": output | {"sources": ["https://e.example"]}})
    assert draft.find_leads["resolved_entity"] == entity
    assert draft.sources == [{"title": "https://e.example", "url": "https://e.example"}]


def test_research_for_the_client_is_merged():
    item = {"criteria_name": "Alumni", "matches": [{"contact_name": "Ann", "evidence": "Same school"}]}
    fresh = [
        {
            "criteriaName": "Alumni",
            "matches": [
                {"contactName": "Ann", "evidence": "Same school"},
                {"contactName": "Bo", "evidence": "Same year"},
            ],
        },
        {"criteriaName": "Clubs", "matches": []},
    ]
    network = {"warm_paths": [{"name": "Ines", "title": "Colleague"}]}
    draft = written(
        **{
            "10_WRITER_CLIENT_SPECIFIC": {"custom_research": {"title": "First", "items": [item]}},
            "10_WRITER_LEAD_INTELLIGENCE": CONTENTS["10_WRITER_LEAD_INTELLIGENCE"]
            | {"network_intelligence": network},
            "5C_CLIENT_SPECIFIC": {
                "customResearch": {"title": "Second", "items": fresh},
                "warmPathsIn": [
                    {"title": "Ines", "description": "x", "approach": "Phone"},
                    {"title": "Club", "description": "Member"},
                ],
                "memo": "m",
            },
        }
    )
    research = draft.find_leads["custom_research"]
    assert research["title"] == "First"
    assert [(each["criteria_name"], len(each["matches"])) for each in research["items"]] == [
        ("Alumni", 2),
        ("Clubs", 0),
    ]
    assert draft.enrich_lead["network_intelligence"]["warm_paths"] == [
        {"name": "Ines", "title": "Colleague", "approach": "Phone"},
        {"name": "Club", "title": "Member"},
    ]
    assert draft.enrich_lead["memo"] == "m"
    told = [notice.detail for notice in draft.warnings if notice.code == "overruled"]
    assert [detail.rpartition(": ")[2] for detail in told] == [
        "custom_research.title",
        "network_intelligence.warm_paths.title",
    ]


def test_research_for_the_client_may_come_alone():
    client = {
        "custom_research": [{"criteria_name": "Clubs"}],
        "warm_paths_in": [{"title": "Club", "description": "Member"}],
    }
    without = {
        "10_WRITER_LEAD_INTELLIGENCE": {"company_deep_dive": {"description": "x"}, "network_intelligence": None}
    }
    draft = written(**without, **{"5C_CLIENT_SPECIFIC": client})
    assert draft.find_leads["custom_research"] == {"items": [{"criteria_name": "Clubs", "matches": []}]}
    assert draft.enrich_lead["network_intelligence"]["warm_paths"] == [{"name": "Club", "title": "Member"}]


def test_an_empty_panel_is_told():
    draft = written(**{"10_WRITER_OPPORTUNITY": {"project_sites": [{"name": "Quarry"}]}})
    assert [notice.field for notice in draft.warnings if notice.code == "section_missing"] == [
        "find_leads.company_snapshot",
        "find_leads.opportunity_intelligence",
    ]


def test_a_header_that_nobody_wrote_is_told():
    signals = {"primary_buying_signal": "x"}
    draft = written(**{"10_WRITER_INTRO": {"company_name": "Acme"}, "10_WRITER_SIGNALS": signals})
    assert [notice.field for notice in draft.warnings if notice.code == "section_missing"] == [
        "find_leads.the_angle",
        "find_leads.lead_score",
        "find_leads.timing_urgency",
    ]


def test_a_score_that_cannot_be_read_is_told_once():
    intro = CONTENTS["10_WRITER_INTRO"] | {"lead_score": "high"}
    assert codes(written(**{"10_WRITER_INTRO": intro})) == ["value_unreadable"]


def test_of_a_step_that_ran_twice_the_last_counts():
    old, new = CONTENTS["10_WRITER_INTRO"] | {"lead_score": 1}, CONTENTS["10_WRITER_INTRO"] | {"lead_score": 2}
    assert written(**{"10_WRITER_INTRO": (old, new)}).lead_score == 2


def test_steps_that_do_not_matter_are_passed_over():
    assert written(**{"2_SEARCH": "prose", "10_WRITER_POEM": {"poem": "x"}}) == written()


def test_markup_stays_text():
    intro = CONTENTS["10_WRITER_INTRO"] | {"the_angle": "<script>alert('x')</script> & more"}
    assert written(**{"10_WRITER_INTRO": intro}).find_leads["the_angle"] == "<script>alert('x')</script> & more"
