"""V1 and V2 side by side: how many were published, how many went wrong, how long it took (roadmap §8)."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import text
from sqlalchemy.orm import Session


class Durations(BaseModel):
    """How long something took, in seconds."""

    median: float
    p95: float


class Figures(BaseModel):
    """What became of some dossiers."""

    pipeline_version: str
    published: int = Field(description="ready, superseded or archived")
    errors: int
    unfinished: int = Field(description="V1 dossiers that its pipeline has not finished")
    released: int = Field(description="of those published, visible to their readers")
    success_rate: float | None = Field(description="published of published and errors; null where there are none")
    seconds_to_publish: Durations | None = Field(description="from the run's last output to the dossier; V2 only")
    seconds_to_release: Durations | None = Field(description="from the run's last output to its readers; V2 only")


class DayFigures(Figures):
    """What became of a client's dossiers of one day."""

    client_id: UUID
    client_name: str
    day: date = Field(description="the day they were made, in UTC")


class Stats(BaseModel):
    """Totals by pipeline version, and the same by client and day, newest first."""

    ok: bool = True
    since: datetime
    until: datetime
    totals: list[Figures]
    days: list[DayFigures]


_STATS = text("""
select d.pipeline_version, d.client_id, c.name as client_name, d.day,
  count(*) filter (where d.status in ('ready', 'archived', 'superseded')) as published,
  count(*) filter (where d.status = 'error') as errors,
  count(*) filter (where d.status in ('skeleton', 'enriching')) as unfinished,
  count(*) filter (where d.released_at <= now() and d.status <> 'error') as released,
  percentile_cont(array[0.5, 0.95]) within group (order by d.to_publish)
    filter (where d.status <> 'error') as to_publish,
  percentile_cont(array[0.5, 0.95]) within group (order by d.to_release)
    filter (where d.status <> 'error') as to_release
from (
  select d.pipeline_version, d.client_id, d.status, d.released_at,
    (d.created_at at time zone 'UTC')::date as day,
    case when r.ended_at is not null
      then greatest(extract(epoch from d.created_at - r.ended_at), 0) end as to_publish,
    case when r.ended_at is not null and d.released_at <= now()
      then greatest(extract(epoch from d.released_at - r.ended_at), 0) end as to_release
  from dossiers d
  left join lateral (
    select coalesce(r.completed_at, max(l.completed_at)) as ended_at
    from v2_runs r left join v2_pipeline_logs l on l.run_id = r.run_id
    where r.run_id = d.run_id
    group by r.run_id
  ) r on true
  where d.created_at >= :since and d.created_at < :until
    and (cast(:client_id as uuid) is null or d.client_id = :client_id)
) d
join clients c on c.id = d.client_id
group by grouping sets ((d.pipeline_version), (d.pipeline_version, d.client_id, c.name, d.day))
order by d.day desc, c.name, d.pipeline_version
""")


def stats(session: Session, since: datetime, until: datetime, client_id: UUID | None = None) -> Stats:
    """What became of the dossiers made from `since` until before `until`, V1 beside V2."""
    values = {"since": since, "until": until, "client_id": client_id}
    rows = session.execute(_STATS, values).mappings().all()
    totals = [Figures(**_figures(row)) for row in rows if row["day"] is None]
    days = [
        DayFigures(client_id=row["client_id"], client_name=row["client_name"], day=row["day"], **_figures(row))
        for row in rows
        if row["day"] is not None
    ]
    return Stats(since=since, until=until, totals=totals, days=days)


def _figures(row: Any) -> dict[str, Any]:
    ended = row["published"] + row["errors"]
    names = ("pipeline_version", "published", "errors", "unfinished", "released")
    return {name: row[name] for name in names} | {
        "success_rate": round(row["published"] / ended, 4) if ended else None,
        "seconds_to_publish": _durations(row["to_publish"]),
        "seconds_to_release": _durations(row["to_release"]),
    }


def _durations(percentiles: list[float] | None) -> Durations | None:
    if percentiles is None or percentiles[0] is None:
        return None
    return Durations(median=round(percentiles[0], 3), p95=round(percentiles[1], 3))
