"""Dossiers with all that their readers see of them, fetched a few statements at a time."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.production import Batch, Client, Contact, Dossier, DossierList, List
from models.view import DossierView
from worker.calendar.moments import local, zone
from worker.dossier_filter import GROUPED_AT
from worker.view.transform import view


@dataclass(frozen=True, slots=True)
class Shown:
    """A dossier, its view, and what the view leaves to the app: whose it is and by which clock."""

    row: Dossier
    client_name: str
    timezone: ZoneInfo
    batch_number: str | None
    view: DossierView

    def local(self, moment: datetime | None) -> datetime | None:
        """The moment in the client's zone."""
        return moment and local(moment, self.timezone)


def shown(session: Session, dossier_ids: Sequence[UUID]) -> list[Shown]:
    """The dossiers with these ids that are there, in their order: three statements, however many they are."""
    statement = (
        select(
            Dossier,
            Client.name,
            Client.timezone,
            Batch.batch_number,
            GROUPED_AT.label("grouped_at"),
        )
        .join(Client, Client.id == Dossier.client_id)
        .outerjoin(Batch, Batch.id == Dossier.batch_id)
        .where(Dossier.id.in_(dossier_ids))
    )
    rows = {row.Dossier.id: row for row in session.execute(statement)}
    contacts = _contacts(session, dossier_ids)
    lists = _lists(session, dossier_ids)
    found = []
    for row in (rows[dossier_id] for dossier_id in dossier_ids if dossier_id in rows):
        where = zone(row.timezone)
        key = row.Dossier.id
        made = view(row.Dossier, contacts[key], lists[key], local(row.grouped_at, where).date())
        found.append(Shown(row.Dossier, row.name, where, row.batch_number, made))
    return found


def _contacts(session: Session, dossier_ids: Sequence[UUID]) -> dict[UUID, list[Contact]]:
    found: dict[UUID, list[Contact]] = defaultdict(list)
    statement = select(Contact).where(Contact.dossier_id.in_(dossier_ids)).order_by(Contact.created_at)
    for contact in session.scalars(statement):
        found[contact.dossier_id].append(contact)
    return found


def _lists(session: Session, dossier_ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    found: dict[UUID, list[str]] = defaultdict(list)
    statement = (
        select(DossierList.dossier_id, List.name)
        .join(List, List.id == DossierList.list_id)
        .where(DossierList.dossier_id.in_(dossier_ids))
        .order_by(List.name, List.id)
    )
    for dossier_id, name in session.execute(statement):
        found[dossier_id].append(name)
    return found
