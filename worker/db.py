"""The one place that opens transactions and commits them.

Works through a transaction pooler: no prepared statements, no session state; the limits are set inside each
transaction. A process that forks must call `dispose` in the child before its first query.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.orm import Session

from worker.servers import database_url
from worker.settings import Settings, settings

CONNECT = {
    "prepare_threshold": None,
    "connect_timeout": 5,
    "keepalives_idle": 15,
    "tcp_user_timeout": 10_000,
    "application_name": "columnline",
}


def dumps(value: Any) -> str:
    """JSON text for a JSONB column. Integers beyond 64 bits, which orjson refuses, are written whole."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)


def loads(text: str | bytes) -> Any:
    """The value of a JSONB column. Numbers that orjson refuses are read whole."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


def _limits(config: Settings) -> str:
    limits = {
        "statement_timeout": config.statement_timeout,
        "lock_timeout": config.lock_timeout,
        "idle_in_transaction_session_timeout": config.task_time_limit,
    }
    calls = (f"set_config('{name}', '{round(seconds * 1000)}ms', true)" for name, seconds in limits.items())
    return "select " + ", ".join(calls)


def make_engine(url: str, config: Settings, pool_size: int = 2) -> Engine:
    """An engine whose every transaction begins with the configured time limits.

    `hide_parameters` keeps writers' texts and contacts out of exceptions, and so out of logs and `jobs.error`.
    """
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        pool_pre_ping=True,
        pool_recycle=300,
        hide_parameters=True,
        json_serializer=dumps,
        json_deserializer=loads,
        connect_args=CONNECT,
    )
    limits = _limits(config)

    @event.listens_for(engine, "begin")
    def set_limits(connection: Connection) -> None:
        connection.exec_driver_sql(limits)

    return engine


@lru_cache(maxsize=1)
def engine() -> Engine:
    """The engine of this process."""
    return make_engine(database_url(), settings(), settings().pool_size)


@contextmanager
def transaction() -> Iterator[Session]:
    """A session whose work is committed at the end of the block, or rolled back whole."""
    with Session(engine(), expire_on_commit=False) as session, session.begin():
        yield session


def dispose(*, close: bool = True) -> None:
    """Forget the engine. With `close=False`, in a forked child: the parent's sockets are not ours to close."""
    if engine.cache_info().currsize:
        engine().dispose(close=close)
    engine.cache_clear()
