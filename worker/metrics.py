"""What Prometheus reads: how things stand, from the database, so that no restart and no process is missed.

A few statements on partial indexes, once in ten seconds at most. Labels hold only what the code names: kinds,
states, codes, processes; never an id of a run or a client.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from sqlalchemy import text
from sqlalchemy.orm import Session

from models.jobs import AttemptOutcome, JobKind, JobState
from models.make import RerunState
from models.production import SCHEDULED
from worker import VERSION, heartbeats
from worker.migrate import VERSION_TABLE
from worker.shared import Shared
from worker.totals import PUBLISHES_ENDED, totals

FRESH = 10.0
"""Seconds for which what was found is told again."""

_STATES = (JobState.QUEUED, JobState.RUNNING, JobState.WAITING, JobState.HELD, JobState.ERROR)
_OPEN = (JobState.QUEUED, JobState.RUNNING, JobState.WAITING)
# Each state is written out, so that its partial index is used.
_COUNT = "select kind, '{0}' as state, count(*) as jobs from jobs where state = '{0}' group by kind"
_JOBS = text(" union all ".join(map(_COUNT.format, _STATES)))
_DUE = text("""
select kind, extract(epoch from now() - min(run_at))::float as age from jobs
where state in ('queued', 'waiting') and run_at <= now() group by kind
""")
_HELD = text("select held_reason as reason, count(*) as jobs from jobs where state = 'held' group by held_reason")
_ERRORS = text("""
select kind, error ->> 'code' as code, count(*) as jobs from jobs
where state = 'error' and settled_at > now() - interval '1 day' group by 1, 2
""")
_TIMES = text(f"""
select percentile_cont(array[0.5, 0.95]) within group (order by seconds)
from ({PUBLISHES_ENDED} and a.finished_at > now() - interval '1 hour') ended where outcome = 'done'
""")  # noqa: S608 - put together from constants
_ALIVE = text("""
select process, extract(epoch from now() - max(seen_at))::float as age,
  count(*) filter (where seen_at > now() - :lost_after) as alive
from heartbeats group by process
""")
_OPEN_RERUN = f"from reruns where state in ('{RerunState.REQUESTED}', '{RerunState.TRIGGERED}')"

_SINGLE = {
    "columnline_lease_overdue_seconds": (
        "How long the lease of a running job has been over, at most: its worker died, and nobody sweeps.",
        "extract(epoch from now() - min(leased_until)) from jobs where state = 'running' and leased_until < now()",
    ),
    "columnline_clients_held": (
        "Clients of the pipeline whose runs are held.",
        "count(distinct client_id) from jobs where state = 'held'",
    ),
    "columnline_releases_scheduled": ("Dossiers on the calendar.", f"count(*) from dossiers where {SCHEDULED}"),
    "columnline_release_overdue_seconds": (
        "How long a release has been due, at most.",
        f"extract(epoch from now() - min(release_at)) from dossiers where {SCHEDULED} and release_at <= now()",
    ),
    "columnline_reruns_open": ("Reruns whose end is awaited.", f"count(*) {_OPEN_RERUN}"),
    "columnline_rerun_oldest_seconds": (
        "How long ago the oldest open rerun was asked for.",
        f"extract(epoch from now() - min(requested_at)) {_OPEN_RERUN}",
    ),
    "columnline_config_conflicts": (
        "Config fields that differ between both tables of clients until somebody decides.",
        "count(*) from config_sync_state where conflict_since is not null",
    ),
}
"""Gauges without labels: their help, and what is selected to measure them."""

_SELECTED = ", ".join(f"coalesce((select {sql}), 0)::float as {name}" for name, (_, sql) in _SINGLE.items())
_SINGLES = text(f"select {_SELECTED}, (select min(version_num) from {VERSION_TABLE}) as revision")  # noqa: S608 - constants


def measure(session: Session) -> list[Metric]:
    """All metrics that the database tells."""
    return [*_of_jobs(session), *_of_ends(session), *_of_processes(session), *_singles(session)]


def _gauge(name: str, text_: str, labels: Iterable[str], values: Mapping[Any, float]) -> Metric:
    family = GaugeMetricFamily(name, text_, labels=list(labels))
    for key, value in sorted(values.items()):
        family.add_metric(list(key), value)
    return family


def _of_jobs(session: Session) -> Iterator[Metric]:
    jobs = {(kind.value, state.value): 0 for kind in JobKind for state in _STATES}
    jobs |= {(row.kind, row.state): row.jobs for row in session.execute(_JOBS)}
    yield _gauge("columnline_jobs", "Jobs that are not over, or in error.", ("kind", "state"), jobs)
    due = {(kind.value,): 0.0 for kind in JobKind}
    due |= {(row.kind,): max(row.age, 0) for row in session.execute(_DUE)}
    yield _gauge(
        "columnline_oldest_due_seconds", "How long a job has been due that nobody has begun.", ("kind",), due
    )
    held = {(row.reason,): row.jobs for row in session.execute(_HELD)}
    yield _gauge("columnline_jobs_held", "Jobs that wait for somebody, by the reason.", ("reason",), held)
    errors = {(row.kind, row.code): row.jobs for row in session.execute(_ERRORS)}
    yield _gauge(
        "columnline_errors_last_day", "Jobs in error that ended in the last day.", ("kind", "code"), errors
    )
    outstanding = sum(jobs[JobKind.CALLBACK.value, state.value] for state in _OPEN)
    yield _gauge("columnline_callbacks_outstanding", "Callbacks not yet taken.", (), {(): outstanding})


def _of_ends(session: Session) -> Iterator[Metric]:
    done = CounterMetricFamily("columnline_jobs_done", "Jobs done since the first.", labels=["kind"])
    failed = CounterMetricFamily(
        "columnline_jobs_failed", "Jobs that ended in error since the first.", labels=["kind", "code"]
    )
    ended = totals(session)
    successes = {kind.value: 0 for kind in JobKind} | {
        row.kind: row.total for row in ended if row.outcome == AttemptOutcome.DONE
    }
    for name, total in successes.items():
        done.add_metric([name], total)
    for row in ended:
        if row.outcome == AttemptOutcome.ERROR:
            failed.add_metric([row.kind, row.code], row.total)
    yield done
    yield failed
    times = session.scalar(_TIMES)
    yield _gauge(
        "columnline_publish_seconds",
        "From accepting a publish to its end, of those done in the last hour.",
        ("quantile",),
        {} if times is None else {("0.5",): times[0], ("0.95",): times[1]},
    )


def _of_processes(session: Session) -> Iterator[Metric]:
    rows: dict[str, Any] = {
        row.process: row for row in session.execute(_ALIVE, {"lost_after": heartbeats.LOST_AFTER})
    }
    ages = {
        name: max(rows[name].age, 0) if name in rows else math.inf for name in (*heartbeats.PROCESSES, "prune")
    }
    yield _gauge("columnline_prune_age_seconds", "How long ago all was pruned last.", (), {(): ages.pop("prune")})
    yield _gauge(
        "columnline_heartbeat_age_seconds",
        "How long ago one of these processes was heard of.",
        ("process",),
        {(name,): age for name, age in ages.items()},
    )
    alive = {(name,): rows[name].alive if name in rows else 0 for name in heartbeats.PROCESSES}
    yield _gauge("columnline_processes", "Processes heard of lately.", ("process",), alive)


def _singles(session: Session) -> Iterator[Metric]:
    row = session.execute(_SINGLES).one()
    for name, (help_, _) in _SINGLE.items():
        yield _gauge(name, help_, (), {(): getattr(row, name)})
    yield _gauge(
        "columnline_info",
        "The version that answers, and the schema it found.",
        ("version", "schema"),
        {(VERSION, row.revision): 1},
    )


measured = Shared(measure, FRESH)


class _Ours:
    """What hands over to the library what was measured."""

    def collect(self) -> Iterable[Metric]:
        """The metrics, ten seconds old at most."""
        return measured.get()


def exposition() -> bytes:
    """The text that `GET /metrics` answers with, this process's own metrics included.

    Raises:
        DBAPIError: the database is away.
    """
    return generate_latest(_registry)


_registry = CollectorRegistry()
_registry.register(_Ours())
ProcessCollector(registry=_registry)
