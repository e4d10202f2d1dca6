"""Routes about dossiers: find them, and decide when their readers see them."""

from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from models.jobs import Scope
from models.view import DossierView
from worker import db, dossiers
from worker.bridge.auth import needs
from worker.bridge.body import body_of
from worker.bridge.listed import DossierConditions, Paged
from worker.bridge.openapi import documented, documented_body
from worker.calendar import desk
from worker.dossiers import DossierDetail, DossierRow
from worker.errors import ReleaseDateInvalid, Validation
from worker.fields import (
    ANY_DAY,
    OptionalFlag,
    ReleaseDate,
)
from worker.view.shown import shown

router = APIRouter(prefix="/columnline/dossiers", tags=["dossiers"], responses=documented())

DossierId = Annotated[UUID, Path(description="`dossier_id` of an answer")]


class Dossiers(DossierConditions, Paged):
    """A page of dossiers, newest first."""


class DossiersAnswer(BaseModel):
    """Dossiers, newest first."""

    ok: bool = True
    dossiers: list[DossierRow]
    next_cursor: str | None = Field(description="send as `cursor` for the next page; null on the last")


class DossierAnswer(DossierDetail):
    """A dossier and what was decided about its release."""

    ok: bool = True
    duplicate: bool = Field(default=False, description="true if this request changed nothing")


class DossierShown(DossierAnswer):
    """A dossier, what was decided about its release, and what its reader sees."""

    view: DossierView


class Release(BaseModel):
    """When the readers are to see the dossier: at once, unless `release_date` or `hold` says otherwise."""

    model_config = ConfigDict(extra="forbid")

    release_date: ReleaseDate = Field(
        default=None,
        description="the day, as in a publish, or `drip`; absent: at once",
        json_schema_extra=ANY_DAY,
    )
    hold: OptionalFlag = Field(default=None, description="true: not until somebody says so")

    def checked(self) -> Self:
        """The same, if it can only mean one thing.

        Raises:
            Validation: a day, and not to be released; or an empty `hold`.
            ReleaseDateInvalid: an empty day, which may be a field that was mapped wrongly.
        """
        if self.hold and self.release_date is not None:
            raise Validation("`hold` and `release_date` contradict each other. Send one of them.", field="hold")
        if not self.hold and self.release_date is None and "release_date" in self.model_fields_set:
            raise ReleaseDateInvalid(
                "`release_date` is there and empty. Send {} to release at once, a day, or `hold: true`.",
                field="release_date",
            )
        if self.hold is None and "hold" in self.model_fields_set and self.release_date is None:
            raise Validation(
                "`hold` is there and empty. Send {} to release at once, or `hold: true`.", field="hold"
            )
        return self


@router.get("", summary="List dossiers", dependencies=[needs(Scope.READ)])
def list_dossiers(page: Annotated[Dossiers, Query()]) -> DossiersAnswer:
    """Dossiers of V1 and V2, newest first, page by page."""
    with db.transaction() as session:
        found, cursor = dossiers.page(session, page.wanted(session), limit=page.size, cursor=page.cursor)
    return DossiersAnswer(dossiers=found, next_cursor=cursor)


@router.get("/{dossier_id}", summary="Show a dossier", dependencies=[needs(Scope.READ)])
def show_dossier(dossier_id: DossierId) -> DossierShown:
    """A dossier as the app shows it, V1 and V2 alike, and what was decided about its release."""
    with db.transaction() as session:
        detail = dossiers.show(session, dossier_id)
        (seen,) = shown(session, [dossier_id])
    return DossierShown(**dict(detail), view=seen.view)


@router.post(
    "/{dossier_id}/release",
    summary="Release, reschedule or hold a dossier",
    openapi_extra=documented_body(
        Release,
        examples={
            "at once": {},
            "on another day": {"release_date": "2026-01-20"},
            "in the next drip slot": {"release_date": "drip"},
            "not for now": {"release_date": None, "hold": True},
        },
    ),
)
def release(
    asked_by: Annotated[str, needs(Scope.PUBLISH)],
    dossier_id: DossierId,
    body: Annotated[Release, Depends(body_of(Release))],
) -> DossierAnswer:
    """Release a dossier now, put it on another day, or take it off the calendar.

    On a day that has come it is released at once. One that readers have already stays as it is.
    """
    wanted = body.checked()
    with db.transaction() as session:
        if wanted.hold:
            changed = desk.hold(session, dossier_id, asked_by)
        elif wanted.release_date is None:
            changed = desk.release_now(session, dossier_id, asked_by)
        else:
            changed = desk.reschedule(session, dossier_id, wanted.release_date, asked_by)
    return _answer(dossier_id, duplicate=not changed)


@router.post("/{dossier_id}/archive", summary="Archive a dossier")
def archive(asked_by: Annotated[str, needs(Scope.OPS)], dossier_id: DossierId) -> DossierAnswer:
    """Archive a dossier. One that readers never saw leaves the calendar, and replaces nothing any more."""
    with db.transaction() as session:
        changed = desk.archive(session, dossier_id, asked_by)
    return _answer(dossier_id, duplicate=not changed)


def _answer(dossier_id: UUID, *, duplicate: bool = False) -> DossierAnswer:
    with db.transaction() as session:
        return DossierAnswer(**dict(dossiers.show(session, dossier_id)), duplicate=duplicate)
