"""Fairness: a client's single run overtakes another's backlog, which no sweep is needed to drain."""

import json

from tests.conftest import SAMPLES
from tests.system.runs import publish, published_once, rows, send
from tests.system.stack import NO_SWEEP, wait_until
from worker.turns import OUTSTANDING

BACKLOG = 150
CHILDREN = 4
BUSY = "CLT_NORTHWIND_001"
SMALL, OF_ANOTHER = "run_composer", "run_nulls_and_types"
TWIN = "TWIN_"
ON_THE_WAY = 20
"""Others that may end while a bell is on its way to the broker, on a machine where everything is slow."""


def register(system, number):
    """Send a small run of the busy client, and copy it; returns the run ids of all."""
    first = send(system, SMALL)
    copied = rows(
        """
        with runs as (
          insert into v2_runs (run_id, client_id, status, seed_data, triggered_by)
          select :twin || place, client_id, status, seed_data, triggered_by
          from v2_runs, generate_series(2, :number) as place where run_id = :first returning run_id
        ), steps as (
          insert into v2_pipeline_logs (step_id, run_id, step_name, status, output, completed_at)
          select :twin || place || '/' || step_id, :twin || place, step_name, status, output, completed_at
          from v2_pipeline_logs, generate_series(2, :number) as place where run_id = :first
        )
        select run_id from runs
        """,
        twin=TWIN,
        number=number,
        first=first,
    )
    return [first, *(run_id for (run_id,) in copied)]


def publish_many(system, run_ids):
    answer = system.http.post("/publish", json={"runs": [{"run_id": run_id} for run_id in run_ids]})
    assert answer.raise_for_status().json()["accepted"] == len(run_ids)


def settled():
    return rows("select count(*) from jobs where state = 'done'")[0][0]


def overtook(run_id):
    """How many jobs of others ended while this one waited."""
    ((number,),) = rows(
        "select count(*) from jobs other join jobs mine on mine.key = :run_id "
        "where other.settled_at between mine.created_at and mine.settled_at and other.id <> mine.id",
        run_id=run_id,
    )
    return number


def test_a_single_run_overtakes_another_clients_backlog_and_the_backlog_drains_without_a_sweep(stack):
    client = json.loads((SAMPLES / f"{SMALL}.json").read_text())["run"]["client_id"]
    assert client == BUSY != json.loads((SAMPLES / f"{OF_ANOTHER}.json").read_text())["run"]["client_id"]
    with stack("bridge", **NO_SWEEP) as system:
        busy = register(system, BACKLOG)
        publish_many(system, busy)
        before, meanwhile = send(system, OF_ANOTHER), send(system, OF_ANOTHER, suffix="_2")
        publish(system, before)
        system.start("worker", "worker2")
        wait_until(lambda: settled() > BACKLOG // 4, "a quarter to be done")
        publish(system, meanwhile)
        wait_until(lambda: settled() == BACKLOG + 2, "all to be done")
    assert overtook(before) <= OUTSTANDING + CHILDREN
    assert overtook(meanwhile) <= OUTSTANDING + CHILDREN + ON_THE_WAY < BACKLOG // 2
    assert published_once([*busy, before, meanwhile])
    assert rows("select max(rings) from jobs") == [(0,)], "no sweep rang"
