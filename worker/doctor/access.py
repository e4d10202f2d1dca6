"""May we do what we must, and may the app's readers see what they should and nothing else?

A right counts however it was come by: on a column, by another role, or by all.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from models.pipeline import V2Client, V2PipelineLog, V2Run
from models.production import SCHEDULED, Batch, Client, Contact, Dossier, DossierList, List
from models.tables import TABLES
from worker.doctor.findings import Findings, ok, problem, warning
from worker.migrate import VERSION_TABLE
from worker.stored import dumps

READER = "app_reader"
SHOWN = tuple(model.__tablename__ for model in (Client, Batch, Dossier, Contact, List, DossierList))
"""What the app reads, under row level security (V1)."""
PIPELINE = tuple(model.__tablename__ for model in (V2Client, V2Run, V2PipelineLog))
"""The pipeline's own tables: V1 has no row level security on them, and grants its readers nothing."""
PRIVATE = tuple(name for name in TABLES if name not in (*SHOWN, *PIPELINE))
"""The worker's own tables."""

_ENTRY = text("""
select quote_ident(current_user) as us, has_schema_privilege('public', 'usage') as enters,
  coalesce((select has_table_privilege(c.oid, 'select') from pg_class c
            where c.relnamespace = 'public'::regnamespace and c.relname = :versions), true) as reads
""")
_RIGHTS = text("""
select c.relname as name, c.relrowsecurity as is_secured, quote_ident(current_user) as us,
  c.relrowsecurity and not r.rolsuper and not r.rolbypassrls
    and (c.relforcerowsecurity or not pg_has_role(c.relowner, 'usage')) as is_hidden,
  array(select p from unnest(array['select', 'insert', 'update', 'delete']) p
        where not has_table_privilege(c.oid, p)) as lacking
from pg_class c join pg_roles r on r.rolname = current_user
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relname = any(:names)
order by c.relname
""")
_ALLOWED = text("""
select c.relname as name, p as privilege, has_table_privilege(:reader, c.oid, p) as is_whole
from pg_class c,
  unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) p
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relname = any(:names)
  and case when p in ('delete', 'truncate', 'trigger') then has_table_privilege(:reader, c.oid, p)
           else has_any_column_privilege(:reader, c.oid, p) end
order by 1, 2
""")
_POWERS = text("""
select r.rolsuper as is_super, r.rolbypassrls as bypasses,
  has_schema_privilege(r.oid, 'public', 'usage') as enters,
  has_schema_privilege(r.oid, 'public', 'create') as creates,
  array(select quote_ident(o.rolname) from pg_auth_members m join pg_roles o on o.oid = m.roleid
        where m.member = r.oid order by 1) as member_of
from pg_roles r where r.rolname = :reader
""")
_HAS_READER = text("select exists (select from pg_roles where rolname = :reader)")
_MAY_BE = text("""
select case when current_setting('server_version_num')::int < 160000
  then pg_has_role(current_user, :reader, 'member') else pg_has_role(current_user, :reader, 'set') end
""")
"""Since 16 a member may be one who may not act as the role: so is whoever created it and is no superuser."""
_SAMPLE = text(f"""
select d.id, d.client_id, released_at is null or released_at > now() as is_unreleased from (
  (select newest.id from clients c
   cross join lateral (select id from dossiers where client_id = c.id limit 1) newest limit 1000)
  union (select id from dossiers where {SCHEDULED} order by release_at, id limit 100)
  union (select id from dossiers order by created_at desc, id desc limit 1000)
) sample join dossiers d using (id)
""")  # noqa: S608 - put together from constants
"""Dossiers to try readers out with, found by indexes however many there are: one a client, and the newest."""
_OTHERS = {
    "clients": "id <> :client",
    "batches": "client_id <> :client",
    "dossiers": "id = any(:hidden)",
    "contacts": "dossier_id = any(:hidden)",
    "lists": "client_id <> :client",
    "dossier_lists": "dossier_id = any(:hidden)",
}
"""Rows of which a reader of the client may see none: other clients' and, by their dossiers, unreleased ones."""


def entry(session: Session) -> Findings:
    """Whether our role may look around at all; without that, tables that are there seem not to be."""
    row = session.execute(_ENTRY, {"versions": VERSION_TABLE}).one()
    if not row.enters:
        yield problem(
            "Our role may not use the schema public.", f"In psql: grant usage on schema public to {row.us}"
        )
    if not row.reads:
        yield problem(
            f"Our role may not select from {VERSION_TABLE}.",
            f"In psql: grant select on {VERSION_TABLE} to {row.us}",
        )
    if row.enters and row.reads:
        yield ok("Our role may use the schema public.")


def rights(session: Session) -> Findings:
    """Whether our role may read and write all it must."""
    is_fine = True
    for row in session.execute(_RIGHTS, {"names": list(TABLES)}):
        if row.lacking:
            is_fine = False
            missing = ", ".join(row.lacking)
            yield problem(
                f"Our role may not {missing} on {row.name}.",
                f"In psql: grant {missing} on {row.name} to {row.us}",
            )
    if is_fine:
        yield ok("Our role may read and write all tables.")


def sight(session: Session) -> Findings:
    """Whether our role sees the rows: one that sees none would take everything to be well."""
    rows = session.execute(_RIGHTS, {"names": list(TABLES)}).all()
    if hidden := [row.name for row in rows if row.is_hidden]:
        yield problem(
            f"Row level security keeps our role from rows of {', '.join(hidden)}.",
            f"In psql: alter role {rows[0].us} bypassrls; or connect as the owner of the tables",
        )
    else:
        yield ok("Our role sees all rows.")


def readers(session: Session) -> Findings:
    """Whether the app's readers have V1's rights: to select from its six tables, and nothing else."""
    powers = session.execute(_POWERS, {"reader": READER}).one_or_none()
    if powers is None:
        yield warning(
            f"There is no role {READER}, so what readers may see cannot be checked.",
            f"In psql: create role {READER} nologin; then columnline doctor",
        )
        return
    if powers.is_super or powers.bypasses:
        yield problem(
            f"{READER} is past row level security.", f"In psql: alter role {READER} nosuperuser nobypassrls"
        )
    if not powers.enters:
        yield problem(
            f"{READER} may not use the schema public.", f"In psql: grant usage on schema public to {READER}"
        )
    if powers.creates:
        yield problem(
            f"{READER} may create in the schema public.",
            f"In psql: revoke create on schema public from {READER}, public",
        )
    names = [*SHOWN, *PIPELINE, *PRIVATE]
    rows = session.execute(_ALLOWED, {"reader": READER, "names": names}).all()
    found = {(row.name, row.privilege) for row in rows}
    whole = {(row.name, row.privilege) for row in rows if row.is_whole}
    wanted = {(name, "select") for name in SHOWN}
    for name, privilege in sorted(wanted - whole):
        yield problem(
            f"{READER} may not {privilege} from {name}.", f"In psql: grant {privilege} on {name} to {READER}"
        )
    for name, privilege in sorted(found - wanted):
        yield problem(
            f"{READER} has the right {privilege} on {name}.",
            f"In psql: revoke {privilege} on {name} from {READER}, public",
        )
    for role in powers.member_of:
        yield warning(f"{READER} has the rights of {role} too.", f"In psql: revoke {role} from {READER}")
    may_more = powers.is_super or powers.bypasses or powers.creates or powers.member_of
    if whole == found == wanted and powers.enters and not may_more:
        yield ok(f"{READER} may select from the app's six tables, and do nothing else.")


def row_level_security(session: Session) -> Findings:
    """Whether it is on, and works: a reader sees nothing without a client, and only what is shown to its own."""
    rows = session.execute(_RIGHTS, {"names": [*SHOWN, *PRIVATE]}).all()
    off = [row.name for row in rows if not row.is_secured]
    for name in off:
        yield problem(
            f"Row level security is off on {name}.", f"In psql: alter table {name} enable row level security"
        )
    if not session.scalar(_HAS_READER, {"reader": READER}) or not session.scalar(_MAY_BE, {"reader": READER}):
        yield warning(
            f"Our role is no member of {READER}, so row level security cannot be tried out.",
            f"In psql: grant {READER} to {rows[0].us}",
        )
        return
    seen = dict.fromkeys(_seen(session, dict.fromkeys(SHOWN, "true")), "without saying whose")
    for name in _seen_as_client(session):
        seen.setdefault(name, "that are another client's, or not released")
    for name, which in seen.items():
        yield problem(
            f"{READER} sees rows of {name} {which}.", f"Look at the policies on {name}: in psql, \\d {name}"
        )
    if not off and not seen:
        yield ok(f"Row level security is on; {READER} sees nothing but what is released to its client.")


def _seen_as_client(session: Session) -> list[str]:
    """The tables of which a reader sees rows that it must not, although it says which client it is of."""
    sample = session.execute(_SAMPLE).all()
    client = next((row.client_id for row in sample if row.is_unreleased), None) or session.scalar(
        text("select id from clients order by id limit 1")
    )
    if client is None:
        return []
    hidden = [row.id for row in sample if row.is_unreleased or row.client_id != client]
    claims = dumps({"client_id": client})
    session.execute(text("select set_config('request.jwt.claims', :claims, true)"), {"claims": claims})
    return _seen(session, _OTHERS, client=client, hidden=hidden)


def _seen(session: Session, conditions: Mapping[str, str], **values: Any) -> list[str]:
    """The tables of which the app's readers see rows that meet the table's condition."""
    session.execute(text(f"set local role {READER}"))
    found = [
        name
        for name, condition in conditions.items()
        if session.scalar(
            text(f"select exists (select from {name} where {condition})"),  # noqa: S608 - from constants
            values if ":" in condition else {},
        )
    ]
    session.execute(text("reset role"))
    return found
