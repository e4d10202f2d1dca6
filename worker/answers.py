"""The job answer: the same keys whatever the outcome, because Make.com learns them from one run (design §3)."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.jobs import SETTLED, Job, JobAttempt, JobState
from models.production import Batch, Dossier, DossierList
from worker.errors import ColumnlineError


class ErrorAnswer(BaseModel):
    """Why the job is in error, is held, or is tried again."""

    code: str
    title: str
    detail: str
    step: str | None = None
    field: str | None = None
    findings: list[dict[str, Any]] = []


class JobAnswer(BaseModel):
    """A job as callers see it."""

    ok: bool = Field(description="false once the job is in error or cancelled")
    done: bool = Field(description="true once the job will not change by itself: done, error or cancelled")
    retryable: bool = Field(description="whether a retry may help, now or once its cause is cured")
    duplicate: bool = Field(default=False, description="true if this request changed nothing")
    job_id: UUID | None = None
    run_id: str | None = None
    status: JobState | None = None
    step: str | None = None
    attempt: int = 0
    max_attempts: int = 0
    run_at: datetime | None = None
    held_reason: str | None = None
    error: ErrorAnswer | None = None
    warnings: list[dict[str, Any]] = []
    dossier_id: UUID | None = None
    batch_id: UUID | None = None
    batch_number: str | None = None
    contacts_created: int = 0
    pipeline_version: Literal["v2"] = "v2"
    release_date: date | None = None
    released_at: datetime | None = None
    supersedes_dossier_id: UUID | None = None
    list_ids: list[UUID] = []
    created_at: datetime | None = None
    settled_at: datetime | None = None
    status_url: str | None = None


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
    return JobAnswer(**_fields(session, job, base_url), duplicate=duplicate)


def detail(session: Session, job: Job, tries: list[JobAttempt], *, base_url: str = "/") -> JobDetail:
    """The job answer with its attempts and its result."""
    attempts = [AttemptAnswer.model_validate(attempt, from_attributes=True) for attempt in tries]
    return JobDetail(**_fields(session, job, base_url), attempts=attempts, result=job.result)


def refusal(error: ColumnlineError, run_id: str | None) -> JobAnswer:
    """The answer for a run that was not accepted, among others that were."""
    return JobAnswer(
        ok=False,
        done=True,
        retryable=error.retryable,
        run_id=run_id,
        error=ErrorAnswer(**error.as_dict()),
    )


def _fields(session: Session, job: Job, base_url: str) -> dict[str, Any]:
    error = job.error or {}
    return {
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
        **_dossier(session, job.result or {}),
    }


def _dossier(session: Session, result: dict[str, Any]) -> dict[str, Any]:
    dossier_id = result.get("dossier_id")
    if dossier_id is None:
        return {}
    row = session.execute(
        select(
            Dossier.batch_id,
            Batch.batch_number,
            Dossier.release_date,
            Dossier.released_at,
            Dossier.supersedes_dossier_id,
        )
        .outerjoin(Batch, Batch.id == Dossier.batch_id)
        .where(Dossier.id == UUID(dossier_id))
    ).one_or_none()
    if row is None:  # deleted by hand since
        return {"dossier_id": dossier_id}
    lists = session.scalars(select(DossierList.list_id).where(DossierList.dossier_id == UUID(dossier_id)))
    return {
        "dossier_id": dossier_id,
        "contacts_created": result.get("contacts_created", 0),
        "list_ids": list(lists),
        **row._mapping,  # noqa: SLF001 - the public name of a row's dict
    }
