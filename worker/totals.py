"""How many jobs were ever done and how many ended in error: numbers that only rise, whatever is pruned.

They are counted where they are recorded, in the attempts. What is about to be pruned is added up first. There is
recorded also what became of publishes lately.
"""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from models.jobs import ENDED, JobKind

PUBLISHES_ENDED = f"""
select a.finished_at, a.outcome, case when not (
    coalesce((j.payload ->> 'republish')::boolean, false)
    or exists (select from job_attempts b where b.job_id = a.job_id and b.epoch < a.epoch and b.{ENDED})
  ) then extract(epoch from a.finished_at - j.created_at) end as seconds
from job_attempts a join jobs j on j.id = a.job_id and j.epoch = a.epoch
where a.{ENDED} and j.kind = '{JobKind.PUBLISH}'
"""  # noqa: S608 - put together from constants
"""Publishes that have ended, each at its last end, and the seconds since it was accepted; null for one that is
published anew, or had ended before. With a condition on `a.finished_at` an index finds them."""

_TAIL = f"""
select j.kind, a.outcome, coalesce(a.error ->> 'code', '') as code, count(*) as total
from job_attempts a join jobs j on j.id = a.job_id
where a.{ENDED} and a.finished_at > cast(:since as timestamptz)
"""  # noqa: S608 - put together from constants
_TOTALS = text("""
select coalesce((select until from totals_counted), '-infinity')::text as until, kind, outcome, code, total
from (select) one left join totals on true
""")
_SINCE = text(f"{_TAIL} group by 1, 2, 3")
_FIRST = text("insert into totals_counted (until) values ('-infinity') on conflict do nothing")
_LOCK = text("select until::text from totals_counted for update")
# An attempt says when it ended a moment before it is committed; by then the slowest one is.
_UNTIL = "now() - interval '15 minutes'"
_ADD = text(f"""
insert into totals as t (kind, outcome, code, total)
{_TAIL} and a.finished_at <= {_UNTIL} group by 1, 2, 3
on conflict (kind, outcome, code) do update set total = t.total + excluded.total
""")
_COUNTED = text(f"update totals_counted set until = {_UNTIL} where until < {_UNTIL}")  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Total:
    """How many attempts ended their job so; `code` is the error's, empty for `done`."""

    kind: str
    outcome: str
    code: str
    total: int


def totals(session: Session) -> list[Total]:
    """All that ever ended: what was added up until some moment, and what ended since.

    The moment is given to the second statement as a value, so that its index is used. What moves into the totals
    between both statements is there still, and counted once.
    """
    found: Counter[tuple[str, str, str]] = Counter()
    rows = session.execute(_TOTALS).all()
    for row in rows:
        if row.kind is not None:
            found[row.kind, row.outcome, row.code] += row.total
    for row in session.execute(_SINCE, {"since": rows[0].until}):
        found[row.kind, row.outcome, row.code] += row.total
    return [Total(*name, total) for name, total in sorted(found.items())]


def add_up(session: Session) -> None:
    """Add to the totals what ended since: from now on its rows may go."""
    session.execute(_FIRST)
    since = session.scalars(_LOCK).one()
    session.execute(_ADD, {"since": since})
    session.execute(_COUNTED)
