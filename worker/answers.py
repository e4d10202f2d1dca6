"""The job answer: the same keys whatever the outcome, because Make.com learns them from one run (design §3)."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import Uuid, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from models.jobs import SETTLED, Job, JobAttempt, JobState
from models.production import Batch, Dossier, DossierList
from worker.errors import ColumnlineError
from worker.settings import Settings


class ErrorAnswer(BaseModel):
    """Why the job is in error, is held, or is tried again."""

    code: str
    title: str
    detail: str
    step: str | None = None
    field: str | None = None
    findings: list[dict[str, Any]] = []


class JobAnswer(BaseModel):
    """A job as callers see it: the same keys whatever the outcome."""

    ok: bool = Field(description="false once the job is in error or cancelled")
    done: bool = Field(description="true once the job will not change by itself: done, error or cancelled")
    retryable: bool = Field(description="whether a retry may help, now or once its cause is cured")
    duplicate: bool = Field(default=False, description="true if this request changed nothing")
    job_id: UUID | None = Field(default=None, description="null where a run was refused")
    run_id: str | None = None
    status: JobState | None = Field(default=None, description="null where a run was refused")
    step: str | None = Field(default=None, description="the step last begun")
    attempt: int = Field(default=0, description="attempts used")
    max_attempts: int = 0
    run_at: datetime | None = Field(default=None, description="when it is due, or was last")
    held_reason: str | None = Field(default=None, description="the code of what somebody must do, such as mapping")
    error: ErrorAnswer | None = Field(default=None, description="why it ended, is held, or is tried again")
    warnings: list[dict[str, Any]] = Field(default=[], description="what was repaired in the outputs")
    dossier_id: UUID | None = None
    batch_id: UUID | None = None
    batch_number: str | None = None
    contacts_created: int = 0
    pipeline_version: Literal["v2"] = "v2"
    release_date: date | None = Field(default=None, description="the day of release, in the client's time zone")
    released_at: datetime | None = Field(default=None, description="null until the client may see the dossier")
    supersedes_dossier_id: UUID | None = Field(default=None, description="the older dossier it replaces")
    list_ids: list[UUID] = Field(default=[], description="the lists it is on")
    created_at: datetime | None = Field(default=None, description="when the publish was accepted")
    settled_at: datetime | None = Field(default=None, description="when it ended")
    status_url: str | None = Field(
        default=None, description="GET it to look again; with `?wait=25`, once it ended"
    )


class AttemptAnswer(BaseModel):
    """One try at the job."""

    attempt: int
    epoch: int
    worker: str
    started_at: datetime
    finished_at: datetime | None
    outcome: str | None
    step: str | None
    error: ErrorAnswer | None
    timings: dict[str, float] | None


class JobDetail(JobAnswer):
    """A job with every attempt at it and, for a preview, what came out."""

    attempts: list[AttemptAnswer] = []
    result: dict[str, Any] | None = None


def answer(session: Session, job: Job, *, duplicate: bool = False, base_url: str = "/") -> JobAnswer:
    """The job answer, with the dossier's release, batch and lists as they are now."""
    return JobAnswer(**_fields(job, _dossiers(session, [job]), base_url), duplicate=duplicate)


def page(session: Session, jobs: Sequence[Job], *, base_url: str = "/") -> list[JobAnswer]:
    """The answers of many jobs, with one look at their dossiers."""
    dossiers = _dossiers(session, jobs)
    return [JobAnswer(**_fields(job, dossiers, base_url)) for job in jobs]


def detail(session: Session, job: Job, tries: list[JobAttempt], *, base_url: str = "/") -> JobDetail:
    """The job answer with its attempts and its result."""
    attempts = [AttemptAnswer.model_validate(attempt, from_attributes=True) for attempt in tries]
    return JobDetail(**_fields(job, _dossiers(session, [job]), base_url), attempts=attempts, result=job.result)


def base_url(config: Settings, called: str) -> str:
    """Where callers reach the bridge, with a slash at its end: as the settings say, else as it was called."""
    return f"{config.public_url.rstrip('/')}/" if config.public_url else called


def refusal(error: ColumnlineError, run_id: str | None) -> JobAnswer:
    """The answer for a run that was not accepted, among others that were."""
    return JobAnswer(
        ok=False,
        done=True,
        retryable=error.retryable,
        run_id=run_id,
        error=ErrorAnswer(**error.as_dict()),
    )


def _fields(job: Job, dossiers: Mapping[str, dict[str, Any]], base_url: str) -> dict[str, Any]:
    error, result = job.error or {}, job.result or {}
    dossier_id = result.get("dossier_id")
    fields = {
        "ok": job.state not in {JobState.ERROR, JobState.CANCELLED},
        "done": job.state in SETTLED,
        "retryable": bool(error.get("retryable")) or job.state == JobState.CANCELLED,
        "job_id": job.id,
        "run_id": job.payload.get("run_id"),
        "status": job.state,
        "step": job.step,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "run_at": job.run_at,
        "held_reason": job.held_reason,
        "error": ErrorAnswer.model_validate(error) if error else None,
        "warnings": job.warnings,
        "created_at": job.created_at,
        "settled_at": job.settled_at,
        "status_url": f"{base_url}columnline/jobs/{job.id}",
        "dossier_id": dossier_id,
    }
    if dossier := dossiers.get(dossier_id or ""):  # else it was deleted by hand since
        fields |= dossier | {"contacts_created": result.get("contacts_created", 0)}
    return fields


def _dossiers(session: Session, jobs: Sequence[Job]) -> dict[str, dict[str, Any]]:
    """What the answers say of the jobs' dossiers, by dossier id."""
    ids = [UUID(job.result["dossier_id"]) for job in jobs if job.result and job.result.get("dossier_id")]
    if not ids:
        return {}
    lists = select(DossierList.list_id).where(DossierList.dossier_id == Dossier.id).order_by(DossierList.list_id)
    rows = session.execute(
        select(
            Dossier.id,
            Dossier.batch_id,
            Batch.batch_number,
            Dossier.release_date,
            Dossier.released_at,
            Dossier.supersedes_dossier_id,
            func.array(lists.scalar_subquery(), type_=ARRAY(Uuid)).label("list_ids"),
        )
        .outerjoin(Batch, Batch.id == Dossier.batch_id)
        .where(Dossier.id.in_(ids))
    ).mappings()
    return {str(row["id"]): {name: row[name] for name in row if name != "id"} for row in rows}
