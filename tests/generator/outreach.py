"""What the steps about people would say: who they are, what enrichment found, what to write to them."""

from typing import Any

from tests.generator.facts import Facts, Person
from tests.generator.prose import Prose


def contact_list(facts: Facts, prose: Prose, *, emails: bool) -> dict[str, Any]:
    """`6_ENRICH_CONTACTS`, with e-mail addresses only where no later step brings them."""
    entries = [
        _entry(facts, facts.index_of(position), person.name, person.title)
        | {
            "why_they_matter": prose(f"{person.name} decides or advises on {facts.project}."),
            "email": person.email if emails else None,
            "tier": "primary" if position == facts.primary else "secondary",
        }
        for position, person in enumerate(facts.people)
    ]
    if firm := facts.firm:
        entries.insert(firm.at, _entry(facts, firm.at, firm.name, firm.role) | {"tier": "tertiary"})
    return {"contacts": entries, "contact_count": len(entries)}


def _entry(facts: Facts, index: int, name: str, title: str) -> dict[str, Any]:
    """What any entry of the contact list has."""
    return {
        "contact_index": index,
        "name": name,
        "title": title,
        "company": facts.company,
        "source": "claims",
        "source_url": facts.signals[0].url,
        "confidence": "HIGH",
    }


def individual(facts: Facts, prose: Prose, position: int) -> dict[str, Any]:
    """`6_ENRICH_CONTACT_INDIVIDUAL` for the person at `position`."""
    person = facts.people[position]
    return {
        "contact_index": facts.index_of(position),
        "name": person.name,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "title": person.title,
        "email": person.email,
        "phone": None,
        "linkedin_url": f"https://linkedin.example/in/{person.slug}",
        "bio_summary": prose(f"{person.title} with long experience in {facts.industry}."),
        "tenure_months": person.tenure_months,
        "previous_companies": ["Tarn Engineering"],
        "interesting_facts": ["Runs mountain marathons", "Speaks at the winter forum"],
        "web_summary": prose("Quoted in two trade papers."),
        "confidence": "HIGH",
    }


def subject(facts: Facts, person: Person) -> str:
    """The subject of the e-mail that `10A_COPY` writes to a person."""
    return f"{facts.project}: holding {facts.start} with {person.first_name}"


def copy(facts: Facts, prose: Prose, positions: range) -> dict[str, Any]:
    """`10A_COPY` for the people at `positions`."""
    return {
        "copy_outputs": [
            _addressee(facts, position)
            | {
                "email_subject": subject(facts, person),
                "email_body": prose(f"Hello {person.first_name},\n\nI read about {facts.project}."),
                "linkedin_message": f"Hello {person.first_name}, a short word about {facts.project}?",
            }
            for position, person in ((position, facts.people[position]) for position in positions)
        ]
    }


def _addressee(facts: Facts, position: int) -> dict[str, Any]:
    """How copy names the person it is for."""
    return {
        "contact_id": f"CONT_{facts.index_of(position):03d}",
        "contact_name": facts.people[position].name,
    }


def override_subject(facts: Facts) -> str:
    """The subject of the e-mail that `10B_COPY_CLIENT_OVERRIDE` puts in another's place."""
    return f"{facts.introducer} suggested I write about {facts.project}"


def override(facts: Facts, prose: Prose) -> dict[str, Any]:
    """`10B_COPY_CLIENT_OVERRIDE`: other copy for the primary contact, none for the rest."""
    chosen = [] if facts.primary is None else [facts.primary]
    return {
        "final_copy_outputs": [
            _addressee(facts, position)
            | {
                "override_applied": True,
                "override_reason": "Warm introduction",
                "email_subject": override_subject(facts),
                "email_body": prose(f"Hello,\n\n{facts.introducer} suggested that I write to you."),
                "linkedin_message": f"{facts.introducer} sends her regards.",
            }
            for position in chosen
        ],
        "overrides_applied_count": len(chosen),
        "generic_retained_count": len(facts.people) - len(chosen),
    }
