"""Read a finished run: its outputs, whose client it is for, and the dossier it may have become before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row, and_, func, or_, select
from sqlalchemy.orm import Session

from models.orders import PublishOrder
from models.pipeline import V2Client, V2PipelineLog, V2Run
from models.production import Client, Dossier
from models.values import RunInput, StepOutput, dossier_id_of
from worker.errors import ClientNotFound, ClientUnmapped
from worker.inbox import run_not_found
from worker.settings import ClientMapping


@dataclass(frozen=True, slots=True)
class LoadedRun:
    """A run ready to be published.

    Attributes:
        client_id: the production client.
        timezone: that client's IANA zone; UTC where V1 holds a name nobody knows.
        today: the day it is for that client, by the database's clock.
        status, batch_id: of the dossier this run became before; both None where it became none.
    """

    input: RunInput
    client_id: UUID
    timezone: ZoneInfo
    today: date
    release_hour: int
    status: str | None
    batch_id: UUID | None

    def release_day(self, order: PublishOrder) -> date | None:
        """The day to release on, in the client's time zone. Make.com sends the user's midnight in UTC."""
        asked = order.release_date
        return asked.astimezone(self.timezone).date() if isinstance(asked, datetime) else asked


def load_run(session: Session, run_id: str, mapping: ClientMapping) -> LoadedRun:
    """Read the run and everything about it that a publish needs.

    Raises:
        RunNotFound: no such run.
        ClientNotFound: it names no client.
        ClientUnmapped: its client leads to no production client (roadmap §3).
    """
    dossier_id = dossier_id_of(run_id)
    client = Client.id == V2Client.production_client_id
    if mapping is ClientMapping.SLUG:
        client = or_(client, and_(V2Client.production_client_id.is_(None), Client.slug == V2Client.slug))
    row = session.execute(
        select(
            V2Run.client_id.label("v2_client_id"),
            V2Run.seed_data,
            V2Run.expected_contacts,
            Client.id.label("client_id"),
            Client.timezone,
            Client.release_hour,
            Dossier.status,
            Dossier.batch_id,
            func.now().label("now"),
        )
        .outerjoin(V2Client, V2Client.client_id == V2Run.client_id)
        .outerjoin(Client, client)
        .outerjoin(Dossier, Dossier.id == dossier_id)
        .where(V2Run.run_id == run_id)
    ).one_or_none()
    if row is None:
        raise run_not_found(run_id)
    _check_client(run_id, row, mapping)
    steps = session.execute(
        select(V2PipelineLog.step_id, V2PipelineLog.step_name, V2PipelineLog.status, V2PipelineLog.output)
        .where(V2PipelineLog.run_id == run_id)
        .order_by(V2PipelineLog.completed_at.asc().nulls_first(), V2PipelineLog.started_at, V2PipelineLog.step_id)
    ).all()
    timezone = zone(row.timezone)
    return LoadedRun(
        input=_run_input(run_id, dossier_id, row, steps),
        client_id=row.client_id,
        timezone=timezone,
        today=row.now.astimezone(timezone).date(),
        release_hour=row.release_hour,
        status=row.status,
        batch_id=row.batch_id,
    )


def zone(name: str) -> ZoneInfo:
    """The time zone of that name; UTC where there is none: V1 never checked the column."""
    try:
        return ZoneInfo(name)
    except (ValueError, LookupError, OSError):  # an odd name, an unknown one, a directory's
        return ZoneInfo("UTC")


def _check_client(run_id: str, row: Row[Any], mapping: ClientMapping) -> None:
    if row.v2_client_id is None:
        raise ClientNotFound(f"Run {run_id!r} names no client in v2_runs.", field="client_id")
    if row.client_id is None:
        tried = "it has no production_client_id" + (
            ", and no production client has its slug" if mapping is ClientMapping.SLUG else ""
        )
        raise ClientUnmapped(
            f"Client {row.v2_client_id!r} is not mapped: {tried}. Set v2_clients.production_client_id, then retry "
            "the job.",
            field="client_id",
        )


def _run_input(run_id: str, dossier_id: UUID, row: Row[Any], steps: Sequence[Row[Any]]) -> RunInput:
    completed = [step for step in steps if step.status == "completed"]
    names = {step.step_name for step in completed}
    return RunInput(
        run_id=run_id,
        dossier_id=dossier_id,
        seed_data=row.seed_data if isinstance(row.seed_data, dict) else {},
        outputs=tuple(
            StepOutput(step_id=step.step_id, step_name=step.step_name, output=step.output) for step in completed
        ),
        unfinished={step.step_name: step.status for step in steps if step.step_name not in names},
        expected_contacts=row.expected_contacts,
    )
