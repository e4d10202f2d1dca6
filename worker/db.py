"""The one place that opens transactions and commits them.

Works through a transaction pooler: no session state, and prepared statements only where nothing stands between;
the limits are set inside each transaction. A process that forks must call `dispose` in the child before its first
query.
"""

import math
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from worker.servers import database_url
from worker.settings import Settings, settings
from worker.stored import dumps, loads, teach

CONNECT = {
    "prepare_threshold": None,
    "connect_timeout": 5,
    "keepalives_idle": 15,
    "tcp_user_timeout": 10_000,
    "application_name": "columnline",
}

PREPARED_AT = 3
"""After so many times a session of our own has a statement prepared: planning it is two fifths of its cost."""

STALE_PLAN = ("0A000", "RevalidateCachedQuery")
"""Code and place of PostgreSQL's "cached plan must not change result type"."""

AWAKE = 1.0
"""Seconds after which a connection that was not used is tested before its next use."""


def is_direct(driver: Any) -> bool:
    """Whether nothing stands between this new connection of the driver's and PostgreSQL.

    A pooler tells its clients a process id of its own making, and the port that the server sees is the pooler's.
    Through one, what is prepared in one transaction may be missing in the next.
    """
    pid, seen = driver.execute("select pg_backend_pid(), inet_client_port()").fetchone()
    return driver.info.backend_pid == pid and _port_here(driver) in {None, seen}


def _port_here(driver: Any) -> int | None:
    """The port our end of the connection has; None for a socket in the file system."""
    with socket.socket(fileno=os.dup(driver.pgconn.socket)) as copy:
        name = copy.getsockname()
    return name[1] if isinstance(name, tuple) else None


def _within(config: Settings) -> dict[str, str]:
    """What holds in each transaction: the limits, and that moments are told in UTC, whatever the server has."""
    seconds = {
        "statement_timeout": config.statement_timeout,
        "lock_timeout": config.lock_timeout,
        "idle_in_transaction_session_timeout": config.task_time_limit,
    }
    return {name: f"{round(value * 1000)}ms" for name, value in seconds.items()} | {"timezone": "UTC"}


def make_engine(url: str, config: Settings, pool_size: int = 2) -> Engine:
    """An engine whose every transaction begins with the configured time limits, and in UTC.

    `hide_parameters` keeps writers' texts and contacts out of exceptions, and so out of logs and `jobs.error`.
    """
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",  # of the driver, which then leaves `begin` to us: see there
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        pool_recycle=300,
        hide_parameters=True,
        json_serializer=dumps,
        json_deserializer=loads,
        use_native_hstore=False,  # we have none; asking for it opens a transaction before there is any limit
        connect_args=CONNECT,
    )
    local = _within(config)
    begin = "begin; " + "; ".join(f"set local {name} = '{value}'" for name, value in local.items())
    within = "select " + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in local.items())

    @event.listens_for(engine, "connect")
    def make_ready(connection: Any, _: ConnectionPoolEntry) -> None:
        teach(connection)
        if is_direct(connection):
            connection.prepare_threshold = PREPARED_AT

    @event.listens_for(engine, "checkin")
    def note_when(_: Any, record: ConnectionPoolEntry) -> None:
        record.info["given_back"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def look_if_idle(connection: Any, record: ConnectionPoolEntry, _: Any) -> None:
        """Have the pool replace one that was lost in its sleep. A test before each would cost a tenth."""
        if time.monotonic() - record.info.get("given_back", math.inf) > AWAKE:
            try:
                engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error as error:
                raise InvalidatePoolError from error

    @event.listens_for(engine, "handle_error")
    def give_up_stale_plans(context: ExceptionContext) -> None:
        """Close sessions that have prepared what an app gave another type since: they would fail for ever."""
        diagnosis = getattr(context.original_exception, "diag", None)
        if diagnosis is not None and (diagnosis.sqlstate, diagnosis.source_function) == STALE_PLAN:
            context.is_disconnect = True

    @event.listens_for(engine, "begin")
    def begin_with_limits(connection: Connection) -> None:
        """Begin and set the limits in one round trip; where a caller chose an isolation level, set them alone."""
        chosen = connection.get_execution_options().get("isolation_level")
        connection.exec_driver_sql(begin if chosen is None else within)

    return engine


@lru_cache(maxsize=1)
def engine() -> Engine:
    """The engine of this process."""
    return make_engine(database_url(), settings(), settings().pool_size)


@contextmanager
def transaction() -> Iterator[Session]:
    """A session whose work is committed at the end of the block, or rolled back whole.

    What each publish sends goes through `session.connection()`: rows need none of the session's bookkeeping for
    mapped objects, which costs a third of a statement.
    """
    with Session(engine(), expire_on_commit=False) as session, session.begin():
        yield session


def dispose(*, close: bool = True) -> None:
    """Forget the engine. With `close=False`, in a forked child: the parent's sockets are not ours to close."""
    if engine.cache_info().currsize:
        engine().dispose(close=close)
    engine.cache_clear()
