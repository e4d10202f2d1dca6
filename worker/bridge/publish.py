"""Routes that ask for a publish: one, many, or a dry run."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.jobs import Scope
from models.orders import PublishOrder
from worker import answers, db, inbox, jobs
from worker.answers import JobAnswer, JobDetail
from worker.bridge.auth import needs
from worker.bridge.body import body_of
from worker.bridge.context import base_url, bell, waited
from worker.bridge.gate import RunId
from worker.bridge.openapi import documented, documented_body
from worker.bridge.problems import legible, validation
from worker.errors import ColumnlineError, Validation
from worker.fields import (
    ANY_DAY,
    LONGEST_NAME,
    MAX_WAIT,
    AbsentIfEmpty,
    Name,
    OptionalFlag,
    OptionalId,
    OptionalName,
    OptionalUrl,
    ReleaseDate,
    Seconds,
)
from worker.settings import settings

router = APIRouter(prefix="/columnline/publish", tags=["publish"], responses=documented())

PREVIEW_WAIT = 25
MAX_RUNS = 500
RETRY_AFTER = "5"


class Options(BaseModel):
    """What a publish may say; all of it optional."""

    model_config = ConfigDict(extra="forbid")

    release_date: ReleaseDate = Field(
        default=None,
        description="the day the client may see it, at the client's release hour; absent: at once. Also a moment "
        "such as 2026-01-20T05:00:00.000Z, which is read in the client's time zone, or `drip` for the client's "
        "next free slot",
        json_schema_extra=ANY_DAY,
    )
    default_list_id: OptionalId = Field(default=None, description="the list to put it on, by id")
    list: OptionalName = Field(
        default=None, description="the list to put it on, by name; absent: the client's usual one"
    )
    supersede: Annotated[Literal["auto", "none"] | None, AbsentIfEmpty] = Field(
        default=None,
        description="auto: replace the client's newest dossier of this company; none: replace nothing; absent: as "
        "the client wants it",
    )
    supersedes_run_id: OptionalName = Field(default=None, description="replace the dossier of this run")
    supersedes_dossier_id: OptionalId = Field(default=None, description="replace this dossier")
    batch_number: OptionalName = Field(default=None, description="the batch, where Make.com numbers them")
    callback_url: OptionalUrl = Field(
        default=None,
        description="where to send the job's answer once it has ended, signed; https, an allowed host",
    )
    republish: OptionalFlag = Field(
        default=None,
        description="true: assemble again into the dossier that is there; contacts are replaced; release, link "
        "and lists are kept but for what is named here",
    )


class PublishOptions(Options):
    """What a publish may say, in the body or the query; all of it optional."""

    wait: Seconds = Field(
        default=None,
        description=f"answer once it has ended, or after so many seconds ({MAX_WAIT} at most)",
    )


class RunToPublish(Options):
    """One of many runs to publish."""

    run_id: Name = Field(description="a registered run", examples=["RUN_20260115_181206"])


class RunsToPublish(BaseModel):
    """Many runs to publish; each is accepted or refused by itself."""

    model_config = ConfigDict(extra="forbid")

    runs: list[Any] = Field(
        min_length=1,
        max_length=MAX_RUNS,
        description="answered in this order",
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
EXAMPLES = {
    "at once": {},
    "in the next drip slot": {"release_date": "drip"},
    "in place of an older run's": {"supersedes_run_id": "RUN_20260110_155527"},
    "on a day": {"release_date": "2026-01-20"},
    "again, into the same dossier": {"republish": True},
}


@router.post(
    "/{run_id}",
    summary="Publish a run",
    dependencies=[needs(Scope.PUBLISH)],
    response_description="It has ended",
    responses={
        202: {
            "model": JobAnswer,
            "description": "Accepted; look at `status_url` for its end. One with `held_reason` waits for somebody",
        }
    },
    openapi_extra=documented_body(PublishOptions, examples=EXAMPLES),
)
def publish(run_id: RunId, query: InQuery, body: InBody, request: Request, response: Response) -> JobAnswer:
    """Publish a finished run; with `wait`, answer once it has ended.

    The same request again answers the same job. With other parameters it is a `publish_conflict`, unless
    `republish` is true. A job in error or cancelled starts over.
    """
    options = _merged(query, body)
    with db.transaction() as session:
        job, new = inbox.accept_publish(session, settings(), _order(run_id, options))
        answered = answers.answer(session, job, duplicate=not new, base_url=base_url(request))
    if new:
        bell(request).ring([job])
    if options.wait:
        job = waited(request, job.id, options.wait)
        with db.transaction() as session:
            answered = answers.answer(session, job, duplicate=not new, base_url=base_url(request))
    return _told(response, answered)


@router.post(
    "/{run_id}/preview",
    summary="Preview a publish",
    dependencies=[needs(Scope.PUBLISH)],
    response_model=JobDetail,
    response_description="It has ended; `result` holds the dossier and the contacts",
    responses={202: {"model": JobDetail, "description": "Accepted; look at `status_url` for its end"}},
    openapi_extra=documented_body(PublishOptions, examples=EXAMPLES),
)
def preview(run_id: RunId, query: InQuery, body: InBody, request: Request, response: Response) -> JobAnswer:
    """Show what a publish would make of the run, as the job's `result`; touches no table of the app.

    Waits 25 seconds unless told otherwise.
    """
    options = _merged(query, body)
    with db.transaction() as session:
        job = inbox.accept_preview(session, settings(), _order(run_id, options))
    bell(request).ring([job])
    wait = PREVIEW_WAIT if options.wait is None else options.wait
    job = waited(request, job.id, wait)
    with db.transaction() as session:
        tries = jobs.attempts(session, job.id)
        answered = answers.detail(session, job, tries, base_url=base_url(request))
    return _told(response, answered)


@router.post(
    "",
    summary="Publish many runs",
    dependencies=[needs(Scope.PUBLISH)],
    status_code=202,
    response_description="One answer per run, in the order sent; those refused have an `error` and no `job_id`",
    openapi_extra=documented_body(
        RunsToPublish,
        required=True,
        examples={
            "two runs": {
                "runs": [
                    {"run_id": "RUN_20260115_181206"},
                    {"run_id": "RUN_20260115_182544", "release_date": "2026-01-20"},
                ]
            }
        },
    ),
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
            answered = answers.answer(session, job, duplicate=not new, base_url=base_url(request))
    except ColumnlineError as error:
        run_id = entry.get("run_id") if isinstance(entry, dict) else entry
        return answers.refusal(error, legible(run_id, LONGEST_NAME) if isinstance(run_id, str) else None)
    if new:
        bell(request).ring([job])
    return answered


def _order(run_id: str, options: Options) -> PublishOrder:
    named = options.model_dump(include=set(PublishOrder.model_fields), exclude_none=True)
    return PublishOrder(**named | {"run_id": run_id})


def _merged(query: PublishOptions, body: PublishOptions) -> PublishOptions:
    """The options of query and body together.

    Raises:
        Validation: one is given in both, with two values.
    """
    given = {name: value for name, value in query if value is not None}
    for name, value in given.items():
        if getattr(body, name) not in {None, value}:
            raise Validation(
                f"`{name}` is in the query and in the body, with two values. Send it once.", field=name
            )
    return body.model_copy(update=given)


def _told(response: Response, answered: JobAnswer) -> JobAnswer:
    """The answer as it is sent: 200 if the job has ended, else 202 and where to look."""
    if not answered.done:
        response.status_code = 202
        response.headers["Location"] = answered.status_url or ""
        response.headers["Retry-After"] = RETRY_AFTER
    return answered
