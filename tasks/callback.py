"""Tell a scenario how its publish ended."""

from sqlalchemy.orm import Session

from models.jobs import JobKind
from worker import callbacks
from worker.attempt import Ending, holding
from worker.celery import app
from worker.claims import Claim
from worker.db import transaction
from worker.errors import ColumnlineError
from worker.heard import JobFailed
from worker.make_errors import CallbackGone
from worker.outgoing import post
from worker.settings import settings


@app.task(name=JobKind.CALLBACK.value, throws=(JobFailed,))
def send_callback(*, job_id: str, run_id: str = "") -> None:
    """Send one callback, at least once; its receiver knows a second copy by its id."""
    del run_id
    with holding(job_id, JobKind.CALLBACK, on_error=_note_gone, policy=callbacks.POLICY) as attempt:
        if attempt is None:
            return
        with transaction() as session:
            found = attempt.step("load", callbacks.message, session, settings(), attempt.claim)
        # No transaction is open while somebody else's server takes its time.
        status = (
            attempt.step("send", post, attempt.payload["url"], *found, settings().callback_hosts)
            if found
            else None
        )
        attempt.finish({"http_status": status})


def _note_gone(session: Session, claim: Claim, error: ColumnlineError) -> Ending:
    if isinstance(error, CallbackGone):
        callbacks.mark_gone(session, claim.payload["url"])
    return Ending()
