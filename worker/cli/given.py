"""What several commands are given: days, spans of time, dossiers and clients by whatever name they go."""

import getpass
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import typer
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.production import Dossier
from worker.clients import production_client
from worker.errors import DossierNotFound, ReleaseDateInvalid, Validation
from worker.fields import ReleaseDate
from worker.settings import settings

Since = Annotated[str | None, typer.Option(help="Not older than this, such as 2h, 3d or 30m.")]
ClientOption = Annotated[str | None, typer.Option("--client", help="Only of this client: either of its ids.")]
DossierName = Annotated[str, typer.Argument(help="A dossier id or a run id.")]

_SPAN = re.compile(r"\d{1,5}[mhd]", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def asked_by() -> str:
    """Who asks, as history records it."""
    return f"command line, {getpass.getuser()}"


def read_day(text: str | None) -> Any:
    """A release date as it was typed.

    Raises:
        ReleaseDateInvalid: it is none.
    """
    try:
        return TypeAdapter(ReleaseDate).validate_python(text)
    except ValidationError as error:
        raise ReleaseDateInvalid(error.errors()[0]["msg"] + ".", field="release_date") from None


def read_since(text: str | None) -> datetime | None:
    """The moment so long ago.

    Raises:
        Validation: it is no span of time.
    """
    if text is None:
        return None
    if _SPAN.fullmatch(text):
        return datetime.now(UTC) - timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
    raise Validation(f"--since is {text!r}. Write a number and a unit: 30m, 2h or 3d.", field="since")


def read_client(session: Session, name: str | None) -> UUID | None:
    """The production client of that name, or None where none was given.

    Raises:
        ClientNotFound: there is none.
    """
    return None if name is None else production_client(session, name, settings().client_mapping)


def read_dossier(session: Session, name: str) -> UUID:
    """The dossier of that run, or with that id.

    Raises:
        DossierNotFound: there is none.
    """
    found = session.scalar(select(Dossier.id).where(Dossier.run_id == name))
    if found is not None:
        return found
    try:
        return UUID(name)
    except ValueError:
        raise DossierNotFound(
            f"Run {name!r} has no dossier, and it is no dossier id. See: columnline status {name}.",
            field="dossier_id",
        ) from None
