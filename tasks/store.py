"""Write a draft into the app's tables: each function one step, all within the publish's transaction.

Lock order: job, dossiers, contacts, batches last; their counters are counted, never added up, as the last
statement before the completion (design §2).
"""

from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, and_, bindparam, case, column, delete, func, not_, null, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Session

from models.base import table_of
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
from worker.calendar import gaps
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
    placed = placing(session, settings(), run, draft, order)
    place = placed.place
    due = place is not None and (place.at is None or place.at <= run.now)
    values = {
        "id": run.input.dossier_id,
        "run_id": run.input.run_id,
        "client_id": run.client_id,
        "batch_id": batch and batch.id,
        "company_key": company_key(draft.company_domain),
        "agents_completed": list(draft.agents_completed),
        **{name: getattr(draft, name) for name in _AS_DRAFTED},
        "release_date": place and place.day,
        "release_at": place and place.at,
        "drip_position": place and place.drip_position,
        "supersedes_dossier_id": placed.supersedes,
        # With an older dossier to supersede, both are done by `link`, in one statement.
        "shown_at_once": due and placed.supersedes is None,
        "places": place is not None,
        "relinks": placed.relinks,
        "republish": order.republish,
    }
    row = session.connection().execute(_UPSERT, values).one_or_none()
    if row is None:
        raise Internal(
            f"Run {run.input.run_id!r} has a published dossier ({run.input.dossier_id}) that this job did not "
            "make. Nothing was changed. This is a bug in the worker, or the row was written by hand.",
            step="dossier",
        )
    gaps.write(session, placed.behind)
    if placed.relinks and run.before is not None:
        gaps.reopen(session, run.before.supersedes_dossier_id)
    if place is not None and not due and row.released_at is not None:
        raise AlreadyReleased(
            f"Dossier {run.input.dossier_id} was released while it was being assembled again. Nothing was "
            "changed. Republish without `release_date`.",
            field="release_date",
        )
    return placed, due and row.status == DossierStatus.READY


def _upsert_statement() -> Any:
    """Insert the dossier; where the run has one, take its place if it is the record of an error, or as asked."""
    new = insert(table_of(Dossier)).values(
        status=DossierStatus.READY,
        pipeline_version="v2",
        released_at=case((bindparam("shown_at_once", type_=Boolean), func.now())),
    )
    was_error = Dossier.status == DossierStatus.ERROR
    outdated = and_(was_error, Dossier.superseded_by_dossier_id.is_not(None))
    is_seen = func.coalesce(Dossier.released_at <= func.clock_timestamp(), False)
    stays = or_(not_(bindparam("places", type_=Boolean)), is_seen, outdated)
    content = (*_AS_DRAFTED, "company_key", "agents_completed", "client_id", "batch_id")  # an error's client may
    return new.on_conflict_do_update(  # have been corrected
        index_elements=[Dossier.id],
        set_={
            **{name: new.excluded[name] for name in content},
            **{name: case((stays, getattr(Dossier, name)), else_=new.excluded[name]) for name in _PLACED},
            "supersedes_dossier_id": case(
                (bindparam("relinks", type_=Boolean), new.excluded.supersedes_dossier_id),
                else_=Dossier.supersedes_dossier_id,
            ),
            "status": case(
                (outdated, DossierStatus.SUPERSEDED.value),
                (was_error, DossierStatus.READY.value),
                else_=Dossier.status,
            ),
            "error": null(),
            "created_at": case((was_error, func.now()), else_=Dossier.created_at),
            "updated_at": func.now(),
        },
        where=and_(Dossier.run_id == new.excluded.run_id, or_(was_error, bindparam("republish", type_=Boolean))),
    ).returning(Dossier.status, Dossier.released_at)


_AS_DRAFTED = (
    "company_name",
    "company_domain",
    "lead_score",
    "timing_urgency",
    "primary_signal",
    *SECTIONS,
)
_PLACED = ("release_date", "release_at", "drip_position", "released_at")
_UPSERT = _upsert_statement()
_FORGET_CONTACTS = delete(table_of(Contact)).where(Contact.dossier_id == bindparam("of_dossier"))
_DRAFTED = tuple(field.name for field in fields(ContactDraft))


def _contacts_statement() -> Any:
    """Insert the contacts of one JSON array: one statement to send and to plan, however many they are."""
    contacts = table_of(Contact)
    names = ("dossier_id", *_DRAFTED)
    rows = (
        func.jsonb_to_recordset(bindparam("contacts", type_=JSONB))
        .table_valued(*(column(name, contacts.c[name].type) for name in names))
        .render_derived(with_types=True)
    )
    return insert(contacts).from_select(names, select(*(rows.c[name] for name in names)))


_CONTACTS = _contacts_statement()
_CLOSE_RUN = (
    update(table_of(V2Run))
    .where(V2Run.run_id == bindparam("published_run"))
    .values(status="published", error_message=null())
)


def replace_contacts(session: Session, run: LoadedRun, contacts: tuple[ContactDraft, ...]) -> None:
    """Write the dossier's contacts in one statement; those of an earlier publish are gone."""
    dossier_id = run.input.dossier_id
    if run.before is not None:
        session.connection().execute(_FORGET_CONTACTS, {"of_dossier": dossier_id})
    if contacts:
        rows = [
            {name: getattr(contact, name) for name in _DRAFTED} | {"dossier_id": dossier_id}
            for contact in contacts
        ]
        session.connection().execute(_CONTACTS, {"contacts": rows})


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
        lists.put_by_name(session, dossier_id, run.client_id, placed.list)
    elif placed.list is not None:
        lists.put(session, dossier_id, placed.list)
    return run.now if due else run.before.released_at if run.before else None


def close_run(session: Session, run: LoadedRun, batch: StoredBatch | None) -> None:
    """Mark the run as published, and count the batches it is in or was in."""
    session.connection().execute(_CLOSE_RUN, {"published_run": run.input.run_id})
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
