"""Threads that take turns: each stops before every statement and every commit until a scheduler lets it go on.

A schedule is a list of choices: which of those that could go on, goes on. The same choices give the same run, so
all interleavings can be played one after another, and one that failed again. One that waits for a lock in
PostgreSQL cannot go on; the others do meanwhile.
"""

import random
import threading
from contextlib import contextmanager

from sqlalchemy import Engine, event

_here = threading.local()
_LIMITS = ("begin", "select set_config")  # which look at no row: what they see begins with the next statement
_GLANCE = 0.003  # seconds between two looks whether somebody waits for a lock


class Actor:
    """One thread and the work it does, in steps."""

    def __init__(self, name, work):
        self.name, self.failure, self.pid = name, None, None
        self._go, self.stopped = threading.Semaphore(0), threading.Event()
        self.is_over = self.waits = False
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def _run(self, work):
        _here.actor = self
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.failure = error
        self.is_over = True
        self.stopped.set()

    def stop(self, pid):
        """Called within the thread, with the session it uses: wait to be let go."""
        self.pid = pid
        self.stopped.set()
        self._go.acquire()

    def step(self):
        """Let it go on to its next stop. Returns at once."""
        self.stopped.clear()
        self._go.release()


@contextmanager
def in_steps():
    """While this lasts, actors stop before each statement and each commit."""

    def before_statement(connection, cursor, statement, *_):
        if not statement.lower().startswith(_LIMITS):
            _stop(connection)

    event.listen(Engine, "before_cursor_execute", before_statement)
    event.listen(Engine, "commit", _stop)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", before_statement)
        event.remove(Engine, "commit", _stop)


def _stop(connection):
    actor = getattr(_here, "actor", None)
    if actor is not None:
        actor.stop(connection.connection.dbapi_connection.info.backend_pid)


def play(works, choose, beside):
    """Play the works, by name, to their ends.

    Args:
        works: functions by name.
        choose: `choose(n)` says which of n that can go on does so.
        beside: a connection to see who waits for a lock.

    Returns:
        The names in the order in which they took steps.
    """
    actors = [Actor(name, work) for name, work in works.items()]
    taken = []
    while not all(actor.is_over for actor in actors):
        ready = [actor for actor in actors if _arrives(actor, beside) and not actor.is_over]
        if ready:
            chosen = ready[choose(len(ready))]
            taken.append(chosen.name)
            chosen.step()
    for actor in actors:
        if actor.failure is not None:
            raise AssertionError(f"{actor.name} failed after {taken}") from actor.failure
    return taken


def _arrives(actor, beside):
    """Whether the actor comes to its next stop; not if it waits for a lock."""
    while not actor.stopped.wait(0 if actor.waits else _GLANCE):
        statement = "select cardinality(pg_blocking_pids(%s)) > 0"
        blocked = beside.execute(statement, (actor.pid or 0,)).fetchone()[0]
        if blocked and not actor.stopped.is_set():
            actor.waits = True
            return False
        actor.waits = False
    actor.waits = False
    return True


def every(run):
    """Call `run(choose)` once for every possible series of choices; yields what it returned."""
    prefix = []
    while prefix is not None:
        made = []

        def choose(count, made=made, prefix=tuple(prefix)):
            choice = prefix[len(made)] if len(made) < len(prefix) else 0
            made.append((min(choice, count - 1), count))
            return made[-1][0]

        yield run(choose)
        while made and made[-1][0] + 1 == made[-1][1]:
            made.pop()
        prefix = [choice for choice, _ in made[:-1]] + [made[-1][0] + 1] if made else None


def some(run, seeds):
    """Call `run(choose)` once for each seed, choosing at random."""
    for seed in seeds:
        yield run(random.Random(seed).randrange)
