"""The limit of a drain: pgbench sends the statements of a publish, and nothing computes anything in between.

One publish is done for real, and every statement that its connections send is recorded where psycopg takes it
over, with its parameters: both transactions, the claim and the work, with BEGIN and COMMIT. What is sent in one
round trip (`executemany`, a pipeline, several statements in one text) is sent in one by pgbench too. Parameters
are sent as parameters, in the types psycopg gave them, and statements are prepared, as psycopg has them too.

pgbench counts the publishes: client c of two takes the numbers n = 2 i + c. A parameter that is an id of the
recorded publish (its run, job, dossier, contacts, batch, list, client, domain) is computed from n by the server,
as `md5('job/7')::uuid`, which costs about a microsecond; all else, so the whole text of the dossier, is the
recorded run's. Runs and their outputs are the real ones, and different for each n. What a drain does besides is
left out: the query of whose turn it is, now and then, the test of an idle connection, and all that Redis does.
"""

import re
import shutil
import subprocess

from sqlalchemy import text

from tests.bench import stock
from tests.bench.recording import recording, written
from tests.bench.servers import plain
from tests.bench.usage import cpu_seconds
from worker import db
from worker.celery import app
from worker.embedded import EmbeddedServerError
from worker.embedded.postgres import _wheel

PROGRAMS = 2
_TPS = re.compile(r"^tps = ([\d.]+) \(without", re.MULTILINE)
_FAILED = re.compile(r"^number of failed transactions: (\d+)", re.MULTILINE)

# The ids of what a publish finds become those that pgbench can compute; what was published to make them goes.
_RENUMBER = """
delete from calendar_events;
delete from dossier_lists;
delete from contacts;
delete from dossiers;
delete from jobs where state = 'done';
update v2_runs set status = 'running', error_message = null;
update batches b set total_dossiers = 0, completed_dossiers = 0, id = md5('batch/' || k)::uuid
  from generate_series(0, :clients - 1) k where b.client_id = md5('client/' || k)::uuid;
update lists l set id = md5('list/' || k)::uuid
  from generate_series(0, :clients - 1) k where l.client_id = md5('client/' || k)::uuid;
update jobs set id = md5('job/' || split_part(key, '_', 3))::uuid;
"""


def prepare(runs):
    """Record a publish in the database in use, where so many are queued; returns the script and its variables.

    The runs of the next numbers are published, one for each client so that its batch and its list are there, then
    one to record.
    """
    app.loader.import_default_modules()
    spare = range(runs, runs + stock.CLIENTS + 1)
    stock.queue(spare)
    *warm, recorded = spare
    for number in warm:
        _publish(stock.job_of(number))
    job_id = stock.job_of(recorded)
    with recording() as statements:
        _publish(job_id)
    script, variables = written(statements, _names(recorded), PROGRAMS, stock.CLIENTS)
    with db.transaction() as session:
        for statement in _RENUMBER.split(";\n")[:-1]:
            session.execute(text(statement), {"clients": stock.CLIENTS})
    return script, variables


def _publish(job_id):
    app.tasks["publish.run"](job_id=str(job_id))


def _names(number):
    """What stands for each id of the recorded publish in pgbench's script, by what it was."""
    with db.transaction() as session:
        row = session.execute(
            text(
                "select j.id job, d.id dossier, d.batch_id batch, d.company_domain domain, d.company_key key, "
                "(select l.list_id from dossier_lists l where l.dossier_id = d.id) list, "
                "array(select c.id from contacts c where c.dossier_id = d.id) contacts "
                "from jobs j join dossiers d on d.run_id = j.key where j.key = :run_id"
            ),
            {"run_id": stock.run_id(number)},
        ).one()
    place = number % stock.CLIENTS
    ids = {
        "job": (row.job, "n"),
        "dossier": (row.dossier, "n"),
        "batch": (row.batch, "k"),
        "list": (row.list, "k"),
    }
    ids["client"] = (stock.ident("client", place), "k")
    names = {str(found): f"md5('{kind}/' || :{of}::int)" for kind, (found, of) in ids.items() if found is not None}
    for position, contact in enumerate(row.contacts):
        names[str(contact)] = f"md5('contact/{position}/' || :n::int)"
    for domain in {row.domain, row.key} - {None}:
        names[domain] = f"(:n::int || '.{domain}')"
    names[stock.run_id(number)] = "('RUN_BENCH_' || :n::int)"
    names[stock.v2_client(place)] = "('CLT_BENCH_' || :k::int)"
    return names


def pgbench():
    """Where pgbench is: the wheel's, or the system's."""
    try:
        found = sorted(_wheel().glob("pginstall*/bin/pgbench"), key=lambda path: path.parents[1].name)
    except EmbeddedServerError:
        found = []
    return str(found[-1]) if found else shutil.which("pgbench")


def measure(servers, database, script, runs):
    """Have two clients publish all the runs; returns publishes a second and PostgreSQL's CPU."""
    text_of, variables = script
    path = servers.folder / "publish.pgbench"
    path.write_text(text_of)
    given = [f"--define={name}={value}" for name, value in (*variables.items(), ("i", -1))]
    command = [pgbench(), "--no-vacuum", "--protocol=prepared", f"--client={PROGRAMS}", f"--jobs={PROGRAMS}"]
    each = runs // PROGRAMS
    command += [f"--transactions={each}", f"--file={path}", *given, plain(servers.url.set(database=database))]
    postmaster = servers.postmaster()
    before = cpu_seconds([postmaster]) if postmaster else 0
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"pgbench: {done.stderr[-2000:]}"
    assert not int(_FAILED.search(done.stdout)[1]), done.stdout
    count = each * PROGRAMS
    _check(count)
    spent = (cpu_seconds([postmaster]) - before) * 1000 / count if postmaster else None
    return {"per_second": float(_TPS.search(done.stdout)[1]), "postgres_cpu_per_1000": spent}


def _check(count):
    """The statements did what they are there for: they are no faster for having found nothing to do."""
    with db.transaction() as session:
        found = session.execute(
            text(
                "select (select count(*) from jobs where state = 'done'), (select count(*) from dossiers "
                "where status = 'ready'), (select count(*) from contacts), (select count(*) from dossier_lists), "
                "(select sum(completed_dossiers) from batches)"
            )
        ).one()
    assert tuple(found) == (count, count, stock.CONTACTS * count, count, count), f"pgbench left {tuple(found)}"
