"""What happened to a dossier's place on the calendar: one row for each decision, and for each release."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Big
from models.production import NOW


class CalendarAction(StrEnum):
    """What was done."""

    SCHEDULED = "scheduled"
    RELEASED = "released"
    HELD = "held"
    ARCHIVED = "archived"
    MOVED = "moved"


class CalendarEvent(Base):
    """One decision about when readers see a dossier, or its release (roadmap §5).

    Attributes:
        asked_by: who or what: `publish`, `beat`, `key NAME`, `command line`.
        release_date, release_at: as they are since.
        previous_date, previous_at: as they were before.
    """

    __tablename__ = "calendar_events"
    __table_args__ = (
        CheckConstraint("action in ('scheduled', 'released', 'held', 'archived', 'moved')", name="action"),
        Index("calendar_events_dossier_id_idx", "dossier_id", "id"),
    )

    id: Mapped[Big] = mapped_column(Identity(), primary_key=True)
    dossier_id: Mapped[UUID] = mapped_column(ForeignKey("dossiers.id", ondelete="CASCADE"))
    action: Mapped[str]
    asked_by: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=NOW)
    release_date: Mapped[date | None]
    release_at: Mapped[datetime | None]
    previous_date: Mapped[date | None]
    previous_at: Mapped[datetime | None]
