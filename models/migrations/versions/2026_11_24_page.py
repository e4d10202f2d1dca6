"""What the page needs: who is signed in, and an index that finds the jobs in error."""

from alembic import op

from models.migrations.steps import build_indexes, drop_indexes, make_private

revision = "page"
down_revision = "make"
branch_labels = None
depends_on = None

TABLES = (
    """
    create table if not exists page_sessions (
      token_hash bytea primary key,
      key_id text not null references api_keys (id) on delete cascade,
      created_at timestamptz not null default now(),
      expires_at timestamptz not null
    )""",
    "create index if not exists page_sessions_expires_at_idx on page_sessions (expires_at)",
)

PRIVATE = ("page_sessions",)

INDEXES = {"jobs_error_idx": "index {} on jobs (settled_at) where state = 'error'"}


def upgrade() -> None:
    """Add the table and the index."""
    for statement in TABLES:
        op.execute(statement)
    make_private(PRIVATE)
    build_indexes(INDEXES)


def downgrade() -> None:
    """Take back all of it."""
    drop_indexes(INDEXES)
    op.execute("drop table if exists page_sessions")
