"""Routes that take a run and its writer outputs in, and show what came."""

from collections.abc import Sequence
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
from worker.bridge.body import Json, body_of, doubled_keys
from worker.bridge.context import Wait, base_url, bell, waited
from worker.bridge.gate import RunId, StepName
from worker.bridge.openapi import documented, documented_body
from worker.fields import Name, Number, OptionalName, OptionalObject

router = APIRouter(prefix="/columnline/runs", tags=["runs"], responses=documented())

MAX_OUTPUTS = 500
MAX_CONTACTS = 10_000
STEP_ID = "for steps that occur several times; unique over all runs and steps, as in `RUN_1/10A_COPY/2`"


class RunFields(BaseModel):
    """What may be told about a run; what is absent stays as it is."""

    model_config = ConfigDict(extra="forbid")

    client_id: OptionalName = Field(default=None, description="a `v2_clients.client_id`")
    seed_data: OptionalObject = Field(default=None, description="the seed the run started from")
    dossier_id: OptionalName = Field(default=None, description="the pipeline's own name for the dossier")
    batch_number: OptionalName = Field(default=None, description="the batch made in Make.com, if any")
    config_snapshot: OptionalObject = Field(default=None, description="the configuration the run worked with")
    expected_contacts: Annotated[Annotated[int, Field(ge=0, le=MAX_CONTACTS)] | None, Number] = Field(
        default=None,
        description="how many 6_ENRICH_CONTACT_INDIVIDUAL outputs will come; a publish waits for them",
    )


class OneOutput(BaseModel):
    """One raw writer output among several."""

    model_config = ConfigDict(extra="forbid")

    step_name: Name = Field(description="the step's name, as in the pipeline", examples=["10_WRITER_INTRO"])
    step_id: OptionalName = Field(default=None, description=STEP_ID)
    output: Any = Field(description="whatever the provider returned, unchanged")


class ManyOutputs(BaseModel):
    """Several raw writer outputs of one run."""

    model_config = ConfigDict(extra="forbid")

    outputs: list[OneOutput] = Field(
        min_length=1,
        max_length=MAX_OUTPUTS,
        description="stored all or none; what comes twice under one id must be the same",
    )


class StepAnswer(BaseModel):
    """A step of the run, without what it holds."""

    step_id: str
    step_name: str
    status: str
    completed_at: datetime | None


class RunAnswer(BaseModel):
    """A run, the outputs that have come, and its publish."""

    ok: bool
    created: bool = Field(description="whether this request registered the run")
    run_id: str
    client_id: str | None
    status: str
    expected_contacts: int | None
    batch_number: str | None
    outputs: list[StepAnswer]
    job: JobAnswer | None = Field(description="the run's publish; null before the first")
    warnings: list[dict[str, Any]] = Field(description="what had to be repaired to store it")


class OutputsAnswer(BaseModel):
    """How many outputs were stored, and what had to be repaired to store them."""

    ok: bool
    run_id: str
    stored: int
    woke_job: bool = Field(description="whether a publish that waited for outputs is going on now")
    warnings: list[dict[str, Any]] = Field(description="what had to be repaired to store them")


OUTPUT = {"choices": [{"message": {"content": '{"company_name": "Northwind"}'}}]}


@router.put(
    "/{run_id}",
    summary="Register a run",
    dependencies=[needs(Scope.PUBLISH)],
    response_description="Updated",
    responses={201: {"model": RunAnswer, "description": "Registered"}},
    openapi_extra=documented_body(
        RunFields,
        examples={
            "a run": {
                "client_id": "CLT_NORTHWIND_001",
                "seed_data": {"company_name": "Northwind", "domain": "northwind.example"},
                "expected_contacts": 3,
            }
        },
    ),
)
def register(
    run_id: RunId, body: Annotated[RunFields, Depends(body_of(RunFields))], request: Request, response: Response
) -> RunAnswer:
    """Register a run, or update what is known of it. What is absent stays as it is."""
    fields = {name: value for name, value in body if value is not None}
    warnings = []
    for name in ("seed_data", "config_snapshot"):
        if name in fields:
            fields[name], repairs = _cleaned(fields[name], name)
            warnings += repairs
    with db.transaction() as session:
        created = inbox.register_run(session, run_id, fields)
    response.status_code = 201 if created else 200
    return _run(run_id, request, created=created, warnings=warnings)


@router.put(
    "/{run_id}/outputs/{step_name}",
    summary="Store an output",
    dependencies=[needs(Scope.PUBLISH)],
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "whatever the provider returned, unchanged",
            "content": {"application/json": {"schema": {}, "examples": {"Chat Completions": {"value": OUTPUT}}}},
        }
    },
)
def store_output(
    run_id: RunId,
    step_name: StepName,
    output: Json,
    request: Request,
    step_id: Annotated[OptionalName, Query(description=STEP_ID)] = None,
) -> OutputsAnswer:
    """Store one raw writer output: the body is what the provider returned. The same `step_id` again replaces it.

    Without a `step_id`, a run has one output of each step name.
    """
    return _store(run_id, [inbox.Output(step_name, output, step_id)], request)


@router.post(
    "/{run_id}/outputs",
    summary="Store several outputs",
    dependencies=[needs(Scope.PUBLISH)],
    openapi_extra=documented_body(
        ManyOutputs,
        required=True,
        examples={
            "two outputs": {
                "outputs": [
                    {"step_name": "10_WRITER_INTRO", "output": OUTPUT},
                    {"step_name": "10A_COPY", "step_id": "RUN_20260115_181206/10A_COPY/1", "output": OUTPUT},
                ]
            }
        },
    ),
)
def store_many(
    run_id: RunId, body: Annotated[ManyOutputs, Depends(body_of(ManyOutputs))], request: Request
) -> OutputsAnswer:
    """Store several raw writer outputs, all or none."""
    return _store(run_id, [inbox.Output(one.step_name, one.output, one.step_id) for one in body.outputs], request)


@router.get("/{run_id}", summary="Show a run", dependencies=[needs(Scope.READ)])
def show_run(run_id: RunId, request: Request, wait: Wait = None) -> RunAnswer:
    """A run, the names of its outputs, and its publish; with `wait`, once that has ended."""
    if wait:
        with db.transaction() as session:
            job = jobs.find(session, JobKind.PUBLISH, run_id)
        if job is not None:
            waited(request, job.id, wait)
    return _run(run_id, request)


def _store(run_id: str, outputs: Sequence[inbox.Output], request: Request) -> OutputsAnswer:
    cleaned, warnings = [], []
    for output in outputs:
        value, repairs = _cleaned(output.output, output.step_name)
        cleaned.append(inbox.Output(output.step_name, value, output.step_id))
        warnings += repairs
    with db.transaction() as session:
        woken = inbox.store_outputs(session, run_id, cleaned)
    if woken is not None:
        bell(request).ring([woken])
    return OutputsAnswer(
        ok=True,
        run_id=run_id,
        stored=len({output.id_in(run_id) for output in cleaned}),
        woke_job=woken is not None,
        warnings=warnings,
    )


def _cleaned(value: Any, where: str) -> tuple[Any, list[dict[str, Any]]]:
    """The value as it can be stored, and a warning for each kind of repair."""
    cleaned, replaced = storable(value)
    found = []
    if replaced:
        detail = f"{replaced} characters that PostgreSQL cannot store were replaced by U+FFFD."
        found.append({"code": "characters_replaced", "step": where, "detail": detail})
    if doubled := len(list(doubled_keys(value))):
        detail = f"In {doubled} objects a key came twice; the last value was kept."
        found.append({"code": "key_doubled", "step": where, "detail": detail})
    return cleaned, found


def _run(
    run_id: str, request: Request, *, created: bool = False, warnings: Sequence[dict[str, Any]] = ()
) -> RunAnswer:
    with db.transaction() as session:
        run = session.execute(
            select(V2Run.run_id, V2Run.client_id, V2Run.status, V2Run.expected_contacts, V2Run.batch_number).where(
                V2Run.run_id == run_id
            )
        ).one_or_none()
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
            ok=True,
            created=created,
            **run._mapping,  # noqa: SLF001 - the public name of a row's dict
            outputs=[StepAnswer.model_validate(step, from_attributes=True) for step in steps],
            job=answers.answer(session, job, base_url=base_url(request)) if job else None,
            warnings=list(warnings),
        )
