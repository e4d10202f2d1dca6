"""The bridge: publishes accepted per second, and how long each answer takes, at 16 and at 64 connections.

Beside it, in the same round: a server of the same make whose one route inserts one row (`peer`). No worker runs:
what is measured is the door. Each request is for a run of its own, registered before, and must be accepted.
"""

from sqlalchemy import text

from models.jobs import Scope
from tests.bench import client, programs, stock
from tests.bench.rounds import Rounds, spread
from tests.bench.usage import cpu_seconds
from worker import db, keys

CONNECTIONS = (16, 64)
WARM = 64
DOORS = {"bridge": programs.BRIDGE, "peer": programs.PEER}


def run(servers, requests, rounds, told):
    """Measure it so many times; returns figures by door and connections, and ratios of one door to the other."""
    found = Rounds()
    with servers.database():
        told(f"registering {requests:,} runs")
        stock.add_clients()
        stock.register(range(requests + WARM))
        with db.transaction() as session:
            key = keys.create(session, "bench", Scope.PUBLISH)
        for number in range(rounds):
            for name, command in DOORS.items():
                told(f"{name}, round {number + 1} of {rounds}")
                with programs.server(command, servers.folder) as door:
                    for connections in CONNECTIONS:
                        found.add(f"{name} at {connections}", **measure(servers, door, key, requests, connections))
    return {
        "requests": requests,
        "rounds": rounds,
        "figures": found.figures(),
        "ratios": {
            f"bridge to peer at {connections}": found.ratio(
                "per_second", f"bridge at {connections}", f"peer at {connections}"
            )
            for connections in CONNECTIONS
        },
    }


def measure(servers, door, key, requests, connections):
    """Warm the door up, and have so many publishes accepted through so many connections."""
    process, port = door
    servers.forget_bells()
    with db.transaction() as session:
        session.execute(text("truncate jobs cascade"))
    paths = [f"/columnline/publish/{stock.run_id(number)}" for number in range(requests + WARM)]
    client.post(port, {"X-API-Key": key}, paths[requests:], connections)
    before = cpu_seconds([process])
    answers = client.post(port, {"X-API-Key": key}, paths[:requests], connections)
    spent = cpu_seconds([process]) - before
    assert {status for status, _, _ in answers} == {202}, {status for status, _, _ in answers}
    took = max(due + seconds for _, due, seconds in answers) - min(due for _, due, _ in answers)
    return {
        "per_second": requests / took,
        "cpu_per_1000": spent * 1000 / requests,
        **spread([seconds for _, _, seconds in answers]),
    }
