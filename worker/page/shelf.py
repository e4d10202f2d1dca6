"""Dossiers: the list, one as its reader sees it, and what may be done with it."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import func, select

from models.jobs import JobKind
from models.production import DossierStatus
from worker import db, dossiers, jobs, reruns
from worker.bridge.context import bell
from worker.bridge.exports import Exported, download
from worker.calendar import desk
from worker.dossier_filter import DossierFilter, ReleaseState
from worker.errors import ReleaseDateInvalid
from worker.export.order import Format, What
from worker.fields import ReleaseDate
from worker.page import figures
from worker.page.forms import Form, Ops, Publisher
from worker.page.rendering import back_to, screen, screens
from worker.page.visitors import Reader
from worker.settings import settings
from worker.view.shown import shown

router = screens()

_PAGE = 50
_DAY = TypeAdapter(ReleaseDate)


@router.get("/dossiers")
def list_dossiers(
    visitor: Reader,
    version: Annotated[str | None, Query(max_length=10)] = None,
    status: Annotated[str | None, Query(max_length=20)] = None,
    release: Annotated[str | None, Query(max_length=20)] = None,
    company: Annotated[str | None, Query(max_length=128)] = None,
    batch: UUID | None = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Dossiers of V1 and V2, newest first. A choice that is none counts as all."""
    wanted = DossierFilter(
        status=DossierStatus(status) if status in list(DossierStatus) else None,
        pipeline_version=version if version in {"v1", "v2"} else None,
        release=ReleaseState(release) if release in list(ReleaseState) else None,
        company=(company or "").replace("\0", "") or None,
        batch_id=batch,
    )
    with db.transaction() as session:
        found, following = dossiers.page(session, wanted, limit=_PAGE, cursor=cursor)
    return screen(
        "dossiers",
        visitor,
        dossiers=found,
        wanted=wanted,
        following=following,
        statuses=list(DossierStatus),
        releases=list(ReleaseState),
    )


@router.get("/dossiers/{dossier_id}")
def show_dossier(visitor: Reader, dossier_id: UUID, said: str = "") -> Response:
    """A dossier as its reader sees it, and what was decided about it."""
    with db.transaction() as session:
        detail = dossiers.show(session, dossier_id)
        (seen,) = shown(session, [dossier_id])
        job = jobs.find(session, JobKind.PUBLISH, detail.run_id) if detail.run_id else None
        rerun = reruns.last(session, dossier_id)
        now = session.scalars(select(func.now())).one()
    return screen(
        "dossier", visitor, said=said, detail=detail, seen=seen, view=seen.view, job=job, rerun=rerun, now=now
    )


@router.get("/files/{what}.{kind}")
def export(visitor: Reader, what: What, kind: Format, asked: Annotated[Exported, Query()]) -> Response:
    """Dossiers, their contacts or their signals as a file."""
    return download(asked.order(what, kind), visitor.asked_by)


@router.post("/dossiers/{dossier_id}/release")
def release(sent: Publisher, dossier_id: UUID) -> Response:
    """Release it now."""
    with db.transaction() as session:
        changed = desk.release_now(session, dossier_id, sent.visitor.asked_by)
    return _back(sent, "released" if changed else "unchanged")


@router.post("/dossiers/{dossier_id}/reschedule")
def reschedule(sent: Publisher, dossier_id: UUID) -> Response:
    """Put it on another day."""
    try:
        day = _DAY.validate_python(sent.fields.get("day", ""))
    except ValidationError as error:
        raise ReleaseDateInvalid(f"{error.errors()[0]['msg']}.", field="day") from None
    if day is None:
        raise ReleaseDateInvalid("No day was chosen. Choose one.", field="day")
    with db.transaction() as session:
        changed = desk.reschedule(session, dossier_id, day, sent.visitor.asked_by)
    return _back(sent, "rescheduled" if changed else "unchanged")


@router.post("/dossiers/{dossier_id}/hold")
def hold(sent: Publisher, dossier_id: UUID) -> Response:
    """Take it off the calendar."""
    with db.transaction() as session:
        changed = desk.hold(session, dossier_id, sent.visitor.asked_by)
    return _back(sent, "held" if changed else "unchanged")


@router.post("/dossiers/{dossier_id}/archive")
def archive(sent: Ops, dossier_id: UUID) -> Response:
    """Archive it."""
    with db.transaction() as session:
        changed = desk.archive(session, dossier_id, sent.visitor.asked_by)
    return _back(sent, "archived" if changed else "unchanged")


@router.post("/dossiers/{dossier_id}/rerun")
def rerun(request: Request, sent: Publisher, dossier_id: UUID) -> Response:
    """Have Make.com run the pipeline again for it."""
    with db.transaction() as session:
        _, job = reruns.ask(session, settings(), dossier_id, sent.visitor.asked_by)
    if job is not None:
        bell(request).ring([job])
    return _back(sent, "rerun" if job else "unchanged")


def _back(sent: Form, said: str) -> Response:
    figures.now.forget()
    return back_to(sent.then, said)
