"""What V1's rows say: names, places, people, and the six sections as V1's agents wrote them when all went well."""

from datetime import UTC, datetime

from psycopg.types.json import Jsonb

NOW = datetime(2025, 11, 24, 9, 30, tzinfo=UTC)
CLIENTS = {
    "northwind": ("Northwind Modular", "America/Chicago", 6),
    "lakeshore": ("Lakeshore Crane & Rigging", "Europe/London", 0),
    "kanto": ("関東プレハブ株式会社", "Asia/Tokyo", 23),
    "dublin": ("Ó Briain Teoranta", "Australia/Lord_Howe", 9),
    "old-zone": ("Old Zone Ltd", "US/Pacific-New", 12),
    "offset": ("Offset & Sons", "Etc/GMT+12", 1),
    "no-zone": ("No Zone Inc", "", 0),
    "made-up": ("Made Up plc", "Mars/Olympus Mons", 5),
    "empty": ("Has nothing yet", "Asia/Kathmandu", 8),
    None: ("شركة بلا معرّف", "Africa/El_Aaiun", 0),
}
AGENTS = ["find-lead", "enrich-contacts", "enrich-lead", "write-copy", "insight", "enrich-media"]
STATUSES = ("ready",) * 12 + ("archived", "superseded", "skeleton", "enriching", "ready")
URGENCIES = ("HIGH", "High", "high", "Medium", "MEDIUM", "low", "CRITICAL", "Critical", "Medium-High", "", None)
SECTIONS = ("find_leads", "enrich_lead", "enrich_contacts", "copy", "insight", "media")
NAMES = (
    "Stannard Rail",
    "Ørsted Høyden A/S",
    "Çelik İnşaat",
    "株式会社東北建設",
    "شركة البناء",
    "O'Neill & 'Sons'",
    "Zoë\u0308 Bau GmbH",
    "Back\\slash; --drop",
    "Tab\tand\nline",
    "👷🏽‍♀️ Works",
    'Comma, "Quote" Ltd',
    "=SUM(A1)",
)
PEOPLE = (
    "Ines Calloway",
    "José Núñez",
    "李小龍",
    "Anna-Lena Ó Dálaigh",
    "מרים כהן",
    "null",
    "Dr. A. B. C. Smith III",
)
JSON_NULL = Jsonb(None)


def domains(number):
    """What `company_domain` is seen to be."""
    return [
        f"company{number}.example",
        f"WWW.Company{number}.example",
        f"https://c{number}.example/x",
        "",
        None,
        "null",
        f"xn--bcher-kva{number}.example",
        f"careers.company{number}.co.uk",
    ]


CONTACT = {
    "title": ("Chief Engineer", "N/A", "", "null", None),
    "email": ("ines@company.example", "mailto:x@y.example", "two words@z.example", "", None),
    "phone": ("+44 20 7946 0000", "Unknown", "", None),
    "linkedin_url": ("linkedin.com/in/x", "https://www.linkedin.com/in/y/", "null", None),
    "bio_paragraph": ("Builds depots.", "", None),
    "source": ("apollo", "", None),
    "enrichment_data": (Jsonb({"raw": {"a": [1, None, "null"]}}), JSON_NULL, None),
}
"""What a contact's columns are seen to be."""


def sections(chance, name, number):
    """The six sections as V1's agents wrote them when all went well."""
    return {
        "find_leads": Jsonb(
            {
                "company_name": name,
                "one_liner": "Maintains rolling stock",
                "the_angle": "They rebuild a depot in 2027.",
                "lead_score": chance.randrange(101),
                "score_explanation": "A dated project",
                "timing_urgency": "HIGH",
                "primary_buying_signal": {
                    "signal": "Planning consent",
                    "headline": "Consent",
                    "source_url": "https://a.example",
                    "description": "The council consented.",
                    "date": "2026-01-20",
                },
                "company_snapshot": {
                    "company_name": name,
                    "domain": f"company{number}.example",
                    "hq_city": "Derby",
                },
                "opportunity_intelligence": {
                    "headline": "Depot",
                    "timeline": "2027",
                    "key_details": ["two halls"],
                },
                "custom_research": {"title": "Fit", "items": [{"criteria_name": "Rail", "matches": []}]},
            }
        ),
        "enrich_lead": Jsonb(
            {
                "company_deep_dive": {
                    "description": "Rail works",
                    "employees": "410",
                    "mainline_phones": ["+44 1332 0"],
                    "general_emails": ["info@company.example"],
                    "coordinates": {"lat": 52.9, "lng": -1.5},
                },
                "network_intelligence": {
                    "warm_paths": [{"name": "A. Byron", "title": "Chair", "approach": "Ask"}],
                    "associations": ["Rail Forum"],
                    "awards": [],
                },
                "project_sites": [{"name": "Depot", "city": "Derby"}],
                "additional_signals": [],
            }
        ),
        "enrich_contacts": None,
        "copy": Jsonb(
            {
                "outreach": [
                    {"target_name": "Ines Calloway", "email_subject": "Your depot", "email_body": "Dear Ines,\n…"}
                ],
                "objections": [{"objection": "Too dear", "response": "Not over ten years."}],
                "conversation_starters": ["How is the depot?"],
            }
        ),
        "insight": Jsonb(
            {
                "the_math": {"their_reality": "A fixed date", "bottom_line": "£6m"},
                "deal_strategy": {"how_they_buy": "Sealed bids", "unique_value_props": ["Speed"]},
                "competitive_positioning": {"insights_they_dont_know": [{"insight": "a", "advantage": "b"}]},
                "decision_making_process": {"key_roles": [{"role": "Buyer", "name": "null"}], "entry_points": []},
                "sources": [],
            }
        ),
        "media": Jsonb({"logo_url": f"https://logo.example/{number}.png", "project_images": []}),
    }
