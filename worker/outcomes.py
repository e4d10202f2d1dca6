"""What an exception means for a job: the one place that decides (design §2, "A closed set of endings").

PostgreSQL's error classes: 08 connection, 53 resources, 57P server going away, 25006 read-only after a
failover are outages; 40 rollback, 55P03 lock, 57014 timeout pass by themselves; 22 and 23 are wrong data.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from models.jobs import AttemptOutcome
from worker.errors import (
    ColumnlineError,
    Held,
    Internal,
    OutputsInvalid,
    Permanent,
    Retryable,
    Unavailable,
    Waiting,
)
from worker.retry import RetryPolicy, next_look

_OUTAGES = ("08", "53", "57P", "25006", "58")
_PASSING = ("40", "55P03", "57014")
_NO_SUCH_TABLE = ("42P01", "42703")
_STEP_PASSING = ("40001", "40P01", "55P03")
_WRONG_DATA = "22"
_BROKEN_RULE = "23"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a job stands at the end of an attempt, as the database told it at the claim.

    Attributes:
        waited: since when something was missing, or zero.
        overdue: whether the job's deadline for outages has passed.
    """

    attempt: int
    max_attempts: int
    waited: timedelta
    overdue: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ends: what is recorded, and after which pause the job is due again, if ever."""

    kind: AttemptOutcome
    error: ColumnlineError
    pause: timedelta = timedelta()


def sqlstate(exc: BaseException) -> str | None:
    """The SQLSTATE of a database error; None for anything else, or where the driver has none."""
    if not isinstance(exc, DBAPIError):
        return None
    return getattr(exc.orig, "sqlstate", None)


def is_outage(exc: BaseException) -> bool:
    """Whether the database was away, full or read-only: nobody's fault, and over some day."""
    if isinstance(exc, PoolTimeoutError):
        return True
    state = sqlstate(exc)
    if state is not None:
        return state.startswith(_OUTAGES)
    # The driver raises these without a code when the connection cannot be made or breaks.
    return isinstance(exc, DBAPIError) and (
        exc.connection_invalidated or type(exc).__name__ in {"OperationalError", "InterfaceError"}
    )


def passes(exc: BaseException) -> bool:
    """Whether the database was only busy: a rollback, a lock, a timeout."""
    return (sqlstate(exc) or "").startswith(_PASSING)


def lacks_schema(exc: BaseException) -> bool:
    """Whether a table or column is missing: the database is not migrated."""
    return sqlstate(exc) in _NO_SUCH_TABLE


def passes_in_step(exc: BaseException) -> bool:
    """Whether the step alone may be tried again at once: deadlock, serialization failure, lock timeout."""
    state = sqlstate(exc)
    return state is not None and state.startswith(_STEP_PASSING)


def _sentence(exc: BaseException) -> str:
    """What is said of an exception nobody foresaw: its kind and SQLSTATE; its text may hold row values."""
    state = sqlstate(exc)
    if state is not None:
        constraint = getattr(getattr(getattr(exc, "orig", None), "diag", None), "constraint_name", None)
        return f"{type(exc).__name__} (SQLSTATE {state}{f', {constraint}' if constraint else ''})"
    return type(exc).__name__


def outcome_of(  # noqa: PLR0911 - a closed set of endings, one line each
    exc: BaseException,
    standing: Standing,
    *,
    step: str | None,
    policy: RetryPolicy,
    deadline: timedelta,
    random: float,
) -> Outcome:
    """What `exc` means for a job that stands so.

    Args:
        step: the step the attempt was in, for the error's text.
        deadline: how long something missing is waited for.
        random: uniform in [0, 1).
    """
    pause = policy.pause(standing.attempt, random)
    match exc:
        case Held():
            return Outcome(AttemptOutcome.HELD, exc)
        case Waiting() if standing.waited < deadline:
            return Outcome(AttemptOutcome.WAITING, exc, next_look(standing.waited, deadline))
        case Permanent() | Waiting() | Internal():
            return Outcome(AttemptOutcome.ERROR, exc)
        case Unavailable():
            return _outage(exc, standing, pause)
        case Retryable():
            used_up = standing.attempt >= standing.max_attempts
            return Outcome(AttemptOutcome.ERROR if used_up else AttemptOutcome.RETRY, exc, pause)
    if is_outage(exc):
        return _outage(Unavailable(f"The database was away: {_sentence(exc)}.", step=step), standing, pause)
    if _is_wrong_data(exc):
        return Outcome(AttemptOutcome.ERROR, _refused(exc, step))
    if (sqlstate(exc) or "").startswith(_BROKEN_RULE):
        return Outcome(AttemptOutcome.ERROR, _broke_rule(exc, step))
    used_up = standing.attempt >= standing.max_attempts
    error = Internal(
        f"Attempt {standing.attempt} of {standing.max_attempts} failed at step {step or 'claim'} with "
        f"{_sentence(exc)}. {'Look into the logs, then retry the job.' if used_up else 'It is tried again.'}",
        step=step,
    )
    return Outcome(AttemptOutcome.ERROR if used_up else AttemptOutcome.RETRY, error, pause)


def _outage(error: ColumnlineError, standing: Standing, pause: timedelta) -> Outcome:
    kind = AttemptOutcome.ERROR if standing.overdue else AttemptOutcome.OUTAGE
    return Outcome(kind, error, max(pause, timedelta(seconds=1)))


def _is_wrong_data(exc: BaseException) -> bool:
    state = sqlstate(exc)
    if state is not None:
        return state.startswith(_WRONG_DATA)
    # NUL in text and lone surrogates are refused on the client's side, without a code.
    return isinstance(exc, UnicodeEncodeError) or (
        isinstance(exc, DBAPIError) and type(exc).__name__ == "DataError"
    )


def _broke_rule(exc: BaseException, step: str | None) -> Internal:
    return Internal(
        f"Step {step} broke a rule of the database: {_sentence(exc)}. Nothing was written. The row it names "
        f"was changed by somebody else, or this is a bug in the worker.",
        step=step,
    )


def _refused(exc: BaseException, step: str | None) -> OutputsInvalid:
    return OutputsInvalid(
        f"The database refused the data at step {step}: {_sentence(exc)}. Look at the run's outputs; "
        f"if they are sound, this is a bug in the worker.",
        step=step,
    )
