"""Write a draft into the app's tables: each function one step, all within the publish's transaction.

Lock order: job, dossiers, contacts, batches last; their counters are counted, never added up, as the last
statement before the completion (design §2).
"""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, delete, func, literal, null, or_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models.calendar import CalendarAction
from models.domain_name import company_key
from models.jobs import Job
from models.make import Rerun, RerunState
from models.orders import PublishOrder
from models.pipeline import V2Run
from models.production import Contact, Dossier, DossierStatus
from models.values import ContactDraft, Draft
from tasks.load import LoadedRun, load_run
from tasks.placing import Placing, placing
from worker import batches, callbacks, lists, reruns
from worker.attempt import Ending
from worker.batches import StoredBatch
from worker.calendar.release import note, show
from worker.claims import Claim
from worker.errors import AlreadyReleased, ColumnlineError, Held, Internal, Permanent
from worker.settings import settings

SECTIONS = ("find_leads", "enrich_lead", "copy", "insight", "media", "sources")
PUBLISH = "publish"


def choose_batch(session: Session, run: LoadedRun, order: PublishOrder) -> StoredBatch | None:
    """The batch the run's dossier belongs to, made on demand; None where the strategy is `none` (roadmap §1)."""
    return batches.choose(
        session,
        settings(),
        client_id=run.client_id,
        today=run.today,
        asked=order.batch_number,
        run_number=run.batch_number,
        run_batch=run.batch_id,
        kept=run.before.batch_id if run.before and run.before.client_id == run.client_id else None,
    )


def upsert_dossier(
    session: Session, run: LoadedRun, draft: Draft, order: PublishOrder, batch: StoredBatch | None
) -> tuple[Placing, bool]:
    """Insert the dossier, revive the `error` one the run left, or replace the content on a republish.

    Whatever readers see already, they go on seeing. One that was superseded while it was in error stays hidden.

    Returns:
        Where it goes, and whether it is due: to be released now.

    Raises:
        Internal: the run has a dossier that this job may not replace: the defence behind the fence.
        Others: as `placing` has them.
    """
    placed_at = placing(session, settings(), run, draft, order)
    place = placed_at.place
    due = place is not None and (place.at is None or place.at <= run.now)
    content: dict[str, Any] = {
        "company_name": draft.company_name,
        "company_domain": draft.company_domain,
        "company_key": company_key(draft.company_domain),
        "lead_score": draft.lead_score,
        "timing_urgency": draft.timing_urgency,
        "primary_signal": draft.primary_signal,
        "agents_completed": list(draft.agents_completed),
        **{section: getattr(draft, section) for section in SECTIONS},
    }
    placed: dict[str, Any] = {
        "release_date": place and place.day,
        "release_at": place and place.at,
        "drip_position": place and place.drip_position,
        # With an older dossier to supersede, both are done by `link`, in one statement.
        "released_at": func.now() if due and placed_at.supersedes is None else null(),
    }
    statement = insert(Dossier).values(
        id=run.input.dossier_id,
        run_id=run.input.run_id,
        client_id=run.client_id,
        batch_id=batch and batch.id,
        status=DossierStatus.READY,
        pipeline_version="v2",
        supersedes_dossier_id=placed_at.supersedes,
        **content,
        **placed,
    )
    fresh: dict[str, Any] = {name: statement.excluded[name] for name in content}
    was_error = Dossier.status == DossierStatus.ERROR
    outdated = and_(was_error, Dossier.superseded_by_dossier_id.is_not(None))
    if place is not None:
        stays = or_(func.coalesce(Dossier.released_at <= func.clock_timestamp(), False), outdated)
        fresh |= {name: case((stays, getattr(Dossier, name)), else_=statement.excluded[name]) for name in placed}
    if placed_at.relinks:
        fresh["supersedes_dossier_id"] = statement.excluded.supersedes_dossier_id
    statement = statement.on_conflict_do_update(
        index_elements=[Dossier.id],
        set_=fresh
        | {
            "status": case(
                (outdated, DossierStatus.SUPERSEDED.value),
                (was_error, DossierStatus.READY.value),
                else_=Dossier.status,
            ),
            "error": null(),
            "client_id": statement.excluded.client_id,  # of one that was in error, it may have been corrected
            "batch_id": statement.excluded.batch_id,
            "created_at": case((was_error, func.now()), else_=Dossier.created_at),
            "updated_at": func.now(),
        },
        where=and_(Dossier.run_id == run.input.run_id, or_(was_error, literal(order.republish))),
    )
    row = session.execute(statement.returning(Dossier.status, Dossier.released_at)).one_or_none()
    if row is None:
        raise Internal(
            f"Run {run.input.run_id!r} has a published dossier ({run.input.dossier_id}) that this job did not "
            "make. Nothing was changed. This is a bug in the worker, or the row was written by hand.",
            step="dossier",
        )
    if place is not None and not due and row.released_at is not None:
        raise AlreadyReleased(
            f"Dossier {run.input.dossier_id} was released while it was being assembled again. Nothing was "
            "changed. Republish without `release_date`.",
            field="release_date",
        )
    return placed_at, due and row.status == DossierStatus.READY


def replace_contacts(session: Session, run: LoadedRun, contacts: tuple[ContactDraft, ...]) -> None:
    """Write the dossier's contacts in one statement; those of an earlier publish are gone."""
    if run.before is not None:
        session.execute(delete(Contact).where(Contact.dossier_id == run.input.dossier_id))
    if contacts:
        rows = [asdict(contact) | {"dossier_id": run.input.dossier_id} for contact in contacts]
        session.execute(insert(Contact), rows)


def link(session: Session, run: LoadedRun, placed: Placing, *, due: bool) -> datetime | None:
    """Let the dossier take its place: on the calendar or before its readers, in its chain, on its list.

    Returns:
        When it was released, or None while that lies ahead.
    """
    dossier_id, place = run.input.dossier_id, placed.place
    was_seen = run.before is not None and run.before.released_at is not None
    if placed.supersedes is not None and (due or (placed.relinks and was_seen)):
        show(session, [dossier_id], asked_by=PUBLISH)
    elif place is not None:
        action = CalendarAction.RELEASED if due else CalendarAction.SCHEDULED
        before = (run.before.release_date, run.before.release_at) if run.before else (None, None)
        note(session, dossier_id, action, PUBLISH, now=(place.day, place.at), before=before)
    if isinstance(placed.list, str):
        lists.put(session, dossier_id, lists.made_on_demand(session, run.client_id, placed.list))
    elif placed.list is not None:
        lists.put(session, dossier_id, placed.list)
    return run.now if due else run.before.released_at if run.before else None


def close_run(session: Session, run: LoadedRun, batch: StoredBatch | None) -> None:
    """Mark the run as published, and count the batches it is in or was in."""
    session.execute(
        update(V2Run)
        .where(V2Run.run_id == run.input.run_id)
        .values(status="published", error_message=null())
        .execution_options(synchronize_session=False)
    )
    _count(session, run, batch)


def tell_others(session: Session, claim: Claim, run: LoadedRun, order: PublishOrder) -> list[Job]:
    """Owe whoever waits for the end of this publish the news of it: a scenario, a rerun.

    Returns:
        The jobs that do so: ring for them after the commit.
    """
    rerun = reruns.published(session, order.run_id) if run.rerun_of else None
    return [*_callback(session, claim, order.callback_url or run.callback_url), *([rerun] if rerun else [])]


def store_error(session: Session, claim: Claim, error: ColumnlineError) -> Ending:
    """Write what became of a run that cannot be published: a hidden `error` dossier, a failed run, the count.

    Never over a dossier that was published: a failed republish leaves that as it is. Where the run or its client
    is not there, there is nothing to write but the news of it.
    """
    order = PublishOrder.model_validate(claim.payload)
    try:
        run = load_run(session, order.run_id, settings().client_mapping)
    except (Permanent, Held):
        reruns.ended_badly(session, Rerun.run_id == order.run_id, error, RerunState.FAILED)
        return Ending(bells=_callback(session, claim, order.callback_url))
    bells = _callback(session, claim, order.callback_url or run.callback_url)
    if not run.is_new:
        return Ending({"dossier_id": str(run.input.dossier_id)}, bells)
    batch = choose_batch(session, run, order)
    statement = insert(Dossier).values(
        id=run.input.dossier_id,
        run_id=order.run_id,
        client_id=run.client_id,
        batch_id=batch and batch.id,
        status=DossierStatus.ERROR,
        pipeline_version="v2",
        company_name=_seed_name(run.input.seed_data) or f"Run {order.run_id}",
        error=error.as_dict(),
    )
    statement = statement.on_conflict_do_update(
        index_elements=[Dossier.id],
        set_={name: statement.excluded[name] for name in ("client_id", "batch_id", "company_name", "error")}
        | {"updated_at": func.now()},
        where=Dossier.status == DossierStatus.ERROR,
    )
    session.execute(statement)
    session.execute(
        update(V2Run)
        .where(V2Run.run_id == order.run_id)
        .values(status="failed", error_message=f"{error.code}: {error.detail}")
        .execution_options(synchronize_session=False)
    )
    if run.rerun_of is not None:
        reruns.ended_badly(session, Rerun.run_id == order.run_id, error, RerunState.FAILED)
    _count(session, run, batch)
    return Ending(result_of(run, batch), bells)


def _callback(session: Session, claim: Claim, url: str | None) -> tuple[Job, ...]:
    job = callbacks.order(session, settings(), claim, url)
    return () if job is None else (job,)


def result_of(run: LoadedRun, batch: StoredBatch | None) -> dict[str, Any]:
    """What the job's result says of the dossier, whatever became of it."""
    return {
        "dossier_id": str(run.input.dossier_id),
        "batch_id": str(batch.id) if batch else None,
        "batch_number": batch.number if batch else None,
    }


def _count(session: Session, run: LoadedRun, batch: StoredBatch | None) -> None:
    before = run.before.batch_id if run.before else None
    batches.count(session, (batch.id if batch else None, run.batch_id, before))


def _seed_name(seed: dict[str, Any]) -> str | None:
    names = (seed.get(key) for key in ("company_name", "name", "company"))
    return next((name for name in names if isinstance(name, str) and name.strip()), None)
