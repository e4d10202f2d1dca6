"""Batches: how the app groups dossiers by the day they were made (roadmap §1).

A batch's counters are counted, never added up, and always as the last statement of a transaction (design §2).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import bindparam, exists, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models.base import table_of
from models.pipeline import V2Client, V2Run
from models.production import Batch, BatchStatus, Client
from worker.calendar.moments import zone
from worker.choices import BatchStrategy
from worker.clients import is_production_client
from worker.settings import Settings

OPEN = (BatchStatus.PENDING, BatchStatus.PROCESSING)
_EARLY = (BatchStrategy.RUN, BatchStrategy.MAKE)

# A batch's dossiers count, and the runs that were registered with it and have none yet. A run whose publish was
# cancelled, or whose dossier was deleted, is no longer on its way; one that failed in the pipeline has failed,
# however its publish stands. The status says how far a batch is that was opened with its runs; any other is
# complete at once, and V1's are V1's (roadmap §1).
PROGRESS = """
select b.id, b.client_id, c.name as client_name, b.batch_number, b.created_at,
  d.total + r.total as total, d.completed, d.failed + r.failed as failed, r.begun, r.held,
  case
    when not r.early or b.status not in ('pending', 'processing', 'complete', 'complete_with_errors') then b.status
    when d.completed + d.failed + r.failed < d.total + r.total
      then case when d.completed + d.failed + r.failed + r.begun > 0 then 'processing' else 'pending' end
    when d.failed + r.failed > 0 then 'complete_with_errors'
    else 'complete'
  end as status
from batches b
join clients c on c.id = b.client_id
cross join lateral (
  select count(*) as total,
    count(*) filter (where status in ('ready', 'archived', 'superseded')) as completed,
    count(*) filter (where status = 'error') as failed
  from dossiers where batch_id = b.id
) d
cross join lateral (
  select count(*) filter (where on_its_way) as total,
    count(*) filter (where on_its_way and run_failed) as failed,
    count(*) filter (where on_its_way and not run_failed and state is not null) as begun,
    count(*) filter (where on_its_way and not run_failed and state = 'held') as held,
    count(*) > 0 as early
  from (
    select j.state, v.status = 'failed' or j.state is not distinct from 'error' as run_failed,
      x.id is null and coalesce(j.state not in ('cancelled', 'done'), true) as on_its_way
    from v2_runs v
    left join dossiers x on x.run_id = v.run_id
    left join jobs j on j.kind = 'publish.run' and j.key = v.run_id
    where v.batch_id = b.id
  ) v
) r
"""

_COUNT = text(f"""
update batches
set total_dossiers = p.total, completed_dossiers = p.completed, status = p.status
from ({PROGRESS} where b.id = :batch_id) p
where batches.id = p.id
  and (total_dossiers, completed_dossiers, batches.status) is distinct from (p.total, p.completed, p.status)
""")  # noqa: S608 - put together from constants
_LOCK = text("select id from batches where id = :batch_id for no key update")
_BY_NUMBER = select(table_of(Batch).c.id).where(
    Batch.client_id == bindparam("of_client"), Batch.batch_number == bindparam("of_number")
)


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A batch by its id and its number."""

    id: UUID
    number: str


def number_of(day: date) -> str:
    """The number of a day's batch: `V2_YYYYMMDD`, of the client's own day."""
    return f"V2_{day:%Y%m%d}"


def find_or_make(session: Session, client_id: UUID, number: str, status: BatchStatus) -> StoredBatch:
    """The client's batch of that number; made with `status` if it is not there."""
    which = {"of_client": client_id, "of_number": number}
    batch_id = session.connection().scalar(_BY_NUMBER, which)
    if batch_id is None:
        created = insert(Batch).values(client_id=client_id, batch_number=number, status=status)
        made = session.scalar(created.on_conflict_do_nothing().returning(Batch.id))
        batch_id = made or session.scalars(_BY_NUMBER, which).one()
    return StoredBatch(batch_id, number)


def open_for(session: Session, run_id: str, config: Settings) -> None:
    """Open the batch of a run that was registered, so that it shows from the start (option A), or adopt it.

    Its number is the run's `batch_number`; without one, with the strategy `run`, the client's day. A run whose
    client is not mapped yet has none until it is published.
    """
    if config.batch_strategy not in _EARLY:
        return
    found = session.execute(
        select(
            V2Run.batch_id,
            V2Run.batch_number,
            Client.id,
            Client.timezone,
            (Batch.client_id == Client.id).label("is_theirs"),
            func.now().label("now"),
        )
        .join(V2Client, V2Client.client_id == V2Run.client_id)
        .join(Client, is_production_client(config.client_mapping))
        .outerjoin(Batch, Batch.id == V2Run.batch_id)
        .where(V2Run.run_id == run_id)
    ).all()
    if len(found) != 1:
        return
    (run,) = found
    number = run.batch_number
    if number is None:
        if config.batch_strategy is BatchStrategy.MAKE or run.is_theirs:
            return
        number = number_of(run.now.astimezone(zone(run.timezone)).date())
    batch = find_or_make(session, run.id, number, BatchStatus.PENDING)
    if batch.id == run.batch_id:
        return
    session.execute(
        update(V2Run)
        .where(V2Run.run_id == run_id)
        .values(batch_id=batch.id)
        .execution_options(synchronize_session=False)
    )
    count(session, [batch.id, run.batch_id])
    _close_if_left(session, run.batch_id)


def _close_if_left(session: Session, batch_id: UUID | None) -> None:
    """A batch that was opened for runs, and which the last of them has left, is complete with what it has."""
    session.execute(
        update(Batch)
        .where(Batch.id == batch_id, Batch.status.in_(OPEN), ~exists().where(V2Run.batch_id == Batch.id))
        .values(status=BatchStatus.COMPLETE)
        .execution_options(synchronize_session=False)
    )


def count(session: Session, batch_ids: Iterable[UUID | None]) -> None:
    """Set the counters of these batches to what a `count(*)` says, and their status to what that means.

    Locks each batch first, in a statement of its own: only a statement that begins after the lock is granted sees
    what the previous holder committed. NO KEY, because the dossiers that refer to the batch share its key.
    """
    for batch_id in sorted({found for found in batch_ids if found is not None}):
        session.connection().execute(_LOCK, {"batch_id": batch_id})
        session.connection().execute(_COUNT, {"batch_id": batch_id})


def count_of(session: Session, *run_ids: str) -> None:
    """Count the batches again that were opened for these runs."""
    count(session, session.scalars(select(V2Run.batch_id).where(V2Run.run_id.in_(run_ids))).all())


def count_open(session: Session) -> None:
    """Count every batch again whose runs have not all ended: the pipeline may have ended some by itself."""
    count(
        session,
        session.scalars(
            select(Batch.id)
            .where(Batch.status.in_(OPEN), exists().where(V2Run.batch_id == Batch.id))
            .order_by(Batch.id)
        ).all(),
    )


def choose(
    session: Session,
    config: Settings,
    *,
    client_id: UUID,
    today: date,
    asked: str | None,
    run_number: str | None,
    run_batch: UUID | None,
    kept: UUID | None,
) -> StoredBatch | None:
    """The batch a dossier is stored in, made on demand; None with the strategy `none`.

    A number in the request comes first, then the batch the dossier has, then what the strategy says. With `make`
    a run without a number falls back to the client's day.

    Args:
        session: the transaction that will store the dossier.
        config: for the strategy.
        client_id: the production client.
        today: that client's day.
        asked: `batch_number` of the publish.
        run_number: `batch_number` of the run.
        run_batch: the batch opened when the run was registered.
        kept: the batch of the dossier that is there already.
    """
    strategy = config.batch_strategy
    if asked is not None:
        return find_or_make(session, client_id, asked, BatchStatus.COMPLETE)
    if (known := kept or (run_batch if strategy in _EARLY else None)) is not None:
        # One that was opened before the run's client was corrected is the other client's.
        which = (Batch.id == known, Batch.client_id == client_id)
        found = session.execute(select(Batch.id, Batch.batch_number).where(*which)).one_or_none()
        if found is not None:
            return StoredBatch(*found)
    if strategy is BatchStrategy.NONE:
        return None
    number = run_number if strategy in _EARLY else None
    return find_or_make(session, client_id, number or number_of(today), BatchStatus.COMPLETE)
