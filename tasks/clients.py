"""Beat's hourly look at the two tables of clients."""

from worker import db, logs
from worker.celery import app
from worker.config.sync import sync
from worker.settings import settings

log = logs.get(__name__)


@app.task(name="clients.sync")
def sync_clients() -> None:
    """Let the owner's changes of config fields flow to the other table, and note conflicts."""
    with db.transaction() as session:
        report = sync(session, settings(), asked_by="beat")
    level = log.warning if report.conflicts else log.info
    level("config_synced", copied=report.copied, conflicts=report.conflicts, skipped=report.skipped)
