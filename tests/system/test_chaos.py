"""The short form of `make chaos`: in two minutes everything breaks at random, and every run ends once."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from tests.chaos import __main__ as chaos
from tests.chaos import plan
from tests.chaos.faults import FAULTS, LANES, Reason, must_hit
from tests.chaos.report import _times
from tests.chaos.storm import Storm
from tests.chaos.world import World

ROOT = Path(__file__).parents[2]
SEEDS = (7,)
SECONDS, RUNS = 120, 240
A_FEW = 3  # kinds of fault, of 44, that may each time have met what another had broken
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
    faults = found["faults"]
    assert all(kind["done"] + sum(kind["skipped"].values()) == kind["planned"] > 0 for kind in faults.values())
    never = {name: kind["skipped"] for name, kind in faults.items() if not kind["done"]}
    assert len([name for name, skipped in never.items() if Reason.NO_TOOL not in skipped]) <= A_FEW, never


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


@pytest.fixture
def ended(tmp_path):
    """A world whose bridge has ended; beside it a process of a bridge's, and a stranger that was given its id."""
    processes = []

    def spawn(name, *options, **env):
        started = subprocess.Popen(["sleep", "600"], start_new_session=True, env=os.environ | env)
        processes.append(started)
        world.stack.processes[name] = started

    world = World(tmp_path)
    world.proxies = defaultdict(lambda: SimpleNamespace(port=0, close=lambda: None))
    world.stack = SimpleNamespace(processes={}, spawn=spawn, close=lambda: None)
    world.spawn("bridge")
    world.spawn("beat", COLUMNLINE_DATA_DIR=str(tmp_path))
    world.stack.processes.clear()
    yield SimpleNamespace(world=world, stranger=processes[0], left=processes[1])
    for process in processes:
        process.kill()
        process.wait()


def test_what_a_process_of_ours_leaves_is_ended_and_no_stranger_that_was_given_its_id(ended):
    outlived = ended.world.outlived()
    ended.world.close()
    assert [process.pid for process in outlived] == [ended.left.pid]
    assert ended.left.wait(WITHIN) == -signal.SIGKILL
    assert ended.stranger.poll() is None


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


@pytest.fixture
def storm_of(monkeypatch):
    """A function that has `make chaos` play a plan whose faults all act like this; returns its exit status."""

    def play(act):
        for name, kind in FAULTS.items():
            monkeypatch.setitem(FAULTS, name, replace(kind, act=act))

        def run(storm):
            for lane in storm._lanes():
                storm._break(SimpleNamespace(wait=lambda _: None, over=threading.Event()), lane)
            storm.folder.rmdir()
            return {
                "violations": [],
                "faults": storm._injected.counts(),
                "not_injected": storm._injected.failures(),
            }

        monkeypatch.setattr(Storm, "run", run)
        monkeypatch.setattr(sys, "argv", ["chaos", "--seconds", "20", "--seed", "7", "--runs", "1"])
        for name in ("signal.signal", "logs.configure"):
            monkeypatch.setattr(f"tests.chaos.__main__.{name}", lambda *_: None)
        monkeypatch.setattr(
            "tests.chaos.__main__.table", lambda told: "\n".join(map(_times, told["faults"].values()))
        )
        return chaos.main()

    return play


def fails(world, rng, seconds):
    raise RuntimeError("no such thing")


def collides_but_once():
    """A fault that another was faster than, each time but the first."""
    times = itertools.count()

    def act(world, rng, seconds):
        must_hit(next(times) == 0, Reason.DOWN)

    return act


def test_a_storm_whose_faults_fail_does_not_pass_and_names_them(storm_of, capsys):
    assert storm_of(fails) == 1
    told = capsys.readouterr().err
    planned = {one.name for one in plan.faults(7, 20)}
    assert all(f"{name} could not be done: RuntimeError: no such thing" in told for name in planned)


def test_a_storm_that_broke_nothing_does_not_pass(storm_of):
    assert storm_of(lambda *_: must_hit(0)) == 1


def test_a_storm_passes_whose_faults_were_done_or_collided_and_tells_what_was_never_done(storm_of, capsys):
    assert storm_of(lambda *_: None) == 0
    assert "skipped" not in capsys.readouterr().out
    assert storm_of(collides_but_once()) == 0
    assert f"never; 1 skipped, {Reason.DOWN}" in capsys.readouterr().out
