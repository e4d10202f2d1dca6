"""Tell Make.com to run the pipeline again for a dossier, and look until what came of it is known."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from models.jobs import JobKind
from models.make import Rerun, RerunState
from worker import makecom, reruns
from worker.attempt import Attempt, Ending, holding
from worker.celery import app
from worker.claims import Claim
from worker.db import transaction
from worker.errors import ColumnlineError
from worker.heard import JobFailed
from worker.make_errors import MakeUnreachable, RerunFailed, RerunTimedOut
from worker.settings import settings


@app.task(name=JobKind.RERUN.value, throws=(JobFailed,))
def trigger_rerun(*, job_id: str, run_id: str = "") -> None:
    """Start one rerun, once, and wait for its publish. Safe to receive twice."""
    del run_id
    patience = timedelta(seconds=settings().rerun_timeout)
    with holding(job_id, JobKind.RERUN, on_error=_note_end, patience=patience) as attempt:
        if attempt is None:
            return
        rerun_id = UUID(attempt.payload["rerun_id"])
        with transaction() as session:
            is_first = reruns.sending(session, rerun_id)
            order = reruns.order_of(session, rerun_id)
        if is_first:
            _tell(attempt, rerun_id, order)
        with transaction() as session:
            rerun = reruns.get(session, rerun_id)
        _look(attempt, rerun)
        attempt.finish({"rerun_status": RerunState.PUBLISHED, "execution_id": rerun.execution_id})


def _tell(attempt: Attempt, rerun_id: UUID, order: dict[str, Any]) -> None:
    """Tell Make.com once. What became of a request that got no answer, only its run's publish can tell."""
    try:
        execution_id = attempt.step("trigger", makecom.start, settings(), order)
    except MakeUnreachable:
        with transaction() as session:
            reruns.not_sent(session, rerun_id)
        raise
    except makecom.Unclear:
        return
    with transaction() as session:
        reruns.triggered(session, rerun_id, execution_id)


def _look(attempt: Attempt, rerun: Rerun) -> None:
    """Return once the run was published; raise while it was not, or when it will not be."""
    if rerun.state == RerunState.PUBLISHED:
        return
    if rerun.state in {RerunState.FAILED, RerunState.TIMED_OUT}:
        raise RerunFailed(f"The run {rerun.run_id} was not published: {(rerun.error or {}).get('detail', '')}")
    if rerun.execution_id is not None:
        why = attempt.step("look", makecom.failure, settings(), rerun.execution_id)
        if why is not None:
            raise RerunFailed(
                f"Make.com's execution {rerun.execution_id} failed: {why}. Look at it there, then ask "
                "for another rerun."
            )
    if rerun.state == RerunState.TRIGGERED:
        raise RerunTimedOut(
            f"Make.com runs {rerun.run_id}, and it is not published. If it is late, look at the execution there, "
            "then ask for another rerun."
        )
    raise RerunTimedOut(
        f"It is unclear whether Make.com started {rerun.run_id}: its answer was lost, and it is not told twice, "
        "since that could start the pipeline twice. If nothing is published, look into the scenario's history, "
        "then ask for another rerun."
    )


def _note_end(session: Session, claim: Claim, error: ColumnlineError) -> Ending:
    state = RerunState.TIMED_OUT if isinstance(error, RerunTimedOut) else RerunState.FAILED
    reruns.ended_badly(session, Rerun.id == UUID(claim.payload["rerun_id"]), error, state)
    return Ending()
