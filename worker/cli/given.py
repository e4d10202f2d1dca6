"""What several commands are given: days, spans of time, dossiers and clients by whatever name they go."""

import getpass
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, overload
from uuid import UUID

import typer
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session

from models.production import Batch, Dossier, List
from worker.clients import production_client
from worker.errors import BatchNotFound, DossierNotFound, ListNotFound, ReleaseDateInvalid, Validation, WrongUsage
from worker.fields import OptionalDay, ReleaseDate
from worker.settings import settings

Since = Annotated[str | None, typer.Option(help="Not older than this: 2h, 3d, 30m, or 2026-01-20.")]
ClientOption = Annotated[str | None, typer.Option("--client", help="Only of this client: either of its ids.")]
DossierName = Annotated[str, typer.Argument(help="A dossier id or a run id.")]

_SPAN = re.compile(r"\d{1,5}[mhd]", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def asked_by() -> str:
    """Who asks, as history records it: by the number, where the user has no name, as in a container."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # OSError from Python 3.13 on
        name = f"uid {os.getuid()}"
    return f"command line, {name}"


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
    """The moment so long ago, or the beginning of that day, in UTC, or the moment itself.

    Raises:
        WrongUsage: it is none of these.
    """
    if text is None:
        return None
    if _SPAN.fullmatch(text):
        return datetime.now(UTC) - timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
    with suppress(ReleaseDateInvalid):
        day = read_day(text)
        if isinstance(day, datetime):
            return day
        if isinstance(day, date):
            return datetime.combine(day, time.min, UTC)
    raise WrongUsage(
        f"--since is {text!r}. Write a number and a unit, such as 30m, 2h or 3d, or a day such as 2026-01-20.",
        field="since",
    )


def read_until(text: str | None) -> datetime | None:
    """The end of that day, in UTC, or the moment itself.

    Raises:
        ReleaseDateInvalid, WrongUsage: it is neither.
    """
    day = read_day(text)
    if day is None or isinstance(day, datetime):
        return day
    if isinstance(day, str):
        raise WrongUsage(f"--until is {text!r}. Give a day such as 2026-01-20, or a moment.", field="until")
    return datetime.combine(day, time.max, UTC)


def read_batch_date(text: str | None) -> date | None:
    """A day as it was typed.

    Raises:
        WrongUsage: it is none.
    """
    try:
        return TypeAdapter(OptionalDay).validate_python(text)
    except ValidationError:
        raise WrongUsage(f"--batch-date is {text!r}. Give a day such as 2026-01-20.", field="batch_date") from None


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


@overload
def read_batch(session: Session, name: str, client: str | None) -> UUID: ...


@overload
def read_batch(session: Session, name: str | None, client: str | None) -> UUID | None: ...


def read_batch(session: Session, name: str | None, client: str | None) -> UUID | None:
    """The batch with that id, or the client's with that number; None where none was given.

    Raises:
        BatchNotFound: there is none.
        Validation: several clients have one of that number, and none was named.
    """
    if name is None:
        return None
    found = _by_name(session, Batch.id, Batch.batch_number, Batch.client_id, name, client)
    if not found:
        raise BatchNotFound(f"There is no batch {name!r}. List them: columnline batch.", field="batch_id")
    return _only(found, f"a batch {name!r}")


def read_list(session: Session, name: str | None, client: str | None) -> UUID | None:
    """The list with that id, or the client's of that name; None where none was given.

    Raises:
        ListNotFound: there is none.
        Validation: several clients have one of that name, and none was named.
    """
    if name is None:
        return None
    found = _by_name(session, List.id, List.name, List.client_id, name, client)
    if not found:
        raise ListNotFound(f"There is no list {name!r}. A name is taken as it is written.", field="list")
    return _only(found, f"a list {name!r}")


def _only(found: Sequence[UUID], what: str) -> UUID:
    if len(found) > 1:
        raise Validation(f"{len(found)} clients have {what}. Name one with --client.", field="client")
    return found[0]


def _by_name(
    session: Session,
    key: InstrumentedAttribute[UUID],
    named: InstrumentedAttribute[str],
    owner: InstrumentedAttribute[UUID],
    name: str,
    client: str | None,
) -> Sequence[UUID]:
    """The ids that the name may mean: itself, if it is one."""
    try:
        return [UUID(name)]
    except ValueError:
        pass
    statement = select(key).where(named == name)
    if (client_id := read_client(session, client)) is not None:
        statement = statement.where(owner == client_id)
    return session.scalars(statement).all()
