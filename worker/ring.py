"""The doorbell: tell a worker, through the broker, that a job is due. Never essential, always after the commit.

A bell that is lost, doubled or late harms nothing; one that blocks would. So each is sent in bounded time, and
after a failure none is tried for a while: the sweep rings again for whatever is still due.
"""

import queue
import threading
import time
from collections.abc import Iterable
from fnmatch import fnmatch
from typing import Any

from models.jobs import Job, JobKind
from worker import logs
from worker.celery import QUEUE_OF, RELEASE, app

log = logs.get(__name__)

PAUSE_AFTER_FAILURE = 2.0
"""Seconds for which no bell is tried after one that failed: about one sweep."""


class Breaker:
    """Open for a while after a failure, so that a broker that hangs is not waited for again and again."""

    def __init__(self) -> None:
        """Begin closed: bells are sent."""
        self._open_until = 0.0

    @property
    def is_open(self) -> bool:
        """Whether bells are withheld now."""
        return time.monotonic() < self._open_until

    def failed(self) -> None:
        """Withhold bells for a while."""
        self._open_until = time.monotonic() + PAUSE_AFTER_FAILURE


breaker = Breaker()


def ring(*jobs: Job) -> list[Job]:
    """Ring for each job, but for those whose turn has not come. Never raises for a broker that is away.

    Returns:
        The jobs that were not rung for.
    """
    unrung: list[Job] = []
    for job in jobs:
        if job.rung_at is None:
            continue
        if breaker.is_open:
            unrung.append(job)
            continue
        try:
            app.send_task(job.kind, kwargs={"job_id": str(job.id), "run_id": job.payload.get("run_id", job.key)})
        except Exception as error:  # noqa: BLE001 - whatever a broker's client raises, the sweep rings again
            breaker.failed()
            unrung.append(job)
            log.warning("bell_failed", job_id=str(job.id), error=type(error).__name__)
    return unrung


def ring_release() -> None:
    """Ring for the calendar: something is due. Beat does so too, less often; so a lost bell does not matter."""
    if waits(RELEASE) or breaker.is_open:  # whoever just failed to ask need not wait to fail again
        return
    try:
        app.send_task(RELEASE)
    except Exception as error:  # noqa: BLE001 - whatever a broker's client raises, beat or the next sweep rings again
        breaker.failed()
        log.warning("bell_failed", task=RELEASE, error=type(error).__name__)


def waits(task: str) -> bool:
    """Whether a bell waits in the task's queue; where the broker cannot be asked, none is known of.

    Whoever rings at intervals asks before, so that bells do not pile up while no worker is there. An expiry would
    see to that too, but by the clocks of two machines: a worker whose clock is ahead would drop every bell.
    """
    queue = queue_of(task)
    silent = _silent({queue})
    return silent is not None and queue not in silent


def unheard() -> list[str]:
    """The kinds of jobs for which no bell waits in the broker; none where it cannot be asked.

    A job that is due and was rung for a while ago then has no bell under way: a worker has dropped it, or the
    broker lost it. Ringing again can pile nothing up.
    """
    silent = _silent(set(map(queue_of, JobKind))) or set()
    return [kind.value for kind in JobKind if queue_of(kind) in silent]


def queue_of(task: str) -> str:
    """The queue of a task, or of a kind of job, which is the name of its task."""
    return next(queue for pattern, queue in QUEUE_OF.items() if fnmatch(task, pattern))


def _silent(queues: set[str]) -> set[str] | None:
    """Those of the queues in which nothing waits; None where the broker cannot be asked."""
    if breaker.is_open:
        return None
    try:
        with app.pool.acquire(block=True, timeout=1) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=1)
            return {queue for queue in queues if _is_empty(connection, queue)}
    except Exception as error:  # noqa: BLE001 - whatever a broker's client raises, it is asked again next time
        breaker.failed()
        log.warning("bells_not_counted", error=type(error).__name__)
        return None


def _is_empty(connection: Any, queue: str) -> bool:
    with connection.channel() as channel:
        try:
            declared = channel.queue_declare(queue, passive=True)
        except connection.channel_errors:
            return True  # there is no such queue: Redis has none that is empty
        return bool(declared.message_count == 0)


class BackgroundBell:
    """Rings from a thread of its own, so that an answer never waits for the broker.

    Its queue is bounded: what does not fit is left to the sweep.
    """

    def __init__(self, size: int = 10_000) -> None:
        """Make the bell; `start` makes it ring."""
        self._jobs: queue.Queue[Job | None] = queue.Queue(size)
        self._thread = threading.Thread(target=self._run, name="bell", daemon=True)

    def start(self) -> None:
        """Begin ringing."""
        self._thread.start()

    def ring(self, jobs: Iterable[Job]) -> None:
        """Have each job rung for soon. Returns at once."""
        for job in jobs:
            try:
                self._jobs.put_nowait(job)
            except queue.Full:
                return

    def stop(self) -> None:
        """Ring for what is queued, for a few seconds at most, and end."""
        self._jobs.put(None)
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            ring(job)


def be_brief() -> None:
    """Shorten the broker's time limits in this process: a door must not hang where a worker may wait."""
    app.conf.broker_connection_timeout = 1
    brief = {"max_retries": 0, "interval_start": 0, "socket_timeout": 1, "socket_connect_timeout": 1}
    known = app.conf.broker_transport_options
    app.conf.broker_transport_options = known | {
        name: value for name, value in brief.items() if name in known or not name.startswith("socket")
    }
