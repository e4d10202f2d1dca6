"""What is to come: which dossiers become visible when, and which they will replace (roadmap §5)."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import bindparam, select, text, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.types import Uuid

from models.production import SCHEDULED, Client, Dossier
from worker import paging
from worker.calendar.slots import taken_slots
from worker.choices import ClientMapping
from worker.clients import clock_of
from worker.errors import DripUnavailable
from worker.view.headings import headings

FREE_SLOTS = 10


class CalendarEntry(BaseModel):
    """A release to come."""

    dossier_id: UUID
    run_id: str | None
    client_id: UUID = Field(description="the client of the app")
    client_name: str
    company_name: str
    release_date: date | None = Field(description="the client's day")
    release_at: datetime = Field(description="when it becomes visible")
    drip: bool = Field(description="whether this is a drip slot")
    supersedes: list[UUID] = Field(description="dossiers that become superseded at that moment")
    superseded_by: UUID | None = Field(
        description="a newer dossier that is released by then: this one is superseded instead of shown"
    )


_OLDER = text("""
with recursive older (entry, id) as (
  select id, supersedes_dossier_id from dossiers where id = any(:ids) and supersedes_dossier_id is not null
  union
  select o.entry, d.supersedes_dossier_id
  from older o join dossiers d on d.id = o.id
  where d.supersedes_dossier_id is not null and d.superseded_by_dossier_id is null
)
select o.entry, o.id from older o join dossiers d on d.id = o.id
where d.superseded_by_dossier_id is null
order by d.created_at
""").bindparams(bindparam("ids", type_=ARRAY(Uuid)))

_NEWER = text(f"""
with recursive newer (dossier, id, distance) as (
  select supersedes_dossier_id, id, 1 from dossiers where supersedes_dossier_id = any(:ids)
  union
  select n.dossier, d.id, n.distance + 1
  from newer n join dossiers d on d.supersedes_dossier_id = n.id where n.distance < 1000
)
select distinct on (n.dossier) n.dossier, d.id, d.release_at
from newer n join dossiers d on d.id = n.id where {SCHEDULED}
order by n.dossier, d.release_at, n.distance desc  -- at one moment, the newest of a chain is shown
""").bindparams(bindparam("ids", type_=ARRAY(Uuid)))  # noqa: S608 - put together from constants


def releases(
    session: Session,
    *,
    until: datetime | None = None,
    client_id: UUID | None = None,
    limit: int,
    cursor: str | None = None,
) -> tuple[list[CalendarEntry], str | None]:
    """The releases to come until that moment, the next first: what readers will see by then, if nothing changes.

    Returns:
        A page, and the cursor of the next, or None on the last.

    Raises:
        Validation: the cursor is none that this function gave.
    """
    statement = (
        select(
            Dossier.id.label("dossier_id"),
            Dossier.run_id,
            Dossier.client_id,
            Client.name.label("client_name"),
            Dossier.company_name,
            Dossier.company_domain,
            Dossier.lead_score,
            Dossier.release_date,
            Dossier.release_at,
            Dossier.drip_position,
        )
        .join(Client, Client.id == Dossier.client_id)
        .where(text(SCHEDULED))
        .order_by(Dossier.release_at, Dossier.id)
        .limit(limit + 1)
    )
    if until is not None:
        statement = statement.where(Dossier.release_at <= until)
    if client_id is not None:
        statement = statement.where(Dossier.client_id == client_id)
    if cursor is not None:
        statement = statement.where(tuple_(Dossier.release_at, Dossier.id) > paging.read(cursor))
    rows: Sequence[Any] = session.execute(statement).all()
    shown, following = paging.cut(rows, limit, lambda row: (row.release_at, row.dossier_id))
    return _entries(session, shown), following


def free_slots(session: Session, client_id: UUID, mapping: ClientMapping) -> list[datetime]:
    """The client's next free drip slots; none where it has no usable drip."""
    clock, now = clock_of(session, client_id, mapping)
    try:
        drip = clock.drip()
    except DripUnavailable:
        return []
    taken = taken_slots(session, client_id, now)
    free = (slot for slot in drip.slots(now, clock.timezone) if len(taken.get(slot, ())) < drip.per_slot)
    return list(islice(free, FREE_SLOTS))


def _entries(session: Session, rows: Sequence[Any]) -> list[CalendarEntry]:
    older: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for entry, dossier in session.execute(_OLDER, {"ids": [row.dossier_id for row in rows]}):
        older[entry].append(dossier)
    concerned = {row.dossier_id for row in rows} | {dossier for found in older.values() for dossier in found}
    found = session.execute(_NEWER, {"ids": list(concerned)})
    first = {dossier: (moment, newer) for dossier, newer, moment in found}
    named = zip(rows, headings(session, rows), strict=True)
    return [_entry(row, name, older[row.dossier_id], first) for row, (name, _) in named]


def _entry(row: Any, name: str, older: Sequence[UUID], first: dict[UUID, tuple[datetime, UUID]]) -> CalendarEntry:
    moment, newer = first.get(row.dossier_id, (None, None))
    overtaken = moment is not None and moment <= row.release_at
    return CalendarEntry(
        dossier_id=row.dossier_id,
        run_id=row.run_id,
        client_id=row.client_id,
        client_name=row.client_name,
        company_name=name,
        release_date=row.release_date,
        release_at=row.release_at,
        drip=row.drip_position is not None,
        supersedes=[] if overtaken else [dossier for dossier in older if first[dossier][1] == row.dossier_id],
        superseded_by=newer if overtaken else None,
    )
