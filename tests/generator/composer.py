"""What `11_DOSSIER_COMPOSER` says about a lead: a whole dossier in the app's view form."""

from typing import Any

from tests.generator.facts import Facts
from tests.generator.prose import Prose
from tests.generator.writers import source


def composed(facts: Facts, prose: Prose) -> dict[str, Any]:
    """The dossier, clean and in camelCase."""
    return _header(facts, prose) | _research(facts, prose) | _advice(facts, prose)


def _header(facts: Facts, prose: Prose) -> dict[str, Any]:
    return {
        "companyName": facts.company,
        "domain": facts.domain,
        "whatTheyDo": facts.does,
        "theAngle": prose(f"They are starting the {facts.project}, a {facts.scope}, in {facts.start}."),
        "leadScore": facts.score,
        "explanation": f"The signal ({facts.signals[0].type}) and a {facts.start} start count most.",
        "urgency": facts.urgency.capitalize(),
        "timingContext": prose(f"{facts.start} opportunity."),
        "whyNow": [
            {
                "signal": signal.type.replace("_", " "),
                "happening": signal.what,
                "proof": {"text": "Notice", "url": signal.url},
            }
            for signal in facts.signals
        ],
    }


def _research(facts: Facts, prose: Prose) -> dict[str, Any]:
    return {
        "companyIntel": {
            "summary": prose(f"{facts.does}."),
            "numbers": [f"{facts.employees} employees", facts.scope],
            "mainlinePhones": [],
            "generalEmails": [f"info@{facts.domain}"],
        },
        "opportunityIntelligence": {
            "headline": facts.scope,
            "opportunityType": "New construction",
            "timeline": facts.start,
            "budgetRange": facts.package,
            "keyDetails": [facts.signals[0].what],
            "whyItMatters": prose("No incumbent."),
        },
        "networkIntelligence": {
            "warmPathsIn": [
                {
                    "title": facts.introducer,
                    "description": "Former colleague",
                    "approach": prose("Phone."),
                    "connectionToTargets": "Project director",
                }
            ],
            "associations": [],
            "partnerships": [],
            "conferences": [],
            "awards": [],
        },
        "sources": [source(signal.what[:40], signal.url) for signal in facts.signals],
    }


def _advice(facts: Facts, prose: Prose) -> dict[str, Any]:
    return {
        "theMathStructured": {
            "theirReality": prose("They must start on the date."),
            "theOpportunity": facts.package,
            "translation": prose("Certainty wins."),
            "bottomLine": None,
        },
        "competitivePositioning": {
            "whatTheyDontKnow": [{"insight": prose(), "advantage": "Factory-built"}],
            "landminesToAvoid": [],
        },
        "dealStrategy": {"howTheyBuy": "RFQ then award", "uniqueValue": ["Schedule"], "winProbability": 60},
        "decisionStrategy": {
            "companyType": "Public body",
            "organizationalStructure": "Board",
            "keyRoles": [{"role": person.title, "influence": "decision_maker"} for person in facts.people[:1]],
            "typicalProcess": "Sealed bids",
            "entryPoints": [{"approach": "Pre-bid meeting", "rationale": "Open to all"}],
        },
        "commonObjections": [{"objection": "Price", "response": prose("The date is what costs money.")}],
        "quickReference": {"conversationStarters": [f"How firm is {facts.start}?"]},
    }
