"""Make.com: plays the pipeline of every rerun that it is told of, takes callbacks, and has troubles of its own."""

import json
import random
import threading

from tests.chaos.asking import Asker
from tests.chaos.load import completed
from tests.chaos.plan import Manner, Run
from tests.generator import generated
from tests.makecom import CALLBACK, RUN

TOO_BUSY = 503
TROUBLES = ({"do": "status", "status": TOO_BUSY}, {"do": "status", "status": 500}, {"do": "drop"})
"""Too busy; failed, nobody knows how far; took it, and the answer was lost."""

RARELY = 0.15
"""How many troubles are those of starting a scenario: reruns are few, and most are to be played."""


def was_taken(told):
    """Whether Make.com took the request, although its answer may have been lost."""
    return not isinstance(told["fault"], int)


def was_refused(told):
    """Whether its answer said that it was not taken: so even what is told once may be told again."""
    return told["fault"] == TOO_BUSY


def order_of(told):
    """What Make.com is to run, by the request that told it."""
    return json.loads(told["body"])["data"]


class Scenario:
    """What Make.com does while runs are published, and afterwards, until all is over."""

    def __init__(self, world, ledger, seed, calm):
        self._world, self._ledger, self._calm = world, ledger, calm
        self._rng = random.Random(f"make/{seed}")
        self._played = 0

    def go(self):
        """Begin."""
        for work in (self._play_all, self._have_troubles):
            threading.Thread(target=work, daemon=True).start()

    @property
    def is_idle(self):
        """Whether everything that came was played."""
        return self._played == len(self._world.make.seen)

    def _play_all(self):
        with Asker(self._world, self._ledger) as asker:
            while not self._world.over.wait(0.2):
                for told in self._world.make.seen[self._played :]:
                    if told["path"] == RUN and was_taken(told):
                        try:
                            self._play(asker, order_of(told))
                        except Exception as error:  # noqa: BLE001 - or nobody would hear of it, and no more be played
                            self._ledger.complain(f"{told['body'][:300]} could not be played: {error!r}")
                    self._played += 1

    def _play(self, asker, order):
        """Send what the pipeline makes of the same lead, and publish it, as often as it is told to."""
        run_id, source = order["run_id"], self._ledger.entries[order["supersedes_run_id"]].run
        entry = self._ledger.entries.get(run_id)
        if entry is None:
            run = Run(run_id, source.at, source.seed, source.size, (), source.client_id, Manner.RERUN, told=True)
            made = generated(run.seed, size=run.size, client_id=run.client_id, run_id=run_id)
            made.run["run"] |= {"seed_data": order["seed"], "expected_contacts": None}
            entry = self._ledger.open(run, made.run, made.truth.expect)
        with entry.turn:
            asker.send(entry, completed(entry))
            asker.publish(entry)

    def _have_troubles(self):
        while not self._calm.wait(self._rng.uniform(0.5, 2)):
            path = RUN if self._rng.random() < RARELY else CALLBACK
            self._world.make.fault(path, **self._rng.choice(TROUBLES))
        self._world.make.mend()
