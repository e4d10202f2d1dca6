"""The short form of `make chaos`: everything breaks at random for a while, and every run ends once."""

import itertools
import json
import shutil
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.chaos import plan
from tests.chaos.faults import FAULTS, LANES

ROOT = Path(__file__).parents[2]
SEEDS = (7,)
SECONDS, RUNS = 40, 240
WITHIN = 1500  # faults, quiet after them, and all of it on a machine that others keep busy


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_breaks_every_accepted_run_ends_once(seed, tmp_path):
    told = tmp_path / "told.json"
    options = ["--seconds", str(SECONDS), "--seed", str(seed), "--runs", str(RUNS), "--json", str(told)]
    command = [sys.executable, "-m", "tests.chaos", *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=subprocess.STDOUT, text=True) as storm:
        stopping = threading.Timer(WITHIN, storm.terminate)  # not killed: it ends what it has started
        stopping.start()
        print(storm.communicate()[0][-20_000:])  # noqa: T201 - the seed, and how to have the same again
        stopping.cancel()
    assert storm.returncode == 0
    found = json.loads(told.read_text())
    assert found["violations"] == []
    assert (found["lost"], found["duplicates"]) == (0, 0)
    assert found["accepted"] == found["sent"] == RUNS + found["played_again"]
    assert found["superseded"] > 0
    assert sum(found["reruns"].values()) > 0
    assert found["callbacks_taken"] > 0
    assert sum(found["faults"].values()) > len(LANES)


def soon(name, seconds):
    """A seed by which this fault comes within the first seconds."""
    return next(
        seed
        for seed in itertools.count()
        if any(one.name == name and one.at < seconds for one in plan.faults(seed, SECONDS))
    )


def test_a_storm_that_is_broken_off_leaves_nothing_running():
    seed = soon("worker dying at a step", 3)
    options = ["--seconds", str(SECONDS), "--seed", str(seed), "--runs", "60", "--verbose"]
    command = [sys.executable, "-m", "tests.chaos", *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=subprocess.STDOUT, text=True) as storm:
        said = [next(line for line in storm.stdout if "worker2 will" in line)]  # and is started anew for it
        storm.terminate()
        said += storm.communicate()[0].splitlines()
    (folder,) = [line.rpartition(" ")[2].rstrip(".") for line in said if "Logs are in" in line]
    try:
        assert [process for process in psutil.process_iter(["cmdline", "cwd"]) if works_in(process, folder)] == []
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def works_in(process, folder):
    """Whether the process is one of the storm's, by its command line, its directory or its data directory."""
    with suppress(psutil.Error):
        places = [*(process.info["cmdline"] or ()), process.info["cwd"] or "", *process.environ().values()]
        return any(place.startswith(folder) for place in places)
    return False


def test_a_seed_always_gives_the_same_plan():
    assert plan.faults(3, 120) == plan.faults(3, 120) != plan.faults(4, 120)
    assert plan.runs(3, 120, 50) == plan.runs(3, 120, 50) != plan.runs(4, 120, 50)


def test_two_minutes_are_enough_for_every_kind_of_fault():
    for seed in range(20):
        assert {planned.name for planned in plan.faults(seed, 120)} == set(FAULTS)


def test_faults_of_one_lane_never_overlap():
    for lane in LANES:
        planned = [one for one in plan.faults(5, 300) if FAULTS[one.name].lane == lane]
        assert all(before.at + before.seconds <= after.at for before, after in itertools.pairwise(planned))
