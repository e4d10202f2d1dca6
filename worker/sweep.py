"""The sweep: what makes a lost bell, a dead worker and a missed moment harmless (design §2).

Runs in beat's task and in the bridge's thread, in any number of copies at once: `SKIP LOCKED` shares the work
out. It never ends a job: one whose workers or attempts are used up is handed back with its count, and the next
claim, in a process that knows the kind, ends it properly.
"""

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import case, func, null, or_, select, update
from sqlalchemy.orm import Session

from models.jobs import DUE, AttemptOutcome, Job, JobAttempt, JobState
from worker import db, logs
from worker.calendar.release import something_is_due
from worker.errors import Internal
from worker.mapping import release_mapped
from worker.retry import ring_pause
from worker.ring import breaker, ring, ring_release, unheard
from worker.settings import settings
from worker.turns import OUTSTANDING

log = logs.get(__name__)

RESCUED_AT_ONCE = 100
RUNG_AT_ONCE = 200
_PAUSES = 8


def sweep() -> tuple[int, int]:
    """Rescue jobs whose lease is over, let those go on whose client is mapped by now, then ring for what is due.

    Returns:
        How many were rescued, and how many rung for.
    """
    with db.transaction() as session:
        rescued = rescue(session)
        release_mapped(session, settings())
    silent = unheard()
    if breaker.is_open:
        return rescued, 0
    with db.transaction() as session:
        due = to_ring(session, timedelta(seconds=settings().ring_pause), silent)
        releases_wait = something_is_due(session)
    if releases_wait:
        ring_release()
    unrung = ring(*due)
    if unrung:
        # A bell that never left must not lengthen the pause before the next one.
        with db.transaction() as session:
            session.execute(
                update(Job)
                .where(Job.id.in_([job.id for job in unrung]), Job.state.in_(DUE))
                .values(rung_at=null(), rings=func.greatest(Job.rings - 1, 0))
                .execution_options(synchronize_session=False)
            )
    return rescued, len(due) - len(unrung)


def rescue(session: Session) -> int:
    """Put back to `queued` every job whose lease is over, one loss the more, epoch up.

    Returns:
        How many.
    """
    dead = (
        select(Job.id, Job.epoch)
        .where(Job.state == JobState.RUNNING, Job.leased_until < func.now())
        .order_by(Job.leased_until)
        .limit(RESCUED_AT_ONCE)
        .with_for_update(skip_locked=True)
        .cte("dead")
    )
    error = Internal(
        "The worker that had the job was not heard of again (killed, out of memory, or cut off). It is tried "
        "again; after three such losses the job is an error."
    ).as_dict() | {"retryable": True}
    lost = (
        update(JobAttempt)
        .where(JobAttempt.job_id == dead.c.id, JobAttempt.epoch == dead.c.epoch, JobAttempt.outcome.is_(None))
        .values(outcome=AttemptOutcome.LOST, finished_at=func.now(), error=error)
    )
    statement = (
        update(Job)
        .where(Job.id == dead.c.id)
        .values(
            state=JobState.QUEUED,
            epoch=Job.epoch + 1,
            lost=Job.lost + 1,
            leased_until=null(),
            rung_at=null(),
            rings=0,
            run_at=func.now(),
            error=error,
        )
        .returning(Job.id, Job.lost)
        .add_cte(lost.cte("lost_attempts"))
        .execution_options(synchronize_session=False)
    )
    rows = session.execute(statement).all()
    for row in rows:
        log.warning("job_rescued", job_id=str(row.id), lost=row.lost)
    return len(rows)


def to_ring(session: Session, base: timedelta, silent: Collection[str] = ()) -> list[Job]:
    """Choose the due jobs to ring for, and note the bell, which is rung after the commit.

    Fair between clients: each client's first job comes before anyone's second, and no client has more bells under
    way than `turns` allows. Bounded, and each bell for a job lengthens the pause before its next, but for kinds of
    which no bell waits in the broker (`silent`): those were lost, and a lost bell must not keep a client waiting.
    """
    pauses = [ring_pause(base, rings) for rings in range(_PAUSES)]
    rests = or_(
        Job.rung_at.is_(None),
        Job.kind.in_(silent) & (Job.rung_at <= func.now() - base),
        *(
            (Job.rings == rings if rings < _PAUSES - 1 else Job.rings >= rings)
            & (Job.rung_at <= func.now() - length)
            for rings, length in enumerate(pauses)
        ),
    )
    rested = rests.label("rested")
    # First those whose bell was lost: they count as rung already, and others of their client must not starve them.
    # Then those with a bell under way, which are counted; then those that wait for their first.
    place = case((~rests, 1), (Job.rung_at.is_not(None), 0), else_=2)
    order = (place, Job.run_at, Job.id)
    turn = func.row_number().over(partition_by=(Job.client_id, Job.kind), order_by=order).label("turn")
    ranked = (
        select(Job.id, Job.run_at, turn, rested)
        .where(Job.state.in_(DUE), Job.run_at <= func.now())
        .subquery("ranked")
    )
    chosen = (
        select(Job.id)
        .join(ranked, ranked.c.id == Job.id)
        .where(Job.state.in_(DUE), ranked.c.rested, ranked.c.turn <= OUTSTANDING)
        .order_by(ranked.c.turn, ranked.c.run_at)
        .limit(RUNG_AT_ONCE)
        .with_for_update(of=Job, skip_locked=True)
        .cte("chosen")
    )
    statement = (
        update(Job)
        .where(Job.id == chosen.c.id)
        .values(rung_at=func.now(), rings=Job.rings + 1)
        .returning(Job)
        .execution_options(synchronize_session=False)
    )
    return list(session.scalars(statement))
