"""Routes that ask for a publish: one, many, or a dry run."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.jobs import Scope
from models.orders import PublishOrder
from worker import answers, db, inbox, jobs
from worker.answers import JobAnswer, JobDetail
from worker.bridge.auth import needs
from worker.bridge.body import body_of, documented_body
from worker.bridge.context import a_place_to_wait, bell
from worker.bridge.problems import documented, validation
from worker.errors import ColumnlineError, Validation
from worker.fields import Flag, Name, OptionalCount, ReleaseDate
from worker.settings import settings
from worker.waiting import wait_for

router = APIRouter(prefix="/columnline/publish", tags=["publish"], responses=documented())

MAX_WAIT = 55
PREVIEW_WAIT = 25
MAX_RUNS = 500
RETRY_AFTER = "5"


class PublishOptions(BaseModel):
    """What a publish may say, in the body or the query; all of it optional."""

    model_config = ConfigDict(extra="forbid")

    release_date: ReleaseDate = Field(
        default=None,
        description="the day the client may see it, at the client's release hour; absent: at once",
        json_schema_extra={"anyOf": [{"type": "string", "examples": ["2026-01-20"]}, {"type": "null"}]},
    )
    republish: Flag = Field(default=False, description="assemble again into the dossier that is there")
    wait: Annotated[OptionalCount, Field(ge=0, le=MAX_WAIT)] = Field(
        default=None, description=f"answer when it has ended, after this many seconds at the latest ({MAX_WAIT})"
    )


class RunToPublish(PublishOptions):
    """One of many runs to publish."""

    run_id: Name
    wait: None = None


class RunsToPublish(BaseModel):
    """Many runs to publish; each is accepted or refused by itself."""

    model_config = ConfigDict(extra="forbid")

    runs: list[Any] = Field(
        min_length=1,
        max_length=MAX_RUNS,
        json_schema_extra={"items": {"$ref": "#/components/schemas/RunToPublish"}},
    )


class PublishAnswers(BaseModel):
    """One answer per run, in the order sent."""

    ok: bool = Field(description="whether every run was accepted")
    accepted: int
    refused: int
    answers: list[JobAnswer]


InQuery = Annotated[PublishOptions, Query()]
InBody = Annotated[PublishOptions, Depends(body_of(PublishOptions))]


@router.post(
    "/{run_id}",
    dependencies=[needs(Scope.PUBLISH)],
    responses={202: {"model": JobAnswer, "description": "Accepted; it has not ended yet"}},
    openapi_extra=documented_body(PublishOptions),
)
def publish(run_id: Name, query: InQuery, body: InBody, request: Request, response: Response) -> JobAnswer:
    """Publish a finished run. The same request again answers the same job."""
    options = _merged(query, body)
    with db.transaction() as session:
        job, new = inbox.accept_publish(session, settings(), _order(run_id, options))
    if new or job.rung_at is None:
        bell(request).ring([job])
    return _answer(request, response, job.id, options.wait or 0, duplicate=not new)


@router.post(
    "/{run_id}/preview",
    dependencies=[needs(Scope.PUBLISH)],
    response_model=JobDetail,
    responses={202: {"model": JobDetail, "description": "Accepted; it has not ended yet"}},
    openapi_extra=documented_body(PublishOptions),
)
def preview(run_id: Name, query: InQuery, body: InBody, request: Request, response: Response) -> JobAnswer:
    """Show what a publish would make of the run; touches no table of the app."""
    options = _merged(query, body)
    with db.transaction() as session:
        job = inbox.accept_preview(session, settings(), _order(run_id, options))
    bell(request).ring([job])
    wait = PREVIEW_WAIT if options.wait is None else options.wait
    return _answer(request, response, job.id, wait, detailed=True)


@router.post(
    "",
    dependencies=[needs(Scope.PUBLISH)],
    status_code=202,
    openapi_extra=documented_body(RunsToPublish, required=True),
)
def publish_many(
    body: Annotated[RunsToPublish, Depends(body_of(RunsToPublish))], request: Request
) -> PublishAnswers:
    """Publish many runs; each stands for itself, so one refusal stops no other."""
    found = [_publish_one(entry, request) for entry in body.runs]
    refused = sum(answer.job_id is None for answer in found)
    return PublishAnswers(ok=refused == 0, accepted=len(found) - refused, refused=refused, answers=found)


def _publish_one(entry: Any, request: Request) -> JobAnswer:
    try:
        try:
            wanted = RunToPublish.model_validate(entry)
        except ValidationError as error:
            raise validation(error.errors()) from None
        with db.transaction() as session:
            job, new = inbox.accept_publish(session, settings(), _order(wanted.run_id, wanted))
            answered = answers.answer(session, job, duplicate=not new, base_url=str(request.base_url))
    except ColumnlineError as error:
        run_id = entry.get("run_id") if isinstance(entry, dict) else None
        return answers.refusal(error, run_id if isinstance(run_id, str) else None)
    if new:
        bell(request).ring([job])
    return answered


def _order(run_id: str, options: PublishOptions) -> PublishOrder:
    return PublishOrder(run_id=run_id, release_date=options.release_date, republish=options.republish)


def _merged(query: PublishOptions, body: PublishOptions) -> PublishOptions:
    """The options of query and body together.

    Raises:
        Validation: one is given in both, with two values.
    """
    both = query.model_fields_set & body.model_fields_set
    for name in sorted(both):
        if getattr(query, name) != getattr(body, name):
            raise Validation(
                f"`{name}` is in the query and in the body, with two values. Send it once.", field=name
            )
    given = {name: getattr(query, name) for name in query.model_fields_set}
    return body.model_copy(update=given)


def _answer(
    request: Request,
    response: Response,
    job_id: UUID,
    wait: int,
    *,
    duplicate: bool = False,
    detailed: bool = False,
) -> JobAnswer:
    """The answer after waiting as long as asked: 200 if it has ended, else 202 and where to look."""
    with a_place_to_wait() as room:
        job = wait_for(job_id, wait if room else 0)
    with db.transaction() as session:
        base_url = str(request.base_url)
        answered = (
            answers.detail(session, job, jobs.attempts(session, job.id), base_url=base_url)
            if detailed
            else answers.answer(session, job, duplicate=duplicate, base_url=base_url)
        )
    if not answered.done:
        response.status_code = 202
        response.headers["Location"] = answered.status_url or ""
        response.headers["Retry-After"] = RETRY_AFTER
    return answered
