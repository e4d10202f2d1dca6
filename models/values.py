"""The values that travel between the steps of a publish: what was read, what was made of it.

`RunInput` is all that assembly may know; `Draft` is all that storing needs. Both are frozen, so a
step cannot change what an earlier one decided.
"""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict

NAMESPACE = UUID("6f0d5c1e-9d3b-5c43-9c0b-0d5c1e6f0d5c")
"""The namespace of every id made here. Changing it would publish every run a second time."""


def dossier_id_of(run_id: str) -> UUID:
    """The id of the one dossier a run can become: known before any SQL, equal on every attempt."""
    return uuid5(NAMESPACE, run_id)


def contact_id_of(dossier_id: UUID, position: int) -> UUID:
    """The id of a dossier's contact at `position`, counted from 0 in the stored order."""
    return uuid5(dossier_id, f"contact/{position}")


class StepOutput(BaseModel):
    """One completed step of a run and the raw response it stored, in whatever envelope."""

    model_config = ConfigDict(frozen=True)

    step_id: str
    step_name: str
    output: Any


class RunInput(BaseModel):
    """A run as read from the pipeline's tables: the whole input of `assemble`.

    Attributes:
        outputs: completed steps, oldest first; of several with one name that is not per contact, the
            last counts (domain, "Pipeline tables").
        unfinished: steps that have a row but no completed one, by name, with that row's status
            (`pending`, `running`, `failed`): what an `outputs_missing` error says about them.
        expected_contacts: how many `6_ENRICH_CONTACT_INDIVIDUAL` outputs the scenario announced, or
            None where it announced nothing.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    dossier_id: UUID
    seed_data: dict[str, Any] = {}
    outputs: tuple[StepOutput, ...] = ()
    unfinished: dict[str, str] = {}
    expected_contacts: int | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """A repair or an oddity worth telling: what was met, where, and what was done about it."""

    code: str
    detail: str
    step: str | None = None
    field: str | None = None


@dataclass(frozen=True, slots=True)
class ContactDraft:
    """A row of `contacts`, complete but for its dossier. `id` is also in `copy.outreach[].contact_id`."""

    id: UUID
    name: str
    first_name: str | None = None
    last_name: str | None = None
    title: str | None = None
    email: str | None = None
    phone: str | None = None
    linkedin_url: str | None = None
    bio_paragraph: str | None = None
    tenure: str | None = None
    is_primary: bool = False
    source: str | None = None
    enrichment_data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Draft:
    """A dossier ready to be stored: root columns, sections as the app reads them, contacts, warnings.

    Sections hold JSON values that `jsonb` accepts: no NUL, no lone surrogate, no NaN.
    """

    company_name: str
    company_domain: str | None
    lead_score: int | None
    timing_urgency: str | None
    primary_signal: str | None
    agents_completed: tuple[str, ...]
    find_leads: dict[str, Any]
    enrich_lead: dict[str, Any]
    copy: dict[str, Any]
    insight: dict[str, Any]
    media: dict[str, Any]
    sources: list[dict[str, Any]]
    contacts: tuple[ContactDraft, ...]
    warnings: tuple[Notice, ...]
