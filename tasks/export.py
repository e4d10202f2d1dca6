"""Write an export to the database, part by part, for the bridge to hand out."""

import time
from collections.abc import Generator
from contextlib import closing
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from models.jobs import JobKind
from worker.attempt import Attempt, Ending, holding
from worker.celery import app
from worker.claims import Claim
from worker.db import transaction
from worker.errors import ColumnlineError
from worker.export import files, parts
from worker.export.order import Order
from worker.export.reading import Progress
from worker.failpoints import failpoint
from worker.heard import JobFailed
from worker.retry import RetryPolicy

SOFT_LIMIT = 3600
TIME_LIMIT = 3660
PART_SIZE = 1_000_000
LEASE = timedelta(seconds=300)
"""Longer than other jobs': an XLSX file is compressed in one go at its end, which takes a minute or more."""

POLICY = RetryPolicy(timedelta(seconds=30), timedelta(seconds=300))
_RENEWALS = 6  # in a lease


@app.task(name=JobKind.EXPORT.value, throws=(JobFailed,), soft_time_limit=SOFT_LIMIT, time_limit=TIME_LIMIT)
def write_export(*, job_id: str, run_id: str = "") -> None:
    """Write one export. Safe to receive twice; an attempt that died is begun again from nothing."""
    del run_id
    with holding(job_id, JobKind.EXPORT, on_error=_remove, policy=POLICY) as attempt:
        if attempt is None:
            return
        with transaction() as session:
            attempt.renew(session, LEASE)
            attempt.step("begin", files.begin, session, attempt.claim)
        result = attempt.step("write", _write, attempt)
        attempt.finish(result)


def _write(attempt: Attempt) -> dict[str, Any]:
    """Write the file, each part in a transaction of its own that holds the claim; returns the job's result."""
    progress, written, job_id = Progress(), 0, attempt.claim.job_id
    with closing(parts(Order.of(attempt.payload), progress)) as made:
        for position, part in enumerate(_gathered(attempt, made)):
            failpoint("export.part")
            with transaction() as session:
                attempt.renew(session, LEASE)
                files.put(session, job_id, position, part)
            written += len(part)
    return files.result(job_id, rows=progress.rows, dossiers=progress.dossiers, bytes=written)


def _gathered(attempt: Attempt, made: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    """The parts, small ones put together; the claim is renewed where none is written for long."""
    waiting, pause, renewed = bytearray(), LEASE.total_seconds() / _RENEWALS, time.monotonic()
    for part in made:
        waiting += part
        if len(waiting) >= PART_SIZE:
            yield bytes(waiting)
            waiting.clear()
            renewed = time.monotonic()
        elif time.monotonic() - renewed > pause:
            with transaction() as session:
                attempt.renew(session, LEASE)
            renewed = time.monotonic()
    if waiting:
        yield bytes(waiting)


def _remove(session: Session, claim: Claim, error: ColumnlineError) -> Ending:
    del error
    files.remove(session, claim.job_id)
    return Ending()
