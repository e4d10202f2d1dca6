"""Runs to measure with: of production's size, with five contacts, of distinct companies, over several clients.

Everything about run number n can be told from n, so that a script of pgbench can tell it too. Ids are the MD5 of a
name: PostgreSQL and Python agree about that without a table of ids.
"""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select, text, update

from models.jobs import Job, JobKind, JobState
from models.orders import PublishOrder
from models.pipeline import V2Client
from models.production import Client
from tests.generator import generate
from worker import db, inbox
from worker.cli.imports import import_run
from worker.settings import settings

CLIENTS = 10
CONTACTS = 5
AT_ONCE = 50
EACH = "6_ENRICH_CONTACT_INDIVIDUAL"
"""Left out: with five of these a run would have seventeen outputs, where production's has a dozen."""


@dataclass(frozen=True)
class Size:
    """What a run is made of: medians."""

    outputs: int
    raw_bytes: int
    stored_bytes: int


def ident(kind, number):
    """The id of that number: `md5('job/7')`."""
    return UUID(hashlib.md5(f"{kind}/{number}".encode()).hexdigest())


def run_id(number):
    return f"RUN_BENCH_{number}"


def v2_client(place):
    return f"CLT_BENCH_{place}"


def portions(numbers):
    """The numbers, as many at a time as fit a transaction."""
    return [numbers[start : start + AT_ONCE] for start in range(0, len(numbers), AT_ONCE)]


def add_clients():
    with db.transaction() as session:
        for place in range(CLIENTS):
            session.add(Client(id=ident("client", place), name=f"Client {place}"))
        session.flush()
        for place in range(CLIENTS):
            session.add(
                V2Client(
                    client_id=v2_client(place),
                    client_name=f"Client {place}",
                    production_client_id=ident("client", place),
                )
            )


def add_runs(numbers):
    """Register the runs and store their outputs through the doors' own functions."""
    for some in portions(numbers):
        with db.transaction() as session:
            for number in some:
                run = generate(
                    number, contacts=CONTACTS, client_id=v2_client(number % CLIENTS), run_id=run_id(number)
                )
                steps = [step for step in run["steps"] if step["step_name"] != EACH]
                renamed = [step | {"step_id": f"{run_id(number)}/{place}"} for place, step in enumerate(steps)]
                import_run(session, run | {"steps": renamed})


def register(numbers):
    """Register the runs without any output: enough for a publish to be accepted."""
    for some in portions(numbers):
        with db.transaction() as session:
            for number in some:
                inbox.register_run(session, run_id(number), {"client_id": v2_client(number % CLIENTS)})


def queue(numbers):
    """Accept a publish of each run, as the bridge would; rings for none."""
    for some in portions(numbers):
        with db.transaction() as session:
            for number in some:
                inbox.accept_publish(session, settings(), PublishOrder(run_id=run_id(number)))


def chosen(numbers):
    """Take the jobs of these runs as rung for now, whosever turn it is; returns them."""
    return _rung(Job.key.in_([run_id(number) for number in numbers]))


def whose_turn_it_is():
    """Take the queued jobs that the doors rang for as rung for now; returns them."""
    return _rung(Job.rung_at.is_not(None))


def _rung(which):
    with db.transaction() as session:
        bell = update(Job).where(Job.state == JobState.QUEUED, which).values(rung_at=func.now()).returning(Job)
        return list(session.scalars(bell.execution_options(synchronize_session=False)))


def job_of(number):
    """The id of the run's publish."""
    with db.transaction() as session:
        return session.scalars(select(Job.id).where(Job.kind == JobKind.PUBLISH, Job.key == run_id(number))).one()


def size():
    """What the runs that are there are made of."""
    with db.transaction() as session:
        row = session.execute(
            text(
                "select percentile_disc(0.5) within group (order by n), "
                "percentile_disc(0.5) within group (order by raw), "
                "percentile_disc(0.5) within group (order by stored) "
                "from (select count(*) n, sum(octet_length(output::text)) raw, sum(pg_column_size(output)) stored "
                "from v2_pipeline_logs group by run_id) runs"
            )
        ).one()
    return Size(*map(int, row))
