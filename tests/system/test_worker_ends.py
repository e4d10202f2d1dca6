"""A worker that is to end does so, whatever hangs: a supervisor starts another only once it is gone."""

import os
import signal
import subprocess
import sys

import pytest
from redis import Redis

from tests.system import servers
from tests.system.runs import job, publish, published_once, rows, send
from tests.system.stack import PATIENCE, SHORT_CLOCKS, wait_until

HANGING = """
import time
from celery import bootsteps
from worker.celery import app

class Hangs(bootsteps.StartStopStep):
    requires = ("celery.worker.components:Pool",)
    def start(self, worker): ...
    def stop(self, worker): time.sleep(600)

app.steps["worker"].add(Hangs)
app.worker_main(["worker", "--concurrency=1"])
"""


def broken(system):
    """The broker refuses to be written to: Celery gives up."""
    Redis(port=system.broker.port).replicaof("127.0.0.1", 1)


def told(system):
    system.processes["worker"].terminate()


@pytest.mark.parametrize("end", [told, broken])
def test_a_worker_ends_although_its_child_hangs_and_another_does_the_work(end, stack, tmp_path):
    if end is broken:
        servers.needs_redis()
    point = f"step.contacts=sleep~600:1@{tmp_path}/hangs"
    with stack("bridge", "worker", COLUMNLINE_FAILPOINTS=point) as system:
        run_id = send(system)
        publish(system, run_id)
        wait_until(lambda: rows("select 1 from jobs where state = 'running'"), "the publish to begin")
        end(system)
        system.processes["worker"].wait(PATIENCE)
        if end is broken:
            Redis(port=system.broker.port).replicaof("NO", "ONE")
        system.start("worker2")
        wait_until(lambda: job(system, run_id)["status"] == "done", "the run to be published")
        assert published_once([run_id])


def test_a_worker_whose_own_end_hangs_is_gone_before_a_lease_is_over(database, broker, tmp_path):
    env = os.environ | SHORT_CLOCKS | {"REDIS_URL": broker.url, "COLUMNLINE_DATA_DIR": str(tmp_path)}
    log = tmp_path / "worker.log"
    with log.open("w") as file:
        worker = subprocess.Popen([sys.executable, "-c", HANGING], env=env, stdout=file, stderr=file)
    try:
        wait_until(lambda: "ready." in log.read_text(), "the worker")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE) == os.EX_SOFTWARE
    finally:
        worker.kill()
