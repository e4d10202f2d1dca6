"""Hands: people who retry, cancel and rerun while runs are published, and a calendar that moves on."""

import random
import threading
from contextlib import suppress

from models.values import dossier_id_of
from tests.chaos.asking import AGAIN, CONFLICT, Asker
from tests.chaos.plan import Manner
from tests.chaos.world import LATE, UNMAPPED

VERBS = ("cancel", "retry", "rerun")
RECENT = 40
SOME = 10
MISSING = 404


class Hands:
    """Somebody acts on runs at random, until all is to be calm; then only what errors say is done."""

    def __init__(self, world, ledger, seed, calm):
        self._world, self._ledger, self._calm = world, ledger, calm
        self._rng = random.Random(f"hands/{seed}")

    def go(self):
        """Begin; returns the threads."""
        threads = [threading.Thread(target=work, daemon=True) for work in (self._act_at_random, self._calendar)]
        for thread in threads:
            thread.start()
        return threads

    def revive(self, entries, callbacks):
        """Retry jobs by hand, as their errors say: of these entries, and of callbacks by their ids."""
        with Asker(self._world, self._ledger) as asker:
            for entry in entries:
                entry.touched = True
                entry.published += 1
                asker.until_answered("POST", f"/jobs/{entry.job_id}/retry")
            for job_id in callbacks:
                asker.until_answered("POST", f"/jobs/{job_id}/retry")

    def rerun_some(self):
        """Ask for reruns of some runs that have ended by now: while all was breaking, few may have."""
        with Asker(self._world, self._ledger) as asker:
            accepted = self._ledger.accepted()
            for entry in self._rng.sample(accepted, min(SOME, len(accepted))):
                self._rerun(asker, entry)

    def map_late_client(self):
        """Map the client whose runs were held."""
        with Asker(self._world, self._ledger) as asker:
            asker.until_answered("PUT", f"/clients/{UNMAPPED}/mapping", {"production_client_id": LATE})

    def _act_at_random(self):
        with Asker(self._world, self._ledger) as asker:
            while not self._calm.wait(self._rng.uniform(0.2, 0.8)):
                accepted, verb = self._ledger.accepted(), self._rng.choice(VERBS)
                if not accepted:
                    continue
                entry = self._rng.choice(accepted if verb == "rerun" else accepted[-RECENT:])
                if verb == "rerun":
                    self._rerun(asker, entry)
                elif entry.turn.acquire(timeout=0.1):
                    try:
                        self._act(asker, entry, verb)
                    finally:
                        entry.turn.release()

    def _act(self, asker, entry, verb):
        entry.touched = True
        entry.published += verb == "retry"
        status, answer = asker.ask("POST", f"/jobs/{entry.job_id}/{verb}")
        if 200 <= status < 300:
            entry.cancelled = "yes" if verb == "cancel" else "no" if entry.cancelled == "yes" else entry.cancelled
        elif status in AGAIN:
            entry.cancelled = "maybe"
        elif status not in CONFLICT:
            self._ledger.complain(f"{verb} of {entry.job_id}: {status} {answer.text[:300]}")

    def _rerun(self, asker, entry):
        """Ask for a rerun of what the run became, if it became anything yet."""
        status, answer = asker.ask("POST", f"/rerun/{dossier_id_of(entry.run_id)}", {})
        if status not in AGAIN | CONFLICT | {MISSING} and not 200 <= status < 300:
            self._ledger.complain(f"rerun of {entry.run_id}: {status} {answer.text[:300]}")

    def _calendar(self):
        """Let the release day come for some of what is scheduled: nothing else moves the database's clock."""
        while not self._calm.wait(1):
            waiting = [
                entry
                for entry in self._ledger.accepted()
                if entry.run.manner is Manner.SCHEDULED and not entry.day_came and entry.run.seed % 2
            ]
            with suppress(Exception), self._world.postgres.connect() as connection:
                for entry in waiting[:5]:
                    moved = connection.execute(
                        "update dossiers set release_date = current_date - 1, "
                        "release_at = (current_date - 1 + time '07:00') at time zone 'UTC' "
                        "where run_id = %s and status = 'ready' and released_at is null",
                        (entry.run_id,),
                    )
                    entry.day_came = entry.day_came or moved.rowcount == 1
