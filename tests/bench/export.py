"""How much memory an export needs and how fast it is, beside a bare loop over the same rows.

Each runs in a process of its own: `python -m tests.bench.export dossiers.csv`. None may grow by more than 50 MB.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import psycopg

from tests.bench.growth import execute
from tests.bench.servers import plain
from tests.generator import generate
from worker import db, inbox, logs
from worker.cli.imports import import_clients, import_run, read
from worker.drain import drain
from worker.export import parts
from worker.export.order import Format, Order, What
from worker.export.reading import DossierFilter, Progress
from worker.settings import settings

NAMES = ("dossiers.csv", "contacts.csv", "dossiers.xlsx")
BARE = "bare"
RICH = 36
MOST_GROWTH = 50_000_000
CLIENTS = Path(__file__).parents[1] / "samples" / "clients.json"
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")

_COLUMNS = """company_name, company_domain, lead_score, timing_urgency, primary_signal, status, agents_completed,
  find_leads, enrich_lead, copy, insight, media, sources, release_date, released_at, pipeline_version, client_id,
  batch_id"""
_PEOPLE = (
    "name, first_name, last_name, title, email, phone, linkedin_url, bio_paragraph, tenure, is_primary, source"
)
_COPIES = f"""
with rich as (select d.*, row_number() over (order by id) as place from dossiers d where run_id is not null),
made as (
  insert into dossiers (id, created_at, {_COLUMNS})
  select lpad(to_hex(n), 32, '0')::uuid, now() - n * interval '1 minute', {_COLUMNS}
  from generate_series(cast(:first as int), :last) n join rich on place = 1 + n % (select count(*) from rich)
)
insert into contacts (dossier_id, enrichment_data, {_PEOPLE})
select lpad(to_hex(n), 32, '0')::uuid, c.enrichment_data, {", ".join(f"c.{name}" for name in _PEOPLE.split(", "))}
from generate_series(cast(:first as int), :last) n join rich on place = 1 + n % (select count(*) from rich)
join contacts c on c.dossier_id = rich.id
"""


def fill(dossiers, told):
    """Publish a few dozen rich runs, and copy them until there are so many."""
    told(f"publishing {min(RICH, dossiers)} runs")
    with db.transaction() as session:
        import_clients(session, read(CLIENTS))
        for seed in range(min(RICH, dossiers)):
            run_id, _ = import_run(session, generate(seed))
            inbox.accept_publish(session, settings(), inbox.PublishOrder(run_id=run_id))
    list(drain())
    for first in range(RICH + 1, dossiers + 1, 1000):
        execute(_COPIES, first=first, last=min(first + 999, dossiers))
        if first % 10_000 < 1000:
            told(f"copied up to {first:,}")


def memory(name):
    """A figure of this process in bytes: `VmRSS` now, `VmHWM` the most since it was cleared."""
    (line,) = [line for line in STATUS.read_text().splitlines() if line.startswith(name)]
    return int(line.split()[1]) * 1024


def export(name):
    """Do one export in this process; returns its figures."""
    what, kind = name.split(".")
    order, progress = Order(What(what), Format(kind), DossierFilter()), Progress()
    with db.transaction() as session:
        session.connection()
    CLEAR.write_text("5")
    start, began = memory("VmRSS"), time.perf_counter()
    for _ in parts(order, progress):
        pass
    took = time.perf_counter() - began
    return {
        "seconds": round(took, 3),
        "dossiers": progress.dossiers,
        "rows": progress.rows,
        "grown": memory("VmHWM") - start,
    }


def bare():
    """Loop over the same dossiers with a server-side cursor and do nothing with them."""
    began, count = time.perf_counter(), 0
    with psycopg.connect(plain(db.engine().url)) as connection, connection.cursor("bare") as cursor:
        cursor.itersize = 200
        cursor.execute("select * from dossiers order by created_at desc, id desc")
        for _ in cursor:
            count += 1
    return {"seconds": round(time.perf_counter() - began, 3), "dossiers": count}


def in_a_child(name):
    """What this module prints in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.export", name]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def run(servers, dossiers, told):
    """Fill a database and export from it; figures by export, and ratios to the bare loop."""
    with servers.database() as made:
        fill(dossiers, told)
        servers.settled(made)
        told("reading with a bare loop")
        loop = in_a_child(BARE)
        found = {}
        for name in NAMES:
            told(f"exporting {name}")
            found[name] = in_a_child(name)
    rate = loop["dossiers"] / loop["seconds"]
    assert {row["dossiers"] for row in (loop, *found.values())} == {dossiers}, "something was left out"
    return {
        "dossiers": dossiers,
        "bare_per_second": round(rate),
        "flat": all(row["grown"] <= MOST_GROWTH for row in found.values()),
        "figures": {
            name: {
                "rows_per_second": {"median": round(row["rows"] / row["seconds"])},
                "seconds": {"median": row["seconds"]},
                "grown_mb": {"median": row["grown"] / 1e6},
            }
            for name, row in found.items()
        },
        "ratios": {
            f"dossiers a second, {name} to a bare loop": {"median": round(dossiers / row["seconds"] / rate, 3)}
            for name, row in found.items()
        },
    }


if __name__ == "__main__":
    (name,) = sys.argv[1:]
    logs.configure("WARNING")
    sys.stdout.write(json.dumps(bare() if name == BARE else export(name)))
