"""Dossiers as ops find them: a list with filters, and one with what was decided about it (roadmap §8)."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import Uuid, func, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from models.calendar import CalendarEvent
from models.production import Batch, Client, Dossier, DossierList, DossierStatus
from worker import paging
from worker.calendar.moments import local, zone
from worker.dossier_filter import GROUPED_AT, DossierFilter
from worker.errors import DossierNotFound
from worker.view.headings import headings


class DossierRow(BaseModel):
    """A dossier without its sections."""

    dossier_id: UUID
    run_id: str | None = Field(description="null for V1")
    pipeline_version: str
    client_id: UUID = Field(description="the client of the app")
    client_name: str
    company_name: str
    company_domain: str | None
    lead_score: int | None
    timing_urgency: str | None
    status: str
    error_code: str | None = Field(description="of a dossier in error, why")
    batch_id: UUID | None
    batch_number: str | None
    batch_date: date = Field(description="the client's day that the app groups it under")
    list_ids: list[UUID]
    release_date: date | None = Field(description="the client's day of release")
    release_at: datetime | None = Field(description="when it becomes visible; null: at once, held, or V1's affair")
    released_at: datetime | None = Field(description="when it became visible")
    supersedes_dossier_id: UUID | None
    superseded_by_dossier_id: UUID | None
    updated: bool = Field(description="whether the app shows the badge: a newer dossier has replaced it")
    created_at: datetime

    @property
    def v1_releases_on(self) -> date | None:
        """The client's day on which V1's app itself is to show it: V1 scheduled it, and we release no such row."""
        waits = self.status == DossierStatus.READY and self.released_at is None and self.release_at is None
        return self.release_date if waits and self.pipeline_version == "v1" else None


class Decision(BaseModel):
    """What was decided about a dossier's release, or that it was released."""

    action: Literal["scheduled", "released", "held", "archived", "moved"]
    asked_by: str
    at: datetime
    release_date: date | None
    release_at: datetime | None
    previous_date: date | None
    previous_at: datetime | None


class DossierDetail(DossierRow):
    """A dossier and the decisions about its release, oldest first."""

    history: list[Decision]


_LISTS = select(DossierList.list_id).where(DossierList.dossier_id == Dossier.id).order_by(DossierList.list_id)
_ROWS = (
    select(
        Dossier.id.label("dossier_id"),
        Dossier.run_id,
        Dossier.pipeline_version,
        Dossier.client_id,
        Client.name.label("client_name"),
        Dossier.company_name,
        Dossier.company_domain,
        Dossier.lead_score,
        Dossier.timing_urgency,
        Dossier.status,
        func.jsonb_extract_path_text(Dossier.error, "code").label("error_code"),
        Dossier.batch_id,
        Batch.batch_number,
        GROUPED_AT.label("grouped_at"),
        Client.timezone,
        func.array(_LISTS.scalar_subquery(), type_=ARRAY(Uuid)).label("list_ids"),
        Dossier.release_date,
        Dossier.release_at,
        Dossier.released_at,
        Dossier.supersedes_dossier_id,
        Dossier.superseded_by_dossier_id,
        Dossier.superseded_by_dossier_id.is_not(None).label("updated"),
        Dossier.created_at,
    )
    .join(Client, Client.id == Dossier.client_id)
    .outerjoin(Batch, Batch.id == Dossier.batch_id)
)


def page(
    session: Session, conditions: DossierFilter, *, limit: int, cursor: str | None = None
) -> tuple[list[DossierRow], str | None]:
    """One page of dossiers, newest first, and the cursor of the next, or None on the last.

    Raises:
        Validation: the cursor is none that this function gave.
    """
    statement = _ROWS.where(*conditions.conditions(session))
    if cursor is not None:
        statement = statement.where(tuple_(Dossier.created_at, Dossier.id) < paging.read(cursor))
    statement = statement.order_by(Dossier.created_at.desc(), Dossier.id.desc()).limit(limit + 1)
    rows = [DossierRow(**values) for values in _headed(session, session.execute(statement).all())]
    return paging.cut(rows, limit, lambda row: (row.created_at, row.dossier_id))


def show(session: Session, dossier_id: UUID) -> DossierDetail:
    """The dossier, and what was decided about its release.

    Raises:
        DossierNotFound: no such dossier.
    """
    row = session.execute(_ROWS.where(Dossier.id == dossier_id)).one_or_none()
    if row is None:
        raise not_found(dossier_id)
    events = session.scalars(
        select(CalendarEvent).where(CalendarEvent.dossier_id == dossier_id).order_by(CalendarEvent.id)
    )
    history = [Decision.model_validate(event, from_attributes=True) for event in events]
    (values,) = _headed(session, [row])
    return DossierDetail(**values, history=history)


def _headed(session: Session, rows: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """The rows' values; name, score and day as their views have them."""
    for row, (name, score) in zip(rows, headings(session, rows), strict=True):
        values = row._mapping  # noqa: SLF001 - the public name of a row's dict
        day = local(row.grouped_at, zone(row.timezone)).date()
        yield {**values, "company_name": name, "lead_score": score, "batch_date": day}


def not_found(dossier_id: UUID) -> DossierNotFound:
    """The error for an id that is no dossier's."""
    return DossierNotFound(
        f"There is no dossier {dossier_id}. Take the id from a job's answer or from the calendar.",
        field="dossier_id",
    )
