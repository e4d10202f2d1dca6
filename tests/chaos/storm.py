"""One run of it all, from an empty folder to the figures: load and faults, then quiet, then the look."""

import shutil
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg

from tests.chaos import callbacks, chains, invariants, plan, promise, report, shown
from tests.chaos.faults import FAULTS
from tests.chaos.hands import Hands
from tests.chaos.injected import Injected
from tests.chaos.ledger import Ledger
from tests.chaos.load import Load
from tests.chaos.look import Look, violations
from tests.chaos.scenario import Scenario
from tests.chaos.world import KEPT, World

assert all((callbacks, chains, invariants, shown)), "importing them lists what must hold"

QUIET_WITHIN = (
    600  # seconds for the longest pause between bells, backoff, lease and sweep, on a machine others keep busy
)
PILED_UP = 1 / 3  # seconds more for each run that is still under way, on a slow machine
LOOK_EVERY = 2.0  # seconds


class Storm:
    """A seed's faults over a seed's load."""

    def __init__(self, seed, seconds, count, say, pauses=1.0):
        self._seed, self._seconds, self._pauses, self._say = seed, seconds, pauses, say
        self._faults, self._runs = plan.faults(seed, seconds, pauses), plan.runs(seed, seconds, count)
        self.folder = Path(tempfile.mkdtemp(prefix="columnline-chaos-"))
        self.timeline, self._injected, self._found = [], Injected(self._faults), {}
        self._looks, self._ended, self._began = 0, threading.Event(), time.monotonic()
        self._breakers = []

    def run(self):
        """Everything; returns the figures. The folder of logs is gone if all is well."""
        world = World(self.folder, self._note)
        try:
            world.open()
            told = self._over(world)
        finally:
            world.over.set()  # whoever breaks something stops, and mends it, before all is ended
            for thread in filter(threading.Thread.is_alive, self._breakers):
                thread.join()
            world.close()
        if not report.failures(told):
            shutil.rmtree(self.folder, ignore_errors=True)
        return told

    def _over(self, world):
        ledger, calm = Ledger(world.make), threading.Event()
        before = self._baseline(world)
        hands = Hands(world, ledger, self._seed, calm)
        scenario = Scenario(world, ledger, self._seed, calm)
        self._began = time.monotonic()
        senders = Load(world, ledger, self._runs, calm).go() + hands.go()
        scenario.go()
        self._breakers = [threading.Thread(target=self._break, args=(world, lane)) for lane in self._lanes()]
        watcher = threading.Thread(target=self._watch, args=(world, ledger, before), daemon=True)
        for thread in (*self._breakers, watcher):
            thread.start()
        for thread in self._breakers:
            thread.join()
        world.heal()
        healed = time.monotonic()
        with world.postgres.connect() as connection:
            before["healed"] = connection.execute("select clock_timestamp()").fetchone()[0]
        self._note("all is healed")
        calm.set()
        hands.map_late_client()
        for sender in senders:
            sender.join(QUIET_WITHIN + PILED_UP * len(self._runs))
        self._quiet(world, ledger, scenario)
        hands.rerun_some()
        self._quiet(world, ledger, scenario)
        revived = self._revive(world, hands, ledger)
        self._quiet(world, ledger, scenario)
        quiet_after = time.monotonic() - healed
        self._ended.set()
        watcher.join()
        before |= {"after": _sizes(world), "outlived": [one.pid for one in world.outlived()]}
        with world.postgres.connect() as connection:
            for violation in violations(connection, ledger=ledger, before=before):
                self._found.setdefault(str(violation), violation)
            look = Look(connection, ledger, before)
            told = report.figures(look, list(self._found.values()), world.restarts, revived)
        logs = "".join(world.stack.log(name) for name in KEPT)
        return told | {
            "seed": self._seed,
            "seconds": self._seconds,
            "pauses": self._pauses,
            "runs": len(self._runs),
            "quiet_after": round(quiet_after, 1),
            "looks": self._looks,
            "cuts": sum(proxy.cuts for proxy in world.proxies.values()),
            "fenced": logs.count('"job_fenced"'),
            "faults": self._injected.counts(),
            "not_injected": self._injected.failures(),
        }

    def _lanes(self):
        lanes = {FAULTS[one.name].lane for one in self._faults}
        return [[one for one in self._faults if FAULTS[one.name].lane == lane] for lane in sorted(lanes)]

    def _break(self, world, lane):
        for one in lane:
            world.wait(max(0.0, one.at - (time.monotonic() - self._began)))
            if world.over.is_set():
                return
            self._note(f"{FAULTS[one.name].code} {one.name}, {one.seconds:.1f} s")
            if why := self._injected.inject(world, one):
                self._note(f"{one.name} was not done: {why}")

    def _watch(self, world, ledger, before):
        """Look again and again at what must hold always."""
        pause = LOOK_EVERY
        while not self._ended.wait(pause):
            began = time.monotonic()
            with suppress(psycopg.Error), world.postgres.connect() as connection:
                for violation in violations(connection, ledger=ledger, before=before, under_way=True):
                    if str(violation) not in self._found:
                        self._note(f"VIOLATION {violation}")
                    self._found.setdefault(str(violation), violation)
                self._looks += 1
            pause = max(LOOK_EVERY, 9 * (time.monotonic() - began))  # looking is not to be the load

    def _quiet(self, world, ledger, scenario):
        """Wait until every job has ended, nothing due is unreleased, and Make.com has nothing to do; bounded.

        What is due and left lying is not waited for: the watcher has found it.
        """
        until = None
        statement = (
            "select (select count(*) from jobs where settled_at is null), (select count(*) from dossiers "
            "where status = 'ready' and released_at is null and release_at < clock_timestamp())"
        )
        while until is None or time.monotonic() < until:
            idle = scenario.is_idle  # asked first: what it has played is in the tables
            with world.postgres.connect() as connection:
                left = connection.execute(statement).fetchone()
            if (idle and left == (0, 0)) or any(one.code == "I15" for one in list(self._found.values())):
                return
            until = until or time.monotonic() + QUIET_WITHIN + PILED_UP * left[0]
            time.sleep(0.3)
        self._note("it does not become quiet")
        ledger.complain("it does not become quiet")

    def _revive(self, world, hands, ledger):
        """Do what errors say that are nobody's fault: look, and retry."""
        with world.postgres.connect() as connection:
            look = Look(connection, ledger)
            unlucky, untold = promise.unlucky(look), callbacks.unlucky(look)
        for name in [*(entry.run_id for entry in unlucky), *untold]:
            self._note(f"{name} is retried by hand")
        hands.revive(unlucky, untold)
        return len(unlucky)

    def _baseline(self, world):
        sizes = _sizes(world).values()
        with world.postgres.connect() as connection:
            digest = promise.v1(Look(connection))
        return {"v1": digest, "files": max(one[0] for one in sizes), "memory": max(one[1] for one in sizes)}

    def _note(self, text):
        line = f"{time.monotonic() - self._began:7.1f} {text}"
        self.timeline.append(line)
        self._say(line)


def _sizes(world):
    """Open files and resident bytes of every process of ours, by name."""
    sizes = {}
    for name in KEPT:
        for number, process in enumerate(world.group(name)):
            with suppress(psutil.NoSuchProcess):
                sizes[f"{name}/{number}"] = (process.num_fds(), process.memory_info().rss)
    return sizes
