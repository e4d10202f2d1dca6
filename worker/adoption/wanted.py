"""What this version needs of a database, read out of the migrations' own SQL and out of the models.

Nothing here is a list of its own: what a pending migration adds is what its SQL names.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import schema
from sqlalchemy.dialects import postgresql

from models.tables import METADATA

DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]

_CREATED = re.compile(r"create table (?:if not exists )?(\w+)", re.IGNORECASE)
_ALTERED = re.compile(r"\balter table (\w+)\b([^;]*)")
_COLUMN = re.compile(r"add column if not exists (\w+) (\w+)")
_CONSTRAINT = re.compile(r"add constraint (\w+)")
_INDEX = re.compile(r"create (unique )?index (?:concurrently )?(?:if not exists )?(\w+) on (\w+) ([^;]+)")
_TRIGGER = re.compile(r"create (?:or replace )?trigger (\w+)[^;]*? on (\w+)")
_REFERENCES = re.compile(r"\breferences (\w+)")
_V1_COLUMN = re.compile(r"^\s+(?!unique\b|primary\b)(\w+) (\w+(?:\[\])?)", re.MULTILINE)
_V1_INDEX = re.compile(r"create index (\w+)")
_FULL_NAMES = {"timestamptz": "timestamp with time zone"}

# Types that hold what the worker writes and give back what it reads, beside the one that V1 has.
_AS_GOOD = {
    "text": ("character varying",),
    "text[]": ("character varying[]",),
    "smallint": ("integer", "bigint"),
    "integer": ("smallint", "bigint"),
    "numeric": ("double precision", "real", "integer", "bigint"),
}


@dataclass(frozen=True)
class Revision:
    """A migration: its name, and what it is for in a line."""

    id: str
    does: str


@dataclass(frozen=True)
class Index:
    """An index: `definition` is in the form that `normal` gives it, `sql` what follows its table's name.

    Of one that is settled, `sql` is the whole statement that builds it beside a live app.
    """

    table: str
    definition: str
    sql: str
    concurrent: bool = False

    @property
    def unique(self) -> bool:
        """Whether two rows may not be alike."""
        return self.definition.startswith("create unique")


@dataclass(frozen=True)
class Adds:
    """What pending migrations add to a table: columns with their types, names of constraints and triggers."""

    columns: Mapping[str, str]
    constraints: tuple[str, ...]
    triggers: tuple[str, ...]


@dataclass(frozen=True)
class Wanted:
    """What this version needs, beside what the database at hand may have of it.

    Attributes:
        head: the revision it needs.
        pending: the migrations on the way there, in order; None: the database is at one that is not known here.
        v1: V1's tables, each with its columns and their types.
        visible: those of them that are created with a policy for `app_reader`.
        creates: tables that pending migrations create where they are missing.
        adds: what they add, by table.
        indexes: those they build, by name.
        references: tables that theirs refer to.
        settled: every index that applied migrations have built, by name.
        settled_columns: every column that applied migrations have made, by table.
    """

    head: str
    pending: tuple[Revision, ...] | None
    v1: Mapping[str, Mapping[str, str]]
    visible: frozenset[str]
    creates: tuple[str, ...]
    adds: Mapping[str, Adds]
    indexes: Mapping[str, Index]
    references: frozenset[str]
    settled: Mapping[str, Index]
    settled_columns: Mapping[str, frozenset[str]]

    @property
    def made(self) -> frozenset[str]:
        """Tables of the worker's own that applied migrations have made, and that undoing them drops."""
        return frozenset(self.settled_columns.keys() - self.v1.keys())

    @property
    def to_make(self) -> frozenset[str]:
        """Those that pending migrations make. One is there already only if such a migration was broken off."""
        return frozenset(METADATA.tables.keys() - self.v1.keys() - self.made)


def read(
    head: str,
    pending: tuple[Revision, ...] | None,
    sql: str,
    *,
    v1: Mapping[str, str],
    visible: frozenset[str],
    baseline_pending: bool,
    version_table: str,
) -> Wanted:
    """Read it.

    Args:
        sql: the pending migrations' statements, but for the baseline's.
        v1: the statements that create V1's tables, by table.
        visible: the tables that are created with a policy.
    """
    columns = {table: dict(_v1_columns(ddl)) for table, ddl in v1.items()}
    to_make = tuple(dict.fromkeys(_CREATED.findall(sql)))
    indexes = dict(_indexes(sql))
    settled_tables = set(METADATA.tables) - set(to_make) - (set(v1) if baseline_pending else set())
    of_v1 = {name for ddl in v1.values() for name in _V1_INDEX.findall(ddl)}
    adds = _adds(sql)
    return Wanted(
        head=head,
        pending=pending,
        v1=columns,
        visible=visible,
        creates=((version_table, *v1) if baseline_pending else ())
        + tuple(t for t in to_make if t != version_table),
        adds=adds,
        indexes=indexes,
        references=frozenset(_REFERENCES.findall(sql)),
        settled={
            index.name: _from_model(index)
            for table in METADATA.sorted_tables
            if table.name in settled_tables
            for index in table.indexes
            if isinstance(index.name, str) and index.name not in {*of_v1, *indexes}
        },
        settled_columns={
            name: frozenset(table.columns.keys())
            - columns.get(name, {}).keys()
            - (adds[name].columns.keys() if name in adds else set())
            for name, table in METADATA.tables.items()
            if name in settled_tables
        },
    )


def normal(definition: str) -> str:
    """An index's definition so that ours and PostgreSQL's own wording of it are the same text."""
    text = re.sub(r"\s+", " ", definition.lower().replace('"', ""))  # PostgreSQL quotes a name like "position"
    text = re.sub(r"::\w+(\[\])?", "", text)
    text = re.sub(r"= any \(+array\[([^\]]*)\]\)+", r"in (\1)", text)
    text = re.sub(r" using btree|\bconcurrently |\bif not exists | on only| on (\w+)\.(?=\w)", _but_on, text)
    return re.sub(r"[()\s;]+", " ", text).strip()


def kinds(table: str) -> dict[str, str]:
    """The columns of a table of the models', with their types as PostgreSQL names them."""
    return {column.name: column.type.compile(DIALECT).lower() for column in METADATA.tables[table].columns}


def fits(found: str, wanted: str) -> bool:
    """Whether the worker can work with a column of this type; lengths and precisions do not matter."""
    array = found.endswith("[]")
    kind = found.removesuffix("[]").partition("(")[0].strip() + ("[]" if array else "")
    if kind == "timestamp" and found.endswith("with time zone"):
        kind = "timestamp with time zone"
    return kind == wanted or kind in _AS_GOOD.get(wanted, ())


def _from_model(index: schema.Index) -> Index:
    statement = " ".join(str(schema.CreateIndex(index).compile(dialect=DIALECT)).split())
    assert index.table is not None
    return Index(index.table.name, normal(statement), statement.replace("INDEX", "INDEX CONCURRENTLY", 1))


def _but_on(found: re.Match[str]) -> str:
    return " on " if found[0].startswith(" on") else ""


def _v1_columns(ddl: str) -> Iterator[tuple[str, str]]:
    table = ddl.partition(";")[0]
    for name, kind in _V1_COLUMN.findall(table[table.index("(") :]):
        yield name, _FULL_NAMES.get(kind, kind)


def _indexes(sql: str) -> Iterator[tuple[str, Index]]:
    for found in _INDEX.finditer(sql):
        yield found[2], Index(found[3], normal(found[0]), " ".join(found[4].split()), "concurrently" in found[0])


def _adds(sql: str) -> dict[str, Adds]:
    columns: dict[str, dict[str, str]] = {}
    constraints: dict[str, list[str]] = {}
    triggers: dict[str, list[str]] = {}
    for table, rest in _ALTERED.findall(sql):
        for name, kind in _COLUMN.findall(rest):
            columns.setdefault(table, {})[name] = _FULL_NAMES.get(kind, kind)
        constraints.setdefault(table, []).extend(_CONSTRAINT.findall(rest))
    for name, table in _TRIGGER.findall(sql):
        triggers.setdefault(table, []).append(name)
    return {
        table: Adds(columns.get(table, {}), tuple(constraints.get(table, ())), tuple(triggers.get(table, ())))
        for table in {**columns, **constraints, **triggers}
    }
