"""What was accepted, as the client knows it: kept outside the system, on nothing but what its answers said."""

import threading
import time
from dataclasses import dataclass, field

from tests.chaos.plan import Run
from tests.makecom import CALLBACK


@dataclass
class Entry:
    """One run and all that its client was told about it.

    Attributes:
        document: the run file as generated.
        callback_url: where its sender is told how it ended, if the plan says so.
        sent: the steps whose outputs were sent, as the file has them.
        accepted_at: Unix time of the first 2xx to its publish; None: never accepted.
        published: how many publishes were sent, or made due by hand, that may have begun the job anew.
        cancelled: `no`; `yes`: the last word was a cancel that was confirmed; `maybe`: one was not answered.
        touched: whether anybody but its sender acted on it.
        day_came: whether its release day was made to come.
    """

    run: Run
    document: dict
    expect: str
    callback_url: str
    sent: list = field(default_factory=list)
    accepted_at: float | None = None
    job_id: str | None = None
    published: int = 0
    republished: bool = False
    cancelled: str = "no"
    touched: bool = False
    day_came: bool = False
    turn: threading.RLock = field(default_factory=threading.RLock, repr=False)

    @property
    def run_id(self):
        return self.run.run_id

    @property
    def options(self):
        """What each of its publishes asks for."""
        options = {"callback_url": self.callback_url} if self.run.told else {}
        return options | ({"supersede": "auto"} if self.run.chained else {})

    def accepted(self, answer):
        """Note a 2xx to a publish."""
        self.accepted_at = self.accepted_at or time.time()
        self.job_id = answer["job_id"]
        if self.cancelled == "yes":
            self.cancelled = "no"


class Ledger:
    """Every run that was sent, by its id; and what the bridge answered that it should not have.

    Attributes:
        make: Make.com, and so what it saw.
    """

    def __init__(self, make):
        self.make = make
        self.entries, self.complaints, self.answers = {}, [], {}
        self._lock = threading.Lock()

    def open(self, run, document, expect):
        entry = Entry(run, document, expect, self.make.url + CALLBACK)
        with self._lock:
            self.entries[run.run_id] = entry
        return entry

    def answered(self, status):
        """Count an answer by its status; 0 is none at all."""
        with self._lock:
            self.answers[status] = self.answers.get(status, 0) + 1

    def complain(self, text):
        """Note an answer that breaks the contract."""
        with self._lock:
            self.complaints.append(text)

    def accepted(self):
        """The entries whose publish was accepted."""
        with self._lock:
            return [entry for entry in self.entries.values() if entry.accepted_at is not None]
