"""What is to come, and for whom: the release calendar, batches, clients that wait for a mapping."""

from itertools import groupby
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request, Response

from worker import db, mapping, progress
from worker.bridge.context import bell
from worker.calendar import outlook
from worker.errors import Validation
from worker.fields import OptionalName
from worker.page import figures
from worker.page.forms import Ops
from worker.page.rendering import back_to, fragment, screen, screens
from worker.page.visitors import Reader
from worker.settings import settings

router = screens()

Cursor = Annotated[str | None, Query(max_length=200)]
_PAGE = 50


@router.get("/calendar")
def calendar(visitor: Reader, said: str = "", cursor: Cursor = None) -> Response:
    """What becomes visible when, day by day."""
    with db.transaction() as session:
        found, following = outlook.releases(session, limit=_PAGE, cursor=cursor)
    days = [(day, list(entries)) for day, entries in groupby(found, lambda entry: entry.release_at.date())]
    return screen("calendar", visitor, said=said, days=days, following=following)


@router.get("/batches")
def batches(visitor: Reader, cursor: Cursor = None) -> Response:
    """Batches, newest first, with their progress."""
    return screen("batches", visitor, cursor=cursor, **_batches(cursor))


@router.get("/live/batches")
def live_batches(request: Request, visitor: Reader, cursor: Cursor = None) -> Response:
    """The part of the batches' screen that moves."""
    return fragment(request, "_batches", visitor, **_batches(cursor))


@router.get("/clients")
def clients(
    visitor: Reader, said: str = "", every: bool = False, cursor: Annotated[OptionalName, Query()] = None
) -> Response:
    """Clients whose runs wait for a mapping, or all of them."""
    with db.transaction() as session:
        found = mapping.clients(
            session, settings().client_mapping, unmapped=not every, after=cursor, limit=_PAGE + 1
        )
    shown = found[:_PAGE]
    following = shown[-1].v2_client_id if len(found) > len(shown) else None
    return screen("clients", visitor, said=said, clients=shown, every=every, following=following)


@router.post("/clients/map")
def map_client(request: Request, sent: Ops) -> Response:
    """Lead a v2 client to one of the app's, or make one for it; what was held goes on."""
    chosen = sent.fields.get("production_client_id", "")
    try:
        target = None if chosen == "create" else UUID(chosen)
    except ValueError:
        raise Validation("No client of the app was chosen. Choose one.", field="production_client_id") from None
    with db.transaction() as session:
        _, released = mapping.map_client(
            session,
            settings(),
            sent.fields.get("client_id", ""),
            production_client_id=target,
            create=target is None,
        )
    bell(request).ring(released)
    figures.now.forget()
    return back_to(sent.then, "mapped")


def _batches(cursor: str | None) -> dict[str, Any]:
    with db.transaction() as session:
        found, following = progress.page(session, limit=_PAGE, cursor=cursor)
    return {"batches": found, "following": following}
