"""Reruns: the pipeline started again from a dossier's seed (roadmap §7). Asked for here, told by a job.

One rerun of a dossier is open at a time. Its run id is ours, so that whatever is published under it is known to
replace the dossier, however late it comes.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from pydantic import BaseModel, Field
from sqlalchemy import func, null, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models.jobs import Job, JobKind
from models.make import OPEN_RERUNS, Rerun, RerunState
from models.pipeline import V2Client, V2Run
from models.production import Client, Dossier
from worker import jobs
from worker.answers import ErrorAnswer
from worker.batches import open_for
from worker.choices import MakeMode
from worker.clients import is_production_client
from worker.dossiers import not_found
from worker.errors import ClientAmbiguous, ClientNotFound, ClientUnmapped, ColumnlineError
from worker.make_errors import RerunNotFound, RerunUnavailable
from worker.settings import Settings


class RerunAnswer(BaseModel):
    """How far a rerun is."""

    ok: bool = Field(description="false once it failed or timed out")
    done: bool = Field(description="true once it was published, failed or timed out")
    duplicate: bool = Field(default=False, description="true if one was open already: this is that one")
    rerun_id: UUID
    run_id: str = Field(description="the new run, which Make.com publishes")
    dossier_id: UUID = Field(description="the dossier it is a rerun of")
    status: RerunState
    execution_id: str | None = Field(description="Make.com's, where its API told one")
    agents: list[str] | None = Field(description="which agents run again; null: all")
    error: ErrorAnswer | None
    requested_at: datetime
    triggered_at: datetime | None
    ended_at: datetime | None
    status_url: str = Field(description="GET it to look again")


def ask(
    session: Session,
    config: Settings,
    dossier_id: UUID,
    asked_by: str,
    *,
    agents: Sequence[str] | None = None,
    client_id: str | None = None,
) -> tuple[Rerun, Job | None]:
    """Ask for a rerun of the dossier: register its run, and owe Make.com the news.

    Args:
        session: the transaction.
        config: how Make.com is told.
        dossier_id: a V1 or V2 dossier.
        asked_by: for the record.
        agents: which of the pipeline's agents to run again; None: all.
        client_id: the v2 client to run it for, where several lead to the dossier's client.

    Returns:
        The rerun, and the job to ring for after the commit; None where a rerun was open already.

    Raises:
        DossierNotFound: no such dossier.
        RerunUnavailable: Make.com is not set up, or the dossier says nothing to start from.
        ClientNotFound: `client_id` does not lead to the dossier's client.
        ClientUnmapped, ClientAmbiguous: a V1 dossier's client has no v2 client, or several.
    """
    check_set_up(config)
    source = session.execute(
        select(
            Dossier.client_id,
            Dossier.run_id,
            Dossier.company_name,
            Dossier.company_domain,
            V2Run.client_id.label("v2_client_id"),
            V2Run.seed_data,
        )
        .outerjoin(V2Run, V2Run.run_id == Dossier.run_id)
        .where(Dossier.id == dossier_id)
    ).one_or_none()
    if source is None:
        raise not_found(dossier_id)
    if (found := _open(session, dossier_id)) is not None:
        return found, None
    v2_client_id = _v2_client(session, config, source.client_id, client_id, usual=source.v2_client_id)
    seed = source.seed_data or {"company_name": source.company_name, "domain": source.company_domain}
    run_id = f"RUN_{datetime.now(UTC):%Y%m%d_%H%M%S}_{uuid4().hex[:8]}"
    new = insert(Rerun).values(
        dossier_id=dossier_id, run_id=run_id, agents=list(agents) if agents else null(), asked_by=asked_by
    )
    made = session.scalars(new.on_conflict_do_nothing().returning(Rerun)).one_or_none()
    if made is None:  # somebody was quicker, and theirs may have ended by now
        return ask(session, config, dossier_id, asked_by, agents=agents, client_id=client_id)
    session.execute(
        insert(V2Run).values(
            run_id=run_id, client_id=v2_client_id, status="pending", seed_data=seed, triggered_by="rerun"
        )
    )
    open_for(session, run_id, config)
    job, _ = jobs.accept(
        session,
        config,
        kind=JobKind.RERUN,
        key=str(made.id),
        client_id=v2_client_id,
        payload={"run_id": run_id, "rerun_id": str(made.id)},
    )
    return made, job


def get(session: Session, rerun_id: UUID) -> Rerun:
    """The rerun as it stands now.

    Raises:
        RerunNotFound: no such rerun.
    """
    statement = select(Rerun).where(Rerun.id == rerun_id).execution_options(populate_existing=True)
    found = session.scalars(statement).one_or_none()
    if found is None:
        raise RerunNotFound(
            f"There is no rerun {rerun_id}. Take `rerun_id` from the answer that started it.", field="rerun_id"
        )
    return found


def last(session: Session, dossier_id: UUID) -> Rerun | None:
    """The rerun of this dossier that was asked for last, if any was."""
    statement = select(Rerun).where(Rerun.dossier_id == dossier_id).order_by(Rerun.requested_at.desc()).limit(1)
    return session.scalars(statement).one_or_none()


def order_of(session: Session, rerun_id: UUID) -> dict[str, Any]:
    """What Make.com is told (design §4): the run to make, its seed, and what it is to replace."""
    row = session.execute(
        select(
            Rerun.run_id,
            Rerun.dossier_id,
            Rerun.agents,
            V2Run.client_id,
            V2Run.seed_data,
            Dossier.run_id.label("older_run_id"),
        )
        .join(V2Run, V2Run.run_id == Rerun.run_id)
        .join(Dossier, Dossier.id == Rerun.dossier_id)
        .where(Rerun.id == rerun_id)
    ).one()
    return {
        "client_id": row.client_id,
        "run_id": row.run_id,
        "seed": row.seed_data,
        "rerun_of_dossier_id": str(row.dossier_id),
        "supersedes_run_id": row.older_run_id,
        "agents": row.agents or [],
    }


def sending(session: Session, rerun_id: UUID) -> bool:
    """Note that Make.com is about to be told; False where it may have been told before: it is told once."""
    statement = (
        update(Rerun)
        .where(Rerun.id == rerun_id, Rerun.sent_at.is_(None), Rerun.state.in_(OPEN_RERUNS))
        .values(sent_at=func.now())
        .returning(Rerun.id)
        .execution_options(synchronize_session=False)
    )
    return session.scalar(statement) is not None


def not_sent(session: Session, rerun_id: UUID) -> None:
    """Note that Make.com was certainly not told: it may be told again."""
    _change(session, Rerun.id == rerun_id, sent_at=None)


def triggered(session: Session, rerun_id: UUID, execution_id: str | None) -> None:
    """Note that Make.com took it."""
    _change(
        session,
        (Rerun.id == rerun_id) & Rerun.state.in_(OPEN_RERUNS),
        state=RerunState.TRIGGERED,
        triggered_at=func.now(),
        execution_id=execution_id,
    )


def published(session: Session, run_id: str) -> Job | None:
    """Note that the rerun's run was published, however late: that is what it was for.

    Returns:
        The job that waits for it: it is due now, and the caller rings for it after the commit.
    """
    _change(
        session,
        (Rerun.run_id == run_id) & (Rerun.state != RerunState.PUBLISHED),
        state=RerunState.PUBLISHED,
        ended_at=func.now(),
        error=null(),
    )
    rerun_id = session.scalar(select(Rerun.id).where(Rerun.run_id == run_id))
    return jobs.wake(session, JobKind.RERUN, str(rerun_id))


def ended_badly(session: Session, which: Any, error: ColumnlineError, state: RerunState) -> None:
    """Note that an open rerun came to nothing, and why."""
    _change(session, which & Rerun.state.in_(OPEN_RERUNS), state=state, ended_at=func.now(), error=error.as_dict())


def answer(rerun: Rerun, *, duplicate: bool = False, base_url: str = "/") -> RerunAnswer:
    """The rerun as callers see it."""
    return RerunAnswer(
        ok=rerun.state not in {RerunState.FAILED, RerunState.TIMED_OUT},
        done=rerun.state not in OPEN_RERUNS,
        duplicate=duplicate,
        rerun_id=rerun.id,
        run_id=rerun.run_id,
        dossier_id=rerun.dossier_id,
        status=RerunState(rerun.state),
        execution_id=rerun.execution_id,
        agents=rerun.agents,
        error=ErrorAnswer(**rerun.error) if rerun.error else None,
        requested_at=rerun.requested_at,
        triggered_at=rerun.triggered_at,
        ended_at=rerun.ended_at,
        status_url=f"{base_url}columnline/reruns/{rerun.id}",
    )


def check_set_up(config: Settings) -> None:
    """Make sure that we know how to tell Make.com.

    Raises:
        RerunUnavailable: names the settings that are missing.
    """
    wanted = {
        MakeMode.API: ("make_url", "make_token", "make_scenario_id"),
        MakeMode.WEBHOOK: ("make_webhook_url",),
    }[config.make_mode]
    missing = [f"COLUMNLINE_{name.upper()}" for name in wanted if getattr(config, name) is None]
    if missing:
        raise RerunUnavailable(
            f"Make.com is not set up for the mode {config.make_mode.value}: set {', '.join(missing)}."
        )


def _open(session: Session, dossier_id: UUID) -> Rerun | None:
    return session.scalars(
        select(Rerun).where(Rerun.dossier_id == dossier_id, Rerun.state.in_(OPEN_RERUNS))
    ).one_or_none()


def _v2_client(session: Session, config: Settings, client_id: UUID, asked: str | None, usual: str | None) -> str:
    """The v2 client that leads to this production client: who was asked for, the usual one, or the only one."""
    found = session.scalars(
        select(V2Client.client_id)
        .join(Client, is_production_client(config.client_mapping))
        .where(Client.id == client_id)
        .order_by(V2Client.client_id)
    ).all()
    if asked is not None:
        if asked not in found:
            raise ClientNotFound(
                f"Client {asked!r} does not lead to this dossier's client; these do: "
                f"{', '.join(found) or 'none'}.",
                field="client_id",
            )
        return asked
    if usual is not None and usual in found:
        return usual
    if not found:
        raise ClientUnmapped(
            "No v2 client leads to this dossier's client, so the pipeline cannot run for it. Map one: columnline "
            "clients map.",
            field="client_id",
        )
    if len(found) > 1:
        raise ClientAmbiguous(
            f"Several v2 clients lead to this dossier's client: {', '.join(found)}. Send one as `client_id`.",
            field="client_id",
        )
    return found[0]


def _change(session: Session, which: Any, **values: Any) -> None:
    session.execute(update(Rerun).where(which).values(**values).execution_options(synchronize_session=False))
