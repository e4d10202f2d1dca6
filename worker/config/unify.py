"""One table owns the config fields: `clients`. `v2_clients` reads and writes as before, as its mirror (option A).

The pipeline goes on using `v2_clients`, upserts included, because it stays a table: triggers carry what is written
there to `clients`, and what is written to `clients` back. Unifying is one transaction, so it happens whole or not
at all; undoing drops the triggers and keeps every value.
"""

from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import text
from sqlalchemy.orm import Session

from models.config import CONFIG_FIELDS
from worker.choices import ClientMapping

_TRIGGER = "columnline_unified"


def _each(template: str, between: str = ", ") -> str:
    """The template for each config field, which `#` stands for."""
    return between.join(template.replace("#", field) for field in CONFIG_FIELDS)


_GAP = "(nullif({}.#, 'null') is null)"
_FIELDS = _each("#")
_COPY = _each("# = case when new.# is distinct from old.# then new.# else t.# end")
_NEWS = _each("(new.# is distinct from old.# and t.# is distinct from new.#)", " or ")

# A mapping that is set later joins what both sides have: a value fills a gap, and differing ones are left to sync.
_TO_CLIENTS = f"""
create function columnline_to_clients() returns trigger language plpgsql security definer
set search_path = public, pg_temp as $body$
begin
  if new.production_client_id is null then
    return null;
  elsif tg_op = 'INSERT' or new.production_client_id is distinct from old.production_client_id then
    update clients t set {_each("# = coalesce(nullif(t.#, 'null'), new.#)")}, updated_at = now()
    where t.id = new.production_client_id
      and ({_each(f"({_GAP.format('t')} and not {_GAP.format('new')})", " or ")});
    update v2_clients t set {_each("# = coalesce(nullif(t.#, 'null'), c.#)")} from clients c
    where t.client_id = new.client_id and c.id = new.production_client_id
      and ({_each(f"({_GAP.format('t')} and not {_GAP.format('c')})", " or ")});
  else
    update clients t set {_COPY}, updated_at = now() where t.id = new.production_client_id and ({_NEWS});
  end if;
  return null;
end $body$
"""  # noqa: S608 - put together from constants

_TO_V2 = f"""
create function columnline_to_v2_clients() returns trigger language plpgsql security definer
set search_path = public, pg_temp as $body$
begin
  update v2_clients t set {_COPY}, updated_at = now() where t.production_client_id = new.id and ({_NEWS});
  return null;
end $body$
"""  # noqa: S608 - put together from constants

# Else any role might have a table of its own call them, and so write to these two with our rights.
_PRIVATE = "revoke all on function columnline_to_clients(), columnline_to_v2_clients() from public"

_ON_V2 = f"""
create trigger {_TRIGGER} after insert or update of production_client_id, {_FIELDS} on v2_clients
for each row execute function columnline_to_clients()
"""

_ON_CLIENTS = f"""
create trigger {_TRIGGER} after update of {_FIELDS} on clients
for each row execute function columnline_to_v2_clients()
"""

SIDES = _each("('#', nullif(v.#, 'null'), nullif(c.#, 'null'))")
"""What a v2 client `v` and a client `c` have: a row of field, v2 and production for each field."""

# What they agreed on before they were unified says nothing of what is edited from now on.
_AGREE = f"""
insert into config_sync_state (v2_client_id, field, client_id, value, synced_at)
select v.client_id, f.field, c.id, f.v2, now()
from v2_clients v
join clients c on c.id = v.production_client_id
cross join lateral (values {SIDES}) f (field, v2, production)
where f.v2 is not distinct from f.production
on conflict (v2_client_id, field) do update
set client_id = excluded.client_id, value = excluded.value, synced_at = excluded.synced_at, conflict_since = null
"""  # noqa: S608 - put together from constants


class UnifyReport(BaseModel):
    """What unifying did, or would do."""

    ok: bool
    dry_run: bool
    done: bool = Field(description="whether `clients` owns the fields now")
    mapped: list[str] = Field(default=[], description="v2 clients found by their slug, which are mapped for good")
    filled: int = Field(default=0, description="fields that were empty on one side and take the other's value")
    in_the_way: list[dict[str, Any]] = Field(
        default=[], description="fields that differ on both sides: unifying would lose one of the values"
    )


def is_unified(session: Session) -> bool:
    """Whether `clients` owns the config fields, and `v2_clients` mirrors it."""
    statement = "select exists (select from pg_trigger where tgname = :name and tgrelid = 'clients'::regclass)"
    return bool(session.scalar(text(statement), {"name": _TRIGGER}))


def unify(session: Session, mapping: ClientMapping, *, dry_run: bool = False) -> UnifyReport:
    """Let `clients` own the config fields, if no value would be lost by it. Again, it changes nothing."""
    if is_unified(session):
        if not dry_run:
            session.connection().exec_driver_sql(_PRIVATE)  # an earlier version did not
        return UnifyReport(ok=True, dry_run=dry_run, done=True)
    session.execute(text("lock table clients, v2_clients in share row exclusive mode"))
    if is_unified(session):  # by somebody we waited for
        return UnifyReport(ok=True, dry_run=dry_run, done=True)
    with session.begin_nested() as attempt:
        mapped = _map_by_slug(session) if mapping is ClientMapping.SLUG else []
        in_the_way = _in_the_way(session)
        filled = 0 if in_the_way else _fill(session)
        if dry_run or in_the_way:
            attempt.rollback()
        else:
            for statement in (_TO_CLIENTS, _TO_V2, _PRIVATE, _ON_V2, _ON_CLIENTS):
                session.connection().exec_driver_sql(statement)
    return UnifyReport(
        ok=not in_the_way,
        dry_run=dry_run,
        done=not dry_run and not in_the_way,
        mapped=[] if in_the_way else mapped,
        filled=filled,
        in_the_way=in_the_way,
    )


def undo(session: Session) -> bool:
    """Let both tables go their own ways again; every value stays where it is, and a sync goes on from there.

    Returns:
        Whether they were unified.
    """
    was = is_unified(session)
    for statement in (
        f"drop trigger if exists {_TRIGGER} on v2_clients",
        f"drop trigger if exists {_TRIGGER} on clients",
        "drop function if exists columnline_to_clients(), columnline_to_v2_clients()",
    ):
        session.execute(text(statement))
    if was:
        session.connection().exec_driver_sql(_AGREE)
    return was


def _map_by_slug(session: Session) -> list[str]:
    statement = """
update v2_clients v set production_client_id = c.id from clients c
where v.production_client_id is null and v.slug = c.slug
  and (select count(*) from clients o where o.slug = v.slug) = 1
returning v.client_id
"""
    return sorted(session.scalars(text(statement)))


def _in_the_way(session: Session) -> list[dict[str, Any]]:
    """The fields for which the sides, or several v2 clients of one client, have values that differ."""
    sides = _each(
        """
select production_client_id as id, client_id as side, '#' as field, # as value from v2_clients
where production_client_id is not null
union all select id, 'clients', '#', # from clients""",
        " union all ",
    )
    statement = f"""
select id::text as client_id, field, jsonb_object_agg(side, value) as values
from ({sides}) v
where nullif(value, 'null') is not null
group by id, field having count(distinct value) > 1 order by id, field limit 200
"""  # noqa: S608 - put together from constants
    return [dict(row) for row in session.execute(text(statement)).mappings()]


def _fill(session: Session) -> int:
    """Give a side that has no value the other's."""
    filled = 0
    for field in CONFIG_FIELDS:
        for table, key, other, other_key in (
            ("clients", "id", "v2_clients", "production_client_id"),
            ("v2_clients", "production_client_id", "clients", "id"),
        ):
            statement = f"""
update {table} t set {field} = (
  select o.{field} from {other} o where o.{other_key} = t.{key} and nullif(o.{field}, 'null') is not null limit 1
)
where nullif(t.{field}, 'null') is null
  and exists (select from {other} o where o.{other_key} = t.{key} and nullif(o.{field}, 'null') is not null)
"""  # noqa: S608 - put together from constants
            filled += session.connection().exec_driver_sql(statement).rowcount
    return filled
