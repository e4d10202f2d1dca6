"""Routes that hand out dossiers as files: at once, or written by a job and fetched later."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError
from sqlalchemy.orm import Session

from models.jobs import Scope
from worker import answers, db
from worker.answers import JobAnswer
from worker.bridge.auth import needs
from worker.bridge.body import body_of
from worker.bridge.context import base_url, bell
from worker.bridge.download import Download
from worker.bridge.listed import DossierConditions
from worker.bridge.openapi import documented, documented_body
from worker.dossier_filter import DossierFilter
from worker.export import files, parts
from worker.export.columns import header
from worker.export.order import MEDIA_TYPES, Format, Order, What
from worker.export.reading import Progress
from worker.fields import AbsentIfEmpty, OptionalFlag
from worker.settings import settings

router = APIRouter(prefix="/columnline", tags=["exports"], responses=documented())

MAX_IDS = 500
RETRY_AFTER = "5"
_BINARY = {"schema": {"type": "string", "format": "binary"}}
FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file, sent while it is made; one that breaks off is not whole",
        "content": dict.fromkeys(MEDIA_TYPES.values(), _BINARY),
    }
}
FormatAsked = Annotated[Format, Path(alias="format", description="`csv` or `xlsx`")]


def _ids(text: str | None) -> tuple[UUID, ...] | None:
    if text is None:
        return None
    given = text.split(",")
    if len(given) > MAX_IDS:
        raise PydanticCustomError(
            "too_many_ids", "names {n} dossiers, {most} at most", {"n": len(given), "most": MAX_IDS}
        )
    try:
        return tuple(UUID(part.strip()) for part in given)
    except ValueError:
        raise PydanticCustomError("ids", "is no list of dossier ids, divided by commas") from None


class Exported(DossierConditions):
    """Which dossiers to export, and how; all of it optional."""

    ids: Annotated[str | None, AbsentIfEmpty, AfterValidator(_ids)] = Field(
        default=None, description=f"only these dossiers: ids, divided by commas, at most {MAX_IDS}"
    )
    bom: OptionalFlag = Field(
        default=None, description="true: begin a CSV file with a byte order mark, by which Excel knows UTF-8"
    )

    def wanted(self, session: Session) -> DossierFilter:
        """The same as a filter, its client found.

        Raises:
            ClientNotFound: there is no such client.
        """
        ids: Any = self.ids
        return replace(super().wanted(session), ids=ids)

    def order(self, what: What, kind: Format) -> Order:
        """The export that is asked for.

        Raises:
            ClientNotFound: there is no such client.
        """
        with db.transaction() as session:
            return Order(what, kind, self.wanted(session), bom=bool(self.bom))


class ExportRequest(Exported):
    """An export that a job writes: what, as which file, of which dossiers."""

    what: What = Field(description="what a row is: `dossiers`, `contacts` or `signals`")
    format: Annotated[Format | None, AbsentIfEmpty] = Field(
        default=None, description="`csv`, unless told otherwise, or `xlsx`"
    )


def download(order: Order, asked_by: str) -> Download:
    """The answer that sends the file while it is made."""
    progress = Progress()
    return Download(
        lambda: parts(order, progress),
        name=order.file_name,
        media_type=order.media_type,
        told={
            "asked_by": asked_by,
            "what": order.what,
            "format": order.format,
            "conditions": order.conditions(),
        },
        figures=lambda: {"dossiers": progress.dossiers, "rows": progress.rows},
    )


def _route(what: What, about: str) -> Callable[..., Response]:
    """Add the route of one export, documented with its columns."""

    def export(
        asked_by: Annotated[str, needs(Scope.READ)],
        kind: FormatAsked,
        asked: Annotated[Exported, Query()],
    ) -> Response:
        return download(asked.order(what, kind), asked_by)

    router.add_api_route(
        f"/export/{what}.{{format}}",
        export,
        name=f"export_{what}",
        summary=f"Export {what}",
        description=f"{about} V1 and V2 alike, newest first, of the dossiers that meet all conditions. Ask for "
        f"very many as a job. Columns: {', '.join(f'`{name}`' for name in header(what))}.",
        responses=FILE,
        response_class=Response,
        response_description="The file",
    )
    return export


_route(What.DOSSIERS, "One row for each dossier.")
_route(What.CONTACTS, "One row for each contact, with what was written for that person.")
_route(What.SIGNALS, "One row for each signal that a company is about to buy.")


@router.post(
    "/exports",
    summary="Export by a job",
    status_code=202,
    response_description="Accepted, or the same one was before; look at `status_url` for its end",
    openapi_extra=documented_body(
        ExportRequest,
        required=True,
        examples={
            "every contact": {"what": "contacts"},
            "a client's dossiers, for Excel": {
                "what": "dossiers",
                "format": "xlsx",
                "client_id": "CLT_NORTHWIND_001",
            },
        },
    ),
)
def request_export(
    asked_by: Annotated[str, needs(Scope.PUBLISH)],
    body: Annotated[ExportRequest, Depends(body_of(ExportRequest))],
    request: Request,
    response: Response,
) -> JobAnswer:
    """Have a job write an export of any size. Once it is done, its file can be fetched for a week.

    While the same export has not ended, the same request answers that one.
    """
    order = body.order(body.what, body.format or Format.CSV)
    with db.transaction() as session:
        job, new = files.ask(session, settings(), order, asked_by)
    if new:
        bell(request).ring([job])
    with db.transaction() as session:
        answered = answers.answer(session, job, duplicate=not new, base_url=base_url(request))
    response.headers["Location"] = answered.status_url or ""
    response.headers["Retry-After"] = RETRY_AFTER
    return answered


@router.get("/exports/{export_id}/file", summary="Fetch an export's file", responses=FILE, response_class=Response)
def export_file(
    asked_by: Annotated[str, needs(Scope.READ)],
    export_id: Annotated[UUID, Path(description="`job_id` of the answer to the export")],
) -> Response:
    """The file that a job wrote; its job's `result` tells how many rows and bytes it has."""
    with db.transaction() as session:
        order, size = files.find(session, export_id)
    return Download(
        lambda: files.parts(export_id, size),
        name=order.file_name,
        media_type=order.media_type,
        told={"asked_by": asked_by, "what": order.what, "format": order.format, "job_id": str(export_id)},
    )
