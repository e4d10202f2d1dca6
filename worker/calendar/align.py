"""Keep scheduled releases at their client's hour, after somebody has changed that hour or the zone."""

from datetime import time

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from models.production import SCHEDULED, Client, Dossier
from worker import logs
from worker.calendar.moments import moment_of, zone

log = logs.get(__name__)

_DAYS = (
    select(Client.id, Client.timezone, Client.release_hour, Dossier.release_date, Dossier.release_at)
    .join(Client, Client.id == Dossier.client_id)
    .where(text(SCHEDULED), Dossier.drip_position.is_(None), Dossier.release_date.is_not(None))
    .distinct()
)

_MOVE = text(f"""
with found as (
  select id from dossiers
  where {SCHEDULED} and drip_position is null
    and client_id = :client_id and release_date = :day and release_at = :before
  for no key update skip locked  -- the next tick is soon
),
moved as (
  update dossiers d set release_at = :after from found where d.id = found.id returning d.id
)
insert into calendar_events
  (dossier_id, action, asked_by, release_date, release_at, previous_date, previous_at)
select id, 'moved', :asked_by, :day, :after, :day, :before from moved
""")  # noqa: S608 - put together from constants


def realign(session: Session, asked_by: str = "beat") -> int:
    """Move releases that are no longer at their client's `release_hour` in its zone. Drip slots stay.

    Returns:
        How many days of clients were moved.
    """
    moved = 0
    for client_id, timezone, release_hour, day, moment in session.execute(_DAYS):
        assert day is not None
        right = moment_of(day, time(release_hour), zone(timezone))
        if right != moment:
            values = {"asked_by": asked_by, "client_id": client_id, "day": day, "before": moment, "after": right}
            session.execute(_MOVE, values)
            log.info("releases_moved", client_id=str(client_id), day=str(day), to=right.isoformat())
            moved += 1
    return moved
