"""What several migrations do alike."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from alembic import op


def make_private(tables: Iterable[str]) -> None:
    """Let nobody but the owner see these tables.

    The app may reach the schema through roles of its own (PostgREST grants by default): nothing is granted on
    them, and row level security without a policy says so twice.
    """
    for table in tables:
        op.execute(f"revoke all on {table} from public")
        op.execute(f"alter table {table} enable row level security")


def one_by_one(statements: Iterable[str]) -> None:
    """Run each beside a live app, in a transaction of its own: none holds a lock while it waits for another."""
    with op.get_context().autocommit_block():
        for statement in statements:
            op.execute(statement)


def build_indexes(indexes: Mapping[str, str]) -> None:
    """Build these indexes beside a live app; each definition has `{}` for its name."""
    with op.get_context().autocommit_block(), _patience():
        for name, definition in indexes.items():
            # One that was interrupted is INVALID: it would be taken for the real one.
            op.execute(f"drop index concurrently if exists {name}")
            op.execute(f"create {definition.format(name).replace('index', 'index concurrently', 1)}")


def drop_indexes(indexes: Iterable[str]) -> None:
    """Drop these indexes beside a live app."""
    with op.get_context().autocommit_block(), _patience():
        for name in indexes:
            op.execute(f"drop index concurrently if exists {name}")


@contextmanager
def _patience() -> Iterator[None]:
    """Wait longer for transactions to end: in a concurrent statement nobody queues behind us meanwhile.

    Giving up leaves an INVALID index that every write pays for, and the whole build to be done again.
    """
    op.execute("set lock_timeout = '60s'")
    yield
    op.execute(f"set lock_timeout = '{op.get_context().opts['lock_timeout']}'")
