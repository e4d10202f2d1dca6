"""Measure what the README tells of speed, each figure side by side with what it is compared with.

    python -m tests.bench [drain latency bridge growth export start] [--rounds 3] [--runs 2000]
        [--sizes 10000 100000 1000000] [--dossiers 100000] [--json FILE] [--plots FOLDER]

Without names, all of it. Needs no servers: without `DATABASE_URL` PostgreSQL is one of its own too. Only ratios
mean something beyond the machine and the hour; nothing here passes or fails for being slow. Exit status 1 if an
export's memory grew, or the query for what is due did not use its index.
"""

import argparse
import json
import os
import platform
import signal
import sys
from pathlib import Path

from rich.console import Console

from tests.bench import bridge, drain, export, growth, latency, plots, report, servers, start
from worker import logs

NAMES = ("drain", "latency", "bridge", "growth", "export", "start")
WIDTH = 160
"""Columns of a table that goes to a file."""


def measured(given, there, told):
    """Do the benchmarks that were asked for, in their order; yields the name and what was found."""
    rate = None
    for name in NAMES:
        if name not in given.names:
            continue
        told(name)
        match name:
            case "drain":
                found = drain.run(there, given.runs, given.rounds, told)
                rate = found["figures"]["worker"]["per_second"]["median"]
            case "latency":
                found = latency.run(there, given.runs // 2, given.rounds, told, rate)
            case "bridge":
                found = bridge.run(there, given.runs, given.rounds, told)
            case "growth":
                found = growth.run(there, given.sizes, given.rounds, told)
            case "export":
                found = export.run(there, given.dossiers, told)
            case _:
                found = start.run(given.rounds, told)
        yield name, found


def machine(there):
    """What the figures were measured on, and how busy it was before."""
    with there.admin() as admin:
        version = admin.execute("show server_version").fetchone()[0]
        durable = {name: admin.execute(f"show {name}").fetchone()[0] for name in ("fsync", "synchronous_commit")}
    return {
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "postgres": version,
        **durable,
    }


def read(words):
    """The arguments."""
    arguments = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.splitlines()[0])
    arguments.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; absent: all")
    arguments.add_argument("--rounds", type=int, default=3, metavar="N", help="of which medians are taken")
    arguments.add_argument("--runs", type=int, default=2000, metavar="N", help="queued runs to drain")
    arguments.add_argument("--sizes", type=int, nargs="+", default=list(growth.SIZES), metavar="N")
    arguments.add_argument("--dossiers", type=int, default=100_000, metavar="N", help="to export")
    arguments.add_argument("--json", type=Path, metavar="FILE", help="where to write all of it")
    arguments.add_argument("--plots", type=Path, metavar="FOLDER", help="where to draw the growth curves")
    given = arguments.parse_args(words)
    given.names = given.names or NAMES
    if unknown := sorted(set(given.names) - set(NAMES)):
        arguments.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(NAMES)}")
    if min(given.rounds, given.runs, given.dossiers, *given.sizes) < 1 or given.runs < 2 * drain.limit.PROGRAMS:
        arguments.error("every number is at least 1, and two clients need four runs")
    return given


def main():
    """Measure, tell, and say by the exit status whether all held that has nothing to do with speed."""
    given = read(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # what was started is stopped too
    console = Console(stderr=True)
    tables = Console(width=None if sys.stdout.isatty() else WIDTH)
    for folder in (given.json and given.json.parent, given.plots):
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
    with servers.started() as there:
        logs.configure("WARNING")
        found = {"machine": machine(there)}
        for name, benchmark in measured(given, there, lambda line: console.print(line, style="dim")):
            found[name] = benchmark
            report.draw({name: benchmark}, tables)
            if given.json:  # after each, so that what was measured is kept whatever comes
                given.json.write_text(json.dumps(found, indent=1) + "\n")
    if given.plots and "growth" in found:
        title = "Time of a query as the table grows"
        drawn = plots.curves(title, found["growth"]["curves"], "dossiers", "milliseconds, median")
        (given.plots / "growth.svg").write_text(drawn)
    held = found.get("growth", {}).get("index_used", True), found.get("export", {}).get("flat", True)
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
