"""What is old goes: rule by rule, in chunks, each a short transaction that waits for nobody.

A publish job is the memory that its run was accepted, and how that ended: the same request sent again is answered
from it, and must not publish a second time. So it stays for as long as its run or its dossier does; its attempts
go. What the writers returned is the pipeline's, and is never touched.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel, Field
from sqlalchemy import text
from sqlalchemy.orm import Session

from models.jobs import ENDED, JobKind
from worker import db, heartbeats, logs
from worker.settings import Settings
from worker.totals import add_up

log = logs.get(__name__)

CHUNK = 500
"""Rows deleted in one transaction."""

SHORT_LIVED = (JobKind.PREVIEW.value, JobKind.EXPORT.value)
"""Kinds whose result is looked at once; what hangs on their jobs goes with them."""

SIGN = "prune"
"""The sign of life that says when all was pruned last."""

_EVERY = "23 hours"
_SHORT = ", ".join(map(repr, SHORT_LIVED))
_OLD = "now() - make_interval(days => :days)"
# As the partial index has it, which holds no publish: there may be a million of those, and they stay.
_PASSING = f"kind <> '{JobKind.PUBLISH}' and settled_at < {_OLD}"


class Pruned(BaseModel):
    """What became of one rule."""

    what: str
    days: int = Field(description="how old it must be")
    rows: int


@dataclass(frozen=True, slots=True)
class Rule:
    """What may go: rows of a table that meet the condition, `days` after their end."""

    what: str
    table: str
    condition: str
    days: Callable[[Settings], int]

    @property
    def chunk(self) -> str:
        """The statement that deletes some of them. What somebody else holds is left for the next time."""
        some = f"select ctid from {self.table} where {self.condition} limit {CHUNK} for update skip locked"  # noqa: S608 - put together from constants
        return f"delete from {self.table} where ctid = any(array({some}))"  # noqa: S608 - put together from constants

    @property
    def count(self) -> str:
        """The statement that says how many there are."""
        return f"select count(*) from {self.table} where {self.condition}"  # noqa: S608 - put together from constants


def _a_day(_config: Settings) -> int:
    return 1


RULES = (
    Rule(
        "previews and exports", "jobs", f"kind in ({_SHORT}) and {_PASSING}", lambda config: config.keep_previews
    ),
    Rule(
        "callbacks, reruns and others, done or cancelled",
        "jobs",
        f"state in ('done', 'cancelled') and {_PASSING}",
        lambda config: config.keep_jobs,
    ),
    Rule("the same in error", "jobs", f"state = 'error' and {_PASSING}", lambda config: config.keep_errors),
    Rule(
        "publishes whose run and dossier are gone",
        "jobs",
        f"kind = '{JobKind.PUBLISH}' and settled_at < {_OLD} "  # noqa: S608 - put together from constants
        "and not exists (select from v2_runs r where r.run_id = jobs.key) "
        "and not exists (select from dossiers d where d.run_id = jobs.key)",
        lambda config: config.keep_errors,
    ),
    Rule(
        "attempts at publishes",
        "job_attempts",
        f"job_id in (select e.job_id from job_attempts e where e.{ENDED} and e.finished_at < {_OLD}) "  # noqa: S608 - put together from constants
        f"and finished_at < {_OLD}",
        lambda config: config.keep_errors,
    ),
    Rule(
        "callback addresses that were gone",
        "gone_callbacks",
        f"gone_at < {_OLD}",
        lambda config: config.keep_errors,
    ),
    Rule("history of config fields", "config_sync_history", f"at < {_OLD}", lambda config: config.keep_history),
    Rule("sessions of the page", "page_sessions", f"expires_at < {_OLD}", _a_day),
    Rule("ids of signed requests", "signed_messages", f"seen_at < {_OLD}", _a_day),
    Rule("processes that ended", "heartbeats", f"seen_at < {_OLD} and process <> '{SIGN}'", _a_day),
)
"""What goes when. Jobs that are not over have no end, so none of them is ever met; calendar events and reruns go
with their dossier, by foreign key."""


def is_due(session: Session) -> bool:
    """Whether about a day has passed since all was pruned."""
    fresh = text(
        f"select exists (select from heartbeats where process = :sign and seen_at > now() - interval '{_EVERY}')"  # noqa: S608 - constants
    )
    return not session.scalar(fresh, {"sign": SIGN})


def prune(config: Settings, *, seconds: float = float("inf")) -> tuple[list[Pruned], bool]:
    """Delete what is old.

    Args:
        config: how long to keep what.
        seconds: begin nothing after so many.

    Returns:
        What was deleted, and whether that is all there was.
    """
    until = time.monotonic() + seconds
    with db.transaction() as session:
        add_up(session)
    found, is_all = [], True
    for rule in RULES:
        days, rows = rule.days(config), 0
        while True:
            if time.monotonic() > until:
                is_all = False
                break
            with db.transaction() as session:
                gone = session.connection().execute(text(rule.chunk), {"days": days}).rowcount
            rows += gone
            if gone < CHUNK:
                break
        found.append(Pruned(what=rule.what, days=days, rows=rows))
    if is_all:
        heartbeats.note(SIGN, "all")
    log.info("pruned", rows={one.what: one.rows for one in found if one.rows}, is_all=is_all)
    return found, is_all


def would_prune(session: Session, config: Settings) -> list[Pruned]:
    """What `prune` would delete now. A row that two rules meet is counted by both."""
    return [
        Pruned(what=rule.what, days=days, rows=session.scalars(text(rule.count), {"days": days}).one())
        for rule in RULES
        for days in [rule.days(config)]
    ]
