"""Jobs as the doors see them: accept, find, retry, cancel, wake. Each change is one guarded statement."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Interval, Text, bindparam, case, func, literal, null, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models.base import table_of
from models.jobs import DUE, SETTLED, AttemptOutcome, Job, JobAttempt, JobKind, JobState
from worker import turns
from worker.errors import JobNotFound, JobStateConflict, PublishConflict
from worker.settings import Settings

RESTARTABLE = (JobState.ERROR, JobState.CANCELLED)
RETRIABLE = (*RESTARTABLE, JobState.HELD, JobState.WAITING)
CALLBACK_ATTEMPTS = 23
CANCELLABLE = (JobState.QUEUED, JobState.WAITING, JobState.HELD)


def attempts_of(kind: str, config: Settings) -> int:
    """How many attempts a job of this kind has: a callback goes on for hours."""
    return max(CALLBACK_ATTEMPTS, config.max_attempts) if kind == JobKind.CALLBACK else config.max_attempts


def accept(
    session: Session,
    config: Settings,
    *,
    kind: str,
    key: str,
    client_id: str | None,
    payload: dict[str, Any],
    again: bool = False,
) -> tuple[Job, bool]:
    """Insert the job, or find the one there is; a duplicate is an outcome, not an error.

    A job that ended in `error` or was cancelled starts over with the new payload; with `again`, any job does.
    The bell is taken as rung, and the caller rings after its commit; but of a client that has many jobs rung for
    and not begun, a new one waits for its turn (`turns`).

    Returns:
        The job, and whether this call made it due.

    Raises:
        PublishConflict: an unsettled or done job has another payload; names the fields that differ.
    """
    values = {
        "of_kind": kind,
        "of_key": key,
        "of_client": client_id,
        "asked": payload,
        "tries": attempts_of(kind, config),
        "patience": timedelta(seconds=config.job_deadline),
    }
    created = session.scalars(_ACCEPT if client_id is not None else _ACCEPT_OF_NOBODY, values).one_or_none()
    if created is not None:
        return created, True
    identity = (Job.kind == kind, Job.key == key)
    states = tuple(JobState) if again else RESTARTABLE
    restarted = restart(session, config, *identity, states=states, payload=payload, client_id=client_id)
    if restarted is not None:
        return restarted, True
    found = session.scalars(select(Job).where(*identity)).one()
    if differing := _differing(found.payload, payload):
        raise PublishConflict(
            f"The publish of {key!r} is {found.state} with other parameters ({', '.join(differing)}). Send the "
            "same ones to get its answer, or add `republish: true` to assemble the dossier again with these.",
            field=differing[0],
            findings=tuple(
                {
                    "step": None,
                    "field": name,
                    "found": payload.get(name),
                    "detail": f"was {found.payload.get(name)!r}",
                }
                for name in differing
            ),
        )
    return found, False


def _accepting(of_client: Any) -> Any:
    """Built once: putting this statement together costs more than all else that accepting does."""
    of_kind = bindparam("of_kind", type_=Text)
    fresh = insert(table_of(Job)).values(
        kind=of_kind,
        key=bindparam("of_key"),
        client_id=of_client,
        payload=bindparam("asked"),
        max_attempts=bindparam("tries"),
        deadline_at=func.now() + bindparam("patience", type_=Interval),
        rung_at=case((turns.outstanding(of_client, of_kind) < turns.OUTSTANDING, func.now())),
    )
    return select(Job).from_statement(fresh.on_conflict_do_nothing().returning(*table_of(Job).c))


_ACCEPT = _accepting(bindparam("of_client", type_=Text))
_ACCEPT_OF_NOBODY = _accepting(null())


def restart(
    session: Session,
    config: Settings,
    *which: ColumnElement[bool],
    states: Iterable[JobState],
    **values: Any,
) -> Job | None:
    """Make the job due as if new, in one guarded statement: attempts afresh, epoch up.

    Whoever still works on it meets the fence. Returns None where there is no such job in one of `states`.
    """
    statement = (
        update(Job)
        .where(*which, Job.state.in_(tuple(states)))
        .values(
            state=JobState.QUEUED,
            step=null(),
            attempt=0,
            max_attempts=case(
                (Job.kind == JobKind.CALLBACK, attempts_of(JobKind.CALLBACK, config)), else_=config.max_attempts
            ),
            lost=0,
            epoch=Job.epoch + 1,
            run_at=func.now(),
            deadline_at=func.now() + timedelta(seconds=config.job_deadline),
            waiting_since=null(),
            leased_until=null(),
            rung_at=case((turns.outstanding(Job.client_id, Job.kind) < turns.OUTSTANDING, func.now())),
            rings=0,
            held_reason=null(),
            error=null(),
            warnings=[],
            result=null(),
            started_at=null(),
            settled_at=null(),
            **values,
        )
        .returning(Job)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    job = session.scalars(statement).one_or_none()
    if job is not None:
        session.execute(
            update(JobAttempt)
            .where(JobAttempt.job_id == job.id, JobAttempt.outcome.is_(None))
            .values(outcome=AttemptOutcome.LOST, finished_at=func.now())
            .execution_options(synchronize_session=False)
        )
    return job


def retry(session: Session, config: Settings, job_id: UUID) -> tuple[Job, bool]:
    """Make a job due that is in error, cancelled, held or waiting. Any other is left as it is.

    Returns:
        The job, and whether it was made due.

    Raises:
        JobNotFound: no such job.
    """
    job = restart(session, config, Job.id == job_id, states=RETRIABLE)
    return (job, True) if job is not None else (get(session, job_id), False)


def cancel(session: Session, job_id: UUID) -> tuple[Job, bool]:
    """Cancel a job that no worker has: queued, waiting or held.

    Returns:
        The job, and whether this call cancelled it (False: it was cancelled before).

    Raises:
        JobNotFound: no such job.
        JobStateConflict: it is running, done or in error.
    """
    statement = (
        update(Job)
        .where(Job.id == job_id, Job.state.in_(CANCELLABLE))
        .values(state=JobState.CANCELLED, epoch=Job.epoch + 1, settled_at=func.now(), held_reason=null())
        .returning(Job)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    job = session.scalars(statement).one_or_none()
    if job is not None:
        return job, True
    found = get(session, job_id)
    if found.state != JobState.CANCELLED:
        hint = "it ends within seconds; look again" if found.state == JobState.RUNNING else "it has ended"
        raise JobStateConflict(f"Job {job_id} is {found.state}, so it cannot be cancelled: {hint}.", field="state")
    return found, False


def move(session: Session, kind: str, key: str, client_id: str) -> None:
    """Have a job that has not ended be this client's from now on: it waits for that one's mapping, in its turn."""
    session.execute(
        update(Job)
        .where(
            Job.kind == kind,
            Job.key == key,
            Job.state.not_in(SETTLED),
            Job.client_id.is_distinct_from(client_id),
        )
        .values(client_id=client_id)
        .execution_options(synchronize_session=False)
    )


def wake(session: Session, kind: str, key: str) -> Job | None:
    """Make a job due at once that waits for something missing. Returns it, or None."""
    statement = (
        update(Job)
        .where(Job.kind == kind, Job.key == key, Job.state == JobState.WAITING, Job.waiting_since.is_not(None))
        .values(run_at=func.now(), rung_at=func.now(), rings=1)
        .returning(Job)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    return session.scalars(statement).one_or_none()


def get(session: Session, job_id: UUID) -> Job:
    """The job as it stands now.

    Raises:
        JobNotFound: no such job.
    """
    job = session.scalars(
        select(Job).where(Job.id == job_id).execution_options(populate_existing=True)
    ).one_or_none()
    if job is None:
        raise JobNotFound(f"There is no job {job_id}. Take the id from the answer to the publish.", field="job_id")
    return job


def find(session: Session, kind: str, key: str, *, lock: bool = False) -> Job | None:
    """The job of this kind and key, or None; with `lock` as it stays until this transaction ends."""
    statement = select(Job).where(Job.kind == kind, Job.key == key)
    return session.scalars(statement.with_for_update(key_share=True) if lock else statement).one_or_none()


def attempts(session: Session, job_id: UUID) -> list[JobAttempt]:
    """Every attempt at the job, oldest first."""
    return list(session.scalars(select(JobAttempt).where(JobAttempt.job_id == job_id).order_by(JobAttempt.epoch)))


def next_due(session: Session) -> Job | None:
    """The job that has been due longest, for `columnline drain`."""
    return session.scalars(
        select(Job).where(Job.state.in_(DUE), Job.run_at <= func.now()).order_by(Job.run_at, literal(1)).limit(1)
    ).one_or_none()


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
