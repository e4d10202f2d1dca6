"""The view of one dossier: pure, total, the same for V1 rows and V2 rows, from writers and from the composer."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any, Literal, TypeVar

from models.domain_name import normalise_domain
from models.production import Contact, Dossier
from models.view import (
    CompanyIntel,
    CompetitivePositioning,
    CustomResearch,
    DealStrategy,
    DecisionStrategy,
    DossierView,
    EmailScript,
    KeyRole,
    Landmine,
    Media,
    NetworkIntelligence,
    Objection,
    OpportunityIntelligence,
    ProjectImage,
    Proof,
    QuickReference,
    ResearchItem,
    ResearchMatch,
    Source,
    TheMath,
    Unknown,
    View,
    WarmPath,
    WhyNow,
)
from worker.view.contacts import people
from worker.view.lenient import fields, first, items, link, links, something, text, texts

Urgency = Literal["Low", "Medium", "High", "Critical"]
Reader = Callable[[Any], Any]
Part = TypeVar("Part", bound=View)

_LEVELS: tuple[Urgency, ...] = ("Critical", "High", "Medium", "Low")
_SCORE = re.compile(r"\s*(\d{1,6})(?:\.\d+)?\s*(?:/\s*100)?\s*")
_NUMBERS = (("employees", "Employees"), ("revenue", "Revenue"), ("founded_year", "Founded"))
_RESPONSE = ("acknowledge", "reframe", "evidence", "close")


def view(
    dossier: Dossier, contacts: Sequence[Contact], lists: Sequence[str] = (), batch_date: date | None = None
) -> DossierView:
    """The dossier as the app shows it. Never raises, whatever its sections hold.

    Args:
        dossier: the row, its sections loaded.
        contacts: its rows; where there are none, those of the section `enrich_contacts` are taken (V1).
        lists: names of the lists it is on.
        batch_date: the client's day of its batch.
    """
    lead, enrich, copy = fields(dossier.find_leads), fields(dossier.enrich_lead), fields(dossier.copy)
    insight = fields(dossier.insight)
    snapshot = fields(lead.get("company_snapshot"), "description")
    deep_dive = fields(enrich.get("company_deep_dive"), "description")
    domain = first((dossier.company_domain, snapshot.get("domain")))
    return DossierView(
        company_name=company_name(dossier.company_name, dossier.company_domain, lead),
        domain=domain and (normalise_domain(domain) or domain),
        what_they_do=first((snapshot.get("description"), lead.get("one_liner"), deep_dive.get("description"))),
        the_angle=text(lead.get("the_angle")),
        lead_score=lead_score(dossier.lead_score, lead),
        explanation=text(lead.get("score_explanation")),
        urgency=_urgency(
            first((dossier.timing_urgency, lead.get("timing_urgency"), enrich.get("timing_urgency")))
        ),
        timing_context=first((lead.get("timing_analysis"), lead.get("urgency_explanation"))),
        why_now=tuple(_why_now(lead, enrich, dossier.primary_signal)),
        company_intel=_company_intel(snapshot, deep_dive),
        opportunity_intelligence=_filled(
            OpportunityIntelligence, lead.get("opportunity_intelligence"), "headline", key_details=texts
        ),
        custom_research=_research(something(lead.get("custom_research"), enrich.get("custom_research"))),
        network_intelligence=_network(enrich.get("network_intelligence")),
        the_math_structured=_filled(TheMath, insight.get("the_math"), "bottom_line"),
        competitive_positioning=_positioning(insight.get("competitive_positioning")),
        deal_strategy=_deal(insight.get("deal_strategy")),
        decision_strategy=_filled(
            DecisionStrategy,
            insight.get("decision_making_process"),
            "typical_process",
            key_roles=_many(KeyRole, "role"),
            entry_points=texts,
        ),
        common_objections=_many(Objection, "objection", response=_response)(copy.get("objections")),
        quick_reference=QuickReference(conversation_starters=_starters(copy)),
        contacts=tuple(people(dossier, contacts)),
        email_scripts=tuple(map(_script, items(copy.get("outreach")))),
        media=_media(fields(dossier.media)),
        sources=tuple(_sources(dossier.sources, insight.get("sources"))),
        pipeline_version=dossier.pipeline_version,
        updated=dossier.superseded_by_dossier_id is not None,
        lists=tuple(lists),
        batch_date=batch_date,
    )


def company_name(stored: str | None, domain: str | None, find_leads: Any) -> str:
    """What the company is called: by its column, else by the section, else by its domain."""
    lead = fields(find_leads)
    snapshot = fields(lead.get("company_snapshot"), "description")
    known = (stored, lead.get("company_name"), snapshot.get("company_name"), domain, snapshot.get("domain"))
    return first(known) or "Unnamed company"


def lead_score(stored: int | None, find_leads: Any) -> int | None:
    """The score from 0 to 100: the column's, else the section's; None where that is none."""
    value = fields(find_leads).get("lead_score") if stored is None else stored
    found = _SCORE.fullmatch(str(value)) if isinstance(value, int | float | str) else None
    return min(100, int(found[1])) if found else None


def _filled(part: type[Part], value: Any, bare: str, **readers: Reader) -> Part:
    """A part of the view whose fields bear the stored names; a text is read for each but those with a reader."""
    given = fields(value, bare)
    found: dict[str, Any] = {}
    for name in part.model_fields:
        read: Reader = readers.get(name, text)
        found[name] = read(given.get(name))
    return part(**found)


def _many(part: type[Part], bare: str, **readers: Reader) -> Callable[[Any], tuple[Part, ...]]:
    """A reader of a list of such parts; those that say nothing are left out."""

    def read(value: Any) -> tuple[Part, ...]:
        empty = part()
        return tuple(found for item in items(value) if (found := _filled(part, item, bare, **readers)) != empty)

    return read


def _urgency(said: str | None) -> Urgency | None:
    """The level; of a range its upper end."""
    words = set(re.findall(r"[a-z]+", said.lower()[:100])) if said else set[str]()
    return next((level for level in _LEVELS if level.lower() in words), None)


def _why_now(lead: dict[str, Any], enrich: dict[str, Any], primary: str | None) -> Iterator[WhyNow]:
    """The primary signal, then the others; those that say nothing are left out."""
    yield from tuple(_signals(lead.get("primary_buying_signal"))) or _signals(primary)
    yield from _signals(enrich.get("additional_signals"))


def _signals(value: Any) -> Iterator[WhyNow]:
    return (signal for signal in map(_signal, items(value)) if signal != WhyNow())


def _signal(value: Any) -> WhyNow:
    given = fields(value, "signal")
    proof = fields(given.get("proof"), "text")
    happening = first((given.get("description"), given.get("happening"), given.get("headline")))
    return WhyNow(
        signal=first((given.get("signal"), given.get("headline"), given.get("signal_type"))),
        happening=happening,
        proof=Proof(
            text=first((given.get("source_name"), proof.get("text"))),
            url=link(given.get("source_url")) or link(proof.get("url")),
        ),
    )


def _company_intel(snapshot: dict[str, Any], deep_dive: dict[str, Any]) -> CompanyIntel:
    known = ((label, text(deep_dive.get(name))) for name, label in _NUMBERS)
    told = [f"{label}: {value}" for label, value in known if value]
    size = text(snapshot.get("size_estimate"))
    if size and not text(deep_dive.get("employees")):
        told.append(f"Size: {size}")
    return CompanyIntel(
        summary=first((deep_dive.get("company_overview"), deep_dive.get("description"), deep_dive.get("summary"))),
        numbers=texts(deep_dive.get("numbers")) or tuple(told),
        mainline_phones=texts(deep_dive.get("mainline_phones")),
        general_emails=texts(deep_dive.get("general_emails")),
    )


def _research(value: Any) -> CustomResearch:
    given = fields(value, "title")
    if isinstance(value, list) and len(value) > 1:
        given = {"items": value}
    read = _many(ResearchItem, "criteria_name", matches=_many(ResearchMatch, "evidence"))
    return CustomResearch(title=text(given.get("title")), items=read(given.get("items")))


def _network(value: Any) -> NetworkIntelligence:
    given = fields(value)
    paths = (
        items(given.get("warm_paths")) + items(given.get("warm_paths_in")) + items(given.get("warm_intro_paths"))
    )
    lists = ("associations", "partnerships", "conferences", "awards")
    found = tuple(path for item in paths if (path := _warm_path(item)) != WarmPath())
    return NetworkIntelligence(warm_paths_in=found, **{name: texts(given.get(name)) for name in lists})


def _warm_path(value: Any) -> WarmPath:
    given = fields(value, "title")
    # the writers' form: whom to ask is `name`, and who that is `title`
    named = something(given.get("name")) is not None
    return WarmPath(
        title=text(given.get("name" if named else "title")),
        description=first((given.get("description"), given.get("title") if named else None)),
        approach=text(given.get("approach")),
        connection_to_targets=text(given.get("connection_to_targets")),
    )


def _positioning(value: Any) -> CompetitivePositioning:
    given = fields(value)
    unknown = something(given.get("insights_they_dont_know"), given.get("what_they_dont_know"))
    return CompetitivePositioning(
        what_they_dont_know=_many(Unknown, "insight")(unknown),
        landmines_to_avoid=_many(Landmine, "topic")(given.get("landmines_to_avoid")),
    )


def _deal(value: Any) -> DealStrategy:
    given = fields(value, "how_they_buy")
    return DealStrategy(
        how_they_buy=text(given.get("how_they_buy")),
        unique_value=texts(something(given.get("unique_value_props"), given.get("unique_value"))),
    )


def _response(value: Any) -> str | None:
    """The answer to an objection; an object's parts in the order in which they are said."""
    given = fields(value) if isinstance(value, dict) else {}
    if not given:
        return text(value)
    order = (*_RESPONSE, *(name for name in given if name not in _RESPONSE))
    return " ".join(filter(None, (text(given.get(name)) for name in order))) or None


def _starters(copy: dict[str, Any]) -> tuple[str, ...]:
    return texts(copy.get("conversation_starters")) or texts(
        fields(copy.get("quick_reference")).get("conversation_starters")
    )


def _script(value: Any) -> EmailScript:
    given = fields(value, "email_body")
    for name, other in (("email_subject", "subject"), ("email_body", "body")):
        given[name] = something(given.get(name), given.get(other))
    return _filled(EmailScript, given, "email_body")


def _media(given: dict[str, Any]) -> Media:
    return Media(
        logo_url=link(given.get("logo_url")),
        logo_fallback_chain=links(given.get("logo_fallback_chain")),
        project_images=_many(ProjectImage, "url", url=link, source_url=link)(given.get("project_images")),
    )


def _sources(*given: Any) -> Iterator[Source]:
    """Each source once, by its address or else its text."""
    seen: set[str] = set()
    for item in (item for group in given for item in items(group)):
        told = fields(item, "url")
        url = link(told.get("url")) or link(told.get("source_url")) or link(told.get("link"))
        named = first(told.get(name) for name in ("text", "title", "name", "source_name"))
        found = Source(text=named or url or text(told.get("url")), url=url)
        key = found.url or found.text
        if key is not None and key not in seen:
            seen.add(key)
            yield found
