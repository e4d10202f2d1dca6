"""Keep the config fields of v2 clients and their production clients equal (roadmap §3, option B).

Per field, what both sides last agreed on is remembered. A change on the owner's side flows; any other difference
is a conflict: reported, and left alone until somebody says which side counts. All of it is a fixed number of
statements, however many clients there are.
"""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from models.config import CONFIG_FIELDS
from models.pipeline import V2Client
from worker.choices import ClientMapping, ConfigOwner
from worker.clients import no_v2_client
from worker.config.unify import SIDES, is_unified
from worker.errors import WrongUsage
from worker.settings import Settings

LOCK = 0x73796E63  # "sync": whoever holds it syncs
SHOWN = 200

Side = Literal["v2", "production"]

SETTLE = "columnline clients sync CLT_… --field F --take v2 (or production)"
"""What somebody types who has decided."""


class FieldDifference(BaseModel):
    """A field in which both sides differ, and what a sync does about it."""

    v2_client_id: str
    client_id: UUID
    field: str
    action: Literal["to_production", "to_v2", "conflict"]
    reason: str = Field(description="why it flows, or why somebody must decide")
    v2: Any = Field(description="what v2_clients has")
    production: Any = Field(description="what clients has")
    since: datetime | None = Field(description="of a conflict: since when")


class SyncReport(BaseModel):
    """What a sync did, or would do."""

    ok: bool = True
    dry_run: bool
    owner: ConfigOwner
    skipped: str | None = Field(default=None, description="why nothing was looked at")
    fields: int = Field(default=0, description="fields of mapped clients that were compared")
    copied: int = 0
    conflicts: int = 0
    differences: list[FieldDifference] = Field(default=[], description=f"the first {SHOWN}")


_MAPPED = {
    ClientMapping.EXPLICIT: "c.id = v.production_client_id",
    ClientMapping.SLUG: """c.id = coalesce(v.production_client_id, (
    select (array_agg(id))[1] from clients where slug = v.slug having count(*) = 1
  ))""",  # who is ambiguous leads nowhere
}

# What to do with each field: by the owner's side, by what was last agreed on, and by a side that somebody chose.
_DECIDE = """
create temporary table config_sync on commit drop as
with pair as (
  select v.client_id as v2_client_id, c.id as client_id, f.field, f.v2, f.production,
    s.value as agreed, s.synced_at is not null and s.client_id is not distinct from c.id as known,
    case when s.client_id is not distinct from c.id then s.conflict_since end as conflict_since,
    first_value(f.v2) over same is distinct from last_value(f.v2) over same as siblings_differ
  from v2_clients v
  join clients c on {mapped}
  cross join lateral (values {fields}) f (field, v2, production)
  left join config_sync_state s on s.v2_client_id = v.client_id and s.field = f.field
  window same as (
    partition by c.id, f.field order by f.v2 rows between unbounded preceding and unbounded following
  )
),
seen as (
  select *,
    known and v2 is not distinct from agreed as v2_same,
    known and production is not distinct from agreed as production_same
  from pair
  where (cast(:only as text) is null or v2_client_id = :only) and (cast(:field as text) is null or field = :field)
)
select *,
  case
    when v2 is not distinct from production then 'equal'
    when cast(:take as text) = 'v2' then 'to_production'
    when :take = 'production' then 'to_v2'
    when :owner = 'v2' and not siblings_differ and (production_same or (not known and production is null))
      then 'to_production'
    when :owner = 'production' and (v2_same or (not known and v2 is null)) then 'to_v2'
    else 'conflict'
  end as action,
  case
    when cast(:take as text) is not null then 'somebody chose this side'
    when siblings_differ then 'several v2 clients lead to this client, and differ'
    when not known and (v2 is null or production is null) then 'only one side has a value'
    when not known then 'both sides had a value before they were first synced'
    when v2_same then 'only production changed'
    when production_same then 'only v2 changed'
    else 'both sides changed'
  end as reason
from seen
"""

_NOTE = """
insert into config_sync_history (v2_client_id, client_id, field, action, asked_by, before, after)
select v2_client_id, client_id, field, action, :asked_by,
  case action when 'to_production' then production else v2 end,
  case action when 'to_production' then v2 else production end
from config_sync
where action in ('to_production', 'to_v2') or (action = 'conflict' and conflict_since is null)
"""

_REMEMBER = """
insert into config_sync_state as s (v2_client_id, field, client_id, value, synced_at, conflict_since)
select v2_client_id, field, client_id,
  case action when 'conflict' then case when known then agreed end when 'to_v2' then production else v2 end,
  case when action <> 'conflict' or known then now() end,
  case action when 'conflict' then coalesce(conflict_since, now()) end
from config_sync where action <> 'missed'
on conflict (v2_client_id, field) do update
set client_id = excluded.client_id, value = excluded.value, conflict_since = excluded.conflict_since,
  synced_at = case when s.client_id is not distinct from excluded.client_id
    then coalesce(excluded.synced_at, s.synced_at) else excluded.synced_at end
where s.client_id is distinct from excluded.client_id or s.value is distinct from excluded.value
  or s.conflict_since is distinct from excluded.conflict_since
  or (s.synced_at is null and excluded.synced_at is not null)
"""

# Who edited a field between our reading and our writing is not overwritten, and the next sync looks again.
_MISSED = f"""
update config_sync s set action = 'missed'
from v2_clients v, clients c, lateral (values {SIDES}) f (field, v2, production)
where v.client_id = s.v2_client_id and c.id = s.client_id and f.field = s.field
  and ((s.action = 'to_production' and f.production is distinct from s.v2)
    or (s.action = 'to_v2' and f.v2 is distinct from s.production))
"""  # noqa: S608 - put together from constants


def _copy(table: str, key: str, of: str, action: str, old: str, new: str) -> str:
    """The statement that writes one side: a field whose value has changed since it was read is left alone."""
    values = ", ".join(
        f"{field} = case when p.fresh ? '{field}' and nullif(t.{field}, 'null') is not distinct from "
        f"nullif(p.stale -> '{field}', 'null') then nullif(p.fresh -> '{field}', 'null') else t.{field} end"
        for field in CONFIG_FIELDS
    )
    return f"""
update {table} t set {values}, updated_at = now()
from (
  select {of} as id, jsonb_object_agg(field, {new}) as fresh, jsonb_object_agg(field, {old}) as stale
  from config_sync where action = '{action}' group by {of}
) p
where t.{key} = p.id
"""  # noqa: S608 - put together from constants


_COPIES = (
    _copy("clients", "id", "client_id", "to_production", old="production", new="v2"),
    _copy("v2_clients", "client_id", "v2_client_id", "to_v2", old="v2", new="production"),
)


def sync(
    session: Session,
    config: Settings,
    *,
    asked_by: str,
    dry_run: bool = False,
    only: str | None = None,
    field: str | None = None,
    take: Side | None = None,
) -> SyncReport:
    """Compare every config field of every mapped client, and let the owner's changes flow.

    Args:
        session: the transaction; two syncs at once do not do it twice.
        config: who owns the fields, and how clients are mapped.
        asked_by: for the history.
        dry_run: only say what would be done.
        only: one v2 client.
        field: one field.
        take: the side that counts in that one field of that one client, whatever the rules say: how somebody
            settles a conflict.

    Raises:
        ClientNotFound: `only` is no v2 client.
        WrongUsage: `field` is none that is synced, or `take` comes without `only` or `field`: it would overwrite
            values that nobody looked at, among them some that only the other side has.
    """
    if take is not None and (only is None or field is None):
        raise WrongUsage(
            "It is not said where to take a side, which would overwrite every field that differs. Say which: "
            f"`client_id` and `field`. On the command line: {SETTLE}.",
            field="client_id" if only is None else "field",
        )
    if field is not None and field not in CONFIG_FIELDS:
        raise WrongUsage(
            f"There is no field {field!r} to sync. Those there are: {', '.join(CONFIG_FIELDS)}.", field="field"
        )
    if only is not None and session.scalar(select(V2Client.client_id).where(V2Client.client_id == only)) is None:
        raise no_v2_client(only)
    unified = is_unified(session)
    owner = ConfigOwner.PRODUCTION if unified else config.config_owner
    if owner is ConfigOwner.SEPARATE and take is None:
        return SyncReport(
            dry_run=dry_run, owner=owner, skipped="the tables are kept separate (COLUMNLINE_CONFIG_OWNER)"
        )
    if not session.scalar(text("select pg_try_advisory_xact_lock(:lock)"), {"lock": LOCK}):
        return SyncReport(dry_run=dry_run, owner=owner, skipped="another sync is going on")
    # Statistics may be of a day with ten clients; looping over ten thousand of them in each other takes minutes.
    session.execute(text("set local enable_nestloop = off"))
    decide = _DECIDE.format(mapped=_MAPPED[config.client_mapping], fields=SIDES)
    session.execute(text(decide), {"owner": owner, "only": only, "field": field, "take": take})
    report = _report(session, owner, dry_run=dry_run)
    if not dry_run:
        for statement in (*_COPIES, _MISSED):
            session.connection().exec_driver_sql(statement)
        session.execute(text(_NOTE), {"asked_by": asked_by})
        session.execute(text(_REMEMBER))
    session.execute(text("drop table config_sync"))
    return report


def _report(session: Session, owner: ConfigOwner, *, dry_run: bool) -> SyncReport:
    counts = session.execute(
        text(
            "select count(*) as fields, count(*) filter (where action in ('to_production', 'to_v2')) as copied, "
            "count(*) filter (where action = 'conflict') as conflicts from config_sync"
        )
    ).one()
    rows = session.execute(
        text(
            "select v2_client_id, client_id, field, action, reason, v2, production, conflict_since as since "
            "from config_sync where action <> 'equal' order by action, v2_client_id, field limit :most"
        ),
        {"most": SHOWN},
    )
    differences = [FieldDifference.model_validate(row, from_attributes=True) for row in rows]
    return SyncReport(
        dry_run=dry_run,
        owner=owner,
        fields=counts.fields,
        copied=counts.copied,
        conflicts=counts.conflicts,
        differences=differences,
    )
