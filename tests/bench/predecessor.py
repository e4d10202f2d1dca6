"""The predecessor: RQ with a fork per job, and a publish that writes row by row, each row committed by itself.

It reads the same runs, assembles with the same function, and writes the same dossiers and contacts. It has no
claim, no fence, no calendar, no chain, no lists and no record of attempts. Its workers import the publish before
they fork: RQ's own command leaves that to each child, which costs most of a second a job.
"""

import os
import sys
from contextlib import ExitStack, contextmanager
from importlib import import_module

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Json, set_json_dumps, set_json_loads
from redis import Redis
from rq import Queue, Worker
from sqlalchemy.engine import make_url

from models.values import RunInput, StepOutput, dossier_id_of
from tasks.assemble import assemble
from tests.bench.programs import program
from tests.bench.servers import plain
from tests.bench.stock import run_id
from worker.db import dumps, loads

QUEUE = "predecessor"
WORKERS = 2
SECTIONS = ("find_leads", "enrich_lead", "copy", "insight", "media", "sources")
FIELDS = ("company_name", "company_domain", "lead_score", "timing_urgency", "primary_signal")
PERSON = (
    *("id", "name", "first_name", "last_name", "title", "email", "phone"),
    *("linkedin_url", "bio_paragraph", "tenure", "is_primary", "source"),
)


def publish(run):
    """Publish a run; what RQ's workers do."""
    set_json_dumps(dumps)
    set_json_loads(loads)
    url = plain(make_url(os.environ["DATABASE_URL"]))
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        found = connection.execute(
            "select r.seed_data, c.production_client_id from v2_runs r join v2_clients c using (client_id) "
            "where r.run_id = %s",
            (run,),
        ).fetchone()
        steps = connection.execute(
            "select step_id, step_name, output from v2_pipeline_logs where run_id = %s and status = 'completed' "
            "order by completed_at, step_id",
            (run,),
        ).fetchall()
        dossier_id = dossier_id_of(run)
        draft = assemble(
            RunInput(
                run_id=run,
                dossier_id=dossier_id,
                seed_data=found["seed_data"],
                outputs=tuple(StepOutput(**step) for step in steps),
                unfinished={},
                expected_contacts=None,
            )
        )
        client = found["production_client_id"]
        row = {name: getattr(draft, name) for name in FIELDS}
        row |= {name: Json(getattr(draft, name)) for name in SECTIONS}
        row |= {"id": dossier_id, "run_id": run, "client_id": client, "batch_id": _batch(connection, client)}
        row |= {"status": "ready", "pipeline_version": "v2"}
        _insert(connection, "dossiers", row)
        for contact in draft.contacts:
            person = {name: getattr(contact, name) for name in PERSON}
            person |= {"dossier_id": dossier_id, "enrichment_data": Json(contact.enrichment_data)}
            _insert(connection, "contacts", person)
        connection.execute("update dossiers set released_at = now() where id = %s", (dossier_id,))
        connection.execute(
            "update v2_runs set status = 'published', completed_at = clock_timestamp() where run_id = %s", (run,)
        )


def _batch(connection, client):
    connection.execute(
        "insert into batches (client_id, batch_number, status) values (%s, to_char(now(), '\"V2\"_YYYYMMDD'), "
        "'complete') on conflict do nothing",
        (client,),
    )
    return connection.execute(
        "select id from batches where client_id = %s and batch_number = to_char(now(), '\"V2\"_YYYYMMDD')",
        (client,),
    ).fetchone()["id"]


def _insert(connection, table, row):
    columns, marks = ", ".join(row), ", ".join(f"%({name})s" for name in row)
    connection.execute(f"insert into {table} ({columns}) values ({marks})", row)


def enqueue(redis_url, numbers):
    """Have these runs published."""
    with Redis.from_url(redis_url) as client:
        queue = Queue(QUEUE, connection=client)
        with client.pipeline() as pipe:
            queue.enqueue_many(
                [Queue.prepare_data(publish, (run_id(number),), result_ttl=0) for number in numbers], pipeline=pipe
            )
            pipe.execute()


@contextmanager
def workers(servers):
    """Two of RQ's workers; yields their processes."""
    command = (sys.executable, "-m", __name__, servers.redis_url)
    with ExitStack() as stack:
        yield [stack.enter_context(program(command, servers.folder, "Listening on")) for _ in range(WORKERS)]


def main():
    """Work until a signal."""
    import_module("tests.bench.predecessor")  # under the name that the jobs know
    with Redis.from_url(sys.argv[1]) as client:
        Worker([QUEUE], connection=client).work()


if __name__ == "__main__":
    main()
