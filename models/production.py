"""The tables the app reads (V1), with the columns V2 adds: to `dossiers` from `pipeline_version` on.

V1 rows stay as they are; their values are wider than what V2 writes, so nothing here constrains them.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base

NOW = text("now()")
NEW_UUID = text("gen_random_uuid()")

SCHEDULED = "status = 'ready' and released_at is null and release_at is not null"
"""What is on the calendar: written out, because only a query that says just this can use the partial index."""


class DossierStatus(StrEnum):
    """`dossiers.status`: V1's values, and `error`, which the worker adds."""

    SKELETON = "skeleton"
    ENRICHING = "enriching"
    READY = "ready"
    ARCHIVED = "archived"
    SUPERSEDED = "superseded"
    ERROR = "error"


class BatchStatus(StrEnum):
    """`batches.status` as V2 writes it (roadmap §1, option A)."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETE = "complete"
    COMPLETE_WITH_ERRORS = "complete_with_errors"


class Client(Base):
    """A customer of Columnline; row level security isolates clients by this id.

    V2 adds the pipeline's config fields, which are kept equal to those of `v2_clients` (roadmap §3).
    """

    __tablename__ = "clients"
    __table_args__ = (CheckConstraint("release_hour between 0 and 23", name="release_hour"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=NEW_UUID)
    name: Mapped[str]
    slug: Mapped[str | None] = mapped_column(unique=True)
    timezone: Mapped[str] = mapped_column(server_default="UTC")
    release_hour: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    drip_enabled: Mapped[bool] = mapped_column(server_default=text("false"))
    drip_frequency: Mapped[str | None]
    drip_day: Mapped[int | None] = mapped_column(SmallInteger)
    drip_next_run: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)
    icp_config: Mapped[dict[str, Any] | None]
    industry_research: Mapped[dict[str, Any] | None]
    research_context: Mapped[dict[str, Any] | None]


class Batch(Base):
    """Dossiers the app shows together, by generation date (roadmap §1)."""

    __tablename__ = "batches"
    __table_args__ = (UniqueConstraint("client_id", "batch_number"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=NEW_UUID)
    client_id: Mapped[UUID] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"))
    batch_number: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="pending")
    total_dossiers: Mapped[int] = mapped_column(server_default="0")
    completed_dossiers: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Dossier(Base):
    """A sales brief about one company. Visible to its client once `released_at` has passed.

    Attributes:
        release_date: the client's day on which it is or was to be released, for the app to show.
        release_at: the moment at which beat releases it; None: at once, held, or V1's own affair.
        drip_position: which of its slot's places it has, from 1; None: it took no drip slot.
        company_key: what the dossiers of one company share (`models.domain_name.company_key`); None in V1 rows.
        supersedes_dossier_id: the older dossier it is to replace, from the moment it is published.
        superseded_by_dossier_id: the dossier that replaced it, from the moment readers see that one.
    """

    __tablename__ = "dossiers"
    __table_args__ = (
        Index("dossiers_run_id_key", "run_id", unique=True, postgresql_where=text("run_id is not null")),
        Index("dossiers_pipeline_version_idx", "pipeline_version", "client_id"),
        Index("dossiers_release_at_idx", "release_at", "id", postgresql_where=text(SCHEDULED)),
        Index(
            "dossiers_drip_slot_key",
            "client_id",
            "release_at",
            "drip_position",
            unique=True,
            postgresql_where=text("drip_position is not null"),
        ),
        Index("dossiers_company_key_idx", "client_id", "company_key"),
        Index(
            "dossiers_supersedes_dossier_id_idx",
            "supersedes_dossier_id",
            postgresql_where=text("supersedes_dossier_id is not null"),
        ),
        Index(
            "dossiers_supersedes_dossier_id_key",
            "supersedes_dossier_id",
            unique=True,
            postgresql_where=text("supersedes_dossier_id is not null and pipeline_version = 'v2'"),
        ),
        Index(
            "dossiers_superseded_by_dossier_id_idx",
            "superseded_by_dossier_id",
            postgresql_where=text("superseded_by_dossier_id is not null"),
        ),
        Index("dossiers_created_at_idx", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=NEW_UUID)
    client_id: Mapped[UUID] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"), index=True)
    batch_id: Mapped[UUID | None] = mapped_column(ForeignKey("batches.id", ondelete="SET NULL"), index=True)
    company_name: Mapped[str]
    company_domain: Mapped[str | None]
    lead_score: Mapped[int | None]
    timing_urgency: Mapped[str | None]
    primary_signal: Mapped[str | None]
    status: Mapped[str] = mapped_column(server_default="skeleton")
    agents_completed: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    find_leads: Mapped[dict[str, Any] | None]
    enrich_lead: Mapped[dict[str, Any] | None]
    enrich_contacts: Mapped[dict[str, Any] | None]
    copy: Mapped[dict[str, Any] | None]
    insight: Mapped[dict[str, Any] | None]
    media: Mapped[dict[str, Any] | None]
    sources: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    release_date: Mapped[date | None]
    released_at: Mapped[datetime | None]
    supersedes_dossier_id: Mapped[UUID | None] = mapped_column(ForeignKey("dossiers.id", ondelete="SET NULL"))
    superseded_by_dossier_id: Mapped[UUID | None] = mapped_column(ForeignKey("dossiers.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)
    pipeline_version: Mapped[str] = mapped_column(server_default="v1")
    run_id: Mapped[str | None]
    error: Mapped[dict[str, Any] | None]
    release_at: Mapped[datetime | None]
    drip_position: Mapped[int | None] = mapped_column(SmallInteger)
    company_key: Mapped[str | None]


class Contact(Base):
    """A person at the company; exactly one of a dossier's contacts is primary."""

    __tablename__ = "contacts"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=NEW_UUID)
    dossier_id: Mapped[UUID] = mapped_column(ForeignKey("dossiers.id", ondelete="CASCADE"), index=True)
    name: Mapped[str | None]
    first_name: Mapped[str | None]
    last_name: Mapped[str | None]
    title: Mapped[str | None]
    email: Mapped[str | None]
    phone: Mapped[str | None]
    linkedin_url: Mapped[str | None]
    bio_paragraph: Mapped[str | None]
    tenure: Mapped[str | None]
    is_primary: Mapped[bool] = mapped_column(server_default=text("false"))
    source: Mapped[str | None]
    enrichment_data: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class List(Base):
    """A list a client files dossiers under; "Inbox" is the usual one."""

    __tablename__ = "lists"
    __table_args__ = (UniqueConstraint("client_id", "name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=NEW_UUID)
    client_id: Mapped[UUID] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"))
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class DossierList(Base):
    """A dossier's place on a list."""

    __tablename__ = "dossier_lists"

    dossier_id: Mapped[UUID] = mapped_column(ForeignKey("dossiers.id", ondelete="CASCADE"), primary_key=True)
    list_id: Mapped[UUID] = mapped_column(ForeignKey("lists.id", ondelete="CASCADE"), primary_key=True)
