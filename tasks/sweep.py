"""Beat's look at what is due: the doorbell's safety net."""

from worker.celery import app
from worker.sweep import sweep


@app.task(name="jobs.sweep")
def sweep_jobs() -> None:
    """Rescue jobs whose worker died, ring for those that are due."""
    sweep()
