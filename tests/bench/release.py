"""How long the release tick, the calendar and a client's list of dossiers take, as the table grows.

    python -m tests.bench.release [--rows 10000 100000] [--due 1000] [--rounds 5] [--json]

Needs no server: without `DATABASE_URL` it starts one of its own. It works in a database of its own, and
drops it. Exit status 1 if the query for what is due does not use its partial index.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import contextmanager
from statistics import median
from uuid import UUID

import psycopg
from rich.console import Console
from rich.table import Table
from sqlalchemy import text
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import make_url

from worker import db, dossiers, logs, migrate
from worker.calendar import outlook, release
from worker.dossiers import DossierFilter
from worker.settings import Settings, settings

INDEX = "dossiers_release_at_idx"
CLIENTS = 20
CLIENT = UUID(int=1)
PAGE = 50

KEEPER = """
import sys
from pathlib import Path
from worker.embedded import attach_postgres
print(attach_postgres(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""

_CLIENTS = """
insert into clients (id, name)
select lpad(to_hex(n), 32, '0')::uuid, 'Client ' || n from generate_series(1, cast(:n as int)) n
"""
_ROWS = """
insert into dossiers (id, client_id, company_name, company_domain, status, pipeline_version, run_id, insight,
  released_at, release_at, created_at)
select gen_random_uuid(), lpad(to_hex(1 + n % :clients), 32, '0')::uuid, 'Company ' || n, n || '.example', 'ready',
  'v2', 'RUN_' || n, jsonb_build_object('the_math', n), moment + interval '1 hour', moment, moment
from (select n, now() - n * interval '1 minute' as moment from generate_series(cast(:first as int), :last) n) made
"""
# The same rows each time, spread over the table, and each round due at the same distance from now.
_ARM = """
update dossiers set released_at = null,
  release_at = now() - split_part(run_id, '_', 2)::int % 1000 * interval '1 second'
where run_id = any(:due)
"""
_HISTORY = "truncate calendar_events"


@contextmanager
def server():
    """The URL of a PostgreSQL server: the one `DATABASE_URL` names, else one of our own."""
    configured = os.environ.get("DATABASE_URL")
    if configured:
        yield make_url(Settings(DATABASE_URL=configured).database_url.get_secret_value())
        return
    with tempfile.TemporaryDirectory(prefix="columnline-bench-") as folder:
        command = [sys.executable, "-c", KEEPER, folder]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as keeper:
            yield make_url(keeper.stdout.readline().strip())


@contextmanager
def database():
    """A migrated database of our own, which this process uses."""
    name = f"columnline_bench_{uuid.uuid4().hex[:12]}"
    with server() as url:
        plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(plain, autocommit=True) as admin:
            admin.execute(f'create database "{name}"')
            try:
                os.environ["DATABASE_URL"] = url.set(database=name).render_as_string(hide_password=False)
                settings.cache_clear()
                engine = db.make_engine(os.environ["DATABASE_URL"], settings())
                migrate.upgrade(engine)
                engine.dispose()
                yield
            finally:
                db.dispose()
                admin.execute(f'drop database "{name}" with (force)')


def execute(statement, **values):
    with db.transaction() as session:
        session.execute(text(statement), values)


def grow(first, last):
    """Add the rows from `first` to `last`, some at a time: no statement may take long."""
    for start in range(first, last + 1, 10_000):
        execute(_ROWS, first=start, last=min(start + 9_999, last), clients=CLIENTS)


def vacuum(dsn):
    """Leave the table as autovacuum would: with statistics, and without what earlier rounds left."""
    plain = make_url(dsn).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("vacuum analyze dossiers")


def tick():
    return sum(release.release_due())


def calendar():
    with db.transaction() as session:
        return len(outlook.releases(session, limit=PAGE)[0])


def client_list():
    with db.transaction() as session:
        return len(dossiers.page(session, DossierFilter(client_id=CLIENT), limit=PAGE)[0])


def timed(work, expected):
    """The milliseconds that it takes, after looking that it did what it is there for."""
    began = time.perf_counter()
    found = work()
    took = (time.perf_counter() - began) * 1000
    assert found == expected, f"{work.__name__}: {found}, not {expected}"
    return took


def plan():
    """The lines of the plan of the query for what is due, costs left out."""
    statement = release._DUE.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
    with db.transaction() as session:
        rows = session.execute(text(f"explain (costs off) {statement}"))
        return [row[0].strip() for row in rows]


def measure(size, due, rounds):
    """Medians in milliseconds at this size, and the line of the plan that reads the table."""
    numbers = [f"RUN_{1 + n * (size // due)}" for n in range(due)]
    found = {"tick": [], "calendar": [], "client's list": []}
    for number in range(rounds + 1):
        execute(_ARM, due=numbers)
        execute(_HISTORY)
        vacuum(os.environ["DATABASE_URL"])
        if number == 0:
            used = next((line for line in plan() if "dossiers" in line), "")
        took = {
            "calendar": timed(calendar, min(PAGE, due)),
            "client's list": timed(client_list, min(PAGE, size // CLIENTS)),
            "tick": timed(tick, due),
        }
        if number:  # the first warms up
            for name, value in took.items():
                found[name].append(value)
    return {name: round(median(values), 2) for name, values in found.items()}, used


def run(sizes, due, rounds, told):
    """Fill a table of each size in turn and measure; returns everything that was found."""
    measured, plans = {}, {}
    with database():
        execute(_CLIENTS, n=CLIENTS)
        there = 0
        for size in sizes:
            told(f"filling to {size:,} rows")
            grow(there + 1, size)
            there = size
            told(f"measuring {size:,} rows")
            measured[size], plans[size] = measure(size, min(due, size), rounds)
    first = measured[sizes[0]]
    ratios = {size: {name: round(row[name] / first[name], 2) for name in row} for size, row in measured.items()}
    return {
        "due": due,
        "rounds": rounds,
        "milliseconds": measured,
        "ratios": ratios,
        "plans": plans,
        "index": INDEX,
        "index_used": all(INDEX in line for line in plans.values()),
    }


def draw(found):
    """Show what was found to people."""
    console = Console()
    names = list(next(iter(found["milliseconds"].values())))
    shown = Table(title=f"{found['due']} due, medians of {found['rounds']} rounds", box=None, title_justify="left")
    for column in ("rows", *(f"{name}, {unit}" for name in names for unit in ("ms", "ratio"))):
        shown.add_column(column, justify="right")
    for size, row in found["milliseconds"].items():
        cells = ((f"{row[name]:.1f}", f"{found['ratios'][size][name]:.2f}") for name in names)
        shown.add_row(f"{size:,}", *(cell for pair in cells for cell in pair))
    console.print(shown)
    for size, line in found["plans"].items():
        console.print(f"due among {size:,}: {line}", markup=False)


def main():
    """Measure, tell, and say by the exit status whether the index is used."""
    arguments = argparse.ArgumentParser(prog="python -m tests.bench.release", description=__doc__.splitlines()[0])
    arguments.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], metavar="N")
    arguments.add_argument("--due", type=int, default=1000, metavar="N")
    arguments.add_argument("--rounds", type=int, default=5, metavar="N")
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args()
    sizes = sorted(set(given.rows))
    if min(*sizes, given.due, given.rounds) < 1 or given.due > sizes[0]:
        arguments.error("every number is at least 1, and no more are due than there are rows")
    logs.configure("WARNING")
    tell = Console(stderr=True)
    found = run(sizes, given.due, given.rounds, lambda line: tell.print(line, style="dim"))
    if given.json:
        print(json.dumps(found))  # noqa: T201 - the answer itself
    else:
        draw(found)
    return 0 if found["index_used"] else 1


if __name__ == "__main__":
    sys.exit(main())
