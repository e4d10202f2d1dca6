"""The numbers of the first screen: few statements, on partial indexes, and shared by everybody who looks."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from models.jobs import Job, JobState
from models.production import SCHEDULED
from worker import answers
from worker.answers import JobAnswer
from worker.shared import Shared
from worker.totals import PUBLISHES_ENDED

HOURS = 24
_SHOWN = 20
_RECENT = 12

# Each state is written out, so that its partial index is used; how many were ever done is not asked.
_STATES = (JobState.QUEUED, JobState.RUNNING, JobState.WAITING, JobState.HELD, JobState.ERROR)
_COUNT = "select '{0}' as state, count(*) as jobs from jobs where state = '{0}'"
_COUNTS = text(
    " union all ".join(
        [
            *map(_COUNT.format, _STATES),
            f"select 'scheduled', count(*) from dossiers where {SCHEDULED}",  # noqa: S608 - constants
        ]
    )
)
_BY_HOUR = text(f"""
select date_trunc('hour', finished_at) as hour,
  count(*) filter (where outcome = 'done') as published,
  count(*) filter (where outcome = 'error') as errors,
  percentile_cont(0.5) within group (order by seconds) filter (where outcome = 'done') as median,
  percentile_cont(0.95) within group (order by seconds) filter (where outcome = 'done') as p95
from (
  {PUBLISHES_ENDED} and a.finished_at > date_trunc('hour', now()) - make_interval(hours => {HOURS - 1})
) ended
group by 1
""")  # noqa: S608 - put together from constants

# Materialised, so that PostgreSQL does not look for the few that are held by walking through all jobs by age.
_HELD = select(Job.id, Job.created_at).where(text(f"state = '{JobState.HELD}'")).cte().prefix_with("materialized")
_LONGEST_HELD = select(_HELD.c.id).order_by(_HELD.c.created_at).limit(_SHOWN)


@dataclass(frozen=True, slots=True)
class Hour:
    """What became of publishes in an hour: how many ended how, and seconds from accepting to ending."""

    begins: datetime
    published: int = 0
    errors: int = 0
    median: float | None = None
    p95: float | None = None


@dataclass(frozen=True, slots=True)
class Now:
    """How things stand: counts by state, what needs somebody, what came last."""

    counts: dict[str, int]
    held: list[JobAnswer]
    failed: list[JobAnswer]
    recent: list[JobAnswer]


def _now(session: Session) -> Now:
    counts = {row.state: row.jobs for row in session.execute(_COUNTS)}
    held = select(Job).where(Job.id.in_(_LONGEST_HELD)).order_by(Job.created_at)
    failed = select(Job).where(Job.state == JobState.ERROR).order_by(Job.settled_at.desc()).limit(_SHOWN)
    recent = select(Job).order_by(Job.created_at.desc(), Job.id.desc()).limit(_RECENT)
    pages = (answers.page(session, session.scalars(which).all()) for which in (held, failed, recent))
    return Now(counts, *pages)


def _by_hour(session: Session) -> list[Hour]:
    rows = {row.hour: row for row in session.execute(_BY_HOUR)}
    last = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    hours = (last - timedelta(hours=HOURS - 1 - number) for number in range(HOURS))
    return [
        Hour(hour, row.published, row.errors, row.median, row.p95) if (row := rows.get(hour)) else Hour(hour)
        for hour in hours
    ]


now = Shared(_now, 1)
by_hour = Shared(_by_hour, 20)
