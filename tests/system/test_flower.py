"""Flower tells the truth about each attempt, and a run is found by its id."""

import re

import httpx2

from tests.system.runs import publish, rows, send
from tests.system.stack import NO_SWEEP, PATIENCE, wait_until
from tests.system.waiting import get


def test_flower_shows_success_retry_and_failure_with_the_reason_and_finds_a_run_by_its_id(stack):
    with stack("bridge", "worker", "flower", FLOWER_UNAUTHENTICATED_API="true", **NO_SWEEP) as system:
        flower = httpx2.Client(base_url=f"http://127.0.0.1:{system.flower_port}/api", timeout=PATIENCE)

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


def test_flower_hears_how_the_last_task_of_a_worker_ended_that_was_told_to_stop(stack):
    with stack("bridge", "flower", FLOWER_UNAUTHENTICATED_API="true", **NO_SWEEP) as system:
        system.start("worker", COLUMNLINE_FAILPOINTS="step.contacts=sleep~2")
        url = f"http://127.0.0.1:{system.flower_port}/api/tasks"
        run_id = send(system)
        publish(system, run_id)
        wait_until(lambda: rows("select 1 from jobs where state = 'running'"), "the publish to begin")
        assert system.stop("worker") == 0
        seen = lambda: [task["state"] for task in get(url).json().values() if run_id in task["kwargs"]]  # noqa: E731
        wait_until(lambda: seen() == ["SUCCESS"], "Flower to hear of its end")


def test_flower_is_for_those_who_have_its_password_shows_the_run_and_its_page_and_changes_nothing(stack):
    with stack(
        "bridge",
        "worker",
        "flower",
        FLOWER_BASIC_AUTH="ops:secret",
        COLUMNLINE_PUBLIC_URL="https://bridge.example",
        **NO_SWEEP,
    ) as system:
        url = f"http://127.0.0.1:{system.flower_port}"
        for path in ("/", "/tasks", "/workers", "/api/tasks", "/api/workers"):
            assert get(f"{url}{path}").status_code == 401, path
        with httpx2.Client(base_url=url, auth=("ops", "secret"), timeout=PATIENCE) as flower:
            (worker,) = wait_until(
                lambda: flower.get("/api/workers", params={"refresh": "true"}).json(), "flower to see the worker"
            )
            run_id = send(system, "run_clean")
            job_id = publish(system, run_id, wait=25)["job_id"]
            query = {"search": f"kwargs:run_id={run_id}"}
            (task_id,) = wait_until(
                lambda: flower.get("/api/tasks", params=query).json(), "flower to see the task"
            )
            shown = flower.get(f"/task/{task_id}").text
            assert f"{run_id} https://bridge.example/jobs/{job_id}" in shown
            for path in (f"worker/shutdown/{worker}", f"worker/pool/grow/{worker}", f"task/revoke/{task_id}"):
                assert flower.post(f"/api/{path}").status_code == 403, path
            assert flower.post("/api/task/send-task/jobs.sweep", json={"kwargs": {}}).status_code == 403


def test_flower_has_a_password_of_its_own_making_where_nobody_chose_one(stack):
    with stack("flower") as system:
        url = f"http://127.0.0.1:{system.flower_port}"
        login = tuple(re.search(r"Sign in to Flower as (\S+):(\S+),", system.log("flower")).groups())
        for path in ("/", "/tasks", "/api/tasks"):
            assert get(f"{url}{path}").status_code == 401, path
            assert get(f"{url}{path}", auth=login, follow_redirects=True).status_code == 200, path
