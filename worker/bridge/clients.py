"""Routes about clients: who is mapped to whom, and keeping their config fields equal."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from models.jobs import Scope
from worker import db, mapping
from worker.bridge.auth import needs
from worker.bridge.body import body_of
from worker.bridge.context import bell
from worker.bridge.gate import unescaped
from worker.bridge.listed import Paged
from worker.bridge.openapi import documented, documented_body
from worker.config.sync import SyncReport, sync
from worker.fields import AbsentIfEmpty, Name, OptionalFlag, OptionalId, OptionalName
from worker.mapping import ClientRow, Mapped
from worker.settings import settings

router = APIRouter(prefix="/columnline/clients", tags=["clients"], responses=documented())

ClientId = Annotated[
    Name,
    BeforeValidator(unescaped),
    Path(description="a `v2_clients.client_id`", examples=["CLT_NORTHWIND_001"]),
]


class Clients(Paged):
    """A page of v2 clients, by their ids."""

    unmapped: OptionalFlag = Field(default=None, description="true: only those whose runs are held")


class ClientsAnswer(BaseModel):
    """V2 clients, by their ids."""

    ok: bool = True
    clients: list[ClientRow]
    next_cursor: str | None = Field(description="send as `cursor` for the next page; null on the last")


class Mapping(BaseModel):
    """Where a v2 client is to lead: exactly one of these."""

    model_config = ConfigDict(extra="forbid")

    production_client_id: OptionalId = Field(default=None, description="the id of a client of the app")
    slug: OptionalName = Field(default=None, description="the slug of a client of the app")
    create: OptionalFlag = Field(default=None, description="true: make a client of the app with its name and slug")


class MappingAnswer(Mapped):
    """What a mapping did."""

    ok: bool = True


class SyncRequest(BaseModel):
    """Which fields to sync; all of every mapped client unless told otherwise."""

    model_config = ConfigDict(extra="forbid")

    dry_run: OptionalFlag = Field(default=None, description="true: only say what would be done")
    client_id: OptionalName = Field(default=None, description="only this v2 client")
    field: OptionalName = Field(default=None, description="only this field, such as `icp_config`")
    take: Annotated[Literal["v2", "production"] | None, AbsentIfEmpty] = Field(
        default=None, description="the side that counts, to settle a conflict: with `client_id` and `field` only"
    )


@router.get("", summary="List clients", dependencies=[needs(Scope.READ)])
def list_clients(page: Annotated[Clients, Query()]) -> ClientsAnswer:
    """V2 clients and where they lead; of those that lead nowhere, how many runs wait, and who may be meant."""
    with db.transaction() as session:
        found = mapping.clients(
            session,
            settings().client_mapping,
            unmapped=bool(page.unmapped),
            after=page.cursor,
            limit=page.size + 1,
        )
    shown = found[: page.size]
    return ClientsAnswer(clients=shown, next_cursor=shown[-1].v2_client_id if len(found) > len(shown) else None)


@router.put(
    "/{client_id}/mapping",
    summary="Map a client",
    dependencies=[needs(Scope.OPS)],
    openapi_extra=documented_body(
        Mapping,
        required=True,
        examples={
            "by id": {"production_client_id": "6f0d5c1e-0000-4000-8000-000000000001"},
            "by slug": {"slug": "northwind-steel"},
        },
    ),
)
def map_client(
    client_id: ClientId, body: Annotated[Mapping, Depends(body_of(Mapping))], request: Request
) -> MappingAnswer:
    """Lead a v2 client to a client of the app; the runs that were held for it go on at once, in order."""
    with db.transaction() as session:
        mapped, jobs = mapping.map_client(
            session,
            settings(),
            client_id,
            production_client_id=body.production_client_id,
            slug=body.slug,
            create=bool(body.create),
        )
    bell(request).ring(jobs)
    return MappingAnswer(**dict(mapped))


@router.post(
    "/sync",
    summary="Sync config fields",
    openapi_extra=documented_body(
        SyncRequest,
        examples={"look first": {"dry_run": True}, "everything": {}},
    ),
)
def sync_clients(
    asked_by: Annotated[str, needs(Scope.OPS)],
    body: Annotated[SyncRequest, Depends(body_of(SyncRequest))],
) -> SyncReport:
    """Let the owner's changes of config fields flow to the other table; other differences are reported."""
    with db.transaction() as session:
        return sync(
            session,
            settings(),
            asked_by=asked_by,
            dry_run=bool(body.dry_run),
            only=body.client_id,
            field=body.field,
            take=body.take,
        )
