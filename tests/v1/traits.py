"""What is odd about V1's dossiers, one way each."""

from datetime import UTC, date, datetime, timedelta

from psycopg.types.json import Jsonb

from tests.v1.content import JSON_NULL, NOW, SECTIONS


def _change(section, **values):
    """A trait: these values in the section; `...` takes one out."""

    def apply(row):
        content = dict(row[section].obj)
        for name, value in values.items():
            content.pop(name, None) if value is ... else content.__setitem__(name, value)
        row[section] = Jsonb(content)

    return apply


def _columns(**values):
    """A trait: these columns."""
    return lambda row: row.update(values)


def _legacy(row):
    people = [
        {"name": "Old Contact", "title": "CEO", "email": "old@company.example", "is_primary": True},
        "Just A Name",
    ]
    row.update(enrich_contacts=Jsonb({"key_contacts": people, "sources": "null"}))


def _future(row):
    row.update(status="ready", released_at=NOW + timedelta(days=3650), release_date=date(2036, 11, 21))


HUGE = "Ünïcödé text that goes on. " * 8000

TRAITS = {
    "null_texts": _change("find_leads", one_liner="null", the_angle="N/A", score_explanation="Unknown"),
    "section_is_null_text": _columns(insight=Jsonb("null"), media=Jsonb("null"), copy=Jsonb("")),
    "section_is_json_null": _columns(enrich_lead=JSON_NULL, copy=JSON_NULL),
    "no_sections": _columns(**dict.fromkeys(SECTIONS)),
    "text_for_a_list": _change(
        "enrich_lead", network_intelligence={"associations": "Rail Forum", "warm_paths": "Ask"}
    ),
    "object_for_a_list": _change(
        "copy", objections={"objection": "Too dear", "response": {"reframe": "No", "close": "?"}}
    ),
    "section_is_a_list": _columns(insight=Jsonb([{"the_math": {"their_reality": "in a list"}}])),
    "section_is_json_text": _columns(media=Jsonb('{"logo_url": "https://logo.example/in-text.png"}')),
    "legacy_contacts": _legacy,
    "legacy_contacts_as_a_list": _columns(enrich_contacts=Jsonb([{"full_name": "L. One"}, None, "null"])),
    "huge": _change("copy", conversation_starters=[HUGE]),
    "score_above_100": _columns(lead_score=120),
    "score_below_0": _columns(lead_score=-5),
    "no_score": _columns(lead_score=None),
    "score_as_text": _change("find_leads", lead_score="78/100"),
    "urgency_in_lower_case": _columns(timing_urgency="critical"),
    "urgency_unknown": _columns(timing_urgency="whenever"),
    "empty_texts": _columns(company_domain="", primary_signal="", timing_urgency=""),
    "empty_name": _columns(company_name=""),
    "future": _future,
    "held": _columns(status="ready", released_at=None, release_date=None),
    "day_without_release": _columns(status="ready", released_at=None, release_date=date(2026, 1, 20)),
    "long_ago": _columns(
        released_at=datetime(1970, 1, 1, tzinfo=UTC), created_at=datetime(1969, 12, 31, tzinfo=UTC)
    ),
    "sources_as_object": _columns(sources=Jsonb({"text": "Only one", "url": "https://one.example"})),
    "sources_as_texts": _columns(sources=Jsonb(["https://bare.example", "null", None, {"source_name": "S"}])),
    "sources_json_null": _columns(sources=JSON_NULL),
    "agents_unknown": _columns(agents_completed=["find-lead", "find-lead", "a,b", 'quote"d', "null", ""]),
    "unknown_status": _columns(status="Ready"),
    "numbers": _change(
        "enrich_lead", company_deep_dive={"employees": 410, "revenue": 1e30, "founded_year": 1987.0}
    ),
    "deep": _change("insight", the_math={"a": {"b": {"c": [[[{"d": None}]]]}}}),
}
