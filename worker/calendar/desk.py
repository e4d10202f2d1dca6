"""What ops do by hand: release now, put on another day, hold, archive. Each is one short transaction."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from models.calendar import CalendarAction
from models.orders import ReleaseAsked
from models.production import Dossier, DossierStatus
from worker.calendar import chain, gaps
from worker.calendar.release import note, show
from worker.calendar.slots import Place, place
from worker.clients import clock_of
from worker.dossiers import not_found
from worker.errors import AlreadyReleased, DossierNotReady
from worker.settings import settings


def release_now(session: Session, dossier_id: UUID, asked_by: str) -> bool:
    """Show the dossier to its readers at once.

    Returns:
        Whether this call did it; False: they see it already.

    Raises:
        DossierNotFound: no such dossier.
        DossierNotReady: it is in error, archived, superseded or unfinished.
    """
    row = _locked(session, dossier_id)
    if row["seen"] and row["status"] != DossierStatus.ARCHIVED:
        return False
    _must_be_ready(row)
    show(session, [dossier_id], asked_by=asked_by)
    return True


def reschedule(session: Session, dossier_id: UUID, asked: ReleaseAsked, asked_by: str) -> bool:
    """Put the dossier on another day, or into the next free drip slot; on a day that has come, release it.

    Returns:
        Whether anything changed.

    Raises:
        DossierNotFound, DossierNotReady: as above.
        AlreadyReleased: readers have it.
        DripUnavailable: a slot was asked for, and there is none.
    """
    row = _unseen(session, dossier_id)
    clock, now = clock_of(session, row["client_id"], settings().client_mapping, row["run_id"])
    wanted = place(session, clock, asked, now, but=dossier_id)
    before = (row["release_date"], row["release_at"])
    if (wanted.day, wanted.at) == before and (wanted.drip_position is None) == (row["drip_position"] is None):
        return False
    _put(session, dossier_id, wanted)
    note(session, dossier_id, CalendarAction.SCHEDULED, asked_by, now=(wanted.day, wanted.at), before=before)
    if wanted.at is not None and wanted.at <= now:
        show(session, [dossier_id], asked_by=asked_by)
    return True


def hold(session: Session, dossier_id: UUID, asked_by: str) -> bool:
    """Take the dossier off the calendar until somebody releases or reschedules it.

    Returns:
        Whether anything changed.

    Raises:
        DossierNotFound, DossierNotReady, AlreadyReleased: as above.
    """
    row = _unseen(session, dossier_id)
    before = (row["release_date"], row["release_at"])
    if before == (None, None) and row["released_at"] is None:
        return False
    _put(session, dossier_id, Place())
    note(session, dossier_id, CalendarAction.HELD, asked_by, before=before)
    return True


def archive(session: Session, dossier_id: UUID, asked_by: str) -> bool:
    """Archive the dossier. One that readers never saw leaves its drip slot and its chain: nothing has changed.

    Returns:
        Whether this call did it; False: it was archived before.

    Raises:
        DossierNotFound: no such dossier.
        DossierNotReady: it is in error or unfinished.
    """
    row = _locked(session, dossier_id)
    if row["status"] == DossierStatus.ARCHIVED:
        return False
    if row["status"] not in {DossierStatus.READY, DossierStatus.SUPERSEDED}:
        raise _not_ready(row)
    before = (row["release_date"], row["release_at"])
    if not row["seen"]:
        gaps.reopen(session, chain.unlink(session, dossier_id))
        _put(session, dossier_id, Place())
    session.execute(
        update(Dossier)
        .where(Dossier.id == dossier_id)
        .values(status=DossierStatus.ARCHIVED, updated_at=func.now())
        .execution_options(synchronize_session=False)
    )
    now = before if row["seen"] else (None, None)
    note(session, dossier_id, CalendarAction.ARCHIVED, asked_by, now=now, before=before)
    return True


def _locked(session: Session, dossier_id: UUID) -> Mapping[str, Any]:
    """What is to be known of the dossier, which is locked."""
    row = (
        session.execute(
            select(
                Dossier.id,
                Dossier.run_id,
                Dossier.client_id,
                Dossier.status,
                Dossier.release_date,
                Dossier.release_at,
                # Not now(): whoever released it while we waited for the lock did so after our transaction began.
                func.coalesce(Dossier.released_at <= func.clock_timestamp(), False).label("seen"),
                Dossier.released_at,
                Dossier.drip_position,
            )
            .where(Dossier.id == dossier_id)
            .with_for_update(key_share=True)
        )
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise not_found(dossier_id)
    found: Mapping[Any, Any] = row
    return found


def _unseen(session: Session, dossier_id: UUID) -> Mapping[str, Any]:
    row = _locked(session, dossier_id)
    if row["seen"]:
        raise AlreadyReleased(
            f"Readers have dossier {dossier_id} already, so its release cannot be moved. Archive it instead.",
            field="release_date",
        )
    _must_be_ready(row)
    return row


def _must_be_ready(row: Mapping[str, Any]) -> None:
    if row["status"] != DossierStatus.READY:
        raise _not_ready(row)


def _not_ready(row: Mapping[str, Any]) -> DossierNotReady:
    advice = {
        DossierStatus.ERROR: f"Cure the cause, then retry: columnline retry {row['run_id'] or 'JOB_ID'}.",
        DossierStatus.ARCHIVED: "It was put away by hand. To have another, publish under a new run id.",
        DossierStatus.SUPERSEDED: "A newer dossier has replaced it. Look at that one.",
    }
    return DossierNotReady(
        f"Dossier {row['id']} is {row['status']}, not ready. Nothing was changed. "
        f"{advice.get(row['status'], 'Its pipeline has not finished it yet.')}",
        field="status",
    )


def _put(session: Session, dossier_id: UUID, wanted: Place) -> None:
    session.execute(
        update(Dossier)
        .where(Dossier.id == dossier_id)
        .values(
            release_date=wanted.day,
            release_at=wanted.at,
            drip_position=wanted.drip_position,
            released_at=None,
            updated_at=func.now(),
        )
        .execution_options(synchronize_session=False)
    )
