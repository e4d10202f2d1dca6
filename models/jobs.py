"""What the worker owes: jobs, every attempt at them, and the keys of those who may ask.

A job's row is the truth about it; the message that wakes a worker is only a doorbell (design §1). The
CHECKs tie each state to its columns, so no code path can leave a job in limbo.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Big
from models.production import NEW_UUID, NOW


class JobState(StrEnum):
    """The states of a job (design §2). The last three are settled: only a hand moves them."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    HELD = "held"
    DONE = "done"
    ERROR = "error"
    CANCELLED = "cancelled"


ENDED = "outcome in ('done', 'error')"
"""Attempts that ended their job: written out, because only a query that says just this can use the index."""

SETTLED = (JobState.DONE, JobState.ERROR, JobState.CANCELLED)
AT_REST = (*SETTLED, JobState.HELD)
"""States in which a job stays until somebody acts: to wait, or to ask again, would tell nothing new."""
DUE = (JobState.QUEUED, JobState.WAITING)


class JobKind(StrEnum):
    """The kinds of jobs: each is the name of the Celery task that does it."""

    PUBLISH = "publish.run"
    PREVIEW = "publish.preview"
    RERUN = "rerun.trigger"
    CALLBACK = "callback.send"
    EXPORT = "export.write"


class AttemptOutcome(StrEnum):
    """How an attempt ended. `RETRY` used one of the job's attempts up; `WAITING` and `OUTAGE` did not."""

    DONE = "done"
    RETRY = "retry"
    WAITING = "waiting"
    OUTAGE = "outage"
    HELD = "held"
    ERROR = "error"
    LOST = "lost"


def _one_of(column: str, values: type[StrEnum]) -> str:
    return f"{column} in ({', '.join(repr(value.value) for value in values)})"


class Job(Base):
    """A thing to be done once. `kind` is the name of the Celery task that does it.

    Attributes:
        key: with `kind` the identity of the job: the run id for a publish.
        client_id: the v2 client, for fairness and filters.
        attempt: attempts used, counted at claim.
        lost: claims whose worker was never heard of again.
        epoch: the fencing token: up at every claim, rescue and action by hand, never down.
        run_at: not before this moment.
        deadline_at: outages may put the job off until then.
        waiting_since: since when an attempt finds something missing.
        rung_at, rings: the last doorbell and how many there were: hints only.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("kind", "key"),
        CheckConstraint(_one_of("state", JobState), name="state"),
        CheckConstraint("(state = 'running') = (leased_until is not null)", name="running"),
        CheckConstraint("(state = 'held') = (held_reason is not null)", name="held"),
        CheckConstraint("(state in ('done', 'error', 'cancelled')) = (settled_at is not null)", name="settled"),
        CheckConstraint("state <> 'error' or error is not null", name="error"),
        CheckConstraint("state <> 'done' or result is not null", name="done"),
        CheckConstraint("attempt between 0 and max_attempts", name="attempt"),
        Index("jobs_due_idx", "run_at", postgresql_where=text("state in ('queued', 'waiting')")),
        Index("jobs_leased_until_idx", "leased_until", postgresql_where=text("state = 'running'")),
        Index(
            "jobs_rung_idx", "client_id", "kind", postgresql_where=text("state = 'queued' and rung_at is not null")
        ),
        Index(
            "jobs_unrung_idx",
            "client_id",
            "kind",
            "run_at",
            postgresql_where=text("state = 'queued' and rung_at is null"),
        ),
        Index("jobs_held_idx", "client_id", postgresql_where=text("state = 'held'")),
        Index("jobs_error_idx", "settled_at", postgresql_where=text("state = 'error'")),
        Index("jobs_created_at_idx", "created_at", "id"),
        Index("jobs_passing_idx", "settled_at", postgresql_where=text("kind <> 'publish.run'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=NEW_UUID)
    kind: Mapped[str]
    key: Mapped[str]
    client_id: Mapped[str | None]
    payload: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(server_default="queued")
    step: Mapped[str | None]
    attempt: Mapped[int] = mapped_column(server_default="0")
    max_attempts: Mapped[int]
    lost: Mapped[int] = mapped_column(server_default="0")
    epoch: Mapped[Big] = mapped_column(server_default="0")
    run_at: Mapped[datetime] = mapped_column(server_default=NOW)
    deadline_at: Mapped[datetime]
    waiting_since: Mapped[datetime | None]
    leased_until: Mapped[datetime | None]
    rung_at: Mapped[datetime | None]
    rings: Mapped[int] = mapped_column(server_default="0")
    held_reason: Mapped[str | None]
    error: Mapped[dict[str, Any] | None]
    warnings: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    result: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    started_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]


class JobAttempt(Base):
    """One claim of a job: who, when, how it ended, at which step, and how long each step took."""

    __tablename__ = "job_attempts"
    __table_args__ = (
        CheckConstraint(_one_of("outcome", AttemptOutcome), name="outcome"),
        CheckConstraint("(outcome is null) = (finished_at is null)", name="finished"),
        Index("job_attempts_ended_idx", "finished_at", postgresql_where=text(ENDED)),
    )

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    epoch: Mapped[Big] = mapped_column(primary_key=True)
    attempt: Mapped[int]
    worker: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(server_default=NOW)
    finished_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    step: Mapped[str | None]
    error: Mapped[dict[str, Any] | None]
    timings: Mapped[dict[str, Any] | None]


class Scope(StrEnum):
    """What a key may do. Each includes those before it: `read` looks, `publish` sends, `ops` acts."""

    READ = "read"
    PUBLISH = "publish"
    OPS = "ops"


class ApiKey(Base):
    """A key to the bridge. The secret itself is shown once and never stored."""

    __tablename__ = "api_keys"
    __table_args__ = (CheckConstraint(_one_of("scope", Scope), name="scope"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    scope: Mapped[str]
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
