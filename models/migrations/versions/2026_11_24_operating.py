"""What watching over the worker needs: signs of life, totals that outlive what is pruned, and an index."""

from alembic import op

from models.migrations.steps import build_indexes, drop_indexes, make_private

revision = "operating"
down_revision = "exports"
branch_labels = None
depends_on = None

TABLES = (
    """
    create table if not exists heartbeats (
      process text not null,
      place text not null,
      seen_at timestamptz not null default now(),
      primary key (process, place)
    )""",
    """
    create table if not exists totals (
      kind text not null,
      outcome text not null,
      code text not null default '',
      total bigint not null,
      primary key (kind, outcome, code)
    )""",
    """
    create table if not exists totals_counted (
      single boolean primary key default true,
      until timestamptz not null,
      constraint totals_counted_single_check check (single)
    )""",
)

PRIVATE = ("heartbeats", "totals", "totals_counted")

INDEXES = {
    "job_attempts_ended_idx": "index {} on job_attempts (finished_at) where outcome in ('done', 'error')",
    "jobs_passing_idx": "index {} on jobs (settled_at) where kind <> 'publish.run'",
}


def upgrade() -> None:
    """Add the tables and the index."""
    for statement in TABLES:
        op.execute(statement)
    make_private(PRIVATE)
    build_indexes(INDEXES)


def downgrade() -> None:
    """Take back all of it."""
    drop_indexes(INDEXES)
    op.execute("drop table if exists heartbeats, totals, totals_counted")
