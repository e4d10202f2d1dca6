"""Routes that start the pipeline again for a dossier, and show what came of it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from models.jobs import Scope
from worker import db, reruns
from worker.bridge.auth import needs
from worker.bridge.body import body_of
from worker.bridge.context import base_url, bell
from worker.bridge.dossiers import DossierId
from worker.bridge.openapi import documented, documented_body
from worker.fields import Name, OptionalName, absent_if_empty
from worker.reruns import RerunAnswer
from worker.settings import settings

router = APIRouter(prefix="/columnline", tags=["reruns"], responses=documented())

MAX_AGENTS = 50
RETRY_AFTER = "30"


def _listed(value: object) -> object:
    """A list of names; Make.com also sends one text with commas, or a single name."""
    value = absent_if_empty(value)
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class RerunOptions(BaseModel):
    """What a rerun may say; all of it optional."""

    model_config = ConfigDict(extra="forbid")

    agents: Annotated[
        Annotated[list[Name], Field(max_length=MAX_AGENTS)] | None,
        BeforeValidator(_listed),
    ] = Field(default=None, description="which of the pipeline's agents to run again; absent: all")
    client_id: OptionalName = Field(
        default=None, description="the v2 client to run it for, where several lead to the dossier's client"
    )


@router.post(
    "/rerun/{dossier_id}",
    summary="Rerun a dossier",
    status_code=202,
    response_description="Asked for, or one was open already: `duplicate` says which",
    openapi_extra=documented_body(
        RerunOptions, examples={"all of it": {}, "some agents": {"agents": ["write-copy", "insight"]}}
    ),
)
def rerun(
    asked_by: Annotated[str, needs(Scope.PUBLISH)],
    dossier_id: DossierId,
    body: Annotated[RerunOptions, Depends(body_of(RerunOptions))],
    request: Request,
    response: Response,
) -> RerunAnswer:
    """Have Make.com run the pipeline again from the dossier's seed; what it publishes replaces the dossier.

    While a rerun of the dossier is open, this answers that one.
    """
    with db.transaction() as session:
        made, job = reruns.ask(
            session, settings(), dossier_id, asked_by, agents=body.agents, client_id=body.client_id
        )
    if job is not None:
        bell(request).ring([job])
    answered = reruns.answer(made, duplicate=job is None, base_url=base_url(request))
    response.headers["Location"] = answered.status_url
    response.headers["Retry-After"] = RETRY_AFTER
    return answered


@router.get("/reruns/{rerun_id}", summary="Show a rerun", dependencies=[needs(Scope.READ)])
def show_rerun(
    rerun_id: Annotated[UUID, Path(description="`rerun_id` of an answer")], request: Request
) -> RerunAnswer:
    """How far a rerun is: requested, triggered, then published, failed or timed out."""
    with db.transaction() as session:
        return reruns.answer(reruns.get(session, rerun_id), base_url=base_url(request))
