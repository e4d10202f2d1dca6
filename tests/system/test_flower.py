"""Flower tells the truth about each attempt, and a run is found by its id."""

import httpx2

from tests.system.runs import publish, send
from tests.system.stack import wait_until


def test_flower_shows_success_retry_and_failure_with_the_reason_and_finds_a_run_by_its_id(stack):
    with stack("bridge", "worker", "flower", FLOWER_UNAUTHENTICATED_API="true") as system:
        flower = httpx2.Client(base_url=f"http://127.0.0.1:{system.flower_port}/api")

        def tasks():
            return list(
                flower.get("/tasks", params={"taskname": "publish.run"}).raise_for_status().json().values()
            )

        def seen(run_id):
            return [task for task in tasks() if run_id in task["kwargs"]]

        with flower:
            wait_until(
                lambda: flower.get("/workers", params={"refresh": "true"}).json(), "flower to see the worker"
            )
            done, held, failed = (send(system, n) for n in ("run_clean", "run_unmapped_client", "run_prose_only"))
            for run_id in (done, held, failed):
                publish(system, run_id, wait=25)
            wait_until(lambda: all(seen(run_id) for run_id in (done, held, failed)), "flower to see the tasks")
            wait_until(lambda: all(task["state"] not in {"RECEIVED", "STARTED"} for task in tasks()), "their ends")
            assert [task["state"] for task in seen(done)] == ["SUCCESS"]
            assert [task["state"] for task in seen(held)] == ["RETRY"]
            assert "client_unmapped" in seen(held)[0]["exception"]
            assert [task["state"] for task in seen(failed)] == ["FAILURE"]
            assert "outputs_invalid" in seen(failed)[0]["exception"]
            assert "Meridian" not in str(tasks()), "a message holds ids, never what a run is about"
