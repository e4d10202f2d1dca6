"""Routes about jobs: look at one, list them, retry, cancel."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from models.jobs import Job, JobState, Scope
from worker import answers, db, jobs, listing
from worker.answers import JobAnswer, JobDetail
from worker.bridge.auth import needs
from worker.bridge.body import body_of, documented_body
from worker.bridge.context import a_place_to_wait, bell
from worker.bridge.problems import documented
from worker.errors import Validation
from worker.fields import OptionalCount, OptionalName, absent_if_empty
from worker.listing import JobFilter
from worker.settings import settings
from worker.waiting import wait_for

router = APIRouter(prefix="/columnline/jobs", tags=["jobs"], responses=documented())

MAX_PAGE = 200
MAX_RETRIED = 1000


class Filter(BaseModel):
    """Which jobs; conditions that are absent do not count."""

    model_config = ConfigDict(extra="forbid")

    state: Annotated[JobState | None, BeforeValidator(absent_if_empty)] = None
    kind: OptionalName = None
    client_id: OptionalName = None
    code: OptionalName = Field(default=None, description="the error's code")
    since: Annotated[datetime | None, BeforeValidator(absent_if_empty)] = Field(
        default=None, description="accepted at this moment or later; with an offset"
    )

    def conditions(self) -> JobFilter:
        """The filter as the listing knows it.

        Raises:
            Validation: `since` has no offset.
        """
        if self.since is not None and self.since.tzinfo is None:
            raise Validation(
                f"`since` is {self.since.isoformat()}, without an offset. Add one, such as Z.", field="since"
            )
        return JobFilter(**self.model_dump())


class Page(Filter):
    """A page of jobs, newest first."""

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 50
    cursor: OptionalName = Field(default=None, description="`next_cursor` of the page before")


class RetryMany(Filter):
    """Which jobs to retry: those in error, unless `state` says cancelled, held or waiting."""

    limit: Annotated[int, Field(ge=1, le=MAX_RETRIED)] = MAX_RETRIED


class JobsAnswer(BaseModel):
    """Jobs, newest first."""

    ok: bool = True
    jobs: list[JobAnswer]
    next_cursor: str | None = Field(description="send as `cursor` for the next page; null on the last")


class RetriedAnswer(BaseModel):
    """Which jobs were made due again."""

    ok: bool = True
    retried: int
    job_ids: list[UUID]


@router.get("", dependencies=[needs(Scope.READ)])
def list_jobs(page: Annotated[Page, Query()], request: Request) -> JobsAnswer:
    """Jobs, newest first, page by page."""
    with db.transaction() as session:
        conditions = Filter(**page.model_dump(exclude={"limit", "cursor"})).conditions()
        found, cursor = listing.page(session, conditions, limit=page.limit, cursor=page.cursor)
        return JobsAnswer(
            jobs=[answers.answer(session, job, base_url=str(request.base_url)) for job in found],
            next_cursor=cursor,
        )


@router.post(
    "/retry",
    dependencies=[needs(Scope.OPS)],
    openapi_extra=documented_body(RetryMany, required=True),
)
def retry_many(body: Annotated[RetryMany, Depends(body_of(RetryMany))], request: Request) -> RetriedAnswer:
    """Retry the jobs that a filter names; an empty filter is refused."""
    with db.transaction() as session:
        conditions = Filter(**body.model_dump(exclude={"limit"})).conditions()
        retried = listing.retry(session, settings(), conditions, limit=body.limit)
    bell(request).ring(retried)
    return RetriedAnswer(retried=len(retried), job_ids=[job.id for job in retried])


@router.get("/{job_id}", dependencies=[needs(Scope.READ)])
def show(job_id: UUID, request: Request, wait: Annotated[OptionalCount, Query(ge=0, le=55)] = None) -> JobDetail:
    """A job with its attempts; with `wait`, once it has ended. One in error is a 200 too."""
    with a_place_to_wait() as room:
        job = wait_for(job_id, (wait or 0) if room else 0)
    with db.transaction() as session:
        return answers.detail(session, job, jobs.attempts(session, job_id), base_url=str(request.base_url))


@router.post("/{job_id}/retry", dependencies=[needs(Scope.OPS)])
def retry(job_id: UUID, request: Request) -> JobAnswer:
    """Make a job due again that is in error, cancelled, held or waiting; any other is left as it is."""
    with db.transaction() as session:
        job, changed = jobs.retry(session, settings(), job_id)
    if changed:
        bell(request).ring([job])
    return _answer(request, job, duplicate=not changed)


@router.post("/{job_id}/cancel", dependencies=[needs(Scope.OPS)])
def cancel(job_id: UUID, request: Request) -> JobAnswer:
    """Cancel a job that is queued, waiting or held."""
    with db.transaction() as session:
        job, changed = jobs.cancel(session, job_id)
    return _answer(request, job, duplicate=not changed)


def _answer(request: Request, job: Job, *, duplicate: bool) -> JobAnswer:
    with db.transaction() as session:
        return answers.answer(session, job, duplicate=duplicate, base_url=str(request.base_url))
