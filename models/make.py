"""What goes between us and Make.com: reruns, callbacks that nobody wants any more, signed requests seen."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base
from models.production import NEW_UUID, NOW


class RerunState(StrEnum):
    """How far a rerun is (roadmap §7). The last three are ends; a late publish still turns one to `published`."""

    REQUESTED = "requested"
    TRIGGERED = "triggered"
    PUBLISHED = "published"
    FAILED = "failed"
    TIMED_OUT = "timed_out"


OPEN_RERUNS = (RerunState.REQUESTED, RerunState.TRIGGERED)


class Rerun(Base):
    """The pipeline started again from a dossier's seed, under a run id of ours.

    Attributes:
        agents: which of the pipeline's agents to run again; None: all.
        sent_at: since when Make.com may have been told: from then on it is not told again by itself.
        execution_id: Make.com's, where its API told one.
    """

    __tablename__ = "reruns"
    __table_args__ = (
        CheckConstraint(
            f"state in ({', '.join(repr(state.value) for state in RerunState)})",
            name="state",
        ),
        CheckConstraint("(state in ('requested', 'triggered')) = (ended_at is null)", name="ended"),
        Index(
            "reruns_dossier_id_key",
            "dossier_id",
            unique=True,
            postgresql_where=text("state in ('requested', 'triggered')"),
        ),
        Index("reruns_dossier_id_idx", "dossier_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=NEW_UUID)
    dossier_id: Mapped[UUID] = mapped_column(ForeignKey("dossiers.id", ondelete="CASCADE"))
    run_id: Mapped[str] = mapped_column(unique=True)
    state: Mapped[str] = mapped_column(server_default="requested")
    agents: Mapped[list[Any] | None]
    asked_by: Mapped[str]
    execution_id: Mapped[str | None]
    error: Mapped[dict[str, Any] | None]
    requested_at: Mapped[datetime] = mapped_column(server_default=NOW)
    sent_at: Mapped[datetime | None]
    triggered_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class GoneCallback(Base):
    """A callback address that answered 410: it gets no more until a delivery is replayed."""

    __tablename__ = "gone_callbacks"

    url: Mapped[str] = mapped_column(primary_key=True)
    gone_at: Mapped[datetime] = mapped_column(server_default=NOW)


class SignedMessage(Base):
    """The id of a signed request that was taken: it is taken once."""

    __tablename__ = "signed_messages"
    __table_args__ = (Index("signed_messages_seen_at_idx", "seen_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(server_default=NOW)
