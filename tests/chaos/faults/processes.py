"""Faults of our own processes: killed, told to stop, stalled, doubled, and dying at a step."""

import signal

from tests.chaos.faults.table import Reason, Skipped, fault, must_hit
from tests.chaos.world import LEASE, WORKERS
from tests.system.clocks import FAKETIME, wrong_by

PATIENCE = 20
"""Seconds more until a step is reached, where the machine is slow or nothing is to be published just now."""
STEPS = (
    "claim.committed",
    "step.load",
    "step.assemble",
    "step.batch",
    "step.dossier",
    "step.contacts",
    "step.link",
    "step.complete",
    "work.commit",
    "work.committed",
)


def _fault(name, code, least, most):
    return fault(name, code, "processes", least, most)


@_fault("worker child killed", "T1", 0.5, 2)
def kill_child(world, rng, seconds):
    hits = 0
    for _ in world.every(rng.uniform(0.7, 1.5), seconds):
        children = world.group(rng.choice(WORKERS))[1:]
        hits += bool(children) and world.kill(rng.choice(children))
    must_hit(hits)


@_fault("worker main killed", "T3", 1, 3)
def kill_main(world, rng, seconds):
    must_hit(world.kill(world.process(rng.choice(WORKERS))), Reason.DOWN)
    world.wait(seconds)


@_fault("bridge killed", "T3", 1, 2)
def kill_bridge(world, rng, seconds):
    must_hit(world.kill(world.process("bridge")), Reason.DOWN)
    world.wait(seconds)


@_fault("beat killed", "T3", 0.5, 1)
def kill_beat(world, rng, seconds):
    must_hit(world.kill(world.process("beat")), Reason.DOWN)
    world.wait(seconds)


@_fault("worker told to stop, and started anew", "T4", 0.5, 1)
def stop_worker(world, rng, seconds):
    must_hit(world.restart(rng.choice(WORKERS)), Reason.DOWN)
    world.wait(seconds)


@_fault("worker told to stop twice, then to quit", "T4", 0.5, 1)
def stop_worker_twice(world, rng, seconds):
    worker = world.process(rng.choice(WORKERS))
    must_hit(world.kill(worker, signal.SIGTERM), Reason.DOWN)
    for sig in (signal.SIGTERM, signal.SIGQUIT):
        world.wait(seconds / 2)
        world.kill(worker, sig)


@_fault("bridge told to stop, and started anew", "T4", 0.5, 1)
def stop_bridge(world, rng, seconds):
    must_hit(world.restart("bridge"), Reason.DOWN)
    world.wait(seconds)


@_fault("worker told to stop while the database answers slowly", "T5", 1, 2)
def stop_slowly(world, rng, seconds):
    world.proxies["worker_postgres"].delay(0.3)
    try:
        world.wait(seconds / 2)
        must_hit(world.restart(rng.choice(WORKERS)), Reason.DOWN)
    finally:
        world.proxies["worker_postgres"].delay(0)


@_fault("worker asleep beyond its lease, then awake", "T32", LEASE + 1, LEASE + 2.5)
def zombie(world, rng, seconds):
    group = world.group(rng.choice(WORKERS))
    try:
        must_hit(sum(world.kill(process, signal.SIGSTOP) for process in group), Reason.DOWN)
        world.wait(seconds)
    finally:
        for process in reversed(group):
            world.kill(process, signal.SIGCONT)


def _armed(world, rng, seconds, action):
    """Have the second worker do `action` once at a step of a publish; then let it be a usual one again."""
    step = rng.choice(STEPS)
    world.say(f"worker2 will {action} at {step}")
    counted = world.folder / f"armed-{rng.getrandbits(32)}"
    world.restart("worker2", COLUMNLINE_FAILPOINTS=f"{step}={action}:1@{counted}")
    armed, reached = world.process("worker2"), counted.with_name(f"{counted.name}.{step}")
    world.wait(seconds)
    for _ in world.every(0.2, PATIENCE):
        if reached.exists():
            return
        must_hit(
            armed is not None and armed.is_running(), Reason.DOWN
        )  # what is started in its place is not armed
    raise Skipped(Reason.NOT_REACHED)


@_fault("worker dying at a step", "T1", 5, 7)
def dying(world, rng, seconds):
    _armed(world, rng, seconds, "kill")


@_fault("exception at a step", "T6", 5, 7)
def raising(world, rng, seconds):
    _armed(world, rng, seconds, "raise")


@_fault("task beyond its time limit", "T6", 8, 9)
def sleeping(world, rng, seconds):
    _armed(world, rng, seconds, "sleep~20")


@_fault("children recycled after every task", "T34", 5, 7)
def recycling(world, rng, seconds):
    world.restart("worker2", "--max-tasks-per-child=1")
    world.wait(seconds)


@_fault("worker's clock an hour or a day wrong", "T30", 5, 7)
def wrong_clock(world, rng, seconds):
    must_hit(FAKETIME, Reason.NO_TOOL)
    world.restart("worker2", **wrong_by(rng.choice(("+1h", "-1h", "+25h", "-25h"))))
    world.wait(seconds)


@_fault("two beats", "T28", 2, 4)
def two_beats(world, rng, seconds):
    world.spawn("beat2")
    world.wait(seconds)
    world.end("beat2")


@_fault("beat standing still", "T29", 3, 6)
def stalled_beat(world, rng, seconds):
    beat = world.process("beat")
    must_hit(world.kill(beat, signal.SIGSTOP), Reason.DOWN)
    world.wait(seconds)
    world.kill(beat, signal.SIGCONT)


@_fault("bridge standing still", "T29", 1, 3)
def stalled_bridge(world, rng, seconds):
    bridge = world.process("bridge")
    must_hit(world.kill(bridge, signal.SIGSTOP), Reason.DOWN)
    world.wait(seconds)
    world.kill(bridge, signal.SIGCONT)
