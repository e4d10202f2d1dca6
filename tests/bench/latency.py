"""How long it takes from a POST to the released dossier: when nothing else happens, and at half the drain rate.

A publish counts as released at `settled_at`, which the statement before the commit takes from the database's
clock; the POST counts from when it was due by the clock of the same machine. Beside the idle one: the predecessor,
from enqueueing to its last statement, and what a caller of `?wait=` sees, which includes the commit and the
bridge's looking.
"""

import random
import time

from sqlalchemy import text

from models.jobs import Scope
from tests.bench import client, drain, predecessor, programs, stock
from tests.bench.rounds import Rounds, spread
from tests.system.stack import wait_until
from worker import db, keys

PAUSE = (0.05, 0.15)
CONNECTIONS = 16
PATIENCE = 300
FEWER = 5
"""Under load come so many times as many publishes as when idle: they come fast, and their tail is of interest."""

_SETTLED = "select key, extract(epoch from settled_at) from jobs where state = 'done' and key = any(:runs)"
_PUBLISHED = """
select run_id, extract(epoch from completed_at) from v2_runs where status = 'published' and run_id = any(:runs)
"""


def run(servers, loaded, rounds, told, rate=None):
    """Measure it so many times; returns figures by situation, and ratios.

    Args:
        loaded: publishes under load; when idle there are fewer.
        rate: publishes a second of a drain on this machine; measured in each round if it is not given.
    """
    found = Rounds()
    times = max(2, loaded // FEWER)
    warm = range(times + loaded, times + loaded + drain.WARM)
    with servers.database() as registered:
        told(f"storing {times + loaded:,} runs")
        stock.add_clients()
        stock.add_runs(range(warm.stop))
        with db.transaction() as session:
            key = keys.create(session, "bench", Scope.PUBLISH)
        servers.settled(registered)
        for number in range(rounds):
            told(f"latency, round {number + 1} of {rounds}")
            with servers.database(registered):
                pace = (rate or _drained(servers, loaded, warm)) / 2
            with servers.database(registered):
                ours(servers, key, range(times), range(times, times + loaded), warm, pace, found)
            with servers.database(registered):
                found.add("idle, rq", **theirs(servers, range(times), warm))
    return {
        "idle": times,
        "loaded": loaded,
        "rounds": rounds,
        "figures": found.figures(),
        "ratios": {
            "idle, to rq": found.ratio("p50_ms", "idle", "idle, rq"),
            "half of the drain rate, to idle": found.ratio("p50_ms", "half of the drain rate", "idle"),
        },
    }


def _drained(servers, count, warm):
    stock.queue(range(count))
    return drain.ours(servers, range(count), warm)["per_second"]


def ours(servers, key, idle, loaded, warm, pace, found):
    """Publish one at a time with pauses, then so many a second."""
    servers.forget_bells()
    headers = {"X-API-Key": key}
    with (
        programs.worker(servers.folder),
        programs.server(programs.BRIDGE, servers.folder) as (_, port),
    ):
        client.post(port, headers, _paths(warm, "?wait=25"), 2)
        answers = client.post(port, headers, _paths(idle, "?wait=25"), 1, pauses=PAUSE)
        found.add("idle, as seen by a caller", **spread([seconds for _, _, seconds in answers]))
        found.add("idle", **spread(_since(answers, idle, _SETTLED)))
        answers = client.post(port, headers, _paths(loaded), CONNECTIONS, every=1 / pace)
        found.add("half of the drain rate", per_second=pace, **spread(_since(answers, loaded, _SETTLED)))


def theirs(servers, numbers, warm):
    """Have the predecessor publish one at a time, with the same pauses."""
    servers.forget_bells()
    with predecessor.workers(servers):
        predecessor.enqueue(servers.redis_url, warm)
        _moments(warm, _PUBLISHED)
        sent = []
        for number in numbers:
            time.sleep(random.uniform(*PAUSE))
            sent.append((202, time.time(), 0))
            predecessor.enqueue(servers.redis_url, [number])
            _moments([number], _PUBLISHED)
        return spread(_since(sent, numbers, _PUBLISHED))


def _paths(numbers, query=""):
    return [f"/columnline/publish/{stock.run_id(number)}{query}" for number in numbers]


def _since(answers, numbers, statement):
    """The seconds from when each was due until it was released."""
    assert {status for status, _, _ in answers} <= {200, 202}, {status for status, _, _ in answers}
    moments = _moments(numbers, statement)
    return [float(moments[stock.run_id(n)]) - due for n, (_, due, _) in zip(numbers, answers, strict=True)]


def _moments(numbers, statement):
    runs = [stock.run_id(number) for number in numbers]

    def all_of_them():
        with db.transaction() as session:
            found = dict(session.execute(text(statement), {"runs": runs}).all())
        return found if len(found) == len(runs) else None

    return wait_until(all_of_them, f"{len(runs)} publishes to end", PATIENCE)
