"""What can be told of a publish's options at the door: a refusal there changes nothing at all.

The publish itself decides again, since lists and dossiers come and go meanwhile.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from models.orders import DRIP, PublishOrder
from models.pipeline import V2Client, V2Run
from models.production import Client, Dossier, DossierStatus
from models.values import dossier_id_of
from worker import lists
from worker.calendar import chain, slots
from worker.clients import CLOCK, ClientClock, is_production_client
from worker.errors import SupersedePending, Validation
from worker.outgoing import check_url
from worker.settings import Settings


def check_options(session: Session, config: Settings, order: PublishOrder) -> None:
    """Refuse options that cannot be met; those of a client that is not mapped yet are not looked at.

    Raises:
        Validation: two options say the same thing.
        CallbackRefused: the callback may not go there.
        ListNotFound, ListOfOtherClient: about the list.
        DossierNotFound, SupersedeOtherClient, SupersedeTaken, Validation: about the older dossier.
        DripUnavailable, AlreadyReleased: about the release date.
    """
    _check_choice(order)
    if order.callback_url is not None:
        check_url(order.callback_url, config.callback_hosts)
    named = (order.default_list_id, order.list, order.supersedes_run_id, order.supersedes_dossier_id)
    if order.release_date is None and all(value is None for value in named):
        return
    client = _client(session, config, order.run_id)
    if client is None:
        return
    clock = ClientClock.of(client._mapping)  # noqa: SLF001 - the public name of a row's dict
    usual = lists.usual(config, client.default_list)
    lists.asked_for(session, clock.client_id, order.default_list_id, order.list, usual)
    _check_release(client, clock, order)
    if order.names_an_older:
        newer = chain.Newer(dossier_id_of(order.run_id), clock.client_id)
        try:
            chain.named(
                session,
                newer,
                run_id=order.supersedes_run_id,
                dossier_id=order.supersedes_dossier_id,
                lock=False,
            )
        except SupersedePending:
            return  # the publish waits for it


def _check_choice(order: PublishOrder) -> None:
    pairs = (
        ("default_list_id", "list"),
        ("supersedes_run_id", "supersedes_dossier_id"),
        ("supersedes_run_id", "supersede"),
        ("supersedes_dossier_id", "supersede"),
    )
    for one, other in pairs:
        if getattr(order, one) is not None and getattr(order, other) is not None:
            raise Validation(f"`{one}` and `{other}` say the same thing in two ways. Send one.", field=other)


def _client(session: Session, config: Settings, run_id: str) -> Row[Any] | None:
    dossier_id: UUID = dossier_id_of(run_id)
    statement = (
        select(
            *CLOCK,
            V2Client.default_list,
            func.now().label("now"),
            Dossier.released_at,
            Dossier.status,
        )
        .select_from(V2Run)
        .join(V2Client, V2Client.client_id == V2Run.client_id)
        .join(Client, is_production_client(config.client_mapping))
        .outerjoin(Dossier, Dossier.id == dossier_id)
        .where(V2Run.run_id == run_id)
    )
    found = session.execute(statement).all()
    return found[0] if len(found) == 1 else None  # of several, the publish tells


def _check_release(client: Row[Any], clock: ClientClock, order: PublishOrder) -> None:
    asked = order.release_date
    if asked is None:
        return
    if asked == DRIP:
        clock.drip()
    published = client.status not in {None, DossierStatus.ERROR}
    if order.republish and published and client.released_at and client.released_at <= client.now:
        slots.must_have_come(clock, asked, client.now, dossier_id_of(order.run_id))
