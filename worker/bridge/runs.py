"""Routes that take a run and its writer outputs in, and show what came."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from models.clean import storable
from models.jobs import JobKind, Scope
from models.pipeline import V2PipelineLog, V2Run
from worker import answers, db, inbox, jobs
from worker.answers import JobAnswer
from worker.bridge.auth import needs
from worker.bridge.body import Json, body_of, documented_body
from worker.bridge.context import bell
from worker.bridge.problems import documented
from worker.fields import Name, OptionalCount, OptionalName
from worker.waiting import wait_for

router = APIRouter(prefix="/columnline/runs", tags=["runs"], responses=documented())

MAX_OUTPUTS = 500


class RunFields(BaseModel):
    """What may be told about a run; what is absent stays as it is."""

    model_config = ConfigDict(extra="forbid")

    client_id: OptionalName = Field(default=None, description="a `v2_clients.client_id`")
    seed_data: dict[str, Any] | None = Field(default=None, description="the seed the run started from")
    dossier_id: OptionalName = Field(default=None, description="the pipeline's own name for the dossier")
    batch_number: OptionalName = Field(default=None, description="the batch made in Make.com, if any")
    config_snapshot: dict[str, Any] | None = None
    expected_contacts: Annotated[OptionalCount, Field(ge=0, le=10_000)] = Field(
        default=None,
        description="how many 6_ENRICH_CONTACT_INDIVIDUAL outputs will come; a publish waits for them",
    )


class OneOutput(BaseModel):
    """One raw writer output among several."""

    model_config = ConfigDict(extra="forbid")

    step_name: Name
    step_id: OptionalName = Field(default=None, description="for steps that occur several times")
    output: Any = Field(description="whatever the provider returned, unchanged")


class ManyOutputs(BaseModel):
    """Several raw writer outputs of one run."""

    model_config = ConfigDict(extra="forbid")

    outputs: list[OneOutput] = Field(min_length=1, max_length=MAX_OUTPUTS)


class OutputAnswer(BaseModel):
    """A step of the run, without what it holds."""

    step_id: str
    step_name: str
    status: str
    completed_at: datetime | None


class RunAnswer(BaseModel):
    """A run, the outputs that have come, and its publish."""

    ok: bool = True
    created: bool = Field(default=False, description="whether this request registered the run")
    run_id: str
    client_id: str | None
    status: str
    expected_contacts: int | None
    batch_number: str | None
    outputs: list[OutputAnswer]
    job: JobAnswer | None


class OutputsAnswer(BaseModel):
    """How many outputs were stored, and what had to be repaired to store them."""

    ok: bool = True
    run_id: str
    stored: int
    woke_job: bool = Field(description="whether a publish that waited for outputs is going on now")
    warnings: list[dict[str, Any]]


@router.put(
    "/{run_id}",
    dependencies=[needs(Scope.PUBLISH)],
    responses={201: {"model": RunAnswer, "description": "Registered"}},
    openapi_extra=documented_body(RunFields),
)
def register(
    run_id: Name, body: Annotated[RunFields, Depends(body_of(RunFields))], request: Request, response: Response
) -> RunAnswer:
    """Register a run, or update what is known of it."""
    fields = {name: value for name in body.model_fields_set if (value := getattr(body, name)) is not None}
    for name in ("seed_data", "config_snapshot"):
        if name in fields:
            fields[name], _ = storable(fields[name])
    with db.transaction() as session:
        created = inbox.register_run(session, run_id, fields)
    response.status_code = 201 if created else 200
    return _run(run_id, request, created=created)


@router.put(
    "/{run_id}/outputs/{step_name}",
    dependencies=[needs(Scope.PUBLISH)],
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": {}}}}},
)
def store_output(
    run_id: Name,
    step_name: Name,
    output: Json,
    request: Request,
    step_id: Annotated[OptionalName, Query(description="for steps that occur several times")] = None,
) -> OutputsAnswer:
    """Store one raw writer output: the body is what the provider returned. The same `step_id` again replaces."""
    return _store(run_id, [inbox.Output(step_name, output, step_id)], request)


@router.post(
    "/{run_id}/outputs",
    dependencies=[needs(Scope.PUBLISH)],
    openapi_extra=documented_body(ManyOutputs, required=True),
)
def store_many(
    run_id: Name, body: Annotated[ManyOutputs, Depends(body_of(ManyOutputs))], request: Request
) -> OutputsAnswer:
    """Store several raw writer outputs, all or none."""
    return _store(run_id, [inbox.Output(one.step_name, one.output, one.step_id) for one in body.outputs], request)


@router.get("/{run_id}", dependencies=[needs(Scope.READ)])
def show(run_id: Name, request: Request, wait: Annotated[OptionalCount, Query(ge=0, le=55)] = None) -> RunAnswer:
    """A run, the names of its outputs, and its publish; with `wait`, once that has ended."""
    with db.transaction() as session:
        job = jobs.find(session, JobKind.PUBLISH, run_id)
    if job is not None and wait:
        wait_for(job.id, wait)
    return _run(run_id, request)


def _store(run_id: str, outputs: list[inbox.Output], request: Request) -> OutputsAnswer:
    cleaned, warnings = [], []
    for output in outputs:
        value, replaced = storable(output.output)
        cleaned.append(inbox.Output(output.step_name, value, output.step_id))
        if replaced:
            detail = f"{replaced} characters that PostgreSQL cannot store were replaced by U+FFFD."
            warnings.append({"code": "characters_replaced", "step": output.step_name, "detail": detail})
    with db.transaction() as session:
        woken = inbox.store_outputs(session, run_id, cleaned)
    if woken is not None:
        bell(request).ring([woken])
    return OutputsAnswer(run_id=run_id, stored=len(cleaned), woke_job=woken is not None, warnings=warnings)


def _run(run_id: str, request: Request, *, created: bool = False) -> RunAnswer:
    with db.transaction() as session:
        run = session.get(V2Run, run_id)
        if run is None:
            raise inbox.run_not_found(run_id)
        steps = session.execute(
            select(
                V2PipelineLog.step_id, V2PipelineLog.step_name, V2PipelineLog.status, V2PipelineLog.completed_at
            )
            .where(V2PipelineLog.run_id == run_id)
            .order_by(V2PipelineLog.started_at, V2PipelineLog.step_id)
        )
        job = jobs.find(session, JobKind.PUBLISH, run_id)
        return RunAnswer(
            created=created,
            run_id=run.run_id,
            client_id=run.client_id,
            status=run.status,
            expected_contacts=run.expected_contacts,
            batch_number=run.batch_number,
            outputs=[OutputAnswer.model_validate(step, from_attributes=True) for step in steps],
            job=answers.answer(session, job, base_url=str(request.base_url)) if job else None,
        )
