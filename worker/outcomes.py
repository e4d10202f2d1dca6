"""What an exception means for a job: the one place that decides (design §2, "A closed set of endings").

PostgreSQL's error classes: 08 connection, 53 resources, 57P server going away, 25006 read-only after a
failover are outages; 40 rollback, 55P03 lock, 57014 timeout pass by themselves, and so do 25P03 and 25P04, which
end the session of a process that stood still; 22 and 23 are wrong data.
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
_PASSING = ("40", "55P03", "57014", "25P03", "25P04")
_NO_SUCH_TABLE = ("42P01", "42703")
_PASSING_AT_ONCE = ("40001", "40P01", "55P03")
_STALE_PLAN = "0A000"
_WRONG_DATA = "22"
_BROKEN_RULE = "23"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a job stands at the end of an attempt, as the database told it at the claim.

    Attributes:
        waited: for how long something has been missing, or zero.
        waited_for: the code that said what, at the last look.
        overdue: whether the job's deadline for outages has passed.
    """

    attempt: int
    max_attempts: int
    waited: timedelta
    waited_for: str | None
    overdue: bool

    def waited_on(self, missing: Waiting) -> timedelta:
        """For how long this has been missing: after the outputs, an older run is waited for as patiently."""
        return self.waited if missing.code == self.waited_for else timedelta()


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
        return state.startswith(_OUTAGES) or _met_a_stale_plan(exc)
    # The driver raises these without a code when the connection cannot be made or breaks.
    return isinstance(exc, DBAPIError) and (
        exc.connection_invalidated or type(exc).__name__ in {"OperationalError", "InterfaceError"}
    )


def _met_a_stale_plan(exc: BaseException) -> bool:
    """Whether it met a plan that an app's change made useless; `db` has given up the connection that had it."""
    return isinstance(exc, DBAPIError) and sqlstate(exc) == _STALE_PLAN and exc.connection_invalidated


def passes(exc: BaseException) -> bool:
    """Whether it is over with this transaction: a rollback, a lock, a timeout."""
    return (sqlstate(exc) or "").startswith(_PASSING)


def lacks_schema(exc: BaseException) -> bool:
    """Whether a table or column is missing: the database is not migrated."""
    return sqlstate(exc) in _NO_SUCH_TABLE


def passes_at_once(exc: BaseException) -> bool:
    """Whether the same transaction may be tried again at once: deadlock, serialization failure, lock timeout.

    So may one that met a stale plan: its connection is given up, and the next has none.
    """
    state = sqlstate(exc)
    return state in _PASSING_AT_ONCE or _met_a_stale_plan(exc)


def named(exc: BaseException, *more: str | None) -> str:
    """The kind of an exception, its SQLSTATE, and what `more` there is: its text may hold rows, or a password."""
    state = sqlstate(exc)
    if state is None:
        return type(exc).__name__
    return f"{type(exc).__name__} ({', '.join([f'SQLSTATE {state}', *filter(None, more)])})"


def _sentence(exc: BaseException) -> str:
    """What is said of an exception nobody foresaw."""
    return named(exc, getattr(getattr(getattr(exc, "orig", None), "diag", None), "constraint_name", None))


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
        case Waiting() if (waited := standing.waited_on(exc)) < deadline:
            return Outcome(AttemptOutcome.WAITING, exc, next_look(waited, deadline))
        case Permanent() | Waiting() | Internal():
            return Outcome(AttemptOutcome.ERROR, exc)
        case Unavailable():
            return _outage(exc, standing, pause)
        case Retryable():
            used_up = standing.attempt >= standing.max_attempts
            return Outcome(AttemptOutcome.ERROR if used_up else AttemptOutcome.RETRY, exc, pause)
    if is_outage(exc):
        return _outage(Unavailable(f"The database was away: {_sentence(exc)}.", step=step), standing, pause)
    if is_wrong_data(exc):
        return Outcome(AttemptOutcome.ERROR, _refused(exc, step))
    if breaks_rule(exc):
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


def breaks_rule(exc: BaseException) -> bool:
    """Whether a row broke a rule of the database: a key, a reference, a check, a value that must be there."""
    return (sqlstate(exc) or "").startswith(_BROKEN_RULE)


def is_wrong_data(exc: BaseException) -> bool:
    """Whether PostgreSQL, or the driver for it, cannot take a value as it is."""
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
