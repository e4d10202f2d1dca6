"""A run that was published before its client was mapped goes on at the mapping, without anybody's sweep."""

from tests.system.runs import job, publish, published_once, rows, send
from tests.system.stack import wait_until


def test_a_run_held_for_its_client_becomes_a_released_dossier_once_the_client_is_mapped(stack):
    with stack("bridge", "worker", COLUMNLINE_SWEEP_INTERVAL="3600") as system:
        run_id = send(system, "run_unmapped_client")
        assert publish(system, run_id, wait=25)["status"] == "held"
        found = job(system, run_id)
        assert (found["status"], found["error"]["code"]) == ("held", "client_unmapped")
        (waiting,) = system.http.get("/clients", params={"unmapped": True}).raise_for_status().json()["clients"]
        assert (waiting["v2_client_id"], waiting["held_runs"]) == ("CLT_UNMAPPED_001", 1)
        answer = system.http.put(f"/clients/{waiting['v2_client_id']}/mapping", json={"create": True})
        assert answer.raise_for_status().json()["released_jobs"] == 1
        wait_until(lambda: job(system, run_id)["status"] == "done", "the run to be published")
        assert published_once([run_id])
        released = "select released_at is not null, client_id::text from dossiers"
        assert rows(released) == [(True, answer.json()["production_client_id"])]
