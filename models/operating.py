"""What watching over the worker needs: which processes were heard of, and how much was ever done."""

from datetime import datetime

from sqlalchemy import CheckConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Big
from models.production import NOW


class Heartbeat(Base):
    """When a process was last heard of, wherever it runs.

    Attributes:
        process: `worker`, `beat`, `bridge`; `prune` for the last time that all was pruned.
        place: which of them, as host/number.
    """

    __tablename__ = "heartbeats"

    process: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[str] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Total(Base):
    """How many attempts ended their job so, of those that ended before `counted_until`: their rows may be gone.

    Attributes:
        outcome: `done` or `error`.
        code: the error's; empty for `done`.
    """

    __tablename__ = "totals"

    kind: Mapped[str] = mapped_column(primary_key=True)
    outcome: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True, server_default="")
    total: Mapped[Big]


class Counted(Base):
    """One row: until when `totals` has counted."""

    __tablename__ = "totals_counted"
    __table_args__ = (CheckConstraint("single", name="single"),)

    single: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    until: Mapped[datetime]
