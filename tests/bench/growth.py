"""Queries as the table grows: the release tick, the calendar and a client's list of dossiers, at three sizes.

What is due must be found by its partial index, at every size.
"""

import time
from statistics import median
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects import postgresql

from worker import db, dossiers
from worker.calendar import outlook, release
from worker.dossier_filter import DossierFilter

INDEX = "dossiers_release_at_idx"
SIZES = (10_000, 100_000, 1_000_000)
DUE = 1000
CLIENTS = 20
CLIENT = UUID(int=1)
PAGE = 50

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


def execute(statement, **values):
    with db.transaction() as session:
        session.execute(text(statement), values)


def grow(first, last):
    """Add the rows from `first` to `last`, some at a time: no statement may take long."""
    for start in range(first, last + 1, 10_000):
        execute(_ROWS, first=start, last=min(start + 9_999, last), clients=CLIENTS)


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


def measure(size, due, rounds, vacuum):
    """Medians in milliseconds at this size, and the line of the plan that reads the table."""
    numbers = [f"RUN_{1 + n * (size // due)}" for n in range(due)]
    found = {"tick": [], "calendar": [], "client's list": []}
    for number in range(rounds + 1):
        execute(_ARM, due=numbers)
        execute(_HISTORY)
        vacuum()
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


def run(servers, sizes, rounds, told):
    """Fill a table of each size in turn and measure; figures by query and size, and ratios to the smallest."""
    sizes = sorted(set(sizes))
    due = min(DUE, sizes[0])
    milliseconds, plans, there = {}, {}, 0
    with servers.database() as name, servers.admin(name) as admin:
        execute(_CLIENTS, n=CLIENTS)
        for size in sizes:
            told(f"filling to {size:,} rows")
            grow(there + 1, size)
            there = size
            told(f"measuring {size:,} rows")
            # As autovacuum would: with statistics, and without what earlier rounds left.
            milliseconds[size], plans[size] = measure(
                size, due, rounds, lambda: admin.execute("vacuum analyze dossiers")
            )
    first = milliseconds[sizes[0]]
    return {
        "due": due,
        "rounds": rounds,
        "plans": plans,
        "index_used": all(INDEX in line for line in plans.values()),
        "figures": {
            f"{size:,}": {f"{query}, ms": {"median": value} for query, value in row.items()}
            for size, row in milliseconds.items()
        },
        "ratios": {
            f"{query} at {size:,} to {sizes[0]:,}": {"median": round(milliseconds[size][query] / first[query], 2)}
            for size in sizes[1:]
            for query in first
        },
        "curves": {query: [[size, milliseconds[size][query]] for size in sizes] for query in first},
    }
