"""What lists have in common: so many on a page, a cursor for the next, a client by either of its ids."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from models.production import DossierStatus
from worker.clients import production_client
from worker.dossier_filter import DossierFilter, ReleaseState
from worker.fields import AbsentIfEmpty, Number, OptionalDay, OptionalId, OptionalMoment, OptionalName
from worker.settings import settings

PAGE = 50
MAX_PAGE = 200


class Paged(BaseModel):
    """A page of something."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[Annotated[int, Field(ge=1, le=MAX_PAGE)] | None, Number] = Field(
        default=None, description=f"how many on a page, {PAGE} unless told otherwise"
    )
    cursor: OptionalName = Field(default=None, description="`next_cursor` of the page before")

    @property
    def size(self) -> int:
        """How many belong on the page."""
        return self.limit or PAGE


class ClientNamed(BaseModel):
    """Something of one client, or of all."""

    client_id: OptionalName = Field(
        default=None, description="a `v2_clients.client_id`, or the id of a client of the app"
    )

    def client(self, session: Session) -> UUID | None:
        """The production client that was named, or None.

        Raises:
            ClientNotFound: it is none.
        """
        if self.client_id is None:
            return None
        return production_client(session, self.client_id, settings().client_mapping)


class OfClient(ClientNamed, Paged):
    """A page of something of one client, or of all."""


class DossierConditions(ClientNamed):
    """Which dossiers are meant; conditions that are absent do not count."""

    model_config = ConfigDict(extra="forbid")

    status: Annotated[DossierStatus | None, AbsentIfEmpty] = Field(default=None, description="their status")
    pipeline_version: Annotated[Literal["v1", "v2"] | None, AbsentIfEmpty] = Field(
        default=None, description="`v1` or `v2`"
    )
    release: Annotated[ReleaseState | None, AbsentIfEmpty] = Field(
        default=None,
        description="whether readers see them, will at a set time, or will not until somebody says so",
    )
    batch_id: OptionalId = Field(default=None, description="of this batch")
    batch_date: OptionalDay = Field(
        default=None, description="the client's day that the app groups them under, such as `2026-01-20`"
    )
    list_id: OptionalId = Field(default=None, description="on this list")
    company: OptionalName = Field(default=None, description="part of the company's name or domain")
    since: OptionalMoment = Field(default=None, description="made at this moment or later; with an offset")
    until: OptionalMoment = Field(default=None, description="made before this moment; with an offset")

    def wanted(self, session: Session) -> DossierFilter:
        """The same as a filter, its client found.

        Raises:
            ClientNotFound: there is no such client.
        """
        given = {name: getattr(self, name) for name in DossierConditions.model_fields if name != "client_id"}
        return DossierFilter(client_id=self.client(session), **given)
