"""What a dossier that readers never saw was to replace: whoever replaces it, replaces that as well (roadmap §2).

One in error has no link, and one that was archived unseen has lost it. A newer one that links to it alone would
leave current what came before it.
"""

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, bindparam, exists, select
from sqlalchemy.orm import Session, aliased

from models.jobs import Job, JobKind
from models.make import Rerun
from models.orders import PublishOrder
from models.production import Dossier, DossierStatus
from models.values import dossier_id_of
from worker.calendar import chain
from worker.calendar.chain import Newer
from worker.errors import SupersedeOtherClient

Link = tuple[UUID, UUID]
"""A dossier, and the older one that it is to replace."""

_NEVER_SHOWN = and_(
    Dossier.run_id.is_not(None),  # V1 shows its dossiers by rules of its own
    Dossier.status.in_((DossierStatus.ERROR, DossierStatus.ARCHIVED)),
    Dossier.released_at.is_(None),
)
_GAP = (
    select(Dossier.run_id, Rerun.dossier_id.label("rerun_of"), Job.payload)
    .outerjoin(Rerun, Rerun.run_id == Dossier.run_id)
    .outerjoin(Job, and_(Job.kind == JobKind.PUBLISH, Job.key == Dossier.run_id))
    .where(Dossier.id == bindparam("of_dossier"), _NEVER_SHOWN, Dossier.supersedes_dossier_id.is_(None))
)


def closed(
    session: Session,
    newer: Newer,
    older: UUID | None,
    newest: Callable[[str | None], UUID | None],
    *,
    lock: bool = True,
) -> tuple[Link, ...]:
    """The links that dossiers never shown are to have, so that the chain goes on behind `older`.

    Args:
        session: the transaction that will write them.
        newer: the dossier that is to replace `older`.
        older: the dossier at which its chain would end, or None.
        newest: by what a publish said of `supersede`, the company's newest dossier, or None where it wants none.
        lock: False to look only, as a preview does.
    """
    links: list[Link] = []
    while older is not None and (gap := session.execute(_GAP, {"of_dossier": older}).one_or_none()) is not None:
        before = _before(session, Newer(older, newer.client_id), newer, gap, newest, lock=lock)
        ours = {newer.id, older, *(one for one, _ in links)}
        if before is None or ours & {before, *chain.ancestors(session, before)}:
            break
        links.append((older, before))
        older = before
    return tuple(links)


def write(session: Session, links: Iterable[Link]) -> None:
    """Write the links that `closed` has found."""
    for dossier_id, older in links:
        chain.link(session, Dossier.id == dossier_id, older)


def reopen(session: Session, dossier_id: UUID | None) -> None:
    """Free what a dossier never shown was to replace, once nothing is to replace it any more."""
    successor = aliased(Dossier)
    while dossier_id is not None:
        holds_its_place = (
            select(Dossier.supersedes_dossier_id)
            .where(
                Dossier.id == dossier_id,
                _NEVER_SHOWN,
                Dossier.superseded_by_dossier_id.is_(None),
                ~exists().where(successor.supersedes_dossier_id == Dossier.id),
            )
            .with_for_update(key_share=True, of=Dossier)  # who holds it may be about to revive it
        )
        older = session.scalar(holds_its_place)
        if older is not None:
            chain.link(session, Dossier.id == dossier_id, None)
        dossier_id = older


def _before(
    session: Session,
    gap: Newer,
    newer: Newer,
    row: Row[Any],
    newest: Callable[[str | None], UUID | None],
    *,
    lock: bool,
) -> UUID | None:
    """What the dossier's publish was to replace, or the last of those that have replaced that since."""
    order = PublishOrder.model_validate(row.payload) if row.payload else PublishOrder(run_id=row.run_id)
    by_run = dossier_id_of(order.supersedes_run_id) if order.supersedes_run_id else None
    named = order.supersedes_dossier_id or by_run or (row.rerun_of if order.supersede != "none" else None)
    if named is None:
        return newest(order.supersede)
    try:
        return chain.newest_after(session, gap, named, but={newer.id}, lock=lock)
    except SupersedeOtherClient:
        return None  # or it is not there: its publish may have failed for that
