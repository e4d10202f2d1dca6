"""How Celery hears of an attempt: success, `Retry` while the job waits, `JobFailed` at its bad end.

Of what nobody foresaw it hears the kind alone: it writes an exception's text to its log, and Flower shows it.
"""

from typing import Any

from celery import Task
from celery.exceptions import Retry

from models.jobs import AttemptOutcome
from worker import logs, telemetry
from worker.outcomes import Outcome, is_outage, named, passes, sqlstate

log = logs.get(__name__)


class JobWaits(Exception):
    """The job waits or is held; the text says for what."""


class JobFailed(Exception):
    """The job ended in `error`; the text is its code and reason."""


class TaskFailed(Exception):
    """A task failed outside of an attempt; the text is the kind of error, and its SQLSTATE."""


class Discreet(Task):  # type: ignore[misc]
    """A task; in a worker, its unforeseen exception becomes one that quotes nothing."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it."""
        if self.request.called_directly:
            return super().__call__(*args, **kwargs)
        try:
            return self.run(*args, **kwargs)
        except (Retry, JobFailed):
            raise
        except Exception as error:  # noqa: BLE001 - goes on as what quotes nothing
            kind, trace = type(error).__name__, logs.trace(error)
            log.warning("task_failed", task=self.name, error=kind, sqlstate=sqlstate(error), trace=trace)
            if not (is_outage(error) or passes(error)):
                telemetry.report(error, task=self.name)
            raise TaskFailed(named(error)) from None


def for_celery(outcome: Outcome) -> Exception:
    """The exception that tells Celery of an attempt which did not succeed."""
    text = f"{outcome.error.code}: {outcome.error.reason}"
    if outcome.kind is AttemptOutcome.ERROR:
        return JobFailed(text)
    when = "" if outcome.kind is AttemptOutcome.HELD else f" (again in {outcome.pause.total_seconds():.0f} s)"
    return later(f"{outcome.kind.value}: {text}{when}")


def later(text: str) -> Exception:
    """What tells Celery that the attempt is over and the job is not; Flower shows the exception inside."""
    waits: Exception = Retry(text, exc=JobWaits(text))
    return waits
