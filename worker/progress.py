"""How far batches are, as it is now: also while their runs are still on their way (roadmap §1, option A)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import text
from sqlalchemy.orm import Session

from worker import paging
from worker.batches import PROGRESS
from worker.errors import BatchNotFound


class BatchProgress(BaseModel):
    """A batch, and how far it is."""

    batch_id: UUID
    client_id: UUID = Field(description="the client of the app")
    client_name: str
    batch_number: str
    status: str = Field(description="pending, processing, complete or complete_with_errors; V1 has its own")
    created_at: datetime
    total: int = Field(description="its dossiers, and the runs registered with it that are to become one")
    completed: int = Field(description="dossiers that were published")
    failed: int = Field(description="dossiers in error, and runs that failed without one")
    running: int = Field(description="runs that have not failed, and whose publish was accepted and has not ended")
    held: int = Field(description="of those, the ones that wait for somebody to act")
    outstanding: int = Field(description="runs that were registered and not sent for publishing yet")

    @property
    def is_over(self) -> bool:
        """Whether everything in it has ended."""
        return self.completed + self.failed == self.total


def show(session: Session, batch_id: UUID) -> BatchProgress:
    """The batch as it is now.

    Raises:
        BatchNotFound: no such batch.
    """
    row = session.execute(text(f"{PROGRESS} where b.id = :id"), {"id": batch_id}).mappings().one_or_none()
    if row is None:
        raise BatchNotFound(
            f"There is no batch {batch_id}. Take `batch_id` from a job's answer, or list them: GET "
            "/columnline/batches.",
            field="batch_id",
        )
    return _progress(row)


def page(
    session: Session, *, client_id: UUID | None = None, limit: int, cursor: str | None = None
) -> tuple[list[BatchProgress], str | None]:
    """One page of batches, newest first, and the cursor of the next, or None on the last.

    Raises:
        Validation: the cursor is none that this function gave.
    """
    conditions, values = ["true"], dict[str, Any]()
    if client_id is not None:
        conditions.append("b.client_id = :client_id")
        values["client_id"] = client_id
    if cursor is not None:
        conditions.append("(b.created_at, b.id) < (:moment, :id)")
        values["moment"], values["id"] = paging.read(cursor)
    statement = (
        f"{PROGRESS} where {' and '.join(conditions)} order by b.created_at desc, b.id desc limit {limit + 1:d}"
    )
    rows = [_progress(row) for row in session.execute(text(statement), values).mappings()]
    return paging.cut(rows, limit, lambda row: (row.created_at, row.batch_id))


def _progress(row: Any) -> BatchProgress:
    return BatchProgress(
        batch_id=row["id"],
        running=row["begun"],
        outstanding=row["total"] - row["completed"] - row["failed"] - row["begun"],
        **{name: row[name] for name in BatchProgress.model_fields if name in row},
    )
