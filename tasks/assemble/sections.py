"""The sections of a dossier, put together from what the steps said of each field."""

from collections.abc import Collection, Iterator
from typing import Any

import orjson

from tasks.assemble.clean import as_list, is_nothing
from tasks.assemble.composer import as_network, as_written
from tasks.assemble.fields import Many, fill, tell_lost
from tasks.assemble.notes import Code, Notes
from tasks.assemble.outputs import Outputs
from tasks.assemble.shapes import ANY, PLACES, SECTIONS
from tasks.assemble.steps import (
    CLIENT_RESEARCH,
    CLIENT_SPECIFIC,
    COMPOSER,
    ENTITY,
    INSIGHT,
    INTRO,
    LEAD_INTELLIGENCE,
    MEDIA,
    OPPORTUNITY,
    SIGNALS,
    STEPS,
    STRATEGY,
)

Sections = dict[str, dict[str, Any]]

SHOWN = (
    ("find_leads", "the_angle"),
    ("find_leads", "lead_score"),
    ("find_leads", "timing_urgency"),
    ("find_leads", "primary_buying_signal"),
    ("find_leads", "company_snapshot"),
    ("find_leads", "opportunity_intelligence"),
    ("enrich_lead", "company_deep_dive"),
    ("enrich_lead", "network_intelligence"),
    ("insight", "the_math"),
    ("insight", "deal_strategy"),
    ("insight", "competitive_positioning"),
    ("insight", "decision_making_process"),
)
"""What the app gives a panel of its own, and what stands in its header whoever wrote the dossier."""

_ORDER = (SIGNALS, INTRO, LEAD_INTELLIGENCE, OPPORTUNITY, STRATEGY, CLIENT_SPECIFIC)
"""Who is heard first. SIGNALS' urgency wins over INTRO's (domain, "Steps that matter")."""

_APART = frozenset({"contacts", "email_scripts", "media"})
"""What the composer says of people and pictures: enrichment, copy and media like any other."""


def sections(outputs: Outputs, notes: Notes) -> Sections:
    """The five sections, every known field in its shape and its place, unknown ones in their step's section.

    Who wins where several steps have a value for one field: the writer that is asked for it, then other
    writers, then the composer, then `07B_INSIGHT` (domain: it "fills the fields that STRATEGY left empty").
    Losers fill what the winner left out, level by level; where they differ there is a notice. Research
    for the client (`5C_CLIENT_SPECIFIC`) is merged: its items and warm paths follow those that are there.
    """
    made: Sections = {name: {} for name in SECTIONS}
    for asked in (True, False):
        for step in _ORDER:
            fields = STEPS[step].fields
            content = _signals(outputs.of(step)) if step == SIGNALS else outputs.of(step)
            place(made, step, {name: item for name, item in content.items() if (name in fields) is asked}, notes)
    place(made, COMPOSER, _without(as_written(outputs.of(COMPOSER), notes.at(COMPOSER)), _APART), notes)
    place(made, INSIGHT, outputs.of(INSIGHT), notes)
    place(made, ENTITY, _entity(outputs.of(ENTITY)), notes)
    _merge_research(made, as_network(outputs.of(CLIENT_RESEARCH), notes.at(CLIENT_RESEARCH)), notes)
    place(made, MEDIA, outputs.of(MEDIA), notes)
    place(made, COMPOSER, _media(outputs.of(COMPOSER)), notes, home="media")
    for step, content in _beside_people(outputs):
        place(made, step, content, notes)
    return made


def place(made: Sections, step: str, content: dict[str, Any], notes: Notes, home: str | None = None) -> None:
    """Put a step's fields where they belong and nobody has put a value yet; all but its sources.

    Args:
        home: the section of unknown fields; the step's where None.
    """
    at = notes.at(step)
    lost: list[str] = []
    for name, value in content.items():
        if name != "sources":
            section, shape = PLACES.get(name, (home or STEPS[step].home, ANY))
            lost += fill(made[section], {name: shape.fit(value, name, at)})
    tell_lost(lost, at)


def complete(made: Sections, notes: Notes) -> None:
    """Give every section every known field, [] for a list and null for the rest, and tell what is not there.

    What was written and could not be read has been told.
    """
    for name, fields in SECTIONS.items():
        for field, shape in fields.items():
            made[name].setdefault(field, [] if isinstance(shape, Many) else None)
    told = {notice.field for notice in notes.all()}
    for name, field in SHOWN:
        if is_nothing(made[name][field]) and field not in told:
            notes.add(Code.SECTION_MISSING, "no step has written it", f"{name}.{field}")


def primary_signal(made: Sections) -> str | None:
    """The primary buying signal in one line: its signal, else its headline, description or type."""
    signal = made["find_leads"].get("primary_buying_signal") or {}
    said = (signal.get(name) for name in ("signal", "headline", "description", "signal_type"))
    return next((text for text in said if isinstance(text, str) and text.strip()), None)


def _without(content: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name not in names}


def _beside_people(outputs: Outputs) -> Iterator[tuple[str, dict[str, Any]]]:
    """What steps that list people say besides the list; an entry alone is all about its person."""
    for name, step in STEPS.items():
        for content in outputs.all(name) if step.lists else []:
            if any(key in content for key in step.lists):
                yield name, _without(content, step.lists)


def _media(composed: dict[str, Any]) -> dict[str, Any]:
    """The composer's media; what is no object of them is kept as their note."""
    media = composed.get("media")
    return media if isinstance(media, dict) else {"note": media} if media else {}


def _signals(content: dict[str, Any]) -> dict[str, Any]:
    """SIGNALS' content; of several primary signals the first is it and the others are additional ones."""
    primary = [signal for signal in as_list(content.get("primary_buying_signal")) if not is_nothing(signal)]
    if len(primary) < 2:  # noqa: PLR2004 (one is as it should be)
        return content
    others = [*primary[1:], *as_list(content.get("additional_signals"))]
    return content | {"primary_buying_signal": primary[0], "additional_signals": others}


def _entity(content: dict[str, Any]) -> dict[str, Any]:
    """The resolved entity under its name; a step that gives its fields without one gives the entity itself."""
    if not content or "resolved_entity" in content:
        return content
    return {"resolved_entity": {name: value for name, value in content.items() if name != "sources"}}


def _merge_research(made: Sections, research: dict[str, Any], notes: Notes) -> None:
    """Lay research for the client beside what is there: items and warm paths of both, each once."""
    for name, inner, key in (
        ("custom_research", "items", "criteria_name"),
        ("network_intelligence", "warm_paths", "name"),
    ):
        section, shape = PLACES[name]
        fresh = shape.fit(research.get(name), name, notes.at(CLIENT_RESEARCH))
        present = made[section].get(name)
        if isinstance(fresh, dict) and isinstance(present, dict):
            lost = _merge(present.setdefault(inner, []), fresh.pop(inner), key, f"{name}.{inner}")
            tell_lost(lost + fill(present, fresh, name), notes.at(CLIENT_RESEARCH))
        elif fresh:
            made[section][name] = fresh
    place(made, CLIENT_RESEARCH, _without(research, {"custom_research", "network_intelligence"}), notes)


def _merge(present: list[Any], fresh: list[Any], key: str, at: str) -> list[str]:
    """Append `fresh` items to `present`. One whose `key` is there fills that item and lengthens its lists.

    Returns:
        The paths at which an item that was there has another value.
    """
    lost: list[str] = []
    known = {item[key]: item for item in present if isinstance(item, dict) and isinstance(item.get(key), str)}
    longer: dict[tuple[str, str], list[Any]] = {}
    for item in fresh:
        named = str(item.get(key)) if isinstance(item, dict) else None
        same = known.get(named)
        if named is None or same is None:
            present.append(item)
            continue
        rest = dict(item)
        for name, value in item.items():
            if isinstance(value, list) and isinstance(same.get(name), list):
                if (named, name) not in longer:
                    longer[named, name] = [*same[name]]
                longer[named, name] += rest.pop(name)
        lost += fill(same, rest, at)
    for (named, name), values in longer.items():
        known[named][name] = _united(values)
    return lost


def _united(values: list[Any]) -> list[Any]:
    """The items of a list, each once, however large they are."""
    return list({orjson.dumps(item, option=orjson.OPT_SORT_KEYS): item for item in values}.values())
