"""The config fields that two tables of clients share, what was last synced between them, and every change made."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Big
from models.production import NOW

CONFIG_FIELDS = ("icp_config", "industry_research", "research_context")
"""Columns of `v2_clients` and of `clients` (roadmap §3, option A)."""


class SyncAction(StrEnum):
    """What a sync did with a field, or found."""

    TO_PRODUCTION = "to_production"
    TO_V2 = "to_v2"
    CONFLICT = "conflict"


class ConfigSyncState(Base):
    """One field of one v2 client, as it was when both sides last agreed.

    Attributes:
        client_id: the production client it agreed with: another one's values are news.
        value: what both had. Without a `synced_at` they never agreed.
        conflict_since: since when both sides differ in a way that somebody must decide.
    """

    __tablename__ = "config_sync_state"

    v2_client_id: Mapped[str] = mapped_column(
        ForeignKey("v2_clients.client_id", ondelete="CASCADE"), primary_key=True
    )
    field: Mapped[str] = mapped_column(primary_key=True)
    client_id: Mapped[UUID | None]
    value: Mapped[dict[str, Any] | None]
    synced_at: Mapped[datetime | None]
    conflict_since: Mapped[datetime | None]


class ConfigSyncHistory(Base):
    """A value that a sync replaced, or a conflict that it met first.

    Attributes:
        before, after: the value on the side that was written; of a conflict, the v2 side's and production's.
    """

    __tablename__ = "config_sync_history"
    __table_args__ = (
        CheckConstraint("action in ('to_production', 'to_v2', 'conflict')", name="action"),
        Index("config_sync_history_v2_client_id_idx", "v2_client_id", "id"),
    )

    id: Mapped[Big] = mapped_column(Identity(), primary_key=True)
    v2_client_id: Mapped[str]
    client_id: Mapped[UUID]
    field: Mapped[str]
    action: Mapped[str]
    asked_by: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=NOW)
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
