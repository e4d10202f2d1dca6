"""Jobs: what is in which state, one in full, retry and cancel."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request, Response

from models.jobs import JobState
from worker import answers, db, inbox, jobs, listing
from worker.bridge.context import bell
from worker.fields import AbsentIfEmpty, OptionalName
from worker.listing import JobFilter
from worker.page import figures
from worker.page.forms import Ops
from worker.page.rendering import back_to, fragment, screen, screens
from worker.page.visitors import Reader
from worker.settings import settings

router = screens()

_PAGE = 50


@router.get("/jobs")
def list_jobs(
    visitor: Reader,
    state: Annotated[JobState | None, AbsentIfEmpty, Query()] = None,
    kind: Annotated[OptionalName, Query()] = None,
    code: Annotated[OptionalName, Query()] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Jobs, newest first."""
    with db.transaction() as session:
        conditions = JobFilter(state=state, kind=kind, code=code)
        found, following = listing.page(session, conditions, limit=_PAGE, cursor=cursor)
        shown = list(zip(found, answers.page(session, found), strict=True))
    return screen(
        "jobs", visitor, jobs=shown, states=list(JobState), state=state, kind=kind, code=code, following=following
    )


@router.get("/jobs/{job_id}")
def show_job(visitor: Reader, job_id: UUID, said: str = "") -> Response:
    """A job, every attempt at it, and what was repaired."""
    return screen("job", visitor, said=said, **_one(job_id))


@router.get("/live/jobs/{job_id}")
def live_job(request: Request, visitor: Reader, job_id: UUID) -> Response:
    """The part of a job's screen that moves."""
    return fragment(request, "_job", visitor, **_one(job_id))


@router.post("/jobs/{job_id}/retry")
def retry(request: Request, sent: Ops, job_id: UUID) -> Response:
    """Make the job due again."""
    with db.transaction() as session:
        ((job, changed),) = inbox.restart(session, settings(), [job_id])
    if changed:
        bell(request).ring([job])
    figures.now.forget()
    return back_to(sent.then, "retried" if changed else "unchanged")


@router.post("/jobs/{job_id}/cancel")
def cancel(request: Request, sent: Ops, job_id: UUID) -> Response:
    """Call the job off."""
    with db.transaction() as session:
        _, changed, bells = inbox.cancel(session, settings(), job_id)
    bell(request).ring(bells)
    figures.now.forget()
    return back_to(sent.then, "cancelled" if changed else "unchanged")


def _one(job_id: UUID) -> dict[str, Any]:
    with db.transaction() as session:
        job = jobs.get(session, job_id)
        shown = answers.detail(session, job, jobs.attempts(session, job_id))
    return {"row": job, "job": shown, "can_retry": JobState(job.state) in jobs.RETRIABLE}
