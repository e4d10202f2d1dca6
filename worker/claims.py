"""The three transactions of an attempt, as statements: claim, complete, settle (design §2).

A claim is a lease with an epoch. Whoever writes later must still hold both: `fence` opens the work with that
check under a row lock, `complete` and `settle` repeat it as their guard. A worker that was presumed dead and
comes back therefore writes nothing.
"""

import os
import socket
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Interval,
    bindparam,
    case,
    column,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from models.jobs import DUE, AttemptOutcome, Job, JobAttempt, JobState
from worker.outcomes import Outcome, Standing
from worker.retry import MAX_LOST
from worker.turns import starving


def _worker() -> str:
    """Who claims: asked at each claim, since a child has the number of its own process."""
    return f"{socket.gethostname()}/{os.getpid()}"


class Fenced(Exception):
    """The claim was taken back: rescued, retried by hand or cancelled. Write nothing, say nothing."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A job in our hands until its lease ends.

    Attributes:
        exhausted: its attempts or its workers were used up before this claim: end it, do not work on it.
        starving: other jobs of its client wait for a bell: ring for them afterwards.
    """

    job_id: UUID
    kind: str
    key: str
    client_id: str | None
    payload: dict[str, Any]
    epoch: int
    attempt: int
    max_attempts: int
    lost: int
    waited: timedelta
    waited_for: str | None
    overdue: bool
    exhausted: bool
    starving: bool

    @property
    def guarded(self) -> dict[str, Any]:
        """What statements compare, in order to write only while the claim holds."""
        return {"held_job": self.job_id, "held_epoch": self.epoch}

    @property
    def standing(self) -> Standing:
        """What the retry rules need to know."""
        return Standing(self.attempt, self.max_attempts, self.waited, self.waited_for, self.overdue)


def _claim_statement() -> Any:
    """One statement: find the due job, mark it ours, open the attempt's row, say where it stands."""
    due = (
        select(
            Job.id,
            or_(Job.attempt >= Job.max_attempts, Job.lost >= MAX_LOST).label("exhausted"),
            starving().label("starving"),
        )
        .where(
            Job.id == bindparam("job_id"),
            Job.kind == bindparam("of_kind"),
            Job.state.in_(DUE),
            Job.run_at <= func.now(),
        )
        .with_for_update()
        .cte("due")
    )
    claimed = (
        update(Job)
        .where(Job.id == due.c.id)
        .values(
            state=JobState.RUNNING,
            attempt=func.least(Job.attempt + 1, Job.max_attempts),
            epoch=Job.epoch + 1,
            leased_until=func.now() + bindparam("lease", type_=Interval),
            started_at=func.coalesce(Job.started_at, func.now()),
            step=null(),
        )
        .returning(
            Job.id.label("job_id"),
            Job.kind,
            Job.key,
            Job.client_id,
            Job.payload,
            Job.epoch,
            Job.attempt,
            Job.max_attempts,
            Job.lost,
            func.coalesce(func.now() - Job.waiting_since, literal(timedelta(), Interval)).label("waited"),
            Job.error["code"].astext.label("waited_for"),
            (Job.deadline_at <= func.now()).label("overdue"),
            due.c.exhausted,
            due.c.starving,
        )
        .cte("claimed")
    )
    opened = insert(JobAttempt).from_select(
        ["job_id", "epoch", "attempt", "worker"],
        select(claimed.c.job_id, claimed.c.epoch, claimed.c.attempt, bindparam("worker")),
    )
    # A claim that a crash of the server forgets is an attempt forgotten, no more: no need to wait for the disk.
    forgettable = func.set_config("synchronous_commit", "off", True).label("forgettable")
    return select(claimed, forgettable).add_cte(opened.cte("opened"))


_CLAIM = _claim_statement()


def claim(session: Session, job_id: UUID, kind: str, lease: timedelta) -> Claim | None:
    """Take the job if it is due and nobody has it; its attempt is counted before any work.

    Returns None where there is nothing to do: unknown, of another kind, settled, held, not due yet, or in other
    hands.
    """
    values = {"job_id": job_id, "of_kind": kind, "lease": lease, "worker": _worker()}
    row = session.connection().execute(_CLAIM, values).one_or_none()
    return None if row is None else Claim(*row[: len(fields(Claim))])


def fence(session: Session, held: Claim) -> None:
    """Lock the job's row for this transaction and make sure that it is still ours.

    Raises:
        Fenced: it is not.
    """
    if session.connection().execute(_FENCE, held.guarded).one_or_none() is None:
        raise Fenced


def renew(session: Session, held: Claim, lease: timedelta) -> None:
    """Hold the job for so much longer, and lock its row as `fence` does: for work that outlasts one lease.

    Raises:
        Fenced: it is not ours any more.
    """
    statement = (
        update(Job)
        .where(*_guard())
        .values(leased_until=func.now() + lease)
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )
    if session.execute(statement, held.guarded).one_or_none() is None:
        raise Fenced


def complete(
    session: Session,
    held: Claim,
    *,
    result: dict[str, Any],
    warnings: list[dict[str, Any]],
    timings: dict[str, float],
) -> None:
    """Record the job as done, in the same transaction as its effects.

    Raises:
        Fenced: the claim was taken back; the whole transaction must be rolled back.
    """
    values = held.guarded | {
        "new_result": result,
        "new_warnings": warnings,
        "took": timings,
    }
    if session.connection().execute(_COMPLETE, values).one_or_none() is None:
        raise Fenced


def settle(
    session: Session,
    held: Claim,
    outcome: Outcome,
    *,
    step: str | None,
    timings: dict[str, float],
    result: dict[str, Any] | None = None,
) -> None:
    """Record an attempt that did not succeed, and what becomes of the job.

    Raises:
        Fenced: the claim was taken back, or the work was committed after all: an exception does not prove
            that it was not.
    """
    error = outcome.error.as_dict() | {"retryable": outcome.error.retryable}
    uncounted = outcome.kind in {AttemptOutcome.WAITING, AttemptOutcome.OUTAGE, AttemptOutcome.HELD}
    values: dict[str, Any] = {
        "step": step,
        "error": error,
        "attempt": Job.attempt - 1 if uncounted else Job.attempt,
        "waiting_since": null(),
        "rung_at": null(),
        "rings": 0,
    }
    match outcome.kind:
        case AttemptOutcome.HELD:
            values |= {"state": JobState.HELD, "held_reason": outcome.error.code, "lost": 0}
        case AttemptOutcome.ERROR:
            values |= {"state": JobState.ERROR, "settled_at": func.clock_timestamp(), "result": result}
        case _:
            values |= {"state": JobState.WAITING, "run_at": func.now() + outcome.pause, "lost": 0}
    if outcome.kind is AttemptOutcome.WAITING:
        is_the_same = Job.error["code"].astext == outcome.error.code
        values["waiting_since"] = func.coalesce(case((is_the_same, Job.waiting_since)), func.now())
    attempt = {"outcome": outcome.kind, "step": step, "error": error, "timings": timings}
    statement = _closing(attempt, values)
    if session.execute(statement, held.guarded).one_or_none() is None:
        raise Fenced


def _guard() -> tuple[ColumnElement[bool], ...]:
    """What is true while a job is in the hands that claimed it: its epoch is the claim's, and it is running."""
    return (
        Job.id == bindparam("held_job"),
        Job.epoch == bindparam("held_epoch"),
        Job.state == JobState.RUNNING,
    )


def _closing(attempt: dict[str, Any], values: dict[str, Any]) -> Any:
    """One statement: the job's new state, guarded by the epoch, and the end of the attempt's row."""
    job = update(Job).where(*_guard()).values(leased_until=null(), **values).returning(Job.id).cte("job")
    closed = (
        update(JobAttempt)
        .where(JobAttempt.job_id == job.c.id, JobAttempt.epoch == bindparam("held_epoch"))
        .values(finished_at=func.clock_timestamp(), **attempt)
    )
    return select(column("id")).select_from(job).add_cte(closed.cte("closed"))


def _completing() -> Any:
    return _closing(
        {"outcome": AttemptOutcome.DONE, "step": "complete", "timings": bindparam("took")},
        {
            "state": JobState.DONE,
            "step": "complete",
            "error": null(),
            "result": bindparam("new_result"),
            "warnings": bindparam("new_warnings"),
            "settled_at": func.clock_timestamp(),
            "waiting_since": null(),
        },
    )


def _fencing() -> Any:
    return select(literal(1)).select_from(Job).where(*_guard()).with_for_update()


_FENCE = _fencing()
_COMPLETE = _completing()
