"""Beat's look whether a day has passed since what is old was pruned."""

from worker import db, prune
from worker.celery import app
from worker.settings import settings


@app.task(name="jobs.prune")
def prune_old() -> None:
    """Prune once a day, for as long as a task may take; what is left is next hour's."""
    with db.transaction() as session:
        is_due = prune.is_due(session)
    if is_due:
        prune.prune(settings(), seconds=settings().task_soft_limit / 2)
