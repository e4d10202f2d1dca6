"""Runs sent to a bridge the way a scenario sends them."""

import json

from sqlalchemy import text

from tests.conftest import SAMPLES
from worker import db


def send(stack, name="run_clean", suffix=""):
    """Register a sample run and push its outputs; returns its run id."""
    raw = (SAMPLES / f"{name}.json").read_text()
    old = json.loads(raw)["run"]["run_id"]
    document = json.loads(raw.replace(old, old + suffix))
    run = document["run"]
    fields = {"client_id": run["client_id"], "seed_data": run["seed_data"]}
    stack.http.put(f"/runs/{run['run_id']}", json=fields).raise_for_status()
    outputs = [{key: step[key] for key in ("step_name", "step_id", "output")} for step in document["steps"]]
    stack.http.post(f"/runs/{run['run_id']}/outputs", json={"outputs": outputs}).raise_for_status()
    return run["run_id"]


def publish(stack, run_id, **options):
    """Publish a run; returns the answer."""
    answer = stack.http.post(f"/publish/{run_id}", params=options)
    assert answer.status_code in {200, 202}, answer.text
    return answer.json()


def job(stack, run_id, wait=0):
    """The run's job as the bridge tells it."""
    answer = stack.http.get(f"/runs/{run_id}", params={"wait": wait})
    return answer.raise_for_status().json()["job"]


def rows(statement, **values):
    """The rows of a query."""
    with db.transaction() as session:
        return [tuple(row) for row in session.execute(text(statement), values)]


def published_once(run_ids):
    """Whether each run has one ready dossier with contacts, one of them primary, and nothing else is there."""
    found = rows(
        "select d.run_id, count(*), count(*) filter (where c.is_primary) from dossiers d "
        "join contacts c on c.dossier_id = d.id where d.status = 'ready' group by d.id order by 1"
    )
    total = rows("select count(*) from dossiers")
    return (
        [row[0] for row in found] == sorted(run_ids)
        and all(row[2] == 1 for row in found)
        and total == [(len(run_ids),)]
    )
