"""What exports as jobs need: a table of the worker's own for the files they write."""

from alembic import op

from models.migrations.steps import make_private

revision = "exports"
down_revision = "page"
branch_labels = None
depends_on = None

PARTS = """
    create table if not exists export_parts (
      job_id uuid not null references jobs (id) on delete cascade,
      position integer not null,
      bytes bytea not null,
      primary key (job_id, position),
      constraint export_parts_position_check check (position >= 0)
    )"""


def upgrade() -> None:
    """Add the table."""
    op.execute(PARTS)
    make_private(["export_parts"])


def downgrade() -> None:
    """Take it back, with the files in it."""
    op.execute("drop table if exists export_parts")
