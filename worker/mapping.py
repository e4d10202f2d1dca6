"""Which production client a v2 client leads to, and who waits until it leads to one (roadmap §3)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field
from rapidfuzz import fuzz, process
from rapidfuzz.utils import default_process
from sqlalchemy import exists, func, null, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models.jobs import Job, JobState
from models.pipeline import V2Client
from models.production import Client
from worker import turns
from worker.choices import ClientMapping
from worker.clients import is_production_client, no_v2_client
from worker.errors import ClientAmbiguous, ClientNotFound, ClientUnmapped, Validation, WrongUsage
from worker.settings import Settings

CURED = (ClientUnmapped.code, ClientAmbiguous.code)
"""What jobs are held for until a mapping is set."""

_AHEAD = timedelta(minutes=1)
_CANDIDATES = 3
_ALIKE = 60


class Candidate(BaseModel):
    """A production client that may be meant."""

    client_id: UUID
    name: str
    slug: str | None
    why: str = Field(description="same slug, or a name that is alike")


class ClientRow(BaseModel):
    """A v2 client, and where it leads."""

    v2_client_id: str
    name: str
    slug: str | None
    status: str
    production_client_id: UUID | None = Field(description="null: its runs are held")
    mapped_by: str | None = Field(description="`mapping` or `slug`")
    held_runs: int
    held_since: datetime | None = Field(description="since when the first of them waits")
    candidates: list[Candidate] = Field(description="of one that is not mapped: who may be meant")


class Mapped(BaseModel):
    """What a mapping did."""

    v2_client_id: str
    production_client_id: UUID
    created: bool = Field(description="whether the production client was made")
    changed: bool = Field(description="false: it was mapped so already")
    released_jobs: int = Field(description="jobs that were held for it and go on now")
    warnings: list[str]


def map_client(
    session: Session,
    config: Settings,
    v2_client_id: str,
    *,
    production_client_id: UUID | None = None,
    slug: str | None = None,
    create: bool = False,
) -> tuple[Mapped, list[Job]]:
    """Lead the v2 client to a production client, named by its id or its slug, or made for it.

    Returns:
        What was done, and the jobs whose turn it is: ring for them after the commit.

    Raises:
        ClientNotFound: no such v2 client, or no such production client.
        ClientAmbiguous: several production clients have that slug.
        WrongUsage: not exactly one of the three ways was chosen.
        Validation: the slug is taken by another client.
    """
    if sum((production_client_id is not None, slug is not None, create)) != 1:
        raise WrongUsage(
            "Say which production client is meant in one way: its id, its `slug`, or `create` to have one made.",
            field="production_client_id",
        )
    v2 = session.execute(
        select(V2Client.client_name, V2Client.slug, V2Client.status, V2Client.production_client_id)
        .where(V2Client.client_id == v2_client_id)
        .with_for_update(key_share=True)
    ).one_or_none()
    if v2 is None:
        raise no_v2_client(v2_client_id)
    target = (
        _make(session, v2.client_name, v2.slug)
        if create
        else _by_slug(session, slug)
        if slug is not None
        else _by_id(session, production_client_id)
    )
    session.execute(
        update(V2Client)
        .where(V2Client.client_id == v2_client_id, V2Client.production_client_id.is_distinct_from(target))
        .values(production_client_id=target, updated_at=func.now())
        .execution_options(synchronize_session=False)
    )
    released = release_mapped(session, config, v2_client_id)
    kinds = sorted({job.kind for job in released})
    first = [job for kind in kinds for job in turns.next_of(session, v2_client_id, kind)]
    mapped = Mapped(
        v2_client_id=v2_client_id,
        production_client_id=target,
        created=create,
        changed=v2.production_client_id != target,
        released_jobs=len(released),
        warnings=_warnings(session, v2_client_id, v2, target),
    )
    return mapped, first


def release_mapped(session: Session, config: Settings, v2_client_id: str | None = None) -> list[Job]:
    """Let every job go on that was held for a mapping its client has by now, by whatever hand.

    Returns:
        Those jobs, in the order they were accepted.
    """
    leads_to_one = (
        select(func.count())
        .select_from(V2Client)
        .join(Client, is_production_client(config.client_mapping))
        .where(V2Client.client_id == Job.client_id)
        .correlate(Job)
        .scalar_subquery()
    ) == 1
    which = [Job.state == JobState.HELD, Job.held_reason.in_(CURED), leads_to_one]
    if v2_client_id is not None:
        which.append(Job.client_id == v2_client_id)
    later = func.row_number().over(order_by=(Job.created_at.desc(), Job.id.desc())) * timedelta(microseconds=1)
    # In the order they came, and before what came last; due for a minute only, or alarms would tell of days.
    run_at = func.greatest(Job.created_at, func.now() - _AHEAD - later)
    placed = select(Job.id, run_at.label("run_at")).where(*which).cte("placed")
    statement = (
        update(Job)
        .where(Job.id == placed.c.id, Job.state == JobState.HELD)
        .values(
            state=JobState.QUEUED,
            epoch=Job.epoch + 1,
            run_at=placed.c.run_at,
            deadline_at=func.now() + timedelta(seconds=config.job_deadline),
            held_reason=null(),
            error=null(),
            rung_at=null(),
            rings=0,
        )
        .returning(Job)
        .execution_options(synchronize_session=False)
    )
    return sorted(session.scalars(statement), key=lambda job: (job.created_at, job.id))


def clients(
    session: Session, mapping: ClientMapping, *, unmapped: bool = False, after: str | None = None, limit: int
) -> list[ClientRow]:
    """The v2 clients by their id, those after `after`; those without a production client have candidates."""
    held = (
        select(Job.client_id, func.count().label("runs"), func.min(Job.created_at).label("since"))
        .where(Job.state == JobState.HELD, Job.held_reason.in_(CURED))
        .group_by(Job.client_id)
        .subquery()
    )
    statement = (
        select(
            V2Client.client_id,
            V2Client.client_name,
            V2Client.slug,
            V2Client.status,
            V2Client.production_client_id,
            func.min(Client.id.cast(V2Client.client_id.type)).label("leads_to"),
            func.count(Client.id).label("found"),
            held.c.runs,
            held.c.since,
        )
        .outerjoin(Client, is_production_client(mapping))
        .outerjoin(held, held.c.client_id == V2Client.client_id)
        .group_by(V2Client.client_id, held.c.runs, held.c.since)
        .order_by(V2Client.client_id)
        .limit(limit)
    )
    if unmapped:
        statement = statement.having(func.count(Client.id) != 1)
    if after is not None:
        statement = statement.where(V2Client.client_id > after)
    rows = session.execute(statement).all()
    free = _free(session) if any(row.found != 1 for row in rows) else ()
    return [_client_row(row, free) for row in rows]


def _client_row(row: Any, free: Sequence[Any]) -> ClientRow:
    is_mapped = row.found == 1
    return ClientRow(
        v2_client_id=row.client_id,
        name=row.client_name,
        slug=row.slug,
        status=row.status,
        production_client_id=row.leads_to if is_mapped else None,
        mapped_by=("mapping" if row.production_client_id else "slug") if is_mapped else None,
        held_runs=row.runs or 0,
        held_since=row.since,
        candidates=[] if is_mapped else _candidates(row, free),
    )


def _free(session: Session) -> Sequence[Any]:
    """The production clients that no v2 client was led to by hand."""
    taken = exists().where(V2Client.production_client_id == Client.id)
    return session.execute(select(Client.id, Client.name, Client.slug).where(~taken).order_by(Client.name)).all()


def _candidates(row: Any, free: Sequence[Any]) -> list[Candidate]:
    slug = (row.slug or "").lower()
    found = {client.id: (client, "same slug") for client in free if slug and (client.slug or "").lower() == slug}
    by_id = {client.id: client for client in free}
    names = {client.id: client.name for client in free}
    alike = process.extract(
        row.client_name,
        names,
        scorer=fuzz.token_sort_ratio,
        processor=default_process,
        limit=_CANDIDATES,
        score_cutoff=_ALIKE,
    )
    for _, _, client_id in alike:
        found.setdefault(client_id, (by_id[client_id], "name alike"))
    return [
        Candidate(client_id=client.id, name=client.name, slug=client.slug, why=why)
        for client, why in found.values()
    ]


def _by_id(session: Session, client_id: UUID | None) -> UUID:
    found = session.scalar(select(Client.id).where(Client.id == client_id))
    if found is None:
        raise ClientNotFound(
            f"The app has no client {client_id}. Take the id from its table `clients`, or have one made.",
            field="production_client_id",
        )
    return found


def _by_slug(session: Session, slug: str) -> UUID:
    alike = session.execute(select(Client.id, Client.slug).where(func.lower(Client.slug) == slug.lower())).all()
    found: list[UUID] = [row.id for row in alike if row.slug == slug] or [row.id for row in alike]
    if not found:
        raise ClientNotFound(f"The app has no client with the slug {slug!r}.", field="slug")
    if len(found) > 1:
        raise ClientAmbiguous(
            f"{len(found)} clients of the app have the slug {slug!r}: {', '.join(map(str, found))}. Map by id.",
            field="slug",
        )
    return found[0]


def _make(session: Session, name: str, slug: str | None) -> UUID:
    statement = insert(Client).values(name=name, slug=slug).on_conflict_do_nothing().returning(Client.id)
    made = session.scalar(statement)
    if made is None:
        raise Validation(
            f"The app has a client with the slug {slug!r} already. Map to that one, by its slug.", field="slug"
        )
    return made


def _warnings(session: Session, v2_client_id: str, v2: Any, target: UUID) -> list[str]:
    others = session.scalars(
        select(V2Client.client_id)
        .where(V2Client.production_client_id == target, V2Client.client_id != v2_client_id)
        .order_by(V2Client.client_id)
    ).all()
    found = []
    if others:
        found.append(f"{', '.join(others)} led to this client already: they share its dossiers and its config.")
    if v2.status == "inactive":
        found.append(f"{v2_client_id} is inactive: its runs are published all the same.")
    if v2.production_client_id not in {None, target}:
        found.append(f"It led to {v2.production_client_id} before: what was published there stays there.")
    return found
