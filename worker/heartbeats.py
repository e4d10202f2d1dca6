"""Signs of life that every machine sees: a row a process, written every quarter of a minute.

The files that a health check looks at (`celery.alive`) say the same of one machine alone.
"""

import os
import socket
import threading
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Self

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from models.operating import Heartbeat
from worker import db, logs
from worker.outcomes import named

log = logs.get(__name__)

EVERY = 15.0
"""Seconds between the signs of a process."""

LOST_AFTER = timedelta(seconds=90)
"""A process counts as gone that was not heard of for so long: several signs may be missed."""

PROCESSES = ("bridge", "worker", "beat")

_AT_MOST_EVERY = timedelta(seconds=EVERY - 5)


def here() -> str:
    """The name of this process among those of its kind."""
    return f"{socket.gethostname()}/{os.getpid()}"


def note(process: str, place: str) -> None:
    """Note that this process is alive; a second sign within seconds costs no write.

    Raises:
        DBAPIError: the database is away.
    """
    sign = insert(Heartbeat).values(process=process, place=place)
    statement = sign.on_conflict_do_update(
        index_elements=[Heartbeat.process, Heartbeat.place],
        set_={"seen_at": func.now()},
        where=Heartbeat.seen_at < func.now() - _AT_MOST_EVERY,
    )
    with db.transaction() as session:
        session.execute(statement)


class Pulse:
    """Notes a process as alive for as long as the block lasts, from a thread: its work never waits for that.

    A process that hangs must not look alive: `turns` says whether its loop still does.
    """

    def __init__(self, process: str, turns: Callable[[], bool] = lambda: True) -> None:
        self._process = process
        self._turns = turns
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def start(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End soon, without a last sign."""
        self._stopping.set()

    def __enter__(self) -> Self:
        """Begin."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End, once a sign that is being given is given."""
        self.stop()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while True:
            if self._turns():
                try:
                    note(self._process, here())
                except SQLAlchemyError as error:
                    log.warning("heartbeat_failed", process=self._process, error=named(error))
            if self._stopping.wait(EVERY):
                return
