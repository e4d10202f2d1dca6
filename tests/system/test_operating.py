"""Signs of life of real processes, and what the doctor and Prometheus make of them."""

import json
import subprocess
import sys

from tests.alerts import firing
from tests.database.publishing import query
from tests.system import servers
from tests.system.runs import publish, send
from tests.system.stack import wait_until
from tests.system.waiting import get


def examined(system):
    ran = subprocess.run(
        [sys.executable, "-m", "worker.cli", "doctor", "--json"],
        env=system.env,
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.returncode, {finding["check"]: finding for finding in json.loads(ran.stdout)["findings"]}


def heard_of():
    return {row.process for row in query("select process from heartbeats")}


def test_a_running_system_is_well_and_says_so_and_a_broker_that_went_away_is_found(stack):
    with stack("bridge", "worker", "beat") as system:
        wait_until(lambda: heard_of() >= {"bridge", "worker", "beat"}, "a sign of each process")
        assert publish(system, send(system, "run_clean"), wait=25)["status"] == "done"
        status, found = examined(system)
        assert status == 0, found
        assert "none" not in found["processes"]["found"]
        assert found["broker"]["severity"] == "ok"
        assert servers.BROKER != "redis" or found["redis"]["severity"] == "ok"
        scraped = get(f"http://127.0.0.1:{system.port}/metrics", headers={"X-API-Key": system.key})
        assert firing(scraped) == {"NotPruned"}, "beat asks for it within an hour"
        system.broker.stop()
        status, found = examined(system)
        assert (status, found["broker"]["severity"]) == (1, "problem")
        assert "columnline drain" in found["broker"]["cure"]
        system.broker.start()
