"""The app's view of a dossier: what its reader sees, V1 and V2 alike (domain, "The app's view of a dossier").

Names are the app's, in camelCase. A missing text is null, a missing list is []; every object is there. Links
are http(s) or null, so that each may stand in an `href`.
"""

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Texts = tuple[str, ...]


class View(BaseModel):
    """A part of the view."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )


class Proof(View):
    """Where a signal was found."""

    text: str | None = None
    url: str | None = None


class WhyNow(View):
    """A signal that the company is about to buy."""

    signal: str | None = None
    happening: str | None = None
    proof: Proof = Proof()


class CompanyIntel(View):
    """The company in short."""

    summary: str | None = None
    numbers: Texts = Field(default=(), description="such as `410 employees`")
    mainline_phones: Texts = ()
    general_emails: Texts = ()


class OpportunityIntelligence(View):
    """What they are about to buy."""

    headline: str | None = None
    opportunity_type: str | None = None
    timeline: str | None = None
    budget_range: str | None = None
    key_details: Texts = ()
    why_it_matters: str | None = None


class ResearchMatch(View):
    """A person for whom a criterion holds."""

    contact_name: str | None = None
    evidence: str | None = None
    source: str | None = None


class ResearchItem(View):
    """A criterion of the client's own."""

    criteria_name: str | None = None
    matches: tuple[ResearchMatch, ...] = ()


class CustomResearch(View):
    """What this client in particular wants to know."""

    title: str | None = None
    items: tuple[ResearchItem, ...] = ()


class WarmPath(View):
    """Somebody who can make the introduction."""

    title: str | None = Field(default=None, description="whom to ask")
    description: str | None = Field(default=None, description="who that is")
    approach: str | None = None
    connection_to_targets: str | None = None


class NetworkIntelligence(View):
    """Ways to them."""

    warm_paths_in: tuple[WarmPath, ...] = ()
    associations: Texts = ()
    partnerships: Texts = ()
    conferences: Texts = ()
    awards: Texts = ()


class TheMath(View):
    """What it is worth to them."""

    their_reality: str | None = None
    the_opportunity: str | None = None
    translation: str | None = None
    bottom_line: str | None = None


class Unknown(View):
    """What they do not know, and the advantage in it."""

    insight: str | None = None
    advantage: str | None = None


class Landmine(View):
    """What not to speak of."""

    topic: str | None = None
    reason: str | None = None


class CompetitivePositioning(View):
    """How to stand out."""

    what_they_dont_know: tuple[Unknown, ...] = ()
    landmines_to_avoid: tuple[Landmine, ...] = ()


class DealStrategy(View):
    """How to win it."""

    how_they_buy: str | None = None
    unique_value: Texts = ()


class KeyRole(View):
    """Who has a say."""

    role: str | None = None
    name: str | None = None
    influence: str | None = None
    what_they_care_about: str | None = None


class DecisionStrategy(View):
    """How they decide."""

    company_type: str | None = None
    organizational_structure: str | None = None
    key_roles: tuple[KeyRole, ...] = ()
    typical_process: str | None = None
    entry_points: Texts = ()


class Objection(View):
    """What they will say against it, and what to answer."""

    objection: str | None = None
    response: str | None = None


class QuickReference(View):
    """For the minute before the call."""

    conversation_starters: Texts = ()


class ContactView(View):
    """A person at the company."""

    contact_id: UUID | None = Field(default=None, description="null in V1 rows that keep contacts in a section")
    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    title: str | None = None
    email: str | None = None
    phone: str | None = None
    linkedin_url: str | None = None
    bio: str | None = None
    tenure: str | None = None
    is_primary: bool = False


class EmailScript(View):
    """What to write to a contact."""

    contact_id: str | None = None
    target_name: str | None = None
    target_title: str | None = None
    email_subject: str | None = None
    email_body: str | None = None
    linkedin_message: str | None = None


class ProjectImage(View):
    """A picture of one of their projects."""

    url: str | None = None
    caption: str | None = None
    source_url: str | None = None
    project_name: str | None = None


class Media(View):
    """Pictures; the worker fetches none of them."""

    logo_url: str | None = None
    logo_fallback_chain: Texts = ()
    project_images: tuple[ProjectImage, ...] = ()


class Source(View):
    """Where something was found."""

    text: str | None = None
    url: str | None = None


class DossierView(View):
    """A dossier as its reader sees it; V1 and V2 alike."""

    company_name: str
    domain: str | None = None
    what_they_do: str | None = None
    the_angle: str | None = None
    lead_score: int | None = Field(default=None, ge=0, le=100)
    explanation: str | None = Field(default=None, description="of the score")
    urgency: Literal["Low", "Medium", "High", "Critical"] | None = None
    timing_context: str | None = None
    why_now: tuple[WhyNow, ...] = ()
    company_intel: CompanyIntel = CompanyIntel()
    opportunity_intelligence: OpportunityIntelligence = OpportunityIntelligence()
    custom_research: CustomResearch = CustomResearch()
    network_intelligence: NetworkIntelligence = NetworkIntelligence()
    the_math_structured: TheMath = TheMath()
    competitive_positioning: CompetitivePositioning = CompetitivePositioning()
    deal_strategy: DealStrategy = DealStrategy()
    decision_strategy: DecisionStrategy = DecisionStrategy()
    common_objections: tuple[Objection, ...] = ()
    quick_reference: QuickReference = QuickReference()
    contacts: tuple[ContactView, ...] = Field(default=(), description="the primary one first")
    email_scripts: tuple[EmailScript, ...] = ()
    media: Media = Media()
    sources: tuple[Source, ...] = ()
    pipeline_version: str = "v1"
    updated: bool = Field(default=False, description="the badge: a newer dossier has replaced it")
    lists: Texts = Field(default=(), description="names of the lists it is on")
    batch_date: date | None = Field(default=None, description="the client's day the app groups it under")
