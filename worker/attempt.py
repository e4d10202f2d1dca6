"""One attempt at a job: claim it, time its steps, and turn whatever goes wrong into an outcome.

This is the only place that catches every exception. Celery hears the truth about the attempt: success, `Retry`
while the job waits, `JobFailed` when it ended badly (design §2); the retry itself is a state of the row.
"""

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from models.jobs import AttemptOutcome, Job
from models.values import Notice
from worker import claims, db, logs, telemetry, turns
from worker.claims import Claim, Fenced
from worker.errors import ColumnlineError, Internal
from worker.failpoints import failpoint
from worker.heard import for_celery, later
from worker.outcomes import Outcome, is_outage, outcome_of, passes
from worker.retry import RetryPolicy
from worker.ring import ring
from worker.settings import settings
from worker.tries import at_once, while_away

log = logs.get(__name__)

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ending:
    """What a kind did about its job's error: the job's `result`, and the jobs to ring for after the commit."""

    result: dict[str, Any] | None = None
    bells: tuple[Job, ...] = ()


OnError = Callable[[Session, Claim, ColumnlineError], Ending]
"""What a kind does, in the transaction that records its error."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How long a kind of job waits for what is missing, and when it tries again."""

    patience: timedelta
    policy: RetryPolicy


@dataclass(slots=True)
class Attempt:
    """A claim being worked on: which step it is in, and how many milliseconds each took."""

    claim: Claim
    at: str | None = None
    timings: dict[str, float] = field(default_factory=dict)

    @property
    def payload(self) -> dict[str, Any]:
        """What was asked for, as accepted."""
        return self.claim.payload

    def work(self, do: Callable[Concatenate[Session, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Do the work in one transaction, which opens with a lock on the job's row: everything or nothing.

        After a deadlock, a serialization failure or a lock timeout all of it is tried again, at once and a few
        times. A savepoint for each step would keep the locks that stand in somebody's way, and cost each publish
        two round trips a step.

        Raises:
            Fenced: the job is not ours any more.
        """

        def in_one() -> T:
            with db.transaction() as session:
                claims.fence(session, self.claim)
                return do(session, *args, **kwargs)

        return at_once(in_one)

    def finish(self, result: dict[str, Any]) -> None:
        """Record the job as done where its effects are already stored, or lie elsewhere.

        Raises:
            Fenced: the job is not ours any more.
        """
        self.work(self.complete, result)

    def renew(self, session: Session, lease: timedelta) -> None:
        """Open a piece of long work, as `work` does, and keep the job for so much longer.

        Raises:
            Fenced: it is not ours any more.
        """
        claims.renew(session, self.claim, lease)

    def step(self, name: str, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Do a step. Its time is recorded, and its name in case it fails."""
        self.at = name
        failpoint(f"step.{name}")
        began = time.perf_counter()
        try:
            with telemetry.span(name):
                return work(*args, **kwargs)
        finally:
            self.timings[name] = round((time.perf_counter() - began) * 1000, 3)

    def complete(self, session: Session, result: dict[str, Any], warnings: tuple[Notice, ...] = ()) -> None:
        """Record the job as done, in the transaction that holds its effects.

        Raises:
            Fenced: the claim was taken back.
        """
        failpoint("step.complete")
        claims.complete(
            session,
            self.claim,
            result=result,
            warnings=[asdict(warning) for warning in warnings],
            timings=self.timings,
        )
        failpoint("work.commit")


@contextmanager
def holding(
    job_id: str,
    kind: str,
    *,
    on_error: OnError | None = None,
    patience: timedelta | None = None,
    policy: RetryPolicy | None = None,
) -> Iterator[Attempt | None]:
    """Claim the job for the block, and settle it if the block raises.

    Args:
        job_id: the job to claim, if it is of this `kind`.
        on_error: what else to do where the job ends in `error`.
        patience: how long to wait for what is missing; None: as long as the settings say for outputs.
        policy: when to try again; None: as the settings say.

    Yields:
        The attempt, or None where there is nothing to do: the job is in other hands, settled, not due, or has
        just been ended because its attempts or its workers were used up.

    Raises:
        Retry: the job waits or is held; the reason is in the text.
        JobFailed: the job ended in `error`.
    """
    held = _claim(UUID(job_id), kind)
    rules = Rules(settings().outputs_wait if patience is None else patience, policy or RetryPolicy.of(settings()))
    if held is None:
        yield None
        return
    attempt = Attempt(held)
    ids = {"job_id": job_id, "run_id": held.payload.get("run_id"), "attempt": held.attempt}
    with structlog.contextvars.bound_contextvars(key=held.key, **ids), telemetry.span(held.kind, **ids):
        if held.exhausted:
            outcome: Outcome | None = _settle(attempt, _exhausted(held), rules, on_error)
            yield None
        else:
            outcome = None
            try:
                failpoint("claim.committed")
                yield attempt
                failpoint("work.committed")
                log.info("job_done", kind=held.kind, step_ms=attempt.timings)
            except Fenced:
                log.warning("job_fenced", kind=held.kind, step=attempt.at)
            except Exception as exc:  # noqa: BLE001 - the one place that turns exceptions into outcomes
                outcome = _settle(attempt, exc, rules, on_error)
        if held.starving and held.client_id is not None:
            _ring_next(held.client_id, held.kind)
        if outcome is not None:
            raise for_celery(outcome)


def _ring_next(client_id: str, kind: str) -> None:
    """Ring for the client's next jobs, now that one of those rung for is worked off."""
    try:
        with db.transaction() as session:
            due = turns.next_of(session, client_id, kind)
    except DBAPIError as error:
        log.warning("turn_failed", error=type(error).__name__)  # the sweep rings for them
        return
    ring(*due)


def _claim(job_id: UUID, kind: str) -> Claim | None:
    try:
        with db.transaction() as session:
            return claims.claim(session, job_id, kind, timedelta(seconds=settings().lease))
    except Exception as exc:
        if is_outage(exc):
            raise later("the database is away; the sweep rings again") from None
        raise


def _unmasked(exc: BaseException) -> BaseException:
    """The time limit's exception, where breaking off a query because of it broke the connection as well."""
    link: BaseException | None = exc
    while link is not None and not isinstance(link, SoftTimeLimitExceeded):
        link = link.__context__
    return link or exc


def _settle(attempt: Attempt, exc: BaseException, rules: Rules, on_error: OnError | None) -> Outcome | None:
    """Record how the attempt ended, in a transaction of its own. Returns None if it turns out not to be ours.

    A database that has just gone is waited for a while: the sweep takes a job that was not settled for one whose
    worker died. If even that fails, the lease runs out and the sweep hands the job on.
    """
    exc = _unmasked(exc)
    outcome = outcome_of(
        exc,
        attempt.claim.standing,
        step=attempt.at,
        policy=rules.policy,
        deadline=rules.patience,
        random=random.random(),  # noqa: S311 - jitter, not a secret
    )
    ended = outcome.kind is AttemptOutcome.ERROR
    log.log(
        logging.ERROR if ended else logging.WARNING,
        "attempt_failed",
        outcome=outcome.kind.value,
        code=outcome.error.code,
        step=attempt.at,
        detail=outcome.error.reason,
        trace=[] if isinstance(exc, ColumnlineError) else logs.trace(exc),
    )
    telemetry.note(outcome=outcome.kind.value, code=outcome.error.code)
    if outcome.error.code == Internal.code:
        ids = {"job_id": attempt.claim.job_id, "run_id": attempt.payload.get("run_id")}
        telemetry.report(exc, kind=attempt.claim.kind, step=attempt.at, **ids)

    def record() -> Ending:
        with db.transaction() as session:
            claims.fence(session, attempt.claim)
            ending = _run_hook(session, attempt.claim, outcome, on_error)
            claims.settle(
                session, attempt.claim, outcome, step=attempt.at, timings=attempt.timings, result=ending.result
            )
        return ending

    try:
        ending = while_away(record)
    except Fenced:
        # The commit went through although its answer was lost, or the job was taken back.
        log.warning("job_fenced", step=attempt.at)
        return None
    except Exception as failure:
        if passes(failure) and ended and attempt.claim.attempt < attempt.claim.max_attempts:
            return _settle(attempt, failure, rules, on_error)  # its end cannot be recorded whole: another attempt
        if is_outage(failure) or passes(failure):
            raise later("the database is away; the lease runs out, and the sweep hands the job on") from None
        raise
    ring(*ending.bells)
    return outcome


def _run_hook(session: Session, held: Claim, outcome: Outcome, on_error: OnError | None) -> Ending:
    if on_error is None or outcome.kind is not AttemptOutcome.ERROR:
        return Ending()
    try:
        with session.begin_nested():
            return on_error(session, held, outcome.error)
    except Exception as exc:
        if is_outage(exc) or passes(exc) or isinstance(_unmasked(exc), SoftTimeLimitExceeded):
            raise  # over some time: then both are recorded
        # The job's own error must be recorded all the same: it is what tells somebody to act.
        log.error(  # noqa: TRY400 - its text may quote a row
            "error_hook_failed", kind=held.kind, error=type(exc).__name__, trace=logs.trace(exc)
        )
        return Ending()


def _exhausted(held: Claim) -> Internal:
    if held.lost >= 1 and held.attempt <= held.max_attempts:
        return Internal(
            f"{held.lost} worker{'s' if held.lost > 1 else ''} died while working on this job. Look for kills and "
            "memory limits in the worker's logs, then retry the job."
        )
    return Internal(f"All {held.max_attempts} attempts were used up. Look into the logs, then retry the job.")
