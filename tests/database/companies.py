"""For tests of the calendar: cheap runs about companies, V1 dossiers of theirs, and what readers see."""

from uuid import UUID

from sqlalchemy import text

from models.jobs import JobKind
from models.orders import PublishOrder
from models.values import dossier_id_of
from tests.builders import CONTENTS
from worker import db, inbox, jobs
from worker.drain import drain
from worker.settings import settings

NORTHWIND, LAKESHORE = "CLT_NORTHWIND_001", "CLT_LAKESHORE_001"
PRODUCTION = {
    NORTHWIND: UUID("6f0d5c1e-0000-4000-8000-000000000001"),
    LAKESHORE: UUID("6f0d5c1e-0000-4000-8000-000000000002"),
}
LATE = "10_WRITER_STRATEGY"
"""The required output that a run may lack."""

_TABLES = (
    "calendar_events",
    "contacts",
    "dossier_lists",
    "dossiers",
    "lists",
    "batches",
    "job_attempts",
    "jobs",
    "v2_pipeline_logs",
    "v2_runs",
)
# Drip places are negative meanwhile: a row may come where another has not left yet, and both are unique.
_SHIFT = """
update dossiers d set
  release_date = release_date - :days,
  release_at = (release_at at time zone c.timezone - make_interval(days => :days)) at time zone c.timezone,
  released_at = d.released_at - make_interval(days => :days),
  created_at = d.created_at - make_interval(days => :days),
  drip_position = -drip_position
from clients c where c.id = d.client_id
"""
_RELATIONS = """
select d.*,
  array(select l.name from dossier_lists p join lists l on l.id = p.list_id where p.dossier_id = d.id) as lists,
  (select count(*) from calendar_events e where e.dossier_id = d.id and e.action = 'released') as releases
from dossiers d
"""


def query(statement, **values):
    with db.transaction() as session:
        return session.execute(text(statement), values).mappings().all()


def execute(statement, **values):
    with db.transaction() as session:
        session.execute(text(statement), values)


def register(run_id, domain="acme.example", *, client=NORTHWIND, without=()):
    """A finished run about the company of that domain; returns its id."""
    contents = CONTENTS | {"10_WRITER_OPPORTUNITY": {"company_snapshot": {"domain": domain}}}
    outputs = [inbox.Output(name, contents[name]) for name in contents if name not in without]
    with db.transaction() as session:
        inbox.register_run(session, run_id, {"client_id": client})
        inbox.store_outputs(session, run_id, outputs)
    return run_id


def complete(run_id):
    """Store the output that the run lacked."""
    with db.transaction() as session:
        inbox.store_outputs(session, run_id, [inbox.Output(LATE, CONTENTS[LATE])])


def accept(run_id, **options):
    """Accept a publish of the run; returns the job's id."""
    with db.transaction() as session:
        job, _ = inbox.accept_publish(session, settings(), PublishOrder(run_id=run_id, **options))
        return job.id


def job_of(run_id):
    with db.transaction() as session:
        return jobs.find(session, JobKind.PUBLISH, run_id)


def publish(run_id, **options):
    """Publish the run and return its job."""
    accept(run_id, **options)
    list(drain())
    return job_of(run_id)


def retry(run_id):
    """Retry the run's publish and return its job."""
    with db.transaction() as session:
        jobs.retry(session, settings(), jobs.find(session, JobKind.PUBLISH, run_id).id)
    list(drain())
    return job_of(run_id)


def add_v1(domain, *, client=NORTHWIND, status="ready", released="now()"):
    """A dossier as V1 leaves it; returns its id."""
    (row,) = query(
        "insert into dossiers (client_id, company_name, company_domain, status, released_at) "
        f"values (:client, 'Acme of V1', :domain, :status, {released}) returning id",
        client=PRODUCTION[client],
        domain=domain,
        status=status,
    )
    return row.id


def dossier(key):
    """The dossier of a run, or of that id."""
    dossier_id = key if isinstance(key, UUID) else dossier_id_of(key)
    (row,) = query("select * from dossiers where id = :id", id=dossier_id)
    return row


def dump():
    """Every dossier, to the byte."""
    return query("select id, d::text as row from dossiers d order by id")


def read_by(client):
    """The dossiers that a reader of this client sees, by id, each with its status."""
    claims = f'{{"client_id": "{PRODUCTION[client]}"}}'
    with db.transaction() as session:
        session.execute(text("set local role app_reader"))
        session.execute(text("select set_config('request.jwt.claims', :claims, true)"), {"claims": claims})
        return dict(session.execute(text("select id, status from dossiers")).all())


def relations():
    """Every dossier, with the names of its lists and how often its release was recorded."""
    return query(_RELATIONS)


def days_pass(days):
    """Move every dossier's moments back by days of its client, since nothing moves the database's clock."""
    execute(_SHIFT, days=days)
    execute("update dossiers set drip_position = -drip_position where drip_position is not null")


def empty():
    """Forget all but the clients."""
    for table in _TABLES:
        execute(f"delete from {table}")
