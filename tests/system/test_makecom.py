"""A dossier goes round: published, run again by Make.com, replaced, and the scenario told: all real processes."""

import json
import subprocess
import sys
from contextlib import contextmanager

import httpx2

from tests.conftest import SAMPLES
from tests.makecom import RUN, settings_for
from tests.system.runs import publish, rows, send
from tests.system.stack import NO_SWEEP, PATIENCE, wait_until
from tests.system.waiting import get


class Make:
    """Make.com in a process of its own."""

    def __init__(self, url):
        self.url = url

    def to(self, path):
        """What came to this path."""
        seen = get(f"{self.url}/_seen").raise_for_status().json()
        return [entry for entry in seen if entry["path"] == path]

    def fault(self, **fault):
        httpx2.post(f"{self.url}/_fault", json=fault, timeout=PATIENCE).raise_for_status()


@contextmanager
def make_com():
    command = [sys.executable, "-m", "tests.makecom", "--port", "0"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=SAMPLES.parents[1], **pipes) as process:
        try:
            yield Make(process.stdout.readline().strip())
        finally:
            process.stdin.close()
            assert process.wait(30) == 0


def play_pipeline(system, run_id):
    """Send the outputs of the sample again, under the run id that Make.com was told."""
    raw = (SAMPLES / "run_clean.json").read_text()
    document = json.loads(raw.replace(json.loads(raw)["run"]["run_id"], run_id))
    outputs = [{key: step[key] for key in ("step_name", "step_id", "output")} for step in document["steps"]]
    system.http.post(f"/runs/{run_id}/outputs", json={"outputs": outputs}).raise_for_status()


def test_a_rerun_goes_round_from_the_button_to_the_callback(stack):
    with make_com() as make, stack("bridge", "worker", **settings_for(make.url)) as system:
        first = send(system)
        older = publish(system, first, wait=25)["dossier_id"]

        asked = system.http.post(f"/rerun/{older}")
        assert asked.status_code == 202, asked.text
        (told,) = wait_until(lambda: make.to(RUN), "Make.com to be told")
        order = json.loads(told["body"])["data"]
        assert (order["run_id"], order["rerun_of_dossier_id"]) == (asked.json()["run_id"], older)
        assert order["seed"] == rows("select seed_data from v2_runs where run_id = :r", r=first)[0][0]
        looks = f"/reruns/{asked.json()['rerun_id']}"
        found = wait_until(
            lambda: (now := system.http.get(looks).json())["status"] == "triggered" and now, "its answer"
        )
        assert found["execution_id"] == "exec-1"

        play_pipeline(system, order["run_id"])
        ended = publish(system, order["run_id"], callback_url=f"{make.url}/callback", wait=25)
        assert (ended["status"], ended["supersedes_dossier_id"]) == ("done", older)
        assert rows("select status, superseded_by_dossier_id::text from dossiers where id = :id", id=older) == [
            ("superseded", ended["dossier_id"])
        ]
        (message,) = wait_until(lambda: make.to("/callback"), "the callback")
        assert message["verified"] is True
        body = json.loads(message["body"])
        assert {key: body[key] for key in ("ok", "done", "run_id", "job_id", "dossier_id")} == {
            key: ended[key] for key in ("ok", "done", "run_id", "job_id", "dossier_id")
        }
        assert system.http.get(looks).json()["status"] == "published"
        wait_until(
            lambda: rows("select 1 from jobs where state <> 'done'") == [], "the rerun's job and the callback's"
        )
        assert len(make.to(RUN)) == len(make.to("/callback")) == 1


def test_the_callback_of_a_publish_that_failed_is_rung_for_without_beat(stack):
    with (
        make_com() as make,
        stack("bridge", "worker", **settings_for(make.url), **NO_SWEEP) as system,
    ):
        run_id = "RUN_EMPTY"
        system.http.put(f"/runs/{run_id}", json={"client_id": "CLT_NORTHWIND_001"}).raise_for_status()
        bad = {"step_name": "10_WRITER_INTRO", "output": "no JSON at all"}
        system.http.post(f"/runs/{run_id}/outputs", json={"outputs": [bad]}).raise_for_status()
        publish(system, run_id, callback_url=f"{make.url}/callback")
        wait_until(lambda: rows("select 1 from jobs where kind = 'callback.send'"), "the publish to fail")
        (message,) = wait_until(lambda: make.to("/callback"), "the callback")
        assert (message["verified"], json.loads(message["body"])["status"]) == (True, "error")
