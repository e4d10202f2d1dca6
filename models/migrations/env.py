"""How alembic reaches the database: over the connection `columnline migrate` hands in, or `DATABASE_URL`.

What locks a table of the app is a transaction of its own, under a short `lock_timeout`: it gives way to the app
rather than queueing everybody behind itself. Only one process migrates at a time.
"""

import os
import time

from alembic import context
from sqlalchemy import Connection, create_engine, text

from models.tables import METADATA, TABLES

VERSION_TABLE = "columnline_schema_version"
LOCK_TIMEOUT = "3s"  # where the connection brings no limit of its own
LOCK = 0x636F6C756D6E  # "column": the advisory lock of whoever migrates
OURS = set(TABLES)


def _include(obj: object, name: str | None, kind: str, reflected: bool, compared: object) -> bool:
    """Leave other people's tables out of every comparison: the database is shared with the app."""
    del obj, compared
    return not (kind == "table" and reflected and name not in OURS)


def _offline() -> None:
    context.configure(
        dialect_name="postgresql",
        target_metadata=METADATA,
        version_table=VERSION_TABLE,
        transaction_per_migration=True,
        literal_binds=True,
        lock_timeout=LOCK_TIMEOUT,
    )
    with context.begin_transaction():
        context.execute(f"set lock_timeout = '{LOCK_TIMEOUT}'")
        context.run_migrations()


def _online(connection: Connection) -> None:
    # Polled, not awaited: a session that sleeps in pg_advisory_lock() holds a snapshot, and the
    # CREATE INDEX CONCURRENTLY of the one who has the lock would wait for it for ever.
    while not connection.scalar(text("select pg_try_advisory_lock(:lock)"), {"lock": LOCK}):
        connection.rollback()
        time.sleep(0.2)
    configured = connection.scalar(text("select current_setting('lock_timeout')"))
    lock_timeout = configured if configured != "0" else LOCK_TIMEOUT
    connection.execute(text(f"set lock_timeout = '{lock_timeout}'"))
    connection.commit()
    try:
        context.configure(
            connection=connection,
            target_metadata=METADATA,
            version_table=VERSION_TABLE,
            transaction_per_migration=True,
            include_object=_include,
            compare_server_default=True,
            lock_timeout=lock_timeout,
        )
        with context.begin_transaction():
            context.run_migrations()
    finally:
        connection.rollback()
        connection.execute(text("select pg_advisory_unlock(:lock)"), {"lock": LOCK})
        connection.execute(text("reset lock_timeout"))
        connection.commit()


if context.is_offline_mode():
    _offline()
elif (handed_in := context.config.attributes.get("connection")) is not None:
    _online(handed_in)
else:
    url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1)
    with create_engine(url).connect() as own:
        _online(own)
