"""Wait for jobs to end, on behalf of callers: one look at the database serves everybody who waits."""

import threading
from collections.abc import Collection
from types import TracebackType
from typing import Self
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from models.jobs import AT_REST, Job
from worker import db, jobs, logs

log = logs.get(__name__)

_FIRST_PAUSE = 0.005
_LONGEST_PAUSE = 0.1
_GROWTH = 1.3


class Watch:
    """Looks, in a thread of its own, at the jobs that somebody waits for: closely at first, then less often.

    A context manager; callers may wait from any number of threads while it is open, `most` of them at once.
    """

    def __init__(self, most: int = 1) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._waiting: dict[threading.Event, UUID] = {}
        self._pause = _FIRST_PAUSE
        self._awaited = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
        self._thread.join(5)  # its look may hang with the database; it is a daemon

    def wait_for(self, job_id: UUID, seconds: float) -> Job:
        """The job once it is at rest, or as it stands when the time is up or the watch is released.

        Where as many wait as may, it is returned as it stands at once.

        Raises:
            JobNotFound: no such job.
        """
        job = _read(job_id)
        if job.state in AT_REST or seconds <= 0:
            return job
        rested = threading.Event()
        with self._lock:
            if self._closing.is_set() or len(self._waiting) >= self._most:
                return job
            self._waiting[rested] = job_id
            self._pause = _FIRST_PAUSE
        self._awaited.set()
        try:
            rested.wait(seconds)
        finally:
            with self._lock:
                self._waiting.pop(rested)
        return _read(job_id)

    def release(self) -> None:
        """Let everybody go, with their jobs as they stand; whoever comes later is not kept. Returns at once."""
        self._closing.set()
        self._awaited.set()

    def _run(self) -> None:
        while not self._closing.is_set():
            with self._lock:
                waiting = dict(self._waiting)
                self._pause = min(self._pause * _GROWTH, _LONGEST_PAUSE)
                if not waiting:
                    self._awaited.clear()
            if waiting:
                rested = _at_rest(set(waiting.values()))
                for event, job_id in waiting.items():
                    if job_id in rested:
                        event.set()
                self._closing.wait(self._pause)
            elif not self._closing.is_set():  # else a release came just before the clear
                self._awaited.wait()
        with self._lock:
            for event in self._waiting:
                event.set()


def wait_for(job_id: UUID, seconds: float) -> Job:
    """The job once it is settled or held, or as it stands when the time is up, for a caller who waits alone.

    Raises:
        JobNotFound: no such job.
    """
    with Watch() as watch:
        return watch.wait_for(job_id, seconds)


def _read(job_id: UUID) -> Job:
    with db.transaction() as session:
        return jobs.get(session, job_id)


def _at_rest(job_ids: Collection[UUID]) -> set[UUID]:
    try:
        with db.transaction() as session:
            return set(session.scalars(select(Job.id).where(Job.id.in_(job_ids), Job.state.in_(AT_REST))))
    except SQLAlchemyError as error:
        log.warning("look_failed", error=type(error).__name__)  # the next look may do; nobody waits for ever
        return set()
