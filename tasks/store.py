"""Write a draft into the app's tables: each function one step, all within the publish's transaction.

Lock order: job, dossier, contacts, batch last; the batch's counters are counted, never added up, as the last
statement before the completion (design §2).
"""

from dataclasses import asdict, dataclass
from datetime import datetime, time
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Uuid, and_, case, delete, func, literal, null, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models.orders import PublishOrder
from models.pipeline import V2Run
from models.production import Batch, Contact, Dossier, DossierStatus
from models.values import ContactDraft, Draft
from tasks.load import LoadedRun, load_run
from worker.claims import Claim
from worker.errors import ClientUnmapped, ColumnlineError, Internal, Permanent
from worker.settings import settings

SECTIONS = ("find_leads", "enrich_lead", "copy", "insight", "media", "sources")
COMPLETED = (DossierStatus.READY, DossierStatus.ARCHIVED, DossierStatus.SUPERSEDED)


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """The batch a dossier belongs to."""

    id: UUID
    number: str


def daily_batch(session: Session, run: LoadedRun) -> StoredBatch:
    """The batch of the client's local day, `V2_YYYYMMDD`, made on demand (roadmap §1).

    A dossier that is there already stays in the batch it has.
    """
    if run.batch_id is not None:
        kept = session.execute(select(Batch.id, Batch.batch_number).where(Batch.id == run.batch_id)).one()
        return StoredBatch(*kept)
    number = f"V2_{run.today:%Y%m%d}"
    values = {"client_id": run.client_id, "batch_number": number, "status": "complete"}
    same = (Batch.client_id == run.client_id, Batch.batch_number == number)
    batch_id = session.scalar(select(Batch.id).where(*same))
    if batch_id is None:
        created = insert(Batch).values(**values).on_conflict_do_nothing().returning(Batch.id)
        batch_id = session.scalar(created) or session.scalars(select(Batch.id).where(*same)).one()
    return StoredBatch(batch_id, number)


def upsert_dossier(
    session: Session, run: LoadedRun, draft: Draft, order: PublishOrder, batch: StoredBatch
) -> datetime | None:
    """Insert the dossier, revive the `error` one the run left, or replace the content on a republish.

    Without a release date the dossier is released at once; with one, at the client's `release_hour` of that
    day in the client's zone, which is at once if it has passed (roadmap §5). A republish keeps what was
    decided about release unless it says otherwise.

    Returns:
        When it was released, or None while that lies ahead.

    Raises:
        Internal: the run has a dossier that this job may not replace: the defence behind the fence.
    """
    day = run.release_day(order)
    content: dict[str, Any] = {
        "company_name": draft.company_name,
        "company_domain": draft.company_domain,
        "lead_score": draft.lead_score,
        "timing_urgency": draft.timing_urgency,
        "primary_signal": draft.primary_signal,
        "agents_completed": list(draft.agents_completed),
        **{section: getattr(draft, section) for section in SECTIONS},
    }
    statement = insert(Dossier).values(
        id=run.input.dossier_id,
        run_id=run.input.run_id,
        client_id=run.client_id,
        batch_id=batch.id,
        status=DossierStatus.READY,
        pipeline_version="v2",
        release_date=day,
        released_at=_released_at(run, day),
        **content,
    )
    fresh: dict[str, Any] = {name: statement.excluded[name] for name in content}
    was_error = Dossier.status == DossierStatus.ERROR
    reschedule = or_(was_error, literal(order.release_date is not None))
    statement = statement.on_conflict_do_update(
        index_elements=[Dossier.id],
        set_=fresh
        | {
            "status": case((was_error, DossierStatus.READY.value), else_=Dossier.status),
            "error": null(),
            "batch_id": func.coalesce(Dossier.batch_id, statement.excluded.batch_id),
            "release_date": case((reschedule, statement.excluded.release_date), else_=Dossier.release_date),
            "released_at": case((reschedule, statement.excluded.released_at), else_=Dossier.released_at),
            "updated_at": func.now(),
        },
        where=and_(Dossier.run_id == run.input.run_id, or_(was_error, literal(order.republish))),
    )
    row = session.execute(statement.returning(Dossier.released_at)).one_or_none()
    if row is None:
        raise Internal(
            f"Run {run.input.run_id!r} has a published dossier ({run.input.dossier_id}) that this job did not "
            "make. Nothing was changed. This is a bug in the worker, or the row was written by hand.",
            step="dossier",
        )
    released_at: datetime | None = row.released_at
    return released_at


def _released_at(run: LoadedRun, day: Any) -> ColumnElement[Any]:
    if day is None:
        return func.now()
    # PostgreSQL reads the local time in the zone: a gap moves forward, the second of a fold is taken.
    local = literal(datetime.combine(day, time(run.release_hour)))
    due = func.timezone(run.timezone.key, local)
    return case((due <= func.now(), func.now()), else_=null())


def replace_contacts(session: Session, run: LoadedRun, contacts: tuple[ContactDraft, ...]) -> None:
    """Write the dossier's contacts in one statement; those of an earlier publish are gone."""
    if run.status is not None:
        session.execute(delete(Contact).where(Contact.dossier_id == run.input.dossier_id))
    if contacts:
        rows = [asdict(contact) | {"dossier_id": run.input.dossier_id} for contact in contacts]
        session.execute(insert(Contact), rows)


def close_run(session: Session, run: LoadedRun, batch: StoredBatch) -> None:
    """Mark the run as published, and count its batch."""
    session.execute(
        update(V2Run)
        .where(V2Run.run_id == run.input.run_id)
        .values(status="published", error_message=null())
        .execution_options(synchronize_session=False)
    )
    count_batch(session, batch.id)


def count_batch(session: Session, batch_id: UUID) -> None:
    """Set the batch's counters to what a `count(*)` says.

    Locks the batch first, in a statement of its own: only a statement that begins after the lock is granted
    sees what the previous holder committed. NO KEY, because the dossiers that refer to the batch share its key.
    """
    session.execute(select(Batch.id).where(Batch.id == batch_id).with_for_update(key_share=True))
    counts = (
        select(
            literal(batch_id, Uuid).label("batch_id"),
            func.count().label("total"),
            func.count().filter(Dossier.status.in_(COMPLETED)).label("completed"),
        )
        .where(Dossier.batch_id == batch_id)
        .subquery()
    )
    session.execute(
        update(Batch)
        .where(Batch.id == counts.c.batch_id)
        .values(total_dossiers=counts.c.total, completed_dossiers=counts.c.completed)
        .execution_options(synchronize_session=False)
    )


def store_error(session: Session, claim: Claim, error: ColumnlineError) -> dict[str, Any] | None:
    """Write what became of a run that cannot be published: a hidden `error` dossier, a failed run, the count.

    Never over a dossier that was published: a failed republish leaves that as it is. Returns the job's result,
    or None where the run or its client is not there to write for.
    """
    run_id = PublishOrder.model_validate(claim.payload).run_id
    try:
        run = load_run(session, run_id, settings().client_mapping)
    except (Permanent, ClientUnmapped):
        return None
    if run.status not in {None, DossierStatus.ERROR}:
        return {"dossier_id": str(run.input.dossier_id)}
    batch = daily_batch(session, run)
    statement = insert(Dossier).values(
        id=run.input.dossier_id,
        run_id=run_id,
        client_id=run.client_id,
        batch_id=batch.id,
        status=DossierStatus.ERROR,
        pipeline_version="v2",
        company_name=_seed_name(run.input.seed_data) or f"Run {run_id}",
        error=error.as_dict(),
    )
    statement = statement.on_conflict_do_update(
        index_elements=[Dossier.id],
        set_={"error": statement.excluded.error, "updated_at": func.now()},
        where=Dossier.status == DossierStatus.ERROR,
    )
    session.execute(statement)
    session.execute(
        update(V2Run)
        .where(V2Run.run_id == run_id)
        .values(status="failed", error_message=f"{error.code}: {error.detail}")
        .execution_options(synchronize_session=False)
    )
    count_batch(session, batch.id)
    return {
        "dossier_id": str(run.input.dossier_id),
        "batch_id": str(batch.id),
        "batch_number": batch.number,
    }


def _seed_name(seed: dict[str, Any]) -> str | None:
    names = (seed.get(key) for key in ("company_name", "name", "company"))
    return next((name for name in names if isinstance(name, str) and name.strip()), None)
