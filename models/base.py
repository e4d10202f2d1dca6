"""What all tables share: names as PostgreSQL would give them, and one column type per Python type."""

from datetime import date, datetime
from typing import Any, ClassVar, cast
from uuid import UUID

from sqlalchemy import BigInteger, Date, DateTime, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase

NAMES = {
    "pk": "%(table_name)s_pkey",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    "ck": "%(table_name)s_%(constraint_name)s_check",
}


class Big(int):
    """An integer that is stored in eight bytes."""


class Base(DeclarativeBase):
    """The base of every mapped class. `None` in a JSON column is SQL NULL, never the JSON value `null`."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text,
        Big: BigInteger,
        UUID: Uuid,
        date: Date,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB(none_as_null=True),
        list[Any]: JSONB(none_as_null=True),
        list[str]: ARRAY(Text),
    }


def table_of(model: type[Base]) -> Table:
    """The model's table, for statements on the hot path: they skip the bookkeeping of mapped objects."""
    return cast("Table", model.__table__)
