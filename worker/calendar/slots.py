"""Where a dossier goes on the calendar: at once, on a day, or in the client's next free drip slot."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.orders import ReleaseAsked
from models.production import Dossier
from worker.calendar.moments import day_of
from worker.clients import ClientClock
from worker.errors import AlreadyReleased, DripUnavailable

FARTHEST_SLOT = 1000


@dataclass(frozen=True, slots=True)
class Place:
    """A place on the calendar.

    Attributes:
        day: the client's day, for the app; None: no day was asked for.
        at: the moment of release; None: at once.
        drip_position: the place within a drip slot, from 1; None: it is no slot.
    """

    day: date | None = None
    at: datetime | None = None
    drip_position: int | None = None


def place(session: Session, clock: ClientClock, asked: ReleaseAsked | None, now: datetime, *, but: UUID) -> Place:
    """The place that was asked for. A drip slot is kept free of others until the transaction ends.

    Args:
        session: the transaction that will write the place.
        clock: of the dossier's client.
        asked: a day, a moment that stands for one, `drip`, or None for at once.
        now: by the database's clock.
        but: the dossier itself, whose present slot does not count as taken.

    Raises:
        DripUnavailable: a slot was asked for, and the client has no drip, or no free slot for years.
    """
    if asked is None:
        return Place()
    if not isinstance(asked, str):
        day = day_of(asked, clock.timezone)
        return Place(day, clock.release_at(day))
    drip = clock.drip()
    # Whoever takes a slot of this client next waits here, and sees ours once we have committed.
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"drip {clock.client_id}", 0))))
    taken = taken_slots(session, clock.client_id, now, but=but)
    for slot in islice(drip.slots(now, clock.timezone), FARTHEST_SLOT):
        for position in range(1, drip.per_slot + 1):
            if position not in taken.get(slot, ()):
                return Place(slot.astimezone(clock.timezone).date(), slot, position)
    raise DripUnavailable(
        f"The client's next {FARTHEST_SLOT} drip slots are taken. Send a day instead, or widen the schedule.",
        field="release_date",
    )


def must_have_come(clock: ClientClock, asked: ReleaseAsked, now: datetime, dossier_id: UUID) -> None:
    """Make sure that a dossier which readers have is not asked to be released later.

    Raises:
        AlreadyReleased: it is.
    """
    if isinstance(asked, str) or clock.release_at(day_of(asked, clock.timezone)) > now:
        raise AlreadyReleased(
            f"Readers have dossier {dossier_id} already, so it cannot be released later. Republish without "
            "`release_date`.",
            field="release_date",
        )


def taken_slots(
    session: Session, client_id: UUID, after: datetime, *, but: UUID | None = None
) -> dict[datetime, set[int]]:
    """The client's drip slots after a moment that have dossiers, each with the places taken in it."""
    rows = session.execute(
        select(Dossier.release_at, Dossier.drip_position).where(
            Dossier.client_id == client_id,
            Dossier.drip_position.is_not(None),
            Dossier.release_at > after,
            Dossier.id.is_distinct_from(but),
        )
    )
    taken: defaultdict[datetime, set[int]] = defaultdict(set)
    for moment, position in rows:
        if moment is not None and position is not None:
            taken[moment].add(position)
    return taken
