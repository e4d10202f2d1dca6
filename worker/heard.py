"""How Celery hears of an attempt: success, `Retry` while the job waits, `JobFailed` at its bad end."""

from celery.exceptions import Retry

from models.jobs import AttemptOutcome
from worker.outcomes import Outcome


class JobWaits(Exception):
    """The job waits or is held; the text says for what."""


class JobFailed(Exception):
    """The job ended in `error`; the text is its code and detail."""


def for_celery(outcome: Outcome) -> Exception:
    """The exception that tells Celery of an attempt which did not succeed."""
    text = f"{outcome.error.code}: {outcome.error.detail}"
    if outcome.kind is AttemptOutcome.ERROR:
        return JobFailed(text)
    when = "" if outcome.kind is AttemptOutcome.HELD else f" (again in {outcome.pause.total_seconds():.0f} s)"
    return later(f"{outcome.kind.value}: {text}{when}")


def later(text: str) -> Exception:
    """What tells Celery that the attempt is over and the job is not; Flower shows the exception inside."""
    waits: Exception = Retry(text, exc=JobWaits(text))
    return waits
