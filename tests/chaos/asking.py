"""How anybody asks the bridge: again and again until there is a 2xx; what it should not have said is noted."""

import json
import random
import time

import httpx2

TIMEOUT = 8
AGAIN = {0, 429, 500, 502, 503, 504}
CONFLICT = {409, 422}


class Asker:
    """One client of the bridge, for one thread or several."""

    def __init__(self, world, ledger):
        self.port, self.key = world.stack.port, world.stack.key
        self._over, self.ledger = world.over, ledger
        self._http = httpx2.Client(
            base_url=f"http://127.0.0.1:{self.port}/columnline",
            headers={"X-API-Key": self.key, "Content-Type": "application/json"},
            timeout=TIMEOUT,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._http.close()

    def register(self, entry):
        """Register the run."""
        run = entry.document["run"]
        fields = {name: run[name] for name in ("client_id", "seed_data", "expected_contacts") if name in run}
        self.until_answered("PUT", f"/runs/{entry.run_id}", fields)

    def send(self, entry, steps):
        """Send the outputs of these steps."""
        if steps:
            outputs = [{name: step[name] for name in ("step_name", "step_id", "output")} for step in steps]
            self.until_answered("POST", f"/runs/{entry.run_id}/outputs", {"outputs": outputs})
            entry.sent += steps

    def publish(self, entry, **more):
        """Publish the run as its plan says, with these options too, and note that it was accepted."""
        answer = self.until_answered("POST", f"/publish/{entry.run_id}", entry.options | more, entry=entry)
        if answer is not None:
            entry.accepted(answer)

    def until_answered(self, method, path, body=None, entry=None, refused=frozenset()):
        """Ask until there is a 2xx; returns its body, or None where it is refused for good.

        What is refused for good with another status than one of `refused` is a complaint. A publish of `entry` is
        counted each time it is sent.
        """
        while not self._over.is_set():
            if entry is not None:
                entry.published += 1
            status, answer = self.ask(method, path, body)
            if 200 <= status < 300:
                return answer.json()
            if status not in AGAIN:
                if status not in refused:
                    self.ledger.complain(f"{method} {path}: {status} {answer.text[:300]}")
                return None
            time.sleep(random.uniform(0.1, 0.6))
        return None

    def ask(self, method, path, body=None):
        """Ask once; returns the status, 0 where there was no answer, and the answer."""
        try:
            answer = self._http.request(method, path, content=None if body is None else json.dumps(body).encode())
        except httpx2.HTTPError:
            self.ledger.answered(0)
            return 0, None
        self.ledger.answered(answer.status_code)
        if answer.status_code == 500:
            self.ledger.complain(f"{method} {path}: 500 {answer.text[:300]}")
        return answer.status_code, answer
