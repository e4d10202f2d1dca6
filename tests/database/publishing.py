"""What tests of publishing share: rows as dicts, runs that are ready to be published, what a reader sees."""

import json
import threading
from datetime import UTC
from uuid import UUID

from sqlalchemy import text

from models.jobs import JobKind
from models.orders import PublishOrder
from models.values import dossier_id_of
from tests.builders import CONTENTS
from worker import db, inbox, jobs
from worker.drain import drain
from worker.settings import settings

NORTHWIND = UUID("6f0d5c1e-0000-4000-8000-000000000001")
LAKESHORE = UUID("6f0d5c1e-0000-4000-8000-000000000002")
CLIENTS = {NORTHWIND: "CLT_NORTHWIND_001", LAKESHORE: "CLT_LAKESHORE_001"}


def query(statement, **values):
    with db.transaction() as session:
        return session.execute(text(statement), values).mappings().all()


def one(statement, **values):
    (row,) = query(statement, **values)
    return row


def execute(statement, **values):
    with db.transaction() as session:
        session.execute(text(statement), values)


def now():
    return one("select now() as now").now.astimezone(UTC)


def register(run_id, client=NORTHWIND, *, outputs=True, **fields):
    """A run that is ready to be published; without outputs, one that cannot be. Returns its id."""
    with db.transaction() as session:
        inbox.register_run(session, run_id, {"client_id": CLIENTS[client]} | fields)
        if outputs:
            complete(run_id, session)
    return run_id


def complete(run_id, session):
    """Store every output that the run needs."""
    inbox.store_outputs(session, run_id, [inbox.Output(name, output) for name, output in CONTENTS.items()])


def accept(run_id, **options):
    """Accept a publish; returns the job's id."""
    with db.transaction() as session:
        job, _ = inbox.accept_publish(session, settings(), PublishOrder(run_id=run_id, **options))
        return job.id


def publish(run_id, **options):
    """Publish the run and return its job."""
    job_id = accept(run_id, **options)
    list(drain())
    with db.transaction() as session:
        return jobs.get(session, job_id)


def published(run_id, client=NORTHWIND, **options):
    """The dossier of a new run, published with these options."""
    job = publish(register(run_id, client), **options)
    assert job.state == "done", job.error
    return dossier(run_id)


def job_of(run_id):
    with db.transaction() as session:
        return jobs.find(session, JobKind.PUBLISH, run_id)


def dossier(run_id):
    return one("select * from dossiers where run_id = :run_id", run_id=run_id)


def events(run_id):
    """What the calendar recorded of the run's dossier: action, who, day, previous day."""
    rows = query(
        "select action, asked_by, release_date, previous_date from calendar_events "
        "where dossier_id = :id order by id",
        id=dossier_id_of(run_id),
    )
    return [tuple(row.values()) for row in rows]


def seen_by(client):
    """The runs, or for V1 the company names, of the dossiers that a reader of this client sees."""
    with db.transaction() as session:
        session.execute(text("set local role app_reader"))
        claims = json.dumps({"client_id": str(client)})
        session.execute(text("select set_config('request.jwt.claims', :claims, true)"), {"claims": claims})
        statement = "select coalesce(run_id, company_name) from dossiers order by 1"
        return list(session.scalars(text(statement)))


def somebody_waits():
    """Whether a transaction in this test's database waits for a dossier that another one holds."""
    return query(
        "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' "
        "and query like '%dossiers%' and pid <> pg_backend_pid()"
    )


def everything():
    """All that a publish or a decision about the calendar may change."""
    tables = ("dossiers", "contacts", "batches", "lists", "dossier_lists", "calendar_events", "jobs", "v2_runs")
    return {table: query(f"select * from {table} order by {table}::text") for table in tables}


def at_once(work, arguments):
    """Do the work for each argument in a thread of its own, all begun together; returns what came of each."""
    start, found = threading.Barrier(len(arguments)), {}

    def run(argument):
        start.wait()
        try:
            found[argument] = work(argument)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            found[argument] = error

    threads = [threading.Thread(target=run, args=[argument]) for argument in arguments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[argument] for argument in arguments]
