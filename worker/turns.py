"""Turns: so that one client's thousand runs do not keep another's single run waiting.

Bells wait in the broker in the order they were rung. So only few of a client's are under way at a time, of each
kind: the others of its jobs are rung for as those are worked off, by the worker that does so, or by the sweep.
"""

from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, and_, exists, func, literal, select, update
from sqlalchemy.orm import Session, aliased

from models.jobs import Job, JobState

OUTSTANDING = 20
"""Bells of one client and kind that may be under way: enough to keep workers busy, few enough to overtake."""

_FEW = OUTSTANDING // 2


def outstanding(client_id: Any, kind: Any) -> ScalarSelect[int]:
    """How many jobs of that kind of the client are rung for and not begun; counted as far as it matters."""
    other = aliased(Job)
    rung = (
        select(literal(1))
        .where(
            other.client_id == client_id,
            other.kind == kind,
            other.state == JobState.QUEUED,
            other.rung_at.is_not(None),
        )
        .correlate(Job)
        .limit(OUTSTANDING)
        .subquery()
    )
    return select(func.count()).select_from(rung).scalar_subquery()


def starving() -> ColumnElement[bool]:
    """Whether the client of the `Job` that a statement reads has others of its kind unrung, and few bells left."""
    unrung, rung = aliased(Job), aliased(Job)
    of_both = [
        (other.client_id == Job.client_id) & (other.kind == Job.kind) & (other.state == JobState.QUEUED)
        for other in (unrung, rung)
    ]
    waits = exists().where(of_both[0], unrung.rung_at.is_(None))
    enough = exists(select(literal(1)).where(of_both[1], rung.rung_at.is_not(None)).offset(_FEW))
    return and_(waits, ~enough)


def next_of(session: Session, client_id: str, kind: str) -> list[Job]:
    """Choose the client's next jobs to ring for, and note the bells, which are rung after the commit."""
    chosen = (
        select(Job.id)
        .where(
            Job.client_id == client_id,
            Job.kind == kind,
            Job.state == JobState.QUEUED,
            Job.rung_at.is_(None),
            Job.run_at <= func.now(),
        )
        .order_by(Job.run_at)
        .limit(select(OUTSTANDING - outstanding(client_id, kind)).scalar_subquery())
        .with_for_update(skip_locked=True)
        .cte("chosen")
    )
    statement = (
        update(Job)
        .where(Job.id == chosen.c.id)
        .values(rung_at=func.now())
        .returning(Job)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    return sorted(session.scalars(statement), key=lambda job: job.run_at)
