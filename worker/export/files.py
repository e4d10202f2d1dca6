"""Exports as jobs: the order in a job's row, the file in parts beside it, kept for a while."""

import hashlib
from collections.abc import Generator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import delete, exists, func, insert, select, tuple_
from sqlalchemy.orm import Session, aliased

from models.exports import ExportPart
from models.jobs import SETTLED, Job, JobAttempt, JobKind, JobState
from worker import db, jobs
from worker.claims import Claim
from worker.errors import JobNotFound, JobStateConflict, NotFound, Unavailable
from worker.export.order import Order
from worker.settings import Settings

KEPT = timedelta(days=7)
"""How long a file can be fetched once its job is done."""


def ask(session: Session, config: Settings, order: Order, asked_by: str) -> tuple[Job, bool]:
    """Accept an export; while the same person's same export has not ended, this answers that one.

    Returns:
        The job, and whether this call made it.
    """
    payload = order.payload() | {"asked_by": asked_by}
    same = hashlib.sha256(orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)).hexdigest()
    unsettled = select(Job).where(Job.kind == JobKind.EXPORT, Job.key.startswith(same), Job.state.not_in(SETTLED))
    found = session.scalars(unsettled.limit(1)).one_or_none()
    if found is not None:
        return found, False
    key = f"{same}-{uuid4().hex}"
    return jobs.accept(session, config, kind=JobKind.EXPORT, key=key, client_id=None, payload=payload)


def begin(session: Session, held: Claim) -> None:
    """Make room: take away what an attempt that died has left, and files that nobody may fetch any more.

    Raises:
        Unavailable: another export is being written. One at a time, so that however many are asked for, they
            keep one process from publishing and no more.
    """
    mine, other, began = aliased(JobAttempt), aliased(JobAttempt), aliased(Job)
    earlier = (
        select(other.job_id)
        .join(began, (began.id == other.job_id) & (began.epoch == other.epoch))
        .where(began.kind == JobKind.EXPORT, began.state == JobState.RUNNING, began.id != held.job_id)
        .where(tuple_(other.started_at, other.job_id) < tuple_(mine.started_at, mine.job_id))
    )
    waits = select(exists(earlier)).where(mine.job_id == held.job_id, mine.epoch == held.epoch)
    if session.scalar(waits):
        raise Unavailable("Another export is being written. This one begins when that has ended.", step="begin")
    remove(session, held.job_id)
    old = select(Job.id).where(Job.kind == JobKind.EXPORT, Job.settled_at < func.now() - KEPT)
    session.execute(delete(ExportPart).where(ExportPart.job_id.in_(old)))


def put(session: Session, job_id: UUID, position: int, part: bytes) -> None:
    """Store a part of the file; the caller holds the claim."""
    session.execute(insert(ExportPart).values(job_id=job_id, position=position, bytes=part))


def remove(session: Session, job_id: UUID) -> None:
    """Take away the file, as far as it was written."""
    session.execute(delete(ExportPart).where(ExportPart.job_id == job_id))


def find(session: Session, job_id: UUID) -> tuple[Order, int]:
    """The order whose file can be fetched, and the file's size in bytes.

    Raises:
        JobNotFound: no such job, or one that writes no file.
        JobStateConflict: it has not ended, or ended without one.
        NotFound: the file was kept for its time.
    """
    job = jobs.get(session, job_id)
    if job.kind != JobKind.EXPORT:
        raise JobNotFound(
            f"Job {job_id} is no export. Take the id from the answer to the export.", field="export_id"
        )
    if job.state != JobState.DONE:
        raise JobStateConflict(f"Export {job_id} is {job.state}: it has no file. Look at the job.", field="state")
    if session.scalar(select(ExportPart.position).where(ExportPart.job_id == job_id).limit(1)) is None:
        raise _gone(job_id)
    return Order.of(job.payload), (job.result or {})["bytes"]


def _gone(job_id: UUID) -> NotFound:
    return NotFound(f"The file of export {job_id} was kept for {KEPT.days} days. Ask for another export.")


def parts(job_id: UUID, size: int) -> Generator[bytes, None, None]:
    """The file of a job that is done, part by part; no transaction is open between two.

    Args:
        job_id: the job.
        size: how many bytes the file has.

    Raises:
        NotFound: it was taken away, perhaps after some of its parts.
    """
    position = sent = 0
    while sent < size:
        part = _part(job_id, position)
        if part is None:
            raise _gone(job_id)
        yield part
        position += 1
        sent += len(part)


def _part(job_id: UUID, position: int) -> bytes | None:
    statement = select(ExportPart.bytes).where(ExportPart.job_id == job_id, ExportPart.position == position)
    with db.transaction() as session:
        return session.scalar(statement)


def result(job_id: UUID, **figures: Any) -> dict[str, Any]:
    """The `result` of an export's job."""
    return figures | {"file": f"/columnline/exports/{job_id}/file"}
