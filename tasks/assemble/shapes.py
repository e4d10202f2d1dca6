"""The sections of a dossier, field by field (domain, "Field by field"): where each goes and in which shape.

Names in the app's view that differ from the stored ones are aliases here, so that every step may speak
either way.
"""

from typing import Any

from tasks.assemble.clean import as_list, is_nothing
from tasks.assemble.fields import Anything, Many, Record, Shape, Text
from tasks.assemble.notes import Notes
from tasks.assemble.scalars import Number, Score, Urgency

ANY = Anything()
TEXT = Text()
ITEMS = Many(ANY)


def _all(shape: Shape, names: str) -> dict[str, Shape]:
    return dict.fromkeys(names.split(), shape)


def _record(bare: str, texts: str, **fields: Shape) -> Record:
    return Record(bare, _all(TEXT, texts) | fields)


def _as_signal(entry: dict[str, Any]) -> dict[str, Any]:
    """A `whyNow` entry, `{signal, happening, proof{text,url}}`, as the signal it is."""
    proof = entry.get("proof")
    if proof is None:
        return entry
    known = {"text": "source_name", "url": "source_url"}
    told = proof if isinstance(proof, dict) else {"text": proof}
    return {key: value for key, value in entry.items() if key != "proof"} | {
        known.get(key, f"proof_{key}"): value
        for key, value in told.items()
        if entry.get(known.get(key, "")) is None
    }


def _as_warm_path(entry: dict[str, Any]) -> dict[str, Any]:
    """A `warmPathsIn` entry, whose title is whom to ask and whose description is who that is."""
    if "name" in entry or "description" not in entry:
        return entry
    named = {"title": "name", "description": "title"}
    return {named.get(key, key): value for key, value in entry.items()}


SIGNAL = Record(
    "signal",
    _all(TEXT, "signal signal_type headline description date source_url source_name source_tier"),
    {"happening": "description"},
    _as_signal,
)

WARM_PATHS = Many(Record("name", _all(TEXT, "name title approach linkedin_url"), adapt=_as_warm_path))

_MATCHES = Many(_record("evidence", "contact_name evidence source"))

CUSTOM_RESEARCH = Record(
    "title",
    {"title": TEXT, "items": Many(_record("criteria_name", "criteria_name", matches=_MATCHES))},
    listed="items",
)

FIND_LEADS: dict[str, Shape] = {
    "company_name": TEXT,
    "one_liner": TEXT,
    "the_angle": TEXT,
    "lead_score": Score(),
    "score_explanation": TEXT,
    "timing_urgency": Urgency(),
    "timing_analysis": TEXT,
    "urgency_explanation": TEXT,
    "primary_buying_signal": SIGNAL,
    "company_snapshot": _record(
        "description",
        "company_name description domain industry hq_city hq_state location size_estimate",
    ),
    "opportunity_intelligence": _record(
        "headline",
        "headline opportunity_type timeline budget_range why_it_matters",
        key_details=ITEMS,
    ),
    "custom_research": CUSTOM_RESEARCH,
    "resolved_entity": ANY,
}

COORDINATES = Record(
    None,
    {"lat": Number(), "lng": Number()},
    {"latitude": "lat", "longitude": "lng", "lon": "lng", "long": "lng"},
)

ENRICH_LEAD: dict[str, Shape] = {
    "company_deep_dive": Record(
        "description",
        _all(TEXT, "description company_overview employees revenue founded_year full_address")
        | _all(ITEMS, "mainline_phones general_emails recent_moves")
        | {"coordinates": COORDINATES},
        {"summary": "description"},
    ),
    "network_intelligence": Record(
        "summary",
        _all(
            ITEMS,
            "warm_intro_paths associations partnerships conferences awards upcoming_opportunities alumni_networks"
            " professional_overlaps",
        )
        | {"warm_paths": WARM_PATHS},
        {"warm_paths_in": "warm_paths"},
    ),
    "project_sites": Many(
        _record(
            "site_name",
            "site_name name address city state scope status estimated_value construction_start",
            coordinates=COORDINATES,
        )
    ),
    "additional_signals": Many(SIGNAL),
    "opportunity_details": ANY,
    "client_specific": ANY,
}


class Response:
    """The answer to an objection: one text."""

    ORDER = ("acknowledge", "reframe", "evidence", "close")

    def fit(self, value: Any, at: str, notes: Notes) -> Any:
        """An object's texts joined, the four known ones first and in their order (domain, "copy")."""
        if not isinstance(value, dict):
            return TEXT.fit(value, at, notes)
        names = [*self.ORDER, *(name for name in value if name not in self.ORDER)]
        parts = [part for name in names for part in as_list(value.get(name))]
        if any(isinstance(part, dict | list) for part in parts):
            return TEXT.fit(value, at, notes)
        return " ".join(str(part).strip() for part in parts) or None


COPY: dict[str, Shape] = {
    "outreach": ITEMS,
    "objections": Many(_record("objection", "objection", response=Response())),
    "conversation_starters": ITEMS,
}

INSIGHT: dict[str, Shape] = {
    "the_math": _record("bottom_line", "their_reality the_opportunity translation bottom_line"),
    "deal_strategy": Record(
        "how_they_buy",
        {"how_they_buy": TEXT, "unique_value_props": ITEMS},
        {"unique_value": "unique_value_props"},
    ),
    "competitive_positioning": Record(
        "summary",
        {
            "insights_they_dont_know": Many(_record("insight", "insight advantage")),
            "landmines_to_avoid": Many(_record("topic", "topic reason")),
        },
        {"what_they_dont_know": "insights_they_dont_know"},
    ),
    "decision_making_process": _record(
        "typical_process",
        "company_type organizational_structure typical_process",
        key_roles=Many(_record("role", "role name influence what_they_care_about")),
        entry_points=ITEMS,
    ),
    "sources": ITEMS,
}

MEDIA: dict[str, Shape] = {
    "logo_url": TEXT,
    "logo_fallback_chain": ITEMS,
    "project_images": Many(_record("url", "url caption source_url project_name")),
}


def _as_copy(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry whose e-mail is an object, `{subject, body}`, with that object's fields as its own."""
    email = entry.get("email")
    if not isinstance(email, dict):
        return entry
    names = {key: f"email_{key}" for key in ("subject", "body") if key in email}
    lifted = {name: email[key] for key, name in names.items() if is_nothing(entry.get(name))}
    rest = {key: value for key, value in email.items() if names.get(key) not in lifted}
    return (
        {key: value for key, value in entry.items() if key != "email"} | lifted | ({"email": rest} if rest else {})
    )


OUTREACH = Record(
    "email_body",
    _all(TEXT, "target_name target_title email_subject email_body linkedin_message"),
    {"subject": "email_subject", "body": "email_body"},
    _as_copy,
)
"""One entry of `copy.outreach`, as 10A and 10B write it."""

SECTIONS: dict[str, dict[str, Shape]] = {
    "find_leads": FIND_LEADS,
    "enrich_lead": ENRICH_LEAD,
    "copy": COPY,
    "insight": INSIGHT,
    "media": MEDIA,
}

PLACES: dict[str, tuple[str, Shape]] = {
    name: (section, shape)
    for section, fields in SECTIONS.items()
    for name, shape in fields.items()
    if name not in {"sources", "outreach"}  # every step has sources, and outreach is made here
} | {"quick_reference": ("copy", ANY)}
"""For every field that a step may send, the section it belongs to, whichever step that is, and its shape."""
