"""Routes about jobs: look at one, list them, retry, cancel."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from models.jobs import Job, JobState, Scope
from worker import answers, db, inbox, jobs, listing
from worker.answers import JobAnswer, JobDetail
from worker.bridge.auth import needs
from worker.bridge.body import body_of
from worker.bridge.context import Wait, base_url, bell, waited
from worker.bridge.listed import Paged
from worker.bridge.openapi import documented, documented_body
from worker.fields import AbsentIfEmpty, Number, OptionalMoment, OptionalName
from worker.listing import JobFilter
from worker.settings import settings

router = APIRouter(prefix="/columnline/jobs", tags=["jobs"], responses=documented())

MAX_RETRIED = 1000

JobId = Annotated[UUID, Path(description="`job_id` of an answer")]


class Filter(BaseModel):
    """Which jobs; conditions that are absent do not count."""

    model_config = ConfigDict(extra="forbid")

    state: Annotated[JobState | None, AbsentIfEmpty] = Field(default=None, description="the state they are in")
    kind: OptionalName = Field(
        default=None,
        description="`publish.run`, `publish.preview`, `callback.send`, `rerun.trigger` or `export.write`",
    )
    client_id: OptionalName = Field(default=None, description="a `v2_clients.client_id`")
    code: OptionalName = Field(default=None, description="the error's code, such as `outputs_missing`")
    since: OptionalMoment = Field(
        default=None, description="accepted, or where errors are asked for ended, then or later; with an offset"
    )

    def conditions(self) -> JobFilter:
        """The filter as the listing knows it."""
        return JobFilter(self.state, self.kind, self.client_id, self.code, self.since)


class Page(Filter, Paged):
    """A page of jobs, newest first."""


class RetryMany(Filter):
    """Which jobs to retry: those in error, unless `state` says cancelled, held or waiting."""

    limit: Annotated[Annotated[int, Field(ge=1, le=MAX_RETRIED)] | None, Number] = Field(
        default=None, description=f"how many at most, oldest first; {MAX_RETRIED} unless told otherwise"
    )


class JobsAnswer(BaseModel):
    """Jobs, newest first."""

    ok: bool
    jobs: list[JobAnswer]
    next_cursor: str | None = Field(description="send as `cursor` for the next page; null on the last")


class RetriedAnswer(BaseModel):
    """Which jobs were made due again."""

    ok: bool
    retried: int
    job_ids: list[UUID]


@router.get("", summary="List jobs", dependencies=[needs(Scope.READ)])
def list_jobs(page: Annotated[Page, Query()], request: Request) -> JobsAnswer:
    """Jobs, newest first, page by page. No job is missed or shown twice, whatever is accepted meanwhile."""
    with db.transaction() as session:
        found, cursor = listing.page(session, page.conditions(), limit=page.size, cursor=page.cursor)
        shown = answers.page(session, found, base_url=base_url(request))
    return JobsAnswer(ok=True, jobs=shown, next_cursor=cursor)


@router.post(
    "/retry",
    summary="Retry many jobs",
    dependencies=[needs(Scope.OPS)],
    openapi_extra=documented_body(
        RetryMany,
        required=True,
        examples={
            "all that missed outputs": {"code": "outputs_missing"},
            "all held for a client": {"state": "held", "client_id": "CLT_NORTHWIND_001"},
        },
    ),
)
def retry_many(body: Annotated[RetryMany, Depends(body_of(RetryMany))], request: Request) -> RetriedAnswer:
    """Retry the jobs that a filter names; an empty filter is refused."""
    with db.transaction() as session:
        retried = listing.retry(session, settings(), body.conditions(), limit=body.limit or MAX_RETRIED)
    bell(request).ring(retried)
    return RetriedAnswer(ok=True, retried=len(retried), job_ids=[job.id for job in retried])


@router.get("/{job_id}", summary="Show a job", dependencies=[needs(Scope.READ)])
def show_job(job_id: JobId, request: Request, wait: Wait = None) -> JobDetail:
    """A job with its attempts; with `wait`, once it has ended. One in error is a 200 too."""
    job = waited(request, job_id, wait)
    with db.transaction() as session:
        return answers.detail(session, job, jobs.attempts(session, job_id), base_url=base_url(request))


@router.post("/{job_id}/retry", summary="Retry a job", dependencies=[needs(Scope.OPS)])
def retry(job_id: JobId, request: Request) -> JobAnswer:
    """Make a job due again that is in error, cancelled, held or waiting; any other is left as it is."""
    with db.transaction() as session:
        ((job, changed),) = inbox.restart(session, settings(), [job_id])
    if changed:
        bell(request).ring([job])
    return _answer(request, job, duplicate=not changed)


@router.post("/{job_id}/cancel", summary="Cancel a job", dependencies=[needs(Scope.OPS)])
def cancel(job_id: JobId, request: Request) -> JobAnswer:
    """Cancel a job that is queued, waiting or held; one that is running or has ended is a `job_state_conflict`."""
    with db.transaction() as session:
        job, changed, bells = inbox.cancel(session, settings(), job_id)
    bell(request).ring(bells)
    return _answer(request, job, duplicate=not changed)


def _answer(request: Request, job: Job, *, duplicate: bool) -> JobAnswer:
    with db.transaction() as session:
        return answers.answer(session, job, duplicate=duplicate, base_url=base_url(request))
