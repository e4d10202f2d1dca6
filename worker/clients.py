"""The client a run or a dossier belongs to: how it is found, and what it wants."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from models.pipeline import V2Client, V2Run
from models.production import Client
from worker.calendar.drip import Drip, read_drip
from worker.calendar.moments import moment_of, zone
from worker.choices import ClientMapping
from worker.errors import ClientNotFound, DripUnavailable


def is_production_client(mapping: ClientMapping) -> ColumnElement[bool]:
    """The condition that joins a v2 client to its production client (roadmap §3)."""
    mapped = Client.id == V2Client.production_client_id
    if mapping is ClientMapping.EXPLICIT:
        return mapped
    return or_(mapped, and_(V2Client.production_client_id.is_(None), Client.slug == V2Client.slug))


def production_client(session: Session, name: str, mapping: ClientMapping) -> UUID:
    """The production client that a caller means, who says the v2 client's id or the production client's own.

    Raises:
        ClientNotFound: there is none of that name, or it leads to none.
    """
    by_v2 = select(Client.id).join(V2Client, is_production_client(mapping)).where(V2Client.client_id == name)
    found = session.scalar(by_v2)
    if found is None:
        with suppress(ValueError):
            found = session.scalar(select(Client.id).where(Client.id == UUID(name)))
    if found is None:
        raise ClientNotFound(
            f"There is no client {name!r}, or it is not mapped. Send a v2_clients.client_id, or the id of a "
            "client of the app.",
            field="client_id",
        )
    return found


@dataclass(frozen=True, slots=True)
class ClientClock:
    """What a production client's releases go by.

    Attributes:
        timezone: its IANA zone; UTC where V1 holds a name nobody knows.
        drip_schedule: of its v2 client; None where that has none, or is not known.
        v1_drip: V1's drip fields.
    """

    client_id: UUID
    timezone: ZoneInfo
    release_hour: int
    drip_schedule: Any
    v1_drip: Mapping[str, Any]

    @classmethod
    def of(cls, row: Mapping[Any, Any]) -> "ClientClock":
        """The clock of a row that holds `CLOCK`."""
        where, begun = zone(row["timezone"]), row["drip_next_run"]
        v1_drip = {name: row[name] for name in ("drip_enabled", "drip_frequency", "drip_day")}
        return cls(
            client_id=row["clock_client_id"],
            timezone=where,
            release_hour=row["release_hour"],
            drip_schedule=row["drip_schedule"],
            v1_drip=v1_drip | {"drip_next_run": begun and begun.astimezone(where)},
        )

    def release_at(self, day: date) -> datetime:
        """The moment of release on that day: the client's `release_hour` in its zone (roadmap §5)."""
        return moment_of(day, time(self.release_hour), self.timezone)

    def drip(self) -> Drip:
        """The client's drip.

        Raises:
            DripUnavailable: it has none, or one that cannot be read.
        """
        found = read_drip(self.drip_schedule, self.v1_drip, self.release_hour)
        if found is None:
            raise DripUnavailable(
                'The client has no drip schedule. Set v2_clients.drip_schedule, such as {"days": ["tue"], "time": '
                '"09:00"}, or the client\'s drip fields; or send a day.',
                field="release_date",
            )
        return found


CLOCK = (
    Client.id.label("clock_client_id"),
    Client.timezone,
    Client.release_hour,
    Client.drip_enabled,
    Client.drip_frequency,
    Client.drip_day,
    Client.drip_next_run,
    V2Client.drip_schedule,
)
"""The columns that `ClientClock.of` reads."""


def clock_of(
    session: Session, client_id: UUID, mapping: ClientMapping, run_id: str | None = None
) -> tuple[ClientClock, datetime]:
    """The clock of a production client, and the moment it is by the database's.

    Of several v2 clients that lead to it, the one of this run counts, else one that has a drip schedule.
    """
    of_run = select(V2Run.client_id).where(V2Run.run_id == run_id).scalar_subquery()
    statement = (
        select(*CLOCK, func.now().label("now"))
        .select_from(Client)
        .outerjoin(V2Client, is_production_client(mapping))
        .where(Client.id == client_id)
        .order_by(
            V2Client.client_id.is_distinct_from(of_run), V2Client.drip_schedule.is_(None), V2Client.client_id
        )
        .limit(1)
    )
    row = session.execute(statement).mappings().one()
    return ClientClock.of(row), row["now"]


def no_v2_client(client_id: str) -> ClientNotFound:
    """The error for an id that is not in `v2_clients`, where a client is asked about."""
    return ClientNotFound(
        f"There is no client {client_id!r} in v2_clients. See: columnline clients list.", field="client_id"
    )
