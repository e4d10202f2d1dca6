"""What taking the schema back to V1 would lose, counted beforehand, and who is at work meanwhile."""

from collections.abc import Iterator, Mapping

from pydantic import BaseModel
from sqlalchemy import Connection, Table, text

from models.jobs import JobState
from models.tables import METADATA

_PRESENT = """
select attrelid::regclass::text as "table", attname as name
from pg_attribute join pg_class c on c.oid = attrelid
where relnamespace = quote_ident(current_schema())::regnamespace and relkind in ('r', 'p')
  and attnum > 0 and not attisdropped
"""


class Loss(BaseModel):
    """So many rows of a table, or values of a column that V1 does not have."""

    what: str
    count: int


class Losses(BaseModel):
    """What would be lost.

    Attributes:
        lost: rows and values that would be gone; only what there is.
        plain: dossiers of V2 that would stay as rows like V1's, without their run id.
        running: jobs in a worker's hands right now.
    """

    lost: list[Loss]
    plain: int
    running: int


def count(connection: Connection, v1: Mapping[str, Mapping[str, str]]) -> Losses:
    """Count it, within the transaction that is open. `v1` names V1's tables and their columns."""
    present: dict[str, set[str]] = {}
    for row in connection.execute(text(_PRESENT)):
        present.setdefault(row.table, set()).add(row.name)
    lost = [
        Loss(what=what, count=number)
        for table in METADATA.sorted_tables
        for what, condition in _ours(table, v1.get(table.name), present.get(table.name, set()))
        if (number := _number(connection, table.name, condition))
    ]
    return Losses(
        lost=lost,
        plain=_number(connection, "dossiers", "pipeline_version = 'v2'")
        if "pipeline_version" in present.get("dossiers", set())
        else 0,
        running=_number(connection, "jobs", f"state = '{JobState.RUNNING}' and leased_until > now()")
        if "jobs" in present
        else 0,
    )


def _ours(table: Table, v1: Mapping[str, str] | None, present: set[str]) -> Iterator[tuple[str, str]]:
    """What of the table would go, each with the condition that tells a row that has it."""
    if not present:
        return
    if v1 is None:
        yield table.name, "true"
        return
    for column in table.columns:
        if column.name not in v1 and column.name in present and column.nullable:
            yield f"{table.name}.{column.name}", f"{column.name} is not null"


def _number(connection: Connection, table: str, condition: str) -> int:
    statement = f"select count(*) from {table} where {condition}"  # noqa: S608 - put together from constants
    return int(connection.scalars(text(statement)).one())
