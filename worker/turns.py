"""Turns: so that one client's thousand runs do not keep another's single run waiting.

Bells wait in the broker in the order they were rung. So only few of a client's are under way at a time: the others
of its jobs are rung for as those are worked off, by the worker that does so, or by the sweep.
"""

from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, and_, exists, func, literal, select, update
from sqlalchemy.orm import Session, aliased

from models.jobs import Job, JobState

OUTSTANDING = 20
"""Bells of one client that may be under way: enough to keep workers busy, few enough to be overtaken soon."""

_FEW = OUTSTANDING // 2


def outstanding(client_id: Any, most: int = OUTSTANDING) -> ScalarSelect[int]:
    """How many jobs of the client are rung for and not begun; counted to `most`."""
    other = aliased(Job)
    rung = (
        select(literal(1))
        .where(_is(other, client_id), other.state == JobState.QUEUED, other.rung_at.is_not(None))
        .correlate(Job)
        .limit(most)
        .subquery()
    )
    return select(func.count()).select_from(rung).scalar_subquery()


def starving() -> ColumnElement[bool]:
    """Whether the client of the `Job` that a statement reads has jobs that wait for a bell, and few bells left."""
    other = aliased(Job)
    unrung = exists().where(
        other.client_id == Job.client_id, other.state == JobState.QUEUED, other.rung_at.is_(None)
    )
    rung = aliased(Job)
    enough = exists(
        select(literal(1))
        .where(rung.client_id == Job.client_id, rung.state == JobState.QUEUED, rung.rung_at.is_not(None))
        .offset(_FEW)
    )
    return and_(unrung, ~enough)


def next_of(session: Session, client_id: str) -> list[Job]:
    """Choose the client's next jobs to ring for, and note the bells, which are rung after the commit."""
    chosen = (
        select(Job.id)
        .where(
            Job.client_id == client_id,
            Job.state == JobState.QUEUED,
            Job.rung_at.is_(None),
            Job.run_at <= func.now(),
        )
        .order_by(Job.run_at)
        .limit(_FEW)
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


def _is(job: Any, client_id: Any) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = job.client_id.is_(None) if client_id is None else job.client_id == client_id
    return condition
