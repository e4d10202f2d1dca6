"""Which dossiers are meant: the conditions that lists, exports and the page share."""

import operator
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, exists, false, func, or_, select, true
from sqlalchemy.orm import Session

from models.production import Batch, Client, Dossier, DossierList, DossierStatus
from worker.calendar.moments import moment_of, zone


class ReleaseState(StrEnum):
    """Where a dossier is on the calendar."""

    RELEASED = "released"
    SCHEDULED = "scheduled"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class DossierFilter:
    """Conditions that a dossier must meet; None is no condition."""

    client_id: UUID | None = None
    status: DossierStatus | None = None
    pipeline_version: str | None = None
    batch_id: UUID | None = None
    list_id: UUID | None = None
    release: ReleaseState | None = None
    company: str | None = None
    batch_date: date | None = None
    since: datetime | None = None
    until: datetime | None = None
    ids: tuple[UUID, ...] | None = None

    def conditions(self, session: Session) -> Iterator[ColumnElement[bool]]:
        """The conditions that are set, for a statement that joins `clients` and `batches`."""
        for column, compared, value in (
            (Dossier.client_id, operator.eq, self.client_id),
            (Dossier.status, operator.eq, self.status),
            (Dossier.pipeline_version, operator.eq, self.pipeline_version),
            (Dossier.batch_id, operator.eq, self.batch_id),
            (Dossier.created_at, operator.ge, self.since),
            (Dossier.created_at, operator.lt, self.until),
        ):
            if value is not None:
                yield compared(column, value)
        if self.ids is not None:
            yield Dossier.id.in_(self.ids)
        if self.list_id is not None:
            yield exists().where(DossierList.dossier_id == Dossier.id, DossierList.list_id == self.list_id)
        if self.company is not None:
            yield or_(
                Dossier.company_name.icontains(self.company, autoescape=True),
                Dossier.company_domain.icontains(self.company, autoescape=True),
            )
        if self.batch_date is not None:
            yield or_(false(), *_grouped_on(session, self.batch_date))
        if self.release is not None:
            yield _where_it_is(self.release)


def _where_it_is(release: ReleaseState) -> ColumnElement[bool]:
    seen = func.coalesce(Dossier.released_at <= func.now(), False)
    if release is ReleaseState.RELEASED:
        return seen
    # V1 says with `released_at` when it is to be seen, too, or with `release_date` alone, and does it itself.
    is_set = or_(
        func.coalesce(Dossier.release_at, Dossier.released_at).is_not(None),
        and_(Dossier.pipeline_version == "v1", Dossier.release_date.is_not(None)),
    )
    return and_(
        Dossier.status == DossierStatus.READY,
        ~seen,
        is_set if release is ReleaseState.SCHEDULED else ~is_set,
    )


GROUPED_AT = func.coalesce(Batch.created_at, Dossier.created_at)
"""The moment whose day in the client's zone the app groups a dossier under (roadmap §1)."""


def _grouped_on(session: Session, day: date) -> Iterator[ColumnElement[bool]]:
    """One condition for each span of time that is this day somewhere among the clients.

    The zones are read here: V1 never checked their names, and PostgreSQL refuses one that it does not know.
    """
    names = defaultdict(list)
    for name in session.scalars(select(Client.timezone).distinct()):
        names[zone(name)].append(name)
    for where, spelled in names.items():
        begins, ends = _midnight(day, 0, where), _midnight(day, 1, where)
        yield and_(
            Client.timezone.in_(spelled),
            begins <= GROUPED_AT if begins else true(),
            ends > GROUPED_AT if ends else true(),
        )


def _midnight(day: date, more: int, where: ZoneInfo) -> datetime | None:
    """The moment at which the day, or one so many days later, begins there; None beyond all that Python knows."""
    try:
        return moment_of(day + timedelta(days=more), time(), where)
    except OverflowError:
        return None
