"""The lists a client files dossiers under (roadmap §6)."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

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


def made_on_demand(session: Session, client_id: UUID, name: str) -> UUID:
    """The client's list of that name, made if it is not there."""
    same = select(List.id).where(List.client_id == client_id, List.name == name)
    list_id = session.scalar(same)
    if list_id is None:
        new = insert(List).values(client_id=client_id, name=name).on_conflict_do_nothing().returning(List.id)
        list_id = session.scalar(new) or session.scalars(same).one()
    return list_id


def put(session: Session, dossier_id: UUID, list_id: UUID) -> None:
    """Put the dossier on the list; it may be there already."""
    session.execute(insert(DossierList).values(dossier_id=dossier_id, list_id=list_id).on_conflict_do_nothing())


def _has(session: Session, client_id: UUID) -> str:
    names = session.scalars(
        select(List.name).where(List.client_id == client_id).order_by(List.name).limit(_SHOWN)
    ).all()
    return f"Its lists: {', '.join(names)}." if names else "It has no lists yet."
