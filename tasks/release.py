"""Beat's look at the calendar: release what is due, and keep the batches' progress true."""

from worker import batches, db
from worker.calendar.release import release_due
from worker.celery import RELEASE, app


@app.task(name=RELEASE)
def release_due_dossiers() -> None:
    """Release every dossier that is due, whatever downtime came before; safe in any number of copies."""
    for _ in release_due():
        pass
    with db.transaction() as session:
        batches.count_open(session)
