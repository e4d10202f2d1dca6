"""Reading for an export: first only the ids, then page by page, each in a short transaction of its own.

No transaction lasts as long as the download. So a slow reader of the file holds no snapshot, no connection and no
lock that a migration would wait for; memory is 16 bytes a dossier and one page. What was deleted meanwhile is left
out, what was added is not there, and each page is as it was at one moment.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from models.production import Batch, Client, Dossier
from worker import db
from worker.dossier_filter import DossierFilter
from worker.export.cells import Cell
from worker.export.columns import cells
from worker.export.order import Order
from worker.view.shown import shown

PAGE = 200
_FETCHED = 5000
_SIZE = 16  # bytes of a UUID
_AT_ONE_MOMENT = {"isolation_level": "REPEATABLE READ"}


@dataclass(slots=True)
class Progress:
    """How far an export is.

    Attributes:
        total: how many dossiers there are to read; None until that is known.
        dossiers: how many were read.
        rows: how many rows they gave.
    """

    total: int | None = None
    dossiers: int = 0
    rows: int = 0


def pages(order: Order, progress: Progress) -> Iterator[list[list[Cell]]]:
    """The rows of the dossiers that are wanted, newest dossier first, some at a time."""
    ids = _ids(order.wanted)
    progress.total = len(ids) // _SIZE
    for start in range(0, len(ids), PAGE * _SIZE):
        page = ids[start : start + PAGE * _SIZE]
        asked = [UUID(bytes=bytes(page[at : at + _SIZE])) for at in range(0, len(page), _SIZE)]
        rows = _read(order, asked)
        progress.dossiers += len(asked)
        progress.rows += len(rows)
        yield rows


def _read(order: Order, asked: list[UUID]) -> list[list[Cell]]:
    with db.transaction() as session:
        session.connection(execution_options=_AT_ONE_MOMENT)
        found = shown(session, asked)
    return [row for dossier in found for row in cells(order.what, dossier)]


def _ids(wanted: DossierFilter) -> bytearray:
    """The ids of the dossiers, newest first, one after the other."""
    ids = bytearray()
    with db.transaction() as session:
        statement = (
            select(Dossier.id)
            .join(Client, Client.id == Dossier.client_id)
            .outerjoin(Batch, Batch.id == Dossier.batch_id)
            .where(*wanted.conditions(session))
            .order_by(Dossier.created_at.desc(), Dossier.id.desc())
        )
        for found in session.scalars(statement, execution_options={"yield_per": _FETCHED}):
            ids += found.bytes
    return ids
