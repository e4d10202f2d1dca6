"""What became of the faults of a plan: done, skipped for a reason that is known, or a failure of the whole run.

A storm that broke nothing proves nothing, so it must not pass.
"""

from collections import Counter, defaultdict
from random import Random

from tests.chaos.faults import FAULTS, Skipped


class Injected:
    """Counts what was planned, done and skipped, by kind; lanes, which share no kind, may add to it at once."""

    def __init__(self, planned):
        self._planned = Counter(one.name for one in planned)
        self._tried, self._done, self._skipped = Counter(), Counter(), defaultdict(Counter)
        self._failed = []

    def inject(self, world, one):
        """Do a planned fault; returns why it was not done, or None."""
        self._tried[one.name] += 1
        try:
            FAULTS[one.name].act(world, Random(one.seed), one.seconds)
        except Skipped as skipped:
            self._skipped[one.name][str(skipped)] += 1
            return str(skipped)
        except Exception as error:  # noqa: BLE001 - the other lanes go on; `failures` tells of it
            why = f"{type(error).__name__}: {error}"
            self._failed.append(f"{one.name} could not be done: {why}")
            return why
        self._done[one.name] += 1
        return None

    def counts(self):
        """For every kind there is: how many were planned and done, and how many skipped for which reason."""
        return {
            name: {"planned": self._planned[name], "done": self._done[name], "skipped": dict(self._skipped[name])}
            for name in FAULTS
        }

    def failures(self):
        """Why the run proves nothing, in sentences; none if every planned fault was done or skipped."""
        found = list(self._failed)
        if not self._done:
            found.append("no fault at all was done")
        left = self._planned - self._tried
        return found + [f"{name} was planned, and not tried {count} times" for name, count in left.items()]
