"""What taking the schema back to V1 would lose, counted beforehand, and who is at work meanwhile."""

from collections.abc import Iterator

from pydantic import BaseModel
from sqlalchemy import Connection, Table, text

from models.jobs import JobState
from models.tables import METADATA
from worker.adoption.facts import Facts
from worker.adoption.wanted import Wanted


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


def count(connection: Connection, wanted: Wanted, facts: Facts) -> Losses:
    """Count it, within the transaction that is open: what of that which applied migrations have made is there."""
    lost = [
        Loss(what=what, count=number)
        for table in METADATA.sorted_tables
        if table.name in facts.tables
        for what, condition in _ours(table, wanted, facts)
        if (number := _number(connection, table.name, condition))
    ]
    dossiers = facts.tables.get("dossiers")
    return Losses(
        lost=lost,
        plain=_number(connection, "dossiers", "pipeline_version = 'v2'")
        if dossiers and "pipeline_version" in dossiers.columns
        else 0,
        running=_number(connection, "jobs", f"state = '{JobState.RUNNING}' and leased_until > now()")
        if "jobs" in wanted.made & facts.tables.keys()
        else 0,
    )


def _ours(table: Table, wanted: Wanted, facts: Facts) -> Iterator[tuple[str, str]]:
    """What of the table would go, each with the condition that tells a row that has it."""
    if table.name in wanted.made:
        yield table.name, "true"
    elif table.name in wanted.v1:
        present = wanted.settled_columns[table.name] & facts.tables[table.name].columns.keys()
        for column in table.columns:
            if column.name in present and column.nullable:
                yield f"{table.name}.{column.name}", f"{column.name} is not null"


def _number(connection: Connection, table: str, condition: str) -> int:
    statement = f"select count(*) from {table} where {condition}"  # noqa: S608 - put together from constants
    return int(connection.scalars(text(statement)).one())
