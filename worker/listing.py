"""Find jobs by what they are, newest first, and retry what a filter finds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Text, func, select, tuple_
from sqlalchemy.orm import Session

from models.jobs import DUE, Job, JobKind, JobState
from models.make import OPEN_RERUNS, Rerun
from worker import inbox, jobs, paging
from worker.errors import WrongUsage
from worker.settings import Settings

HANGS = timedelta(hours=2)
"""How long a rerun may have no end, as the alarm `RerunHangs` has it."""


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Conditions that a job must meet; None is no condition.

    Attributes:
        since: it was accepted then or later; if it is to be in error, it ended then or later, since it may have
            been put off for days before that.
    """

    state: JobState | None = None
    kind: str | None = None
    client_id: str | None = None
    code: str | None = None
    since: datetime | None = None

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """The conditions that are set."""
        if self.state is not None:
            yield Job.state == self.state
        if self.kind is not None:
            yield Job.kind == self.kind
        if self.client_id is not None:
            yield Job.client_id == self.client_id
        if self.code is not None:
            yield func.jsonb_extract_path_text(Job.error, "code") == self.code
        if self.since is not None:
            yield (Job.settled_at if self.state is JobState.ERROR else Job.created_at) >= self.since


def page(
    session: Session, conditions: JobFilter, *, limit: int, cursor: str | None = None
) -> tuple[list[Job], str | None]:
    """One page of jobs, newest first, and the cursor of the next, or None on the last.

    Raises:
        Validation: the cursor is none that this function gave.
    """
    statement = select(Job).where(*conditions.conditions())
    if cursor is not None:
        statement = statement.where(tuple_(Job.created_at, Job.id) < paging.read(cursor))
    statement = statement.order_by(Job.created_at.desc(), Job.id.desc()).limit(limit + 1)
    found = session.scalars(statement).all()
    return paging.cut(found, limit, lambda job: (job.created_at, job.id))


def hanging_reruns(session: Session, conditions: JobFilter, *, limit: int) -> Sequence[Job]:
    """The jobs, newest first, of reruns that have had no end for so long that somebody should look."""
    ids = select(Rerun.id.cast(Text)).where(Rerun.state.in_(OPEN_RERUNS), Rerun.requested_at < func.now() - HANGS)
    statement = select(Job).where(
        *conditions.conditions(),
        Job.kind == JobKind.RERUN,
        Job.key.in_(ids),
        Job.state.in_((*DUE, JobState.RUNNING)),
    )
    return session.scalars(statement.order_by(Job.created_at.desc(), Job.id.desc()).limit(limit)).all()


def retry(session: Session, config: Settings, conditions: JobFilter, *, limit: int) -> list[Job]:
    """Make the matching jobs due again, oldest first: those in error, or in the state the filter names.

    Raises:
        WrongUsage: the filter is empty (it would retry everything), or names a state that cannot be retried.
    """
    if conditions == JobFilter():
        raise WrongUsage(
            "The filter is empty, which would retry every job in error. Say which: `state`, `kind`, `client_id`, "
            "`code` or `since`."
        )
    if conditions.state not in {None, *jobs.RETRIABLE}:
        wanted = ", ".join(state.value for state in jobs.RETRIABLE)
        raise WrongUsage(
            f"Jobs that are {conditions.state} are not retried; those that are {wanted} are.", field="state"
        )
    chosen = replace(conditions, state=conditions.state or JobState.ERROR)
    statement = select(Job.id).where(*chosen.conditions()).order_by(Job.created_at, Job.id).limit(limit)
    tried = inbox.restart(session, config, session.scalars(statement).all())
    return [job for job, changed in tried if changed]
