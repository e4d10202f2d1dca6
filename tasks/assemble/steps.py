"""The steps that matter to publishing (domain, "Steps that matter"): what each is asked for, and where it goes."""

from dataclasses import dataclass

INTRO = "10_WRITER_INTRO"
SIGNALS = "10_WRITER_SIGNALS"
LEAD_INTELLIGENCE = "10_WRITER_LEAD_INTELLIGENCE"
OPPORTUNITY = "10_WRITER_OPPORTUNITY"
STRATEGY = "10_WRITER_STRATEGY"
CLIENT_SPECIFIC = "10_WRITER_CLIENT_SPECIFIC"
COMPOSER = "11_DOSSIER_COMPOSER"
INSIGHT = "07B_INSIGHT"
ENTITY = "3_ENTITY_RESEARCH"
CLIENT_RESEARCH = "5C_CLIENT_SPECIFIC"
CONTACTS = "6_ENRICH_CONTACTS"
INDIVIDUAL = "6_ENRICH_CONTACT_INDIVIDUAL"
COPY = "10A_COPY"
OVERRIDE = "10B_COPY_CLIENT_OVERRIDE"
MEDIA = "8_MEDIA"

WRITERS = (INTRO, SIGNALS, LEAD_INTELLIGENCE, OPPORTUNITY, STRATEGY)
"""The five that every dossier needs, unless the composer stands in for them."""

ALIASES = {
    "explanation": "score_explanation",
    "urgency": "timing_urgency",
    "timing_context": "timing_analysis",
    "the_math_structured": "the_math",
    "decision_strategy": "decision_making_process",
    "common_objections": "objections",
    "recommended_project_images": "project_images",
    "image_assets": "project_images",
}
"""Other names of a step's fields: those of the app's view, and those `8_MEDIA` goes by."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is known about a step's output.

    Attributes:
        fields: what it is asked for; an output that has a value in none of them is not its output.
        home: the section its unknown fields are kept in.
        wrappers: names of sections that its content may be wrapped in, several side by side too; where
            two disagree, the later named wins.
        lists: where its content is a list of people: the names that list goes by. A bare list is
            known by the first.
        entry: fields that only an entry of that list has, where an entry alone is not the content.
        repeated: whether every completed output counts, or only the last.
    """

    name: str
    fields: frozenset[str]
    home: str
    wrappers: tuple[str, ...]
    lists: tuple[str, ...] = ()
    entry: frozenset[str] = frozenset()
    repeated: bool = False


def _step(
    name: str,
    fields: str,
    home: str,
    wrappers: str = "",
    *,
    lists: tuple[str, ...] = (),
    entry: str = "",
    repeated: bool = False,
) -> Step:
    return Step(
        name,
        frozenset(fields.split()),
        home,
        tuple(wrappers.split()),
        lists,
        frozenset(entry.split()),
        repeated,
    )


_COPY_FIELDS = "email_subject email_body linkedin_message subject body email"

STEPS = {
    step.name: step
    for step in (
        _step(
            INTRO,
            "company_name one_liner the_angle lead_score score_explanation timing_urgency",
            "find_leads",
            "find_leads find_lead intro header",
        ),
        _step(
            SIGNALS,
            "primary_buying_signal additional_signals timing_urgency timing_analysis urgency_explanation",
            "find_leads",
            "find_leads enrich_lead signals",
        ),
        _step(
            LEAD_INTELLIGENCE,
            "company_deep_dive network_intelligence",
            "enrich_lead",
            "enrich_lead lead_intelligence",
        ),
        _step(
            OPPORTUNITY,
            "company_snapshot opportunity_intelligence project_sites opportunity_details",
            "enrich_lead",
            "find_leads enrich_lead opportunity",
        ),
        _step(
            STRATEGY,
            "the_math deal_strategy competitive_positioning decision_making_process objections"
            " conversation_starters",
            "insight",
            "insight copy strategy",
        ),
        _step(CLIENT_SPECIFIC, "custom_research client_specific", "enrich_lead", "find_leads enrich_lead"),
        _step(
            COMPOSER,
            "what_they_do the_angle lead_score why_now company_intel opportunity_intelligence custom_research"
            " network_intelligence the_math competitive_positioning deal_strategy decision_making_process"
            " objections quick_reference primary_buying_signal company_deep_dive company_snapshot",
            "find_leads",
            "dossier find_leads enrich_lead insight copy",
        ),
        _step(
            INSIGHT,
            "the_math deal_strategy competitive_positioning decision_making_process",
            "insight",
            "insight copy",
        ),
        _step(
            ENTITY,
            "resolved_entity name company_name legal_name entity_name domain website",
            "find_leads",
            "find_leads entity_research",
        ),
        _step(
            CLIENT_RESEARCH,
            "custom_research warm_paths_in",
            "enrich_lead",
            "find_leads enrich_lead client_specific",
        ),
        _step(
            CONTACTS,
            "contacts enriched_contacts key_contacts",
            "enrich_lead",
            "enrich_contacts",
            lists=("contacts", "enriched_contacts", "key_contacts"),
            entry="name full_name contact_name first_name",
        ),
        _step(
            INDIVIDUAL,
            "name full_name contact_name first_name title job_title email phone linkedin_url linkedin bio_summary"
            " bio_paragraph bio tenure_months previous_companies education interesting_facts linkedin_summary"
            " web_summary signal_relevance contacts",
            "enrich_lead",
            "enrich_contacts enrich_contact contact",
            lists=("contacts",),
            repeated=True,
        ),
        _step(
            COPY,
            f"{_COPY_FIELDS} copy_outputs",
            "copy",
            "copy write_copy",
            lists=("copy_outputs",),
            repeated=True,
        ),
        _step(
            OVERRIDE,
            f"{_COPY_FIELDS} final_copy_outputs override_copy copy_outputs",
            "copy",
            "copy write_copy",
            lists=("final_copy_outputs", "override_copy", "copy_outputs"),
            repeated=True,
        ),
        _step(MEDIA, "target_company project_images logo_url", "media", "media enrich_media"),
    )
}
"""Every step read here, in the order in which its sources are listed."""
