"""The lists a client files dossiers under (roadmap §6)."""

from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models.base import table_of
from models.production import DossierList, List
from worker.errors import ListNotFound, ListOfOtherClient
from worker.settings import Settings

_SHOWN = 10


def usual(config: Settings, own: str | None) -> str:
    """The list of a client's new dossiers: its own wish, else what the settings say; empty for none."""
    return config.default_list if own is None else own


def asked_for(
    session: Session, client_id: UUID, list_id: UUID | None, name: str | None, usual_name: str
) -> UUID | str | None:
    """The list that a request names, by its id or by its name; None where it names none.

    A name is taken as it is written; where no list is written so, one that differs in case only will do. The
    client's usual list is named by its name: that one is made on demand.

    Raises:
        ListNotFound: the client has no such list; names those it has.
        ListOfOtherClient: it is another client's.
    """
    if list_id is not None:
        owner = session.scalar(select(List.client_id).where(List.id == list_id))
        if owner is None:
            raise ListNotFound(f"There is no list {list_id}. {_has(session, client_id)}", field="default_list_id")
        if owner != client_id:
            raise ListOfOtherClient(
                f"List {list_id} belongs to another client than this run's. {_has(session, client_id)}",
                field="default_list_id",
            )
        return list_id
    if name is None:
        return None
    if name.lower() == usual_name.lower():
        return usual_name
    alike = session.execute(
        select(List.id, List.name).where(List.client_id == client_id, func.lower(List.name) == name.lower())
    ).all()
    found: list[UUID] = [row.id for row in alike if row.name == name] or [row.id for row in alike]
    if len(found) != 1:
        raise ListNotFound(f"The client has no list {name!r}. {_has(session, client_id)}", field="list")
    return found[0]


def put(session: Session, dossier_id: UUID, list_id: UUID) -> None:
    """Put the dossier on the list; it may be there already."""
    session.connection().execute(_PUT, {"dossier_id": dossier_id, "list_id": list_id})


def put_by_name(session: Session, dossier_id: UUID, client_id: UUID, name: str) -> None:
    """Put the dossier on the client's list of that name, which is made if it is not there."""
    values = {"dossier_id": dossier_id, "client_id": client_id, "name": name}
    if session.connection().execute(_PUT_BY_NAME, values).one_or_none() is None:
        session.execute(insert(List).values(client_id=client_id, name=name).on_conflict_do_nothing())
        session.connection().execute(_PUT_BY_NAME, values).one()


_PUT = insert(table_of(DossierList)).on_conflict_do_nothing()
_PUT_BY_NAME = text("""
with list as (select id from lists where client_id = :client_id and name = :name),
put as (
  insert into dossier_lists (dossier_id, list_id) select :dossier_id, id from list on conflict do nothing
)
select id from list
""")


def _has(session: Session, client_id: UUID) -> str:
    names = session.scalars(
        select(List.name).where(List.client_id == client_id).order_by(List.name).limit(_SHOWN)
    ).all()
    return f"Its lists: {', '.join(names)}." if names else "It has no lists yet."
