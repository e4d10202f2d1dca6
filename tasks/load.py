"""Read a finished run: its outputs, whose client it is for, and the dossier it may have become before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, bindparam, func, select
from sqlalchemy.orm import Session

from models.make import Rerun
from models.pipeline import V2Client, V2PipelineLog, V2Run
from models.production import Client, Dossier, DossierStatus
from models.values import RunInput, StepOutput, dossier_id_of
from worker.choices import ClientMapping
from worker.clients import CLOCK, ClientClock, is_production_client
from worker.errors import ClientAmbiguous, ClientNotFound, ClientUnmapped, DossierOfOtherClient
from worker.inbox import run_not_found


@dataclass(frozen=True, slots=True)
class Before:
    """The dossier that the run became before."""

    client_id: UUID
    status: str
    batch_id: UUID | None
    release_date: date | None
    release_at: datetime | None
    released_at: datetime | None
    supersedes_dossier_id: UUID | None
    superseded_by_dossier_id: UUID | None

    @property
    def was_published(self) -> bool:
        """Whether it is a dossier, rather than the record of an error."""
        return self.status != DossierStatus.ERROR


@dataclass(frozen=True, slots=True)
class LoadedRun:
    """A run ready to be published.

    Attributes:
        clock: of the production client.
        supersede, default_list: what that client wants; None: what the settings say.
        now: when it was read, by the database's clock.
        callback_url: where that client wants to be told of ends.
        batch_number, batch_id: announced with the run, and opened for it.
        rerun_of: the dossier the run is a rerun of, or None.
        before: None where the run became no dossier yet.
    """

    input: RunInput
    clock: ClientClock
    supersede: str | None
    default_list: str | None
    callback_url: str | None
    now: datetime
    batch_number: str | None
    batch_id: UUID | None
    rerun_of: UUID | None
    before: Before | None

    @property
    def client_id(self) -> UUID:
        """The production client."""
        return self.clock.client_id

    @property
    def today(self) -> date:
        """The day it is for the client."""
        return self.now.astimezone(self.clock.timezone).date()

    @property
    def is_new(self) -> bool:
        """Whether readers cannot have met its dossier: there is none, or the record of an error."""
        return self.before is None or not self.before.was_published

    @property
    def is_outdated(self) -> bool:
        """Whether a newer dossier has taken its place meanwhile: it is published, and stays hidden."""
        return self.before is not None and self.is_new and self.before.superseded_by_dossier_id is not None


def hold_dossier(session: Session, run_id: str) -> None:
    """Keep the run's dossier as it is until this transaction ends, which decides by whether it was released."""
    session.connection().execute(_HOLD, {"its_dossier": dossier_id_of(run_id)})


_HOLD = select(Dossier.id).where(Dossier.id == bindparam("its_dossier")).with_for_update(key_share=True)


def load_run(session: Session, run_id: str, mapping: ClientMapping) -> LoadedRun:
    """Read the run and everything about it that a publish needs.

    Raises:
        RunNotFound: no such run.
        ClientNotFound: it names no client.
        DossierOfOtherClient: it was published to another client before.
        ClientUnmapped, ClientAmbiguous: its client leads to no production client, or to several (roadmap §3).
    """
    dossier_id = dossier_id_of(run_id)
    found = (
        session.connection().execute(_run_statement(mapping), {"of_run": run_id, "its_dossier": dossier_id}).all()
    )
    if not found:
        raise run_not_found(run_id)
    row, *others = found
    if others:
        raise ClientAmbiguous(
            f"The slug of client {row.v2_client_id!r} fits {len(found)} clients of the app. Map it by id: "
            f"columnline clients map {row.v2_client_id} ID.",
            field="client_id",
        )
    _check_client(run_id, row, mapping)
    steps = session.connection().execute(_STEPS, {"of_run": run_id}).all()
    before = _before(row)
    if before is not None and before.was_published and before.client_id != row.clock_client_id:
        raise DossierOfOtherClient(
            f"Run {run_id!r} was published to another client (dossier {dossier_id}), and belongs to this one now. "
            "Nothing was changed. Archive that dossier, and publish under a new run id.",
            field="client_id",
        )
    return LoadedRun(
        input=_run_input(run_id, dossier_id, row, steps),
        clock=ClientClock.of(row._mapping),  # noqa: SLF001 - the public name of a row's dict
        supersede=row.supersede,
        default_list=row.default_list,
        callback_url=row.callback_url,
        now=row.now,
        batch_number=row.batch_number,
        batch_id=row.batch_id,
        rerun_of=row.rerun_of,
        before=before,
    )


@lru_cache
def _run_statement(mapping: ClientMapping) -> Select[Any]:
    return (
        select(
            V2Run.client_id.label("v2_client_id"),
            V2Run.seed_data,
            V2Run.expected_contacts,
            V2Run.batch_number,
            V2Run.batch_id,
            V2Client.supersede,
            V2Client.default_list,
            V2Client.callback_url,
            Rerun.dossier_id.label("rerun_of"),
            *CLOCK,
            Dossier.client_id.label("before_client_id"),
            Dossier.status.label("before_status"),
            Dossier.batch_id.label("before_batch_id"),
            Dossier.release_date,
            Dossier.release_at,
            Dossier.released_at,
            Dossier.supersedes_dossier_id,
            Dossier.superseded_by_dossier_id,
            func.clock_timestamp().label("now"),
        )
        .outerjoin(V2Client, V2Client.client_id == V2Run.client_id)
        .outerjoin(Client, is_production_client(mapping))
        .outerjoin(Dossier, Dossier.id == bindparam("its_dossier"))
        .outerjoin(Rerun, Rerun.run_id == V2Run.run_id)
        .where(V2Run.run_id == bindparam("of_run"))
    )


_STEPS = (
    select(V2PipelineLog.step_id, V2PipelineLog.step_name, V2PipelineLog.status, V2PipelineLog.output)
    .where(V2PipelineLog.run_id == bindparam("of_run"))
    .order_by(V2PipelineLog.completed_at.asc().nulls_first(), V2PipelineLog.started_at, V2PipelineLog.step_id)
)


def _before(row: Row[Any]) -> Before | None:
    if row.before_status is None:
        return None
    return Before(
        client_id=row.before_client_id,
        status=row.before_status,
        batch_id=row.before_batch_id,
        release_date=row.release_date,
        release_at=row.release_at,
        released_at=row.released_at,
        supersedes_dossier_id=row.supersedes_dossier_id,
        superseded_by_dossier_id=row.superseded_by_dossier_id,
    )


def _check_client(run_id: str, row: Row[Any], mapping: ClientMapping) -> None:
    if row.v2_client_id is None:
        raise ClientNotFound(f"Run {run_id!r} names no client in v2_runs.", field="client_id")
    if row.clock_client_id is None:
        tried = "it has no production_client_id" + (
            ", and no production client has its slug" if mapping is ClientMapping.SLUG else ""
        )
        raise ClientUnmapped(
            f"Client {row.v2_client_id!r} is not mapped: {tried}. Map it, and its runs go on: columnline "
            f"clients map {row.v2_client_id} ID.",
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
