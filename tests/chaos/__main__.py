"""Break everything at random while runs are published, and see whether each ended exactly once.

    python -m tests.chaos [--seconds 120] [--seed N] [--runs N] [--pauses N] [--json FILE] [--verbose]

Needs no server: PostgreSQL and Redis are its own. The seed decides the faults and the load and is printed first.
Exit status 1 if anything that must hold did not, or if a fault failed for no reason that is known; then the
timeline is printed, and the logs are kept.
"""

import argparse
import json
import random
import signal
import sys
from pathlib import Path

from rich.console import Console

from tests.chaos.report import failures, table
from tests.chaos.storm import Storm
from worker import logs

RUNS_A_SECOND = 6
WIDTH = 115


def _end(number, frame):
    raise SystemExit(128 + number)


def main():
    """Run it, tell, and say by the exit status whether the promise was kept."""
    arguments = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__.splitlines()[0])
    arguments.add_argument("--seconds", type=float, default=120, metavar="N", help="how long faults happen")
    arguments.add_argument("--seed", type=int, default=None, metavar="N", help="by default another each time")
    arguments.add_argument(
        "--runs", type=int, default=None, metavar="N", help=f"{RUNS_A_SECOND} a second by default"
    )
    arguments.add_argument(
        "--pauses", type=float, default=1.0, metavar="N", help="so many times as long between two faults"
    )
    arguments.add_argument("--json", type=Path, default=None, metavar="FILE", help="write the figures there too")
    arguments.add_argument("--verbose", action="store_true", help="tell what happens while it does")
    given = arguments.parse_args()
    seed = random.SystemRandom().randrange(10**6) if given.seed is None else given.seed
    count = given.runs or round(given.seconds * RUNS_A_SECOND)
    out, err = Console(width=WIDTH), Console(width=WIDTH, stderr=True)
    out.print(f"seed {seed}", highlight=False)
    logs.configure("ERROR")
    for number in (
        signal.SIGTERM,
        signal.SIGINT,
    ):  # also where a shell had it ignored: nothing may be left running
        signal.signal(number, _end)
    storm = Storm(
        seed,
        given.seconds,
        count,
        (lambda line: err.print(line, style="dim", markup=False)) if given.verbose else lambda _: None,
        given.pauses,
    )
    try:
        told = storm.run()
    except BaseException:
        err.print("\n".join(storm.timeline), markup=False, highlight=False)
        err.print(f"Broken off. Logs are in {storm.folder}.", markup=False)
        raise
    if given.json is not None:
        given.json.write_text(json.dumps(told | {"timeline": storm.timeline}, indent=1))
    out.print(table(told))
    failed = failures(told)
    if not failed:
        return 0
    err.print("\n".join(storm.timeline), markup=False, highlight=False)
    err.print("\n".join(["", "Failed:", *failed]), markup=False, highlight=False)
    err.print(
        f"\nLogs are in {storm.folder}. The same faults and load again: python -m tests.chaos --seed {seed} "
        f"--seconds {given.seconds:g} --runs {count} --pauses {given.pauses:g}",
        markup=False,
        highlight=False,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
