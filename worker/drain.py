"""Work off due jobs in this process, without a broker: the emergency tool, and the tests' way in."""

from collections.abc import Iterator
from contextlib import suppress

from celery.exceptions import Retry

from models.jobs import Job
from worker import db, jobs
from worker.calendar.release import release_due
from worker.celery import app
from worker.heard import JobFailed
from worker.sweep import rescue


def drain() -> Iterator[Job]:
    """Run every due job, longest due first, until none is; yields each as it was before its attempt.

    Those that a dead worker left behind, past their lease, come last; then dossiers are released that are due.
    """
    app.loader.import_default_modules()
    while True:
        with db.transaction() as session:
            job = jobs.next_due(session)
            if job is None and rescue(session):
                continue
        if job is None:
            break
        with suppress(Retry, JobFailed):  # the row says what became of it
            app.tasks[job.kind](job_id=str(job.id))
        yield job
    for _ in release_due():
        pass
