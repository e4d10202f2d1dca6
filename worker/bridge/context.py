"""What the routes share: this process's bell and its watch over jobs that callers wait for."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request

from models.jobs import Job
from worker import answers
from worker.fields import MAX_WAIT, Seconds
from worker.ring import BackgroundBell
from worker.settings import settings
from worker.waiting import Watch

MAX_WAITERS = 100
"""Callers who may hold a thread while they wait; more are answered at once, as if they had not asked to."""

THREADS = 140
"""Threads for routes: enough that waiting callers never keep others out."""

Wait = Annotated[
    Seconds, Query(description=f"answer once it has ended, or after so many seconds ({MAX_WAIT} at most)")
]


def base_url(request: Request) -> str:
    """Where callers reach the bridge: as the settings say, else as this one called it."""
    return answers.base_url(settings(), str(request.base_url))


def bell(request: Request) -> BackgroundBell:
    """The bell that rings without making an answer wait."""
    found: BackgroundBell = request.app.state.bell
    return found


def waited(request: Request, job_id: UUID, seconds: int | None) -> Job:
    """The job once it is at rest, or after so many seconds; at once where none are asked for.

    Raises:
        JobNotFound: no such job.
    """
    watch: Watch = request.app.state.watch
    return watch.wait_for(job_id, seconds or 0)
