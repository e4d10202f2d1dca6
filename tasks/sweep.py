"""Beat's look at what is due: the doorbell's safety net."""

from celery import Task

from worker import heartbeats
from worker.celery import app
from worker.sweep import sweep


@app.task(name="jobs.sweep", bind=True)
def sweep_jobs(self: Task) -> None:
    """Rescue jobs whose worker died, ring for those that are due.

    That it came is beat's sign of life: beat works, and the way from it over the broker to a worker does.
    """
    if self.request.origin is not None:
        heartbeats.note("beat", self.request.origin)
    sweep()
