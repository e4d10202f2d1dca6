"""What each research and writer step would say about a lead, whole and clean.

A value nobody found is None here; the run without damage leaves such a key out.
"""

from typing import Any

from tests.generator.facts import Facts, Signal
from tests.generator.prose import Prose


def intro(facts: Facts, prose: Prose) -> dict[str, Any]:
    """`10_WRITER_INTRO`."""
    signal = facts.signals[0]
    return {
        "company_name": facts.company,
        "one_liner": f"{signal.date[:7]}: {signal.what}",
        "the_angle": prose(f"They are starting the {facts.project}, a {facts.scope}, in {facts.start}."),
        "lead_score": facts.score,
        "timing_urgency": facts.urgency,
        "score_explanation": f"The signal ({signal.type}) and a {facts.start} start in {facts.state} count most.",
    }


def signals(facts: Facts, prose: Prose) -> dict[str, Any]:
    """`10_WRITER_SIGNALS`. Its sources are all the signals' pages."""
    first, *others = facts.signals
    return {
        "primary_buying_signal": signal(first) | {"source_tier": first.tier},
        "additional_signals": [signal(other) for other in others],
        "timing_urgency": facts.urgency,
        "timing_analysis": prose(f"{facts.project} moves from planning to execution."),
        "urgency_explanation": f"The window opens now and closes before {facts.start}.",
        "sources": [source(each.what[:40], each.url) for each in facts.signals],
    }


def signal(found: Signal) -> dict[str, Any]:
    """A signal as the writers give it."""
    return {
        "signal_type": found.type,
        "description": found.what,
        "date": found.date,
        "source_url": found.url,
    }


def source(title: str, url: str) -> dict[str, str]:
    """One entry of a step's `sources`."""
    return {"title": title, "url": url}


def lead_intelligence(facts: Facts, prose: Prose) -> dict[str, Any]:
    """`10_WRITER_LEAD_INTELLIGENCE`. One of its sources was also SIGNALS'."""
    return {
        "company_deep_dive": {
            "description": f"{facts.does}. The {facts.project} is its largest capital project.",
            "company_overview": prose(f"{facts.company} is based in {facts.city}, {facts.country}."),
            "employees": facts.employees,
            "revenue": None,
            "founded_year": facts.founded,
            "full_address": None,
            "mainline_phones": ["+1 555 010 1276"],
            "general_emails": [f"info@{facts.domain}"],
            "coordinates": {"lat": facts.latitude, "lng": facts.longitude},
            "financial_profile": {"ownership": "private", "growth_trajectory": prose()},
            "recent_moves": [facts.signals[0].what],
            "how_they_buy": {"decision_timeline": "four months", "key_criteria": "schedule certainty"},
        },
        "network_intelligence": {
            "warm_paths": [
                {
                    "name": facts.introducer,
                    "title": "Former colleague of the project director",
                    "approach": prose("Ask for an introduction by phone."),
                    "linkedin_url": "https://linkedin.example/in/ines-calloway",
                }
            ],
            "associations": [{"name": "Regional builders exchange", "context": "corporate member"}],
            "partnerships": [],
            "conferences": [{"name": "Winter construction forum", "context": "speaker"}],
            "awards": [],
        },
        "sources": [
            source("Company register", f"https://register.example/{facts.domain}"),
            source("Announcement", facts.signals[0].url),
        ],
    }


def opportunity(facts: Facts, prose: Prose) -> dict[str, Any]:
    """`10_WRITER_OPPORTUNITY`."""
    return {
        "opportunity_intelligence": {
            "headline": f"{facts.scope} at {facts.project}",
            "opportunity_type": "New construction",
            "timeline": f"{facts.start} start",
            "budget_range": facts.package,
            "key_details": [facts.signals[0].what, f"Start in {facts.start}"],
            "why_it_matters": prose("No incumbent is named for this scope."),
        },
        "company_snapshot": {
            "company_name": facts.company,
            "description": facts.does,
            "domain": facts.domain,
            "hq_city": facts.city,
            "hq_state": facts.state,
            "industry": facts.industry,
            "size_estimate": None,
        },
        "project_sites": [
            {
                "site_name": facts.project,
                "address": f"{facts.city}, {facts.state}",
                "scope": facts.scope,
                "status": "Preconstruction",
                "estimated_value": facts.value,
                "construction_start": facts.start,
            }
        ],
        "opportunity_details": {
            "budget": {"client_scope_estimate": facts.package},
            "procurement": {"contracts_awarded": [], "contracts_open": ["envelope", "structure"]},
            "risks": prose(),
        },
    }


def strategy(facts: Facts, prose: Prose) -> dict[str, Any]:
    """`10_WRITER_STRATEGY`."""
    return {
        "the_math": {
            "their_reality": prose(f"{facts.company} must start {facts.project} by {facts.start}."),
            "the_opportunity": f"The scope is worth {facts.package}.",
            "translation": prose("A fast, certain schedule beats a low first price here."),
            "bottom_line": f"One package, {facts.package}, decided before {facts.start}.",
        },
        "deal_strategy": {
            "how_they_buy": "Qualification, interview, board approval above a threshold.",
            "unique_value_props": ["Schedule certainty", "Work at remote sites", "One point of contact"],
            "win_probability": 60,
        },
        "competitive_positioning": {
            "insights_they_dont_know": [
                {"insight": prose("Site labour is dear here."), "advantage": "Factory-built parts avoid it"}
            ],
            "landmines_to_avoid": [{"topic": "Last year's delay", "reason": prose()}],
        },
        "decision_making_process": {
            "company_type": "Private company",
            "organizational_structure": "Central",
            "key_roles": [{"role": person.title, "name": person.name} for person in facts.people[:1]],
            "typical_process": "RFQ, RFP, award",
            "entry_points": ["Project director"],
        },
        "objections": [
            {"objection": "You cost more than local firms", "response": "The date is what costs money here."},
            {"objection": "We already have a supplier", "response": prose("We add to theirs.")},
        ],
        "conversation_starters": [f"How firm is {facts.start}?", "Who holds the risk on the schedule?"],
    }


def client_specific(facts: Facts, prose: Prose) -> dict[str, Any]:
    """`10_WRITER_CLIENT_SPECIFIC`."""
    match = {"evidence": prose("Same engineering school."), "source": "https://alumni.example/2004"}
    return {
        "custom_research": {
            "title": "Client-specific research",
            "items": [
                {
                    "criteria_name": "Shared alumni",
                    "matches": [match | {"contact_name": person.name} for person in facts.people[:1]],
                }
            ],
        },
        "client_specific": {"insider_knowledge": {"budget_sensitivity": "moderate"}},
    }


def insight(facts: Facts, prose: Prose) -> dict[str, Any]:
    """`07B_INSIGHT`: what STRATEGY may have left empty."""
    return {
        "competitive_positioning": {"incumbents": [], "differentiators": prose()},
        "decision_making_process": {"committee": f"The {facts.country} board and the project office"},
        "sources": [source("Tender archive", f"https://tenders.example/{facts.domain}")],
    }


def entity_research(facts: Facts, prose: Prose) -> dict[str, Any]:
    """`3_ENTITY_RESEARCH`."""
    return {
        "resolved_entity": {
            "name": facts.company,
            "domain": facts.domain,
            "headquarters": f"{facts.city}, {facts.country}",
            "parent": None,
            "history": prose(),
        },
        "sources": [source("Company register", f"https://register.example/{facts.domain}")],
    }


def client_research(facts: Facts, prose: Prose) -> dict[str, Any]:
    """`5C_CLIENT_SPECIFIC`, which speaks camelCase."""
    return {
        "customResearch": {
            "title": "Client-specific research",
            "items": [
                {
                    "criteriaName": "Club memberships",
                    "matches": [
                        {
                            "contactName": person.name,
                            "evidence": prose(),
                            "source": "https://danby.example/members",
                        }
                        for person in facts.people[:1]
                    ],
                }
            ],
        },
        "warmPathsIn": [
            {
                "title": "Old Danby Club",
                "description": "Shared member",
                "approach": "Lunch",
                "connectionToTargets": "Programme director",
            }
        ],
        "sources": [source("Club members", "https://danby.example/members")],
    }


def media(facts: Facts, prose: Prose) -> dict[str, Any]:
    """`8_MEDIA`."""
    return {
        "target_company": {"name": facts.company, "domain": facts.domain},
        "enriched_at": facts.signals[0].date,
        "logo_url": None,
        "project_images": [
            {
                "url": f"https://img.example/{facts.domain}.jpg",
                "caption": prose(f"Rendering of {facts.project}."),
                "source_url": facts.signals[0].url,
                "project_name": facts.project,
            }
        ],
    }
