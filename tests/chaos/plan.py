"""What a seed decides: which faults when and for how long, and which runs with which damage in which manner.

Pure: the same arguments give the same plan, whatever the machine. How the two meet is up to the machine.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

from tests.chaos.faults import FAULTS, LANES
from tests.chaos.world import CLIENTS, UNMAPPED
from tests.generator import REPAIRABLE, Damage, Size

PAUSES = {"processes": (1.0, 3.0), "redis": (3.0, 6.0), "postgres": (0.5, 2.5)}
"""Seconds between two faults of a lane: enough for work to go on, or the next would meet none."""
NEAR = 30
"""Runs among which those of one company are: a few seconds' worth."""
FATAL = (Damage.MISSING_WRITER, Damage.PROSE_ONLY)


class Manner(StrEnum):
    """How a sender publishes its run."""

    PLAIN = "plain"
    WAITING = "waiting"
    TWINS = "twins"
    RIVALS = "rivals"
    LATE = "late"
    GONE = "gone"
    AGAIN = "again"
    SCHEDULED = "scheduled"
    BATCH = "batch"
    RERUN = "rerun"
    """Not planned: what hands asked for."""


_MANNERS = {
    Manner.PLAIN: 30,
    Manner.WAITING: 10,
    Manner.TWINS: 8,
    Manner.RIVALS: 5,
    Manner.LATE: 8,
    Manner.GONE: 12,
    Manner.AGAIN: 7,
    Manner.SCHEDULED: 12,
    Manner.BATCH: 8,
}


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault: when it begins and how long it lasts, in seconds, and the seed of its own choices."""

    at: float
    seconds: float
    name: str
    seed: int


@dataclass(frozen=True, slots=True)
class Run:
    """A run to send: when, whose, how damaged, in which manner.

    Attributes:
        told: whether its sender wants to be told how it ended.
        chained: whether it is to replace the newest of its company: those of one seed.
    """

    run_id: str
    at: float
    seed: int
    size: str
    damage: tuple[str, ...]
    client_id: str
    manner: Manner
    told: bool = False
    chained: bool = False


def faults(seed, seconds, pauses=1.0):
    """The faults, in order of their beginning: in each lane every kind once before any comes twice.

    With `pauses` the time between two of them is so many times as long.
    """
    planned = []
    for lane in LANES:
        rng, bag, now = Random(f"faults/{lane}/{seed}"), [], 0.0
        while True:
            if not bag:
                bag = sorted(name for name, kind in FAULTS.items() if kind.lane == lane)
                rng.shuffle(bag)
            kind = FAULTS[bag.pop()]
            begins, length = now + pauses * rng.uniform(*PAUSES[lane]), rng.uniform(*kind.seconds)
            now = begins + length
            if now > seconds:
                break
            planned.append(Planned(round(begins, 2), round(length, 2), kind.name, rng.getrandbits(32)))
    return sorted(planned, key=lambda one: one.at)


def runs(seed, seconds, count):
    """The runs, evenly spread over the time; some, close to one another, are of one company."""
    rng = Random(f"runs/{seed}")
    planned = [
        Run(
            run_id=f"RUN_CHAOS_{seed}_{number:06d}",
            at=round(number * seconds / count, 3),
            seed=rng.getrandbits(30),
            size=rng.choices((Size.SMALL, Size.NORMAL, Size.LARGE), (850, 147, 3))[0].value,
            damage=_damage(rng),
            client_id=UNMAPPED if rng.random() < 0.02 else rng.choice(sorted(CLIENTS)),
            manner=rng.choices(list(_MANNERS), list(_MANNERS.values()))[0],
            told=rng.random() < 0.3,
        )
        for number in range(count)
    ]
    return [
        _chained(run, planned[number // NEAR * NEAR]) if rng.random() < 0.15 else run
        for number, run in enumerate(planned)
    ]


def _chained(run, first):
    """The run as one of the company of another; undamaged, so that its domain is there to know it by."""
    client_id = sorted(CLIENTS)[first.seed % len(CLIENTS)]
    return replace(run, seed=first.seed + 1, size=first.size, damage=(), client_id=client_id, chained=True)


def _damage(rng):
    if rng.random() < 0.4:
        return ()
    knobs = rng.sample(sorted(REPAIRABLE), rng.randint(1, 4))
    return tuple([*knobs, rng.choice(FATAL)] if rng.random() < 0.15 else knobs)
