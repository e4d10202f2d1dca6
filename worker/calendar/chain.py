"""Which dossier replaces which (roadmap §2): chains in which each has one successor at most.

A link is made when the newer dossier is published and takes effect when it is released: until then readers see
the older one as it was.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import idna
from sqlalchemy import ColumnElement, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from models.domain_name import company_key
from models.jobs import SETTLED, Job, JobKind
from models.production import Dossier, DossierStatus
from models.values import dossier_id_of
from worker.errors import (
    DossierNotFound,
    SupersedeOtherClient,
    SupersedePending,
    SupersedeTaken,
    Validation,
)

_TRIES = 5
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Newer:
    """The dossier that is to replace an older one."""

    id: UUID
    client_id: UUID
    company_key: str | None = None


def named(
    session: Session, newer: Newer, *, run_id: str | None, dossier_id: UUID | None, lock: bool = True
) -> UUID:
    """The older dossier that a request names, by its run or by its own id. Nobody else links to it meanwhile.

    Args:
        session: the transaction that will write the link.
        newer: the dossier that is to replace it.
        run_id: the run of the older dossier, or None.
        dossier_id: the id of the older dossier, or None.
        lock: False to look only, as a door or a preview does.

    Raises:
        DossierNotFound: no such dossier.
        SupersedePending: its run is still being published.
        SupersedeOtherClient: it is another client's.
        SupersedeTaken: it has another successor.
        Validation: it is the dossier itself, or one that replaces it.
    """
    by_run = dossier_id is None
    field = "supersedes_run_id" if by_run else "supersedes_dossier_id"
    which = Dossier.run_id == run_id if by_run else Dossier.id == dossier_id
    if newer.id in {dossier_id, dossier_id_of(run_id or "")}:
        raise Validation("A run does not supersede itself. Name an older one.", field=field)
    statement = select(Dossier.id, Dossier.client_id).where(which)
    found = session.execute(statement.with_for_update(key_share=True) if lock else statement).one_or_none()
    if found is None:
        raise _not_there(session, run_id, dossier_id, field)
    if found.client_id != newer.client_id:
        raise SupersedeOtherClient(
            f"Dossier {found.id} belongs to another client than this run's. Nothing was linked. Check {field}.",
            field=field,
        )
    if newer.id in {found.id, *ancestors(session, found.id)}:
        raise Validation(
            f"Dossier {found.id} is this run's own, or replaces it: a chain would become a circle. Name an older "
            "one.",
            field=field,
        )
    successor = successor_of(session, found.id, but={newer.id})
    if successor is not None:
        raise SupersedeTaken(
            f"Dossier {found.id} already has a successor, {successor}. Supersede that one, or archive it before "
            "its release.",
            field=field,
        )
    older: UUID = found.id
    return older


def newest(session: Session, newer: Newer, *, lock: bool = True) -> UUID | None:
    """The client's newest V1 or V2 dossier of the same company that nothing has replaced, or None.

    Publishes of one company come one after the other here, until the transaction ends.
    """
    if newer.company_key is None:
        return None
    if lock:
        key = f"company {newer.client_id} {newer.company_key}"
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
    for _ in range(_TRIES):
        candidates = (row.id for row in _candidates(session, newer) if _is_of(row, newer.company_key))
        older: UUID | None = next(
            (found for found in candidates if newer.id not in ancestors(session, found)), None
        )
        if older is None or not lock:
            return older
        # Whoever held it may have archived it, or have put another before it.
        still = select(Dossier.id).where(Dossier.id == older, Dossier.status == DossierStatus.READY)
        found = session.scalar(still.with_for_update(key_share=True))
        if found is not None and successor_of(session, found, but={newer.id}) is None:
            return older
    return None  # somebody names each of them as it is found: theirs are the successors then


def newest_after(
    session: Session, newer: Newer, dossier_id: UUID, *, but: Collection[UUID] = (), lock: bool = True
) -> UUID | None:
    """The dossier itself, or the last of those that replaced it since, or are to: what its rerun replaces.

    Args:
        session: the transaction that will write the link.
        newer: the dossier that is to replace it.
        dossier_id: where its chain is entered.
        but: others that are to be linked anew, and so count as no successors.
        lock: False to look only.

    Raises:
        SupersedeOtherClient: it is another client's.
    """
    older: UUID | None = dossier_id
    for _ in range(_MOST):
        statement = select(Dossier.client_id).where(Dossier.id == older)
        whose = session.scalar(statement.with_for_update(key_share=True) if lock else statement)
        assert older is not None
        if whose != newer.client_id:
            raise SupersedeOtherClient(
                f"Dossier {older} belongs to another client than the run that is to replace it. Nothing was "
                "linked. Check to which client the run's leads."
            )
        successor = successor_of(session, older, but={newer.id, *but})
        if successor is None:
            return older
        older = successor
    return None


def ancestors(session: Session, dossier_id: UUID) -> list[UUID]:
    """The dossiers that this one replaces, directly or not, the nearest first."""
    chain = select(Dossier.supersedes_dossier_id.label("id")).where(Dossier.id == dossier_id)
    older = chain.cte("older", recursive=True)
    step = select(Dossier.supersedes_dossier_id).join(older, Dossier.id == older.c.id)
    older = older.union(step)  # not `union all`: a circle made by hand must end
    return list(session.scalars(select(older.c.id).where(older.c.id.is_not(None))))


def successor_of(session: Session, dossier_id: UUID, *, but: Collection[UUID] = ()) -> UUID | None:
    """The dossier that replaces this one, or is to; None where there is none but those of `but`."""
    successor: UUID | None = session.scalar(
        select(func.coalesce(_newer_than(Dossier.id, but), Dossier.superseded_by_dossier_id)).where(
            Dossier.id == dossier_id
        )
    )
    return None if successor in but else successor


def summary(session: Session, dossier_id: UUID | None) -> dict[str, Any] | None:
    """What a preview says of the older dossier, as JSON values; None where there is none."""
    columns = (Dossier.id, Dossier.run_id, Dossier.company_name, Dossier.pipeline_version, Dossier.status)
    row = session.execute(select(*columns).where(Dossier.id == dossier_id)).mappings().one_or_none()
    return None if row is None else {**row, "id": str(row["id"])}


def unlink(session: Session, dossier_id: UUID) -> UUID | None:
    """Take a dossier that readers never saw out of its chain: its successor replaces its predecessor instead.

    Returns:
        The predecessor.
    """
    older: UUID | None = session.scalar(select(Dossier.supersedes_dossier_id).where(Dossier.id == dossier_id))
    link(session, Dossier.id == dossier_id, None)
    link(session, Dossier.supersedes_dossier_id == dossier_id, older)
    return older


def link(session: Session, which: ColumnElement[bool], older: UUID | None) -> None:
    """Write which older dossier these dossiers are to replace; None: none."""
    session.execute(
        update(Dossier)
        .where(which)
        .values(supersedes_dossier_id=older)
        .execution_options(synchronize_session=False)
    )


def _newer_than(older: Any, but: Collection[UUID]) -> Any:
    newer = aliased(Dossier)
    return (
        select(newer.id)
        .where(newer.supersedes_dossier_id == older, newer.id.not_in(but))
        .limit(1)
        .scalar_subquery()
    )


def _candidates(session: Session, newer: Newer) -> Sequence[Any]:
    """The client's unreplaced dossiers that may be of the company, newest first.

    V1 never normalised its domains and has no key: those that contain the name are read as ours are.
    """
    assert newer.company_key is not None
    successor, itself = aliased(Dossier), aliased(Dossier)
    spellings = {newer.company_key, idna.decode(newer.company_key)}
    v1 = or_(*(func.lower(Dossier.company_domain).contains(text, autoescape=True) for text in spellings))
    # Published again, it still replaces none that came after it.
    made = (
        select(itself.created_at)
        .where(itself.id == newer.id, itself.status != DossierStatus.ERROR)
        .scalar_subquery()
    )
    statement = (
        select(Dossier.id, Dossier.company_key, Dossier.company_domain)
        .where(
            Dossier.client_id == newer.client_id,
            Dossier.id != newer.id,
            or_(Dossier.company_key == newer.company_key, Dossier.company_key.is_(None) & v1),
            Dossier.status == DossierStatus.READY,
            or_(made.is_(None), Dossier.created_at <= made),
            Dossier.superseded_by_dossier_id.is_(None),
            ~exists().where(successor.supersedes_dossier_id == Dossier.id, successor.id != newer.id),
        )
        .order_by(Dossier.created_at.desc(), Dossier.id)
    )
    return session.execute(statement).all()


def _is_of(row: Any, key: str) -> bool:
    found: str | None = row.company_key or company_key(row.company_domain)
    return found == key


def _not_there(
    session: Session, run_id: str | None, dossier_id: UUID | None, field: str
) -> DossierNotFound | SupersedePending:
    if dossier_id is not None:
        return DossierNotFound(f"There is no dossier {dossier_id} to supersede. Check the id.", field=field)
    on_its_way = exists().where(Job.kind == JobKind.PUBLISH, Job.key == run_id, Job.state.not_in(SETTLED))
    if session.scalar(select(on_its_way)):
        return SupersedePending(
            f"Run {run_id!r} is still being published, so it has no dossier to supersede yet.", field=field
        )
    return DossierNotFound(
        f"Run {run_id!r} has no dossier to supersede. Publish it first, or check the id.", field=field
    )
