"""What the database itself notes during a test: moves of jobs and dossiers that appear, in which transaction.

The notes are rows of the same transaction as what they tell of, so they are true whatever dies. A switch makes
writes fail as on a full disk.
"""

INSTALL = """
create schema chaos;
create table chaos.disk (is_full boolean not null);
insert into chaos.disk values (false);
create table chaos.moves (
  number bigint generated always as identity, job_id uuid not null, kind text not null, key text not null,
  before text not null, after text not null, epoch_before bigint not null, epoch_after bigint not null,
  republishes boolean not null, transaction bigint not null default txid_current(),
  at timestamptz not null default clock_timestamp());
create index on chaos.moves (transaction, key);
create index on chaos.moves (job_id, number);
create table chaos.writes (
  run_id text not null, before text, after text not null, transaction bigint not null default txid_current());

create function chaos.note_move() returns trigger language plpgsql as $$
begin
  insert into chaos.moves (job_id, kind, key, before, after, epoch_before, epoch_after, republishes)
  values (new.id, new.kind, new.key, old.state, new.state, old.epoch, new.epoch,
    coalesce((new.payload ->> 'republish')::boolean, false));
  return null;
end $$;
create trigger chaos_move after update on jobs for each row
  when (old.state is distinct from new.state or old.epoch is distinct from new.epoch)
  execute function chaos.note_move();

create function chaos.note_write() returns trigger language plpgsql as $$
begin
  insert into chaos.writes (run_id, before, after)
  values (new.run_id, case when tg_op = 'UPDATE' then old.status end, new.status);
  return null;
end $$;
create trigger chaos_insert after insert on dossiers for each row
  when (new.run_id is not null) execute function chaos.note_write();
create trigger chaos_update after update on dossiers for each row
  when (new.run_id is not null and old.status is distinct from new.status) execute function chaos.note_write();

create function chaos.refuse_if_full() returns trigger language plpgsql as $$
begin
  if (select is_full from chaos.disk) then
    raise exception 'could not extend file: No space left on device' using errcode = '53100';
  end if;
  return null;
end $$;
"""
FULL_ON = ("dossiers", "contacts", "jobs", "v2_pipeline_logs")

MOVES = {
    "queued": {"running", "queued", "cancelled"},  # queued again: published anew
    "waiting": {"running", "queued", "cancelled"},
    "held": {"queued", "waiting", "cancelled"},
    "running": {"done", "waiting", "held", "error", "queued"},
    "error": {"queued"},
    "cancelled": {"queued"},
    "done": {"queued"},
}
"""The picture of design §2: what may become of a job. `done` only with a republish."""


def install(connection):
    """Begin to note, in a migrated database."""
    connection.execute(INSTALL)
    for table in FULL_ON:
        connection.execute(
            f"create trigger chaos_full before insert or update on {table} "
            "for each statement execute function chaos.refuse_if_full()"
        )
