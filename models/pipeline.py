"""The tables the Make.com pipeline writes (V2): clients, runs, and one row per step with its raw output.

V2 adds `production_client_id` (roadmap §3) and what a scenario may announce about a run:
`expected_contacts`, `batch_number`.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base
from models.production import NOW


class V2Client(Base):
    """A client as the pipeline knows it; `production_client_id` leads to the client the app knows."""

    __tablename__ = "v2_clients"

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
