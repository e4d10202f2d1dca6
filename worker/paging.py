"""Keyset pages: a cursor names the last row shown, so that no row is missed or shown twice."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from worker.errors import Validation

Row = TypeVar("Row")


def write(moment: datetime, row_id: UUID) -> str:
    """The cursor of the page after this row."""
    return base64.urlsafe_b64encode(f"{moment.isoformat()} {row_id}".encode()).decode()


def cut(
    rows: Sequence[Row], limit: int, key: Callable[[Row], tuple[datetime, UUID]]
) -> tuple[list[Row], str | None]:
    """The page, of rows that were asked for up to one more than `limit`, and the cursor of the next, if any."""
    shown = list(rows[:limit])
    return shown, write(*key(shown[-1])) if len(rows) > limit else None


def read(cursor: str) -> tuple[datetime, UUID]:
    """The row that a cursor names.

    Raises:
        Validation: it is none that `write` made.
    """
    try:
        moment, _, row_id = base64.urlsafe_b64decode(cursor).decode().partition(" ")
        return datetime.fromisoformat(moment), UUID(row_id)
    except (ValueError, binascii.Error):
        raise Validation(
            "The cursor is not one of ours. Send `next_cursor` of the page before.", field="cursor"
        ) from None
