"""Whether tables that are there before us have the shape that the worker needs: columns, types, keys, defaults."""

from collections.abc import Iterator, Mapping
from itertools import permutations

from sqlalchemy import PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.schema import CreateColumn

from models.tables import METADATA
from worker.adoption.facts import Facts
from worker.adoption.obstacle import Obstacle
from worker.adoption.wanted import DIALECT, Wanted, fits


def obstacles(wanted: Wanted, facts: Facts) -> Iterator[Obstacle]:
    """What is wrong with tables that are adopted, or to which pending migrations add something."""
    baseline = wanted.v1 if facts.revision is None else {}
    for table in sorted({*baseline, *wanted.adds} | set(wanted.creates)):
        if table in facts.others:
            yield Obstacle(
                kind="relation",
                subject=table,
                found=f"There is something of the name {table} that is no table.",
                remedy="See who needs it, and rename it.",
            )
        elif table in facts.tables and table in METADATA.tables and table not in wanted.to_make:
            adds = wanted.adds[table].columns if table in wanted.adds else {}
            yield from _columns(METADATA.tables[table], facts, baseline.get(table, {}), adds)
            if table in baseline:
                yield from keys(METADATA.tables[table], facts)


def _columns(table: Table, facts: Facts, v1: Mapping[str, str], adds: Mapping[str, str]) -> Iterator[Obstacle]:
    there = facts.tables[table.name].columns
    for name, kind in {**v1, **adds}.items():
        if name in there:
            if not fits(there[name].kind, kind):
                yield _wrong_type(table.name, name, there[name].kind, kind, of_v1=name in v1)
        elif name in v1:
            yield Obstacle(
                kind="column",
                subject=f"{table.name}.{name}",
                found=f"The table {table.name} has no column {name}.",
                remedy=f"Add it as V1 has it: alter table {table.name} add column {_ddl(table, name)}",
            )
    for name, column in there.items():
        if column.needed and (name not in table.c or table.c[name].server_default is not None):
            yield _needs_default(table, name)


def _needs_default(table: Table, name: str) -> Obstacle:
    """A row that the worker inserts would lack this column; unless a trigger fills it, which cannot be seen."""
    default = "…"
    if name in table.c:
        default = _ddl(table, name).partition(" DEFAULT ")[2].removesuffix(" NOT NULL")
    return Obstacle(
        kind="required",
        subject=f"{table.name}.{name}",
        found=f"The column {table.name}.{name} needs a value in every row; the worker does not always send one.",
        remedy=f"Give it a default: alter table {table.name} alter column {name} set default {default}",
        certain=False,
    )


def keys(table: Table, facts: Facts) -> Iterator[Obstacle]:
    """Keys that foreign keys lead to, or that keep two workers from making the same row twice."""
    for key in table.constraints:
        if not isinstance(key, PrimaryKeyConstraint | UniqueConstraint) or any(c.nullable for c in key.columns):
            continue
        names = [column.name for column in key.columns]
        found = any(
            index.table == table.name
            and index.valid
            and index.definition.startswith("create unique")
            and any(
                index.definition.endswith(f" on {table.name} {', '.join(order)}") for order in permutations(names)
            )
            for index in facts.indexes.values()
        )
        if not found and set(names) <= facts.tables[table.name].columns.keys():
            kind = "primary key" if isinstance(key, PrimaryKeyConstraint) else "unique"
            yield Obstacle(
                kind="key",
                subject=f"{table.name}.{'.'.join(names)}",
                found=f"Rows of {table.name} may be alike in {', '.join(names)}.",
                remedy=f"Run: alter table {table.name} add {kind} ({', '.join(names)})",
            )


def _ddl(table: Table, name: str) -> str:
    return str(CreateColumn(table.c[name]).compile(dialect=DIALECT))


def _wrong_type(table: str, name: str, found: str, wanted: str, *, of_v1: bool) -> Obstacle:
    return Obstacle(
        kind="type",
        subject=f"{table}.{name}",
        found=f"The column {table}.{name} is {found}; the worker needs {wanted}.",
        remedy=_retype(table, name, found, wanted)
        if of_v1
        else "Rename it: the worker would take it for its own.",
    )


def _retype(table: str, name: str, found: str, wanted: str) -> str:
    without_zone = found.startswith("timestamp") and wanted.startswith("timestamp")
    using = f"{name} at time zone 'UTC'" if without_zone else f"{name}::{wanted}"
    known = ", if its times are UTC" if without_zone else ""
    return (
        f"Run, when the app can bear a locked table{known}: "
        f"alter table {table} alter column {name} type {wanted} using {using}"
    )
