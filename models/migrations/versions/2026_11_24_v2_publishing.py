"""What publishing V2 runs needs: additive columns on existing tables, and the worker's own tables.

Safe beside a live app: new columns are nullable or have a constant default (no rewrite), the foreign key is
added NOT VALID and validated after, indexes on existing tables are built concurrently.
"""

from alembic import op

from models.migrations.steps import build_indexes, drop_indexes, make_private, one_by_one

revision = "v2_publishing"
down_revision = "v1_baseline"
branch_labels = None
depends_on = None

COLUMNS = (
    """alter table dossiers
         add column if not exists pipeline_version text not null default 'v1',
         add column if not exists run_id text,
         add column if not exists error jsonb""",
    "alter table v2_clients add column if not exists production_client_id uuid",
    """alter table v2_runs
         add column if not exists expected_contacts integer,
         add column if not exists batch_number text""",
)

FOREIGN_KEY = """
do $do$ begin
  if not exists (
    select from pg_constraint
    where conrelid = 'v2_clients'::regclass and conname = 'v2_clients_production_client_id_fkey'
  ) then
    alter table v2_clients add constraint v2_clients_production_client_id_fkey
      foreign key (production_client_id) references clients (id) not valid;
  end if;
end $do$
"""

VALIDATE = "alter table v2_clients validate constraint v2_clients_production_client_id_fkey"

TABLES = (
    """
    create table if not exists jobs (
      id uuid primary key default gen_random_uuid(),
      kind text not null,
      key text not null,
      client_id text,
      payload jsonb not null,
      state text not null default 'queued',
      step text,
      attempt integer not null default 0,
      max_attempts integer not null,
      lost integer not null default 0,
      epoch bigint not null default 0,
      run_at timestamptz not null default now(),
      deadline_at timestamptz not null,
      waiting_since timestamptz,
      leased_until timestamptz,
      rung_at timestamptz,
      rings integer not null default 0,
      held_reason text,
      error jsonb,
      warnings jsonb not null default '[]',
      result jsonb,
      created_at timestamptz not null default now(),
      started_at timestamptz,
      settled_at timestamptz,
      constraint jobs_kind_key_key unique (kind, key),
      constraint jobs_state_check
        check (state in ('queued', 'running', 'waiting', 'held', 'done', 'error', 'cancelled')),
      constraint jobs_running_check check ((state = 'running') = (leased_until is not null)),
      constraint jobs_held_check check ((state = 'held') = (held_reason is not null)),
      constraint jobs_settled_check
        check ((state in ('done', 'error', 'cancelled')) = (settled_at is not null)),
      constraint jobs_error_check check (state <> 'error' or error is not null),
      constraint jobs_done_check check (state <> 'done' or result is not null),
      constraint jobs_attempt_check check (attempt between 0 and max_attempts)
    )""",
    "create index if not exists jobs_due_idx on jobs (run_at) where state in ('queued', 'waiting')",
    "create index if not exists jobs_leased_until_idx on jobs (leased_until) where state = 'running'",
    "create index if not exists jobs_held_idx on jobs (client_id) where state = 'held'",
    "create index if not exists jobs_created_at_idx on jobs (created_at, id)",
    """
    create table if not exists job_attempts (
      job_id uuid not null references jobs (id) on delete cascade,
      epoch bigint not null,
      attempt integer not null,
      worker text not null,
      started_at timestamptz not null default now(),
      finished_at timestamptz,
      outcome text,
      step text,
      error jsonb,
      timings jsonb,
      primary key (job_id, epoch),
      constraint job_attempts_outcome_check
        check (outcome in ('done', 'retry', 'waiting', 'outage', 'held', 'error', 'lost')),
      constraint job_attempts_finished_check check ((outcome is null) = (finished_at is null))
    )""",
    """
    create table if not exists api_keys (
      id text primary key,
      name text not null unique,
      scope text not null,
      secret_hash bytea not null,
      created_at timestamptz not null default now(),
      last_used_at timestamptz,
      revoked_at timestamptz,
      constraint api_keys_scope_check check (scope in ('read', 'publish', 'ops'))
    )""",
)

PRIVATE = ("jobs", "job_attempts", "api_keys")

INDEXES = {
    "dossiers_run_id_key": "unique index {} on dossiers (run_id) where run_id is not null",
    "dossiers_pipeline_version_idx": "index {} on dossiers (pipeline_version, client_id)",
}


def upgrade() -> None:
    """Add columns, tables and indexes."""
    one_by_one([*COLUMNS, FOREIGN_KEY, VALIDATE])
    for statement in TABLES:
        op.execute(statement)
    make_private(PRIVATE)
    build_indexes(INDEXES)


def downgrade() -> None:
    """Take back all of it: V1 rows are then exactly as before; V2 dossiers stay, as plain rows."""
    drop_indexes(INDEXES)
    one_by_one(
        [
            "drop table if exists job_attempts, jobs, api_keys",
            "alter table v2_clients drop column if exists production_client_id",
            """alter table v2_runs drop column if exists expected_contacts,
                 drop column if exists batch_number""",
            """alter table dossiers drop column if exists pipeline_version, drop column if exists run_id,
                 drop column if exists error""",
        ]
    )
