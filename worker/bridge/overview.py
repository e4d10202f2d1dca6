"""Routes that look at many dossiers at once: the calendar, batches, V1 beside V2."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from models.jobs import Scope
from worker import db, progress
from worker import stats as figures
from worker.bridge.auth import needs
from worker.bridge.listed import OfClient
from worker.bridge.openapi import documented
from worker.calendar import outlook
from worker.calendar.outlook import CalendarEntry
from worker.clients import production_client
from worker.errors import Validation
from worker.fields import OptionalMoment, OptionalName
from worker.progress import BatchProgress
from worker.settings import settings
from worker.stats import Stats

router = APIRouter(prefix="/columnline", tags=["overview"], responses=documented())

USUAL_SPAN = timedelta(days=30)
EARLIEST = datetime(1, 1, 2, tzinfo=UTC)


class Releases(OfClient):
    """A page of the calendar, the next release first."""

    until: OptionalMoment = Field(
        default=None, description="what readers will see by this moment; with an offset; absent: all"
    )


class CalendarAnswer(BaseModel):
    """The releases to come, the next first."""

    ok: bool = True
    releases: list[CalendarEntry]
    free_slots: list[datetime] = Field(description="with `client_id`: that client's next free drip slots")
    next_cursor: str | None = Field(description="send as `cursor` for the next page; null on the last")


class BatchesAnswer(BaseModel):
    """Batches, newest first."""

    ok: bool = True
    batches: list[BatchProgress]
    next_cursor: str | None = Field(description="send as `cursor` for the next page; null on the last")


class BatchAnswer(BatchProgress):
    """A batch, and how far it is."""

    ok: bool = True


@router.get("/releases", summary="Show the release calendar", dependencies=[needs(Scope.READ)])
def calendar(page: Annotated[Releases, Query()]) -> CalendarAnswer:
    """What becomes visible when, and which older dossiers are superseded then; overdue ones are first."""
    with db.transaction() as session:
        client_id = page.client(session)
        found, cursor = outlook.releases(
            session, until=page.until, client_id=client_id, limit=page.size, cursor=page.cursor
        )
        free = outlook.free_slots(session, client_id, settings().client_mapping) if client_id else []
    return CalendarAnswer(releases=found, free_slots=free, next_cursor=cursor)


@router.get("/batches", summary="List batches", dependencies=[needs(Scope.READ)])
def list_batches(page: Annotated[OfClient, Query()]) -> BatchesAnswer:
    """Batches, newest first, with their counts as they are now."""
    with db.transaction() as session:
        found, cursor = progress.page(session, client_id=page.client(session), limit=page.size, cursor=page.cursor)
    return BatchesAnswer(batches=found, next_cursor=cursor)


@router.get("/batches/{batch_id}", summary="Show a batch", dependencies=[needs(Scope.READ)])
def show_batch(batch_id: Annotated[UUID, Path(description="`batch_id` of an answer")]) -> BatchAnswer:
    """How far a batch is, also while its runs are still on their way."""
    with db.transaction() as session:
        return BatchAnswer(**dict(progress.show(session, batch_id)))


@router.get("/stats", summary="Compare V1 and V2", dependencies=[needs(Scope.READ)])
def stats(
    since: Annotated[OptionalMoment, Query(description="with an offset; absent: 30 days ago")] = None,
    until: Annotated[OptionalMoment, Query(description="with an offset; absent: now")] = None,
    client_id: Annotated[OptionalName, Query(description="a client, by either of its ids; absent: all")] = None,
) -> Stats:
    """Published, errors, success rate, and seconds from a run's last output to publish and to release."""
    last = until or datetime.now(UTC)
    first = since or max(last, EARLIEST + USUAL_SPAN) - USUAL_SPAN
    if first >= last:
        raise Validation("`since` is not before `until`. Send an earlier one.", field="since")
    with db.transaction() as session:
        client = production_client(session, client_id, settings().client_mapping) if client_id else None
        return figures.stats(session, first, last, client)
