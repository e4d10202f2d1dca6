"""The drain: how fast a worker with two children publishes what is queued, and what it costs.

Beside it, on copies of the same database and in the same round: the limit (`limit`) and the predecessor
(`predecessor`). Time runs from the first claim to the last job settled, by the database's own clock.
"""

from dataclasses import asdict

from sqlalchemy import text

from tests.bench import limit, predecessor, programs, stock
from tests.bench.rounds import Rounds
from tests.bench.usage import cpu_seconds, watched
from worker import db, ring

WARM = 20
"""Published before anything is measured: a new child's first task reads and compiles for half a second."""

PATIENCE = 900

_OURS = """
select count(*) filter (where state = 'done'),
  extract(epoch from max(settled_at) - min(started_at)) from jobs where key = any(:runs)
"""
_THEIRS = """
select count(*) filter (where r.status = 'published'),
  extract(epoch from max(r.completed_at) - min(d.created_at))
from v2_runs r left join dossiers d on d.run_id = r.run_id where r.run_id = any(:runs)
"""


def run(servers, runs, rounds, told):
    """Measure it so many times; returns figures by variant, and ratios to what ours is compared with."""
    runs -= runs % limit.PROGRAMS
    numbers, warm = range(runs), range(runs, runs + WARM)
    found = Rounds()
    with servers.database() as registered:
        told(f"storing {runs:,} runs")
        stock.add_clients()
        stock.add_runs(range(runs + WARM))
        size = stock.size()
        servers.settled(registered)
        with servers.database(registered) as queued:
            stock.queue(numbers)
            servers.settled(queued)
            with servers.database(queued) as recorded:
                script = limit.prepare(runs)
                servers.settled(recorded)
                for number in range(rounds):
                    told(f"draining, round {number + 1} of {rounds}")
                    with servers.database(queued):
                        found.add("worker", **ours(servers, numbers, warm))
                    with servers.database(recorded) as copy:
                        found.add("pgbench", **limit.measure(servers, copy, script, runs))
                    with servers.database(registered):
                        found.add("rq", **theirs(servers, numbers, warm))
    return {
        "runs": runs,
        "rounds": rounds,
        "run": asdict(size),
        "figures": found.figures(),
        "ratios": {
            "worker to pgbench": found.ratio("per_second", "worker", "pgbench"),
            "worker to rq": found.ratio("per_second", "worker", "rq"),
        },
    }


def ours(servers, numbers, warm):
    """Drain the queued runs of these numbers, after those that warm the worker up."""
    servers.forget_bells()
    stock.queue(warm)
    stock.whose_turn_it_is()  # or the first sweep would ring for them
    with programs.worker(servers.folder) as worker:
        ring.ring(*stock.chosen(warm))
        _finished(_OURS, warm)
        return _measured(servers, [worker], _OURS, numbers, lambda: ring.ring(*stock.whose_turn_it_is()))


def theirs(servers, numbers, warm):
    """Have the predecessor publish the registered runs of these numbers."""
    servers.forget_bells()
    with predecessor.workers(servers) as workers:
        predecessor.enqueue(servers.redis_url, warm)
        _finished(_THEIRS, warm)
        return _measured(
            servers, workers, _THEIRS, numbers, lambda: predecessor.enqueue(servers.redis_url, numbers)
        )


def _finished(statement, numbers):
    """Wait until all of these are published; returns the seconds from the first to the last."""
    keys = {"runs": [stock.run_id(number) for number in numbers]}

    def took():
        with db.transaction() as session:
            done, seconds = session.execute(text(statement), keys).one()
        return float(seconds) if done == len(numbers) else None

    return programs.patiently(took, f"{len(numbers)} runs to be published", PATIENCE)


def _measured(servers, processes, statement, numbers, start):
    """Start it, wait for the last, and tell speed, CPU and memory."""
    postmaster = servers.postmaster()
    trees = {"cpu": processes, "postgres_cpu": [postmaster] if postmaster else None}
    before = {name: cpu_seconds(of) for name, of in trees.items() if of}
    with watched(processes) as peaks:
        start()
        took = _finished(statement, numbers)
    thousands = len(numbers) / 1000
    spent = {f"{name}_per_1000": (cpu_seconds(trees[name]) - was) / thousands for name, was in before.items()}
    return {
        "per_second": len(numbers) / took,
        **spent,
        "main_peak_mb": peaks.main / 1e6,
        "child_peak_mb": peaks.child / 1e6 or None,  # none was seen where each lives for milliseconds only
    }
