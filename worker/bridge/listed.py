"""What lists have in common: so many on a page, a cursor for the next, a client by either of its ids."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from worker.clients import production_client
from worker.fields import Number, OptionalName
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


class OfClient(Paged):
    """A page of something of one client, or of all."""

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
