"""From a run's raw outputs to a dossier: pure, and total.

`assemble` takes what the pipeline stored and returns what the app shows, or says what is wrong with it;
it knows no database, no clock and no settings. Reading order, which is the data's: `steps` (who says
what), `outputs` (the content of each step: `envelope`, `repair`, `clean`), `endings` (is it enough?),
`identity` (which company?), `sections` (the dossier: `shapes`, `fields`, `scalars`, `composer`), `contacts`
(`persons`, `roster`, `people`, `emails`), `copywriting`, `sources`, `media`. What is repaired on the way is
told in `notes`.
"""

from typing import Any

from models.values import Draft, RunInput
from tasks.assemble.contacts import People, entries_in, people
from tasks.assemble.copywriting import outreach
from tasks.assemble.endings import settle
from tasks.assemble.identity import company_domain, company_name
from tasks.assemble.media import with_logo
from tasks.assemble.notes import Notes
from tasks.assemble.outputs import PRIVATE, Outputs, read
from tasks.assemble.sections import Sections, complete, primary_signal, sections
from tasks.assemble.sources import Sources
from tasks.assemble.steps import COMPOSER, CONTACTS, COPY, INDIVIDUAL, INSIGHT, OVERRIDE, STEPS, STRATEGY

__all__ = ["AGENTS", "assemble"]

AGENTS = ("find-lead", "enrich-contacts", "enrich-lead", "write-copy", "insight", "enrich-media")
"""What makes a dossier complete (domain, "Production tables"): a draft has all six, or there is no draft."""


def assemble(run: RunInput) -> Draft:
    """Make a dossier of a run. The same run gives the same draft, down to the ids.

    Everything in the draft can be stored as `jsonb`. What was repaired, passed over or set aside on the
    way is in its `warnings`; nothing a writer wrote is dropped silently.

    Raises:
        OutputsMissing: a step the dossier needs has not completed.
        OutputsInvalid: what such a step produced cannot be used; everything wrong is told at once.
    """
    notes = Notes()
    outputs = read(run, notes)
    name = settle(run, outputs, company_name(outputs, run.seed_data), notes)
    domain = company_domain(outputs, run.seed_data, notes)

    made = sections(outputs, notes)
    made["find_leads"]["company_name"] = name
    found = people(outputs.of(CONTACTS), _enrichment(outputs), name, run.dossier_id, notes)
    if found.set_aside:
        made["enrich_lead"]["contacts_set_aside"] = found.set_aside
    _write_copy(made, outputs, found, notes)
    sources = _collect_sources(made, outputs, notes)
    with_logo(made["media"], domain)
    complete(made, notes)

    return Draft(
        company_name=name,
        company_domain=domain,
        lead_score=made["find_leads"]["lead_score"],
        timing_urgency=made["find_leads"]["timing_urgency"],
        primary_signal=primary_signal(made),
        agents_completed=AGENTS,
        find_leads=made["find_leads"],
        enrich_lead=made["enrich_lead"],
        copy=made["copy"],
        insight=made["insight"],
        media=made["media"],
        sources=sources,
        contacts=found.contacts,
        warnings=notes.all(),
    )


def _enrichment(outputs: Outputs) -> list[tuple[str, dict[str, Any]]]:
    """What each step found about people, the composer's word first, so that any other is newer."""
    found = [(COMPOSER, entry) for entry in entries_in(outputs.of(COMPOSER).get("contacts"))]
    for content in outputs.all(INDIVIDUAL):
        entries = entries_in(content["contacts"]) if "contacts" in content else [content]
        found += [(INDIVIDUAL, entry) for entry in entries]
    return found


def _write_copy(made: Sections, outputs: Outputs, found: People, notes: Notes) -> None:
    written = [(step, content) for step in (COPY, OVERRIDE) for content in outputs.all(step)]
    scripts = outputs.of(COMPOSER).get("email_scripts")
    if scripts is not None:
        written.insert(0, (COMPOSER, {"email_scripts": scripts}))
    made["copy"]["outreach"], unmatched = outreach(written, found, notes)
    if unmatched:
        made["copy"]["outreach_set_aside"] = unmatched


def _collect_sources(made: Sections, outputs: Outputs, notes: Notes) -> list[dict[str, Any]]:
    """The sources of every step, in the steps' order; those of the insight stand in its section too."""
    sources = Sources()
    insight: list[dict[str, Any]] = []
    for step in STEPS:
        given = [content.get("sources") for content in outputs.all(step)]
        for each in given + outputs.sources.get(step, []):
            taken = sources.add(each, notes.at(step), private=step in PRIVATE)
            if step in {STRATEGY, INSIGHT}:
                insight += taken
    made["insight"]["sources"] = insight
    return sources.all()
