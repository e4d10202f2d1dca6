"""The tables the Make.com pipeline writes (V2): clients, runs, and one row per step with its raw output.

V2 adds `production_client_id` (roadmap §3), what a client may want otherwise than the settings say
(`supersede`, `default_list`, `callback_url`), and what is known of a run beforehand: `expected_contacts`,
`batch_number`, and `batch_id` where its batch was opened when it was registered (roadmap §1).
"""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base
from models.production import NOW


class V2Client(Base):
    """A client as the pipeline knows it; `production_client_id` leads to the client the app knows."""

    __tablename__ = "v2_clients"
    __table_args__ = (CheckConstraint("supersede in ('auto', 'explicit')", name="supersede"),)

    client_id: Mapped[str] = mapped_column(primary_key=True)
    client_name: Mapped[str]
    slug: Mapped[str | None] = mapped_column(unique=True)
    status: Mapped[str] = mapped_column(server_default="active")
    icp_config: Mapped[dict[str, Any] | None]
    industry_research: Mapped[dict[str, Any] | None]
    research_context: Mapped[dict[str, Any] | None]
    drip_schedule: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)
    production_client_id: Mapped[UUID | None] = mapped_column(ForeignKey("clients.id"))
    supersede: Mapped[str | None]
    default_list: Mapped[str | None]
    callback_url: Mapped[str | None]


class V2Run(Base):
    """One execution of the pipeline for one lead."""

    __tablename__ = "v2_runs"

    run_id: Mapped[str] = mapped_column(primary_key=True)
    client_id: Mapped[str | None] = mapped_column(ForeignKey("v2_clients.client_id"))
    status: Mapped[str] = mapped_column(server_default="running")
    seed_data: Mapped[dict[str, Any] | None]
    dossier_id: Mapped[str | None]
    triggered_by: Mapped[str | None]
    config_snapshot: Mapped[dict[str, Any] | None]
    error_message: Mapped[str | None]
    started_at: Mapped[datetime] = mapped_column(server_default=NOW)
    completed_at: Mapped[datetime | None]
    expected_contacts: Mapped[int | None]
    batch_number: Mapped[str | None]
    batch_id: Mapped[UUID | None] = mapped_column(ForeignKey("batches.id", ondelete="SET NULL"), index=True)


class V2PipelineLog(Base):
    """One LLM call of a run: the step's name and what the provider returned, stored raw."""

    __tablename__ = "v2_pipeline_logs"

    step_id: Mapped[str] = mapped_column(primary_key=True)
    run_id: Mapped[str | None] = mapped_column(ForeignKey("v2_runs.run_id"), index=True)
    step_name: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="pending")
    input: Mapped[dict[str, Any] | None]
    output: Mapped[dict[str, Any] | None]
    model_used: Mapped[str | None]
    tokens_used: Mapped[int | None]
    runtime_seconds: Mapped[Decimal | None]
    error_message: Mapped[str | None]
    started_at: Mapped[datetime] = mapped_column(server_default=NOW)
    completed_at: Mapped[datetime | None]
