"""The senders: planned runs, as Make.com would send them.

What got no 2xx is sent again until it does, and only a 2xx counts as accepted. Every request about one run is made
in that run's turn, so the ledger knows which was the last.
"""

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from models.clean import storable
from tests.chaos.asking import CONFLICT, Asker
from tests.chaos.plan import Manner
from tests.generator import generated

SENDERS = 6
FAR_DAY = "2031-01-02"
WRITERS = ("10_", "11_")


class Load:
    """The senders of a plan; `go` sends until everything planned was accepted, from `calm` on without a pause."""

    def __init__(self, world, ledger, runs, calm):
        self._world, self._ledger, self._calm = world, ledger, calm
        self._runs, self._next = iter(runs), threading.Lock()

    def go(self):
        """Begin to send, at the planned times; returns the threads."""
        began = time.monotonic()
        threads = [threading.Thread(target=self._send_all, args=(began,), daemon=True) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        return threads

    def _send_all(self, began):
        with Asker(self._world, self._ledger) as asker, ThreadPoolExecutor(8) as pool:
            while not self._world.over.is_set():
                with self._next:
                    run = next(self._runs, None)
                if run is None:
                    return
                while not self._calm.is_set() and (early := run.at - (time.monotonic() - began)) > 0:
                    self._calm.wait(min(early, 0.5))
                made = generated(
                    run.seed, size=run.size, damage=run.damage, client_id=run.client_id, run_id=run.run_id
                )
                entry = self._ledger.open(run, made.run, made.truth.expect)
                with entry.turn:
                    self._send(asker, pool, entry)

    def _send(self, asker, pool, entry):
        asker.register(entry)
        steps = completed(entry)
        if entry.run.manner is Manner.LATE:
            # What a dossier cannot do without comes last, or it might be made of the half that is there.
            asker.send(entry, [step for step in steps if not step["step_name"].startswith(WRITERS)])
            asker.publish(entry)
            steps = [step for step in steps if step["step_name"].startswith(WRITERS)]
        asker.send(entry, steps)
        match entry.run.manner:
            case Manner.TWINS:
                self._at_once(asker, pool, entry, [{}] * 4)
            case Manner.RIVALS:
                self._at_once(asker, pool, entry, [{"batch_number": name} for name in "ABAB"])
            case Manner.GONE:
                _hang_up(asker, entry)
                asker.publish(entry)
            case Manner.AGAIN:
                asker.publish(entry)
                entry.republished = True
                asker.publish(entry, republish=True)
            case Manner.SCHEDULED:
                asker.publish(entry, release_date=FAR_DAY)
                asker.publish(entry, release_date=FAR_DAY)
            case Manner.BATCH:
                self._batch(asker, entry)
            case Manner.WAITING:
                asker.publish(entry, wait=2)
            case _:
                asker.publish(entry)

    def _batch(self, asker, entry):
        body = {"runs": [{"run_id": entry.run_id, **entry.options}, {"run_id": f"{entry.run_id}_NOT_THERE"}]}
        while (answer := asker.until_answered("POST", "/publish", body, entry=entry)) is not None:
            if answer["answers"][0]["job_id"] is not None:
                entry.accepted(answer["answers"][0])
                return
            time.sleep(0.3)  # refused by itself, because the database was away between the two

    def _at_once(self, asker, pool, entry, options):
        """The same publish from several at once, until one of each was answered; rivals may lose."""
        path, bodies = f"/publish/{entry.run_id}", [entry.options | more for more in options]
        works = [pool.submit(asker.until_answered, "POST", path, body, entry, CONFLICT) for body in bodies]
        answers = [found for work in works if (found := work.result()) is not None]
        for answer in answers:
            entry.accepted(answer)
        if not answers:
            self._ledger.complain(f"{entry.run_id}: of several publishes at once none was accepted")
        elif len({answer["job_id"] for answer in answers}) > 1:
            self._ledger.complain(f"{entry.run_id}: publishes at once were given several jobs")


def _hang_up(asker, entry):
    """Send a publish and go, at one of its phases; whether it counts is not known."""
    entry.published += 1
    body = json.dumps(entry.options).encode()
    head = (
        f"POST /columnline/publish/{entry.run_id} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: application/json\r\nX-API-Key: {asker.key}\r\n\r\n"
    ).encode()
    said = (head[:40], head, head + body[:1], head + body)[entry.run.seed % 4]
    with suppress(OSError), socket.create_connection(("127.0.0.1", asker.port), 2) as connection:
        connection.sendall(said)


def completed(entry):
    """The steps of its file whose outputs are sent."""
    return [step for step in entry.document["steps"] if step["status"] == "completed"]


def inputs(entry):
    """The outputs that were sent, as they are stored: cleaned, of two with one id the later, in order of ids."""
    rows = {step["step_id"]: step for step in entry.sent}
    return [step | {"output": storable(step["output"])[0]} for _, step in sorted(rows.items())]
