"""What a fault is, and the list of them."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

LANES = ("processes", "redis", "postgres")
FAULTS: dict[str, "Fault"] = {}


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault.

    Attributes:
        code: its number in the catalogue of the package's docstring.
        lane: what it breaks.
        seconds: how long it lasts, at least and at most.
        act: breaks the world for so many seconds, and mends it: `act(world, rng, seconds)`. Raises `Skipped` where
            it did not, for a known reason.
    """

    name: str
    code: str
    lane: str
    seconds: tuple[float, float]
    act: Callable


class Reason(StrEnum):
    """Why a fault may be left out: nothing else excuses it."""

    DOWN = "what it would hit is down already"
    NOTHING_THERE = "nothing was there to be hit"
    NOT_REACHED = "no job came to it in time"
    LOCKED = "others held the lock"
    NO_TOOL = "its tool is not installed"


class Skipped(Exception):
    """The fault could not be done, for a known reason: mostly another lane's, which was faster."""


def must_hit(hits, reason=Reason.NOTHING_THERE):
    """Go on if the fault has hit anything; else it counts as skipped."""
    if not hits:
        raise Skipped(reason)


def fault(name, code, lane, least, most):
    """Put the decorated function on the list."""

    def listed(act):
        FAULTS[name] = Fault(name, code, lane, (least, most), act)
        return act

    return listed
