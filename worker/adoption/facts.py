"""What the database at hand has: asked in one read-only snapshot that locks nothing for longer than that."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, text

from models.tables import METADATA
from worker.adoption.wanted import Wanted, fits, kinds, normal

_ROLE = """
select quote_ident(current_user) as name, quote_ident(current_schema()) as schema,
  exists (select from pg_roles where rolname = 'app_reader') as reader_exists,
  (select rolsuper or rolcreaterole from pg_roles where rolname = current_user) as may_create_role,
  coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) as may_create
"""
_TABLES = """
select c.oid::regclass::text as name, pg_has_role(relowner, 'USAGE') as owned,
  quote_ident(pg_get_userbyid(relowner)) as owner, has_table_privilege(c.oid, 'REFERENCES') as may_reference
from pg_class c where relnamespace = quote_ident(current_schema())::regnamespace and relkind in ('r', 'p')
"""
_OTHERS = """
select relname from pg_class
where relnamespace = quote_ident(current_schema())::regnamespace and relkind not in ('r', 'p')
union all
select typname from pg_type where typnamespace = quote_ident(current_schema())::regnamespace and typrelid = 0
"""
_COLUMNS = """
select attrelid::regclass::text as "table", attname as name, format_type(atttypid, atttypmod) as kind,
  attnotnull and not atthasdef and attidentity = '' as needed, not attnotnull as nullable
from pg_attribute join pg_class c on c.oid = attrelid
where relnamespace = quote_ident(current_schema())::regnamespace and relkind in ('r', 'p')
  and attnum > 0 and not attisdropped
"""
_INDEXES = """
select c.relname as name, indrelid::regclass::text as "table", pg_get_indexdef(indexrelid) as definition,
  indisvalid as valid
from pg_index join pg_class c on c.oid = indexrelid
where c.relnamespace = quote_ident(current_schema())::regnamespace
"""
_CONSTRAINTS = """
select conrelid::regclass::text as "table", conname as name from pg_constraint
where connamespace = quote_ident(current_schema())::regnamespace and conrelid <> 0
"""
_TRIGGERS = 'select tgrelid::regclass::text as "table", tgname as name from pg_trigger where not tgisinternal'
_LONG = """
select pid::text as who, round(extract(epoch from clock_timestamp() - xact_start)) as seconds
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
  and clock_timestamp() - xact_start
    > (select setting::int * interval '1 ms' from pg_settings where name = 'lock_timeout')
union all
select gid, round(extract(epoch from clock_timestamp() - prepared)) from pg_prepared_xacts
where database = current_database()
order by 2 desc
"""
_ORPHANS = """
select client_id || ' -> ' || production_client_id from v2_clients v
where production_client_id is not null
  and not exists (select from clients c where c.id = v.production_client_id)
order by client_id
"""
_FEW = 5


@dataclass(frozen=True)
class Column:
    """A column: its type, whether a row cannot be inserted without a value for it, whether a row may lack one."""

    kind: str
    needed: bool
    nullable: bool


@dataclass(frozen=True)
class Table:
    """A table, and what the one who asks may do with it."""

    owner: str
    owned: bool
    may_reference: bool
    columns: Mapping[str, Column]


@dataclass(frozen=True)
class FoundIndex:
    """An index that is there: `definition` is in the form that `normal` gives it."""

    table: str
    definition: str
    valid: bool


@dataclass(frozen=True)
class Facts:
    """What was found.

    Attributes:
        others: names of what is no table, and would be in the way of one.
        constraints, triggers: pairs of table and name.
        orphans: `client -> target` of mappings that lead nowhere.
        nulls: `table.column` of those in which rows that are there lack what the worker reads.
        duplicates: by unique index that is to be built: some of the values that occur more than once.
        long: transactions older than the lock timeout, `(pid or name, seconds)`, oldest first.
    """

    revision: str | None
    user: str
    schema: str | None
    may_create: bool
    may_create_role: bool
    reader_exists: bool
    tables: Mapping[str, Table]
    others: frozenset[str]
    indexes: Mapping[str, FoundIndex]
    constraints: frozenset[tuple[str, str]]
    triggers: frozenset[tuple[str, str]]
    orphans: tuple[str, ...]
    nulls: frozenset[str]
    duplicates: Mapping[str, tuple[str, ...]]
    long: tuple[tuple[str, int], ...]


def find(connection: Connection, revision: str | None, wanted: Wanted) -> Facts:
    """Ask the database, within the transaction that is open."""
    role = connection.execute(text(_ROLE)).one()
    columns: dict[str, dict[str, Column]] = {}
    for row in connection.execute(text(_COLUMNS)):
        columns.setdefault(row.table, {})[row.name] = Column(row.kind, row.needed, row.nullable)
    tables = {
        row.name: Table(row.owner, row.owned, row.may_reference, columns.get(row.name, {}))
        for row in connection.execute(text(_TABLES))
    }
    return Facts(
        revision=revision,
        user=role.name,
        schema=role.schema,
        may_create=role.may_create,
        may_create_role=role.may_create_role,
        reader_exists=role.reader_exists,
        tables=tables,
        others=frozenset(connection.scalars(text(_OTHERS))),
        indexes={
            row.name: FoundIndex(row.table, normal(row.definition), row.valid)
            for row in connection.execute(text(_INDEXES))
        },
        constraints=frozenset((row.table, row.name) for row in connection.execute(text(_CONSTRAINTS))),
        triggers=frozenset((row.table, row.name) for row in connection.execute(text(_TRIGGERS))),
        orphans=_orphans(connection, tables),
        nulls=frozenset(_nulls(connection, tables, wanted)) if revision is None else frozenset(),
        duplicates=_duplicates(connection, tables, wanted),
        long=tuple((row.who, int(row.seconds)) for row in connection.execute(text(_LONG))),
    )


def _orphans(connection: Connection, tables: Mapping[str, Table]) -> tuple[str, ...]:
    if "clients" not in tables or "v2_clients" not in tables:
        return ()
    of_v2, of_app = tables["v2_clients"].columns.get("production_client_id"), tables["clients"].columns.get("id")
    if of_v2 is None or of_app is None or of_v2.kind != of_app.kind:
        return ()  # another obstacle, which is told
    return tuple(connection.scalars(text(_ORPHANS)))


def _nulls(connection: Connection, tables: Mapping[str, Table], wanted: Wanted) -> Iterator[str]:
    """Columns of V1 in which rows lack a value, although the worker reads one in each."""
    for name in wanted.v1.keys() & tables.keys() & METADATA.tables.keys():
        for column in METADATA.tables[name].columns:
            there = tables[name].columns.get(column.name)
            if there is None or not there.nullable or column.nullable or column.name not in wanted.v1[name]:
                continue
            statement = f"select exists (select from {name} where {column.name} is null)"  # noqa: S608 - our own names
            if connection.scalar(text(statement)):
                yield f"{name}.{column.name}"


def _duplicates(connection: Connection, tables: Mapping[str, Table], wanted: Wanted) -> dict[str, tuple[str, ...]]:
    """Values that stand in the way of a unique index; a column that is still to come has none."""
    found = {}
    for name, index in wanted.indexes.items():
        table = tables.get(index.table)
        if table is None or not index.unique or index.table not in wanted.v1:
            continue  # a table of ours is made together with its unique indexes
        if any(
            re.search(rf"\b{column}\b", index.definition)
            and not (column in table.columns and fits(table.columns[column].kind, kind))
            for column, kind in kinds(index.table).items()
        ):
            continue  # to come; or of another type or gone, which is told
        keys, _, condition = index.sql.partition(" where ")
        columns = keys.strip("() ")
        whole = " and ".join(f"{column} is not null" for column in columns.split(", "))
        statement = f"""
            select concat_ws(', ', {columns}) from {index.table} where {whole} and ({condition or "true"})
            group by {columns} having count(*) > 1 order by 1 limit {_FEW}
        """  # noqa: S608 - put together from the migrations' own SQL
        if rows := tuple(connection.scalars(text(statement))):
            found[name] = rows
    return found
