"""A kind of job for tests of the machine, which knows no dossiers: what it does is the test's to say."""

from uuid import uuid4

from celery.exceptions import Retry
from sqlalchemy import text, update

from models.jobs import Job
from worker import db, jobs
from worker.attempt import holding
from worker.heard import JobFailed
from worker.settings import settings

KIND = "test.work"


def accept(key=None, *, client_id=None, payload=None):
    """A due job; returns its id."""
    with db.transaction() as session:
        job, _ = jobs.accept(
            session, settings(), kind=KIND, key=key or uuid4().hex, client_id=client_id, payload=payload or {}
        )
        return job.id


def attempt(job_id, work=lambda attempt, session: None, on_error=None):
    """One attempt at the job, as a task makes it; returns how Celery heard of it."""
    try:
        with holding(str(job_id), KIND, on_error=on_error) as held:
            if held is None:
                return "nothing to do"
            held.work(lambda session: [work(held, session), held.complete(session, {"fine": True})])
    except Retry as retry:
        return f"retry: {retry}"
    except JobFailed as failed:
        return f"failed: {failed}"
    return "done"


def read(job_id):
    """The job as it is now."""
    with db.transaction() as session:
        return jobs.get(session, job_id)


def tries(job_id):
    """The outcomes of its attempts, oldest first."""
    with db.transaction() as session:
        return [attempt.outcome for attempt in jobs.attempts(session, job_id)]


def change(job_id, **values):
    """Change columns of a job by hand: how a test moves time, since nothing moves `now()`."""
    with db.transaction() as session:
        session.execute(update(Job).where(Job.id == job_id).values(**values))


def ago(seconds):
    """A moment in the past, by the database's clock."""
    return text(f"now() - interval '{seconds} seconds'")
