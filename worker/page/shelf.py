"""Dossiers: the list, one as its reader sees it, and what may be done with it."""

from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import func, or_, select

from models.jobs import JobKind
from models.production import Client, DossierStatus, List
from worker import db, dossiers, jobs, reruns
from worker.bridge.context import bell
from worker.bridge.exports import Exported, download, export_file
from worker.calendar import desk
from worker.dossier_filter import DossierFilter, ReleaseState
from worker.errors import ReleaseDateInvalid
from worker.export.order import Format, What
from worker.fields import OptionalDay, OptionalId, ReleaseDate
from worker.page import figures
from worker.page.forms import Form, Ops, Publisher
from worker.page.rendering import back_to, screen, screens
from worker.page.visitors import Reader
from worker.settings import settings
from worker.view.shown import shown

router = screens()

_PAGE = 50
_DAY = TypeAdapter(ReleaseDate)
_ASKED_AS = {
    "company": "company",
    "client_id": "client",
    "list_id": "list",
    "pipeline_version": "version",
    "status": "status",
    "release": "release",
    "batch_id": "batch",
    "batch_date": "batch_date",
}
"""Conditions of the list: what exports call them, and what its form does."""


@router.get("/dossiers")
def list_dossiers(
    visitor: Reader,
    version: Annotated[str | None, Query(max_length=10)] = None,
    status: Annotated[str | None, Query(max_length=20)] = None,
    release: Annotated[str | None, Query(max_length=20)] = None,
    company: Annotated[str | None, Query(max_length=128)] = None,
    client: Annotated[OptionalId, Query()] = None,
    on_list: Annotated[OptionalId, Query(alias="list")] = None,
    batch: UUID | None = None,
    batch_date: Annotated[OptionalDay, Query()] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Dossiers of V1 and V2, newest first. A word that is no choice counts as all; an id or a day must be one."""
    wanted = DossierFilter(
        status=DossierStatus(status) if status in list(DossierStatus) else None,
        pipeline_version=version if version in {"v1", "v2"} else None,
        release=ReleaseState(release) if release in list(ReleaseState) else None,
        company=(company or "").replace("\0", "") or None,
        client_id=client,
        list_id=on_list,
        batch_id=batch,
        batch_date=batch_date,
    )
    with db.transaction() as session:
        found, following = dossiers.page(session, wanted, limit=_PAGE, cursor=cursor)
        clients = session.execute(select(Client.id, Client.name).order_by(Client.name, Client.id)).all()
        its_lists = select(List.id, List.name).where(or_(List.client_id == client, List.id == on_list))
        lists = session.execute(its_lists.order_by(List.name, List.id)).all()
    given = {name: value for name in _ASKED_AS if (value := getattr(wanted, name)) is not None}
    return screen(
        "dossiers",
        visitor,
        dossiers=found,
        wanted=wanted,
        following=following,
        exported=urlencode(given),
        query=urlencode({_ASKED_AS[name]: value for name, value in given.items()}),
        clients=clients,
        lists=lists,
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


@router.get("/files/exports/{export_id}")
def exported_file(visitor: Reader, export_id: UUID) -> Response:
    """The file that an export's job wrote."""
    return export_file(visitor.asked_by, export_id)


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
