"""Places where a test may kill, raise or stall a process, named in `COLUMNLINE_FAILPOINTS`.

`step.contacts=kill:1,work.commit=raise` kills the process that first reaches `step.contacts` and raises at
every `work.commit`. A count ("the first N times") is kept in a file that all processes share, named after an
`@`: `step.contacts=kill:1@/tmp/count`. Without the variable, `failpoint` is an empty function.
"""

import os
import signal
import time
from pathlib import Path


class FailpointError(RuntimeError):
    """Raised at a failpoint that says `raise`."""


def _spec() -> dict[str, tuple[str, int | None, Path | None]]:
    points = {}
    for entry in filter(None, os.environ.get("COLUMNLINE_FAILPOINTS", "").split(",")):
        name, _, action = entry.partition("=")
        action, _, shared = action.partition("@")
        verb, _, times = action.partition(":")
        points[name] = (verb, int(times) if times else None, Path(shared) if shared else None)
    return points


_POINTS = _spec()


def _spent(name: str, times: int | None, shared: Path | None) -> bool:
    """Whether the point has had its turns. One byte is appended per turn: atomic between processes."""
    if times is None:
        return False
    path = shared or Path(f"/tmp/columnline-failpoint-{os.getpid()}")  # noqa: S108 - a test's own process
    path = path.with_name(f"{path.name}.{name}")
    if path.exists() and path.stat().st_size >= times:
        return True
    with path.open("ab") as file:
        file.write(b".")
    return False


def _hit(name: str) -> None:
    point = _POINTS.get(name)
    if point is None or _spent(name, point[1], point[2]):
        return
    match point[0].split("~"):
        case ["kill"]:
            os.kill(os.getpid(), signal.SIGKILL)
        case ["raise"]:
            raise FailpointError(name)
        case ["sleep", seconds]:
            time.sleep(float(seconds))
        case _:
            raise ValueError(f"COLUMNLINE_FAILPOINTS: {name} cannot {point[0]!r}")


def _nothing(name: str) -> None:
    """Do nothing: no failpoint is set in this process."""


failpoint = _hit if _POINTS else _nothing
