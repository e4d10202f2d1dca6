"""What reruns, callbacks and fairness need: tables of the worker's own, a column, and two indexes on jobs."""

from alembic import op

from models.migrations.steps import build_indexes, drop_indexes, make_private, one_by_one

revision = "make"
down_revision = "client_config"
branch_labels = None
depends_on = None

COLUMN = "alter table v2_clients add column if not exists callback_url text"

TABLES = (
    """
    create table if not exists reruns (
      id uuid primary key default gen_random_uuid(),
      dossier_id uuid not null references dossiers (id) on delete cascade,
      run_id text not null unique,
      state text not null default 'requested',
      agents jsonb,
      asked_by text not null,
      execution_id text,
      error jsonb,
      requested_at timestamptz not null default now(),
      sent_at timestamptz,
      triggered_at timestamptz,
      ended_at timestamptz,
      constraint reruns_state_check
        check (state in ('requested', 'triggered', 'published', 'failed', 'timed_out')),
      constraint reruns_ended_check check ((state in ('requested', 'triggered')) = (ended_at is null))
    )""",
    """create unique index if not exists reruns_dossier_id_key on reruns (dossier_id)
         where state in ('requested', 'triggered')""",
    "create index if not exists reruns_dossier_id_idx on reruns (dossier_id)",
    """
    create table if not exists gone_callbacks (
      url text primary key,
      gone_at timestamptz not null default now()
    )""",
    """
    create table if not exists signed_messages (
      id text primary key,
      seen_at timestamptz not null default now()
    )""",
    "create index if not exists signed_messages_seen_at_idx on signed_messages (seen_at)",
)

PRIVATE = ("reruns", "gone_callbacks", "signed_messages")

INDEXES = {
    "jobs_rung_idx": "index {} on jobs (client_id, kind) where state = 'queued' and rung_at is not null",
    "jobs_unrung_idx": "index {} on jobs (client_id, kind, run_at) where state = 'queued' and rung_at is null",
}


def upgrade() -> None:
    """Add the column, tables and indexes."""
    one_by_one([COLUMN])
    for statement in TABLES:
        op.execute(statement)
    make_private(PRIVATE)
    build_indexes(INDEXES)


def downgrade() -> None:
    """Take back all of it."""
    drop_indexes(INDEXES)
    one_by_one(
        [
            "drop table if exists reruns, gone_callbacks, signed_messages",
            "alter table v2_clients drop column if exists callback_url",
        ]
    )
