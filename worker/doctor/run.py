"""Every check, in order, and how they are run: one that fails itself is a problem, never a crash."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from worker import db
from worker.doctor import access, broker, database, setup, work
from worker.doctor.findings import Finding, Findings, Severity, problem
from worker.outcomes import named


class Ground(StrEnum):
    """What a check stands on; where that is not sound, it is not run."""

    NOTHING = "nothing"
    DATABASE = "PostgreSQL"
    ENTRY = "the way into the schema"
    SCHEMA = "the schema"
    SIGHT = "the sight of its rows"
    BROKER = "the broker"


@dataclass(frozen=True, slots=True)
class Check:
    """A look at one thing.

    Attributes:
        stands_on: what must be sound before; checks on the database are handed a session.
        proves: what is sound if this check finds no problem.
        cure: what to do where the check itself fails.
    """

    name: str
    look: Callable[..., Findings]
    stands_on: Ground = Ground.SIGHT
    proves: Ground | None = None
    cure: str = "Look into the message; if it says nothing to you, report it."


CHECKS = (
    Check("settings", setup.settings_look, Ground.NOTHING),
    Check("disk", setup.disk, Ground.NOTHING),
    Check(
        "postgresql",
        database.server,
        Ground.NOTHING,
        Ground.DATABASE,
        database.LEADS,
    ),
    Check("pooler", database.pooler, Ground.DATABASE),
    Check("entry", access.entry, Ground.DATABASE, Ground.ENTRY),
    Check("schema", database.schema, Ground.ENTRY, Ground.SCHEMA, "columnline migrate"),
    Check("indexes", database.indexes, Ground.SCHEMA),
    Check("rights", access.rights, Ground.SCHEMA),
    Check("sight", access.sight, Ground.SCHEMA, Ground.SIGHT),
    Check("readers", access.readers, Ground.SCHEMA),
    Check("row level security", access.row_level_security, Ground.SCHEMA),
    Check("clock", database.clock, Ground.DATABASE),
    Check(
        "broker",
        broker.reachable,
        Ground.NOTHING,
        Ground.BROKER,
        "Check that the broker runs and that REDIS_URL leads to it. Until then: columnline drain",
    ),
    Check("redis", broker.redis, Ground.BROKER),
    Check("queues", broker.queues, Ground.BROKER),
    Check("processes", work.processes),
    Check("due", work.due),
    Check("held", work.held),
    Check("errors", work.errors),
    Check("releases", work.releases),
    Check("pruning", work.pruning),
    Check("mappings", setup.mappings),
    Check("config", work.config_conflicts),
    Check("keys", setup.api_keys),
    Check("callbacks", setup.callbacks),
)
"""The registry: a new check is a function and a line here."""


def examine(checks: tuple[Check, ...] = CHECKS) -> Iterator[Finding]:
    """Run the checks; each finding bears its check's name."""
    sound = {Ground.NOTHING}
    for check in checks:
        if check.stands_on not in sound:
            continue  # what it stands on is a problem by itself, and told
        findings = list(_findings(check))
        if check.proves is not None and not any(f.severity is Severity.PROBLEM for f in findings):
            sound.add(check.proves)
        yield from (finding.model_copy(update={"check": check.name}) for finding in findings)


def _findings(check: Check) -> Findings:
    try:
        with _handed(check) as arguments:
            yield from check.look(*arguments)
    except Exception as error:  # noqa: BLE001 - whatever fails in a look is what was found
        yield problem(f"The check itself failed: {named(error)}.", check.cure)


@contextmanager
def _handed(check: Check) -> Iterator[tuple[Any, ...]]:
    if check.stands_on in {Ground.NOTHING, Ground.BROKER}:
        yield ()
    else:
        with db.transaction() as session:
            yield (session,)
