"""The moment readers see a dossier: whatever is due, whatever downtime came before (roadmap §5)."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import bindparam, func, insert, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.types import Uuid

from models.base import table_of
from models.calendar import CalendarAction, CalendarEvent
from models.production import SCHEDULED, Dossier
from worker import db, logs
from worker.calendar.align import realign

log = logs.get(__name__)

AT_ONCE = 200
"""Dossiers released in one transaction: few enough that nobody waits long for a lock."""

_DUE = (
    select(Dossier.id)
    .where(text(SCHEDULED), Dossier.release_at <= func.now())
    .order_by(Dossier.release_at, Dossier.id)
    .limit(AT_ONCE)
    .with_for_update(key_share=True, skip_locked=True)
)

# `older` walks from each dossier to those it replaces, and ends where a replacement has taken effect before.
_SHOW = text("""
with recursive due as (
  select id, supersedes_dossier_id, release_date, release_at, least(release_at, now()) as at,
    released_at is null or released_at > clock_timestamp() as fresh
  from dossiers where id = any(:ids)
),
older (id, newer, at, distance) as (
  select supersedes_dossier_id, id, at, 1 from due where supersedes_dossier_id is not null
  union all
  select d.supersedes_dossier_id, o.newer, o.at, o.distance + 1
  from older o join dossiers d on d.id = o.id
  where d.supersedes_dossier_id is not null and d.superseded_by_dossier_id is null and o.distance < 1000
),
shown as (  -- as if nobody had been late: what was replaced by its own moment is not shown any more
  select due.id, due.fresh, due.release_at <= now() as in_time from due
  where not exists (select from older o where o.id = due.id and o.at <= due.at)
),
replaced as (
  select distinct on (o.id) o.id, o.newer
  from older o join shown on shown.id = o.newer
  order by o.id, o.distance
),
change as (
  select coalesce(shown.id, replaced.id) as id, shown.id is not null as shown, shown.fresh,
    shown.in_time, replaced.newer
  from shown full join replaced on replaced.id = shown.id
),
changed as (
  update dossiers d
  set released_at = case when c.fresh then now() else d.released_at end,
    status = case when c.newer is not null and d.status = 'ready' then 'superseded' else d.status end,
    superseded_by_dossier_id = coalesce(d.superseded_by_dossier_id, c.newer),
    -- Shown before its time, or never to be shown, it gives up its slot.
    release_at = case when c.in_time or d.released_at is not null then d.release_at end,
    drip_position = case when c.in_time or d.released_at is not null then d.drip_position end,
    updated_at = now()
  from change c
  where d.id = c.id and (c.shown or d.superseded_by_dossier_id is null)
  returning d.id, c.shown
),
noted as (
  insert into calendar_events
    (dossier_id, action, asked_by, release_date, release_at, previous_date, previous_at)
  select due.id, 'released', :asked_by, due.release_date, least(due.release_at, now()),
    due.release_date, due.release_at
  from due join changed on changed.id = due.id
  where changed.shown and due.fresh
)
select id from changed where shown
""").bindparams(bindparam("ids", type_=ARRAY(Uuid)))


def release_due() -> Iterator[int]:
    """Release everything that is due, in short transactions; yields the size of each.

    Any number of these may run at once: each takes what no other has in hand.
    """
    with db.transaction() as session:
        realign(session)
    while True:
        with db.transaction() as session:
            due = session.scalars(_DUE).all()
            if due:
                shown = show(session, due, asked_by="beat")
                log.info("released", count=len(shown), superseded_before=len(due) - len(shown))
        if not due:
            return
        yield len(due)


def something_is_due(session: Session) -> bool:
    """Whether a dossier waits for its release that has come."""
    return session.scalar(select(1).where(text(SCHEDULED), Dossier.release_at <= func.now()).limit(1)) is not None


def show(session: Session, dossier_ids: Sequence[UUID], *, asked_by: str) -> list[UUID]:
    """Release these dossiers; those they replace become `superseded` in the same statement.

    One whose successor is among them, and was due no later, is superseded without having been shown.

    Returns:
        The ids of those that readers see now.
    """
    return list(session.scalars(_SHOW, {"ids": list(dossier_ids), "asked_by": asked_by}))


def note(
    session: Session,
    dossier_id: UUID,
    action: CalendarAction,
    asked_by: str,
    *,
    now: tuple[date | None, datetime | None] = (None, None),
    before: tuple[date | None, datetime | None] = (None, None),
) -> None:
    """Record what was decided: the release's day and moment as they are now, and as they were before."""
    session.connection().execute(
        _NOTE,
        {
            "dossier_id": dossier_id,
            "action": action,
            "asked_by": asked_by,
            "release_date": now[0],
            "release_at": now[1],
            "previous_date": before[0],
            "previous_at": before[1],
        },
    )


_NOTE = insert(table_of(CalendarEvent))
