"""What a fault is, and the list of them."""

from collections.abc import Callable
from dataclasses import dataclass

LANES = ("processes", "redis", "postgres")
FAULTS: dict[str, "Fault"] = {}


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault.

    Attributes:
        code: its number in the catalogue of the package's docstring.
        lane: what it breaks.
        seconds: how long it lasts, at least and at most.
        act: breaks the world for so many seconds, and mends it: `act(world, rng, seconds)`.
    """

    name: str
    code: str
    lane: str
    seconds: tuple[float, float]
    act: Callable


def fault(name, code, lane, least, most):
    """Put the decorated function on the list."""

    def listed(act):
        FAULTS[name] = Fault(name, code, lane, (least, most), act)
        return act

    return listed
