"""Does the work get done? What is stuck, held, failed or late."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from models.jobs import JobKind
from models.production import SCHEDULED
from worker import heartbeats
from worker.config.sync import SETTLE
from worker.doctor.findings import Findings, ago, ok, problem, typed, warning
from worker.errors import Internal
from worker.mapping import CURED

LATE = 300
"""Seconds after which what should have been done counts as stuck."""
UNPRUNED = 3 * 86_400

_PROCESSES = text("""
select process, extract(epoch from now() - max(seen_at))::float as age,
  count(*) filter (where seen_at > now() - :lost_after) as alive
from heartbeats group by process
""")
_DUE = text("""
select count(*) as jobs, extract(epoch from now() - min(run_at))::float as age, count(rung_at) as rung
from jobs where state in ('queued', 'waiting') and run_at < now() - make_interval(secs => :late)
""")
_LOST = text(
    "select count(*) from jobs where state = 'running' and leased_until < now() - make_interval(secs => 60)"
)
_OVERDUE = text("""
select count(*) from jobs
where state = 'waiting' and kind <> :rerun and deadline_at < now() - make_interval(secs => :late)
""")
_HELD = text("""
select held_reason as reason, client_id, count(*) as jobs,
  extract(epoch from now() - min(created_at))::float as age
from jobs where state = 'held' group by 1, 2 order by 4 desc limit 20
""")
_ERRORS = text("""
select kind, error ->> 'code' as code, count(*) as jobs from jobs
where state = 'error' and settled_at > now() - interval '1 day' group by 1, 2 order by 3 desc
""")
_LATE_RELEASES = text(f"""
select count(*) from dossiers where {SCHEDULED} and release_at < now() - make_interval(secs => :late)
""")  # noqa: S608 - put together from constants
_STARTS = {
    "worker": "celery -A worker worker",
    "beat": "celery -A worker beat",
    "bridge": "uvicorn worker.bridge:app",
}


def processes(session: Session) -> Findings:
    """Whether a worker, beat and a bridge were heard of, on whatever machine."""
    rows = {row.process: row for row in session.execute(_PROCESSES, {"lost_after": heartbeats.LOST_AFTER})}
    for name in heartbeats.PROCESSES:
        row = rows.get(name)
        if row is not None and row.alive:
            yield ok(f"{name}: {row.alive} heard of.")
            continue
        since = f"for {ago(row.age)}" if row else "ever"
        yield problem(f"{name}: none was heard of {since}.", f"Start one: {_STARTS[name]}, or all: columnline up")


def due(session: Session) -> Findings:
    """Whether jobs are begun when they are due, and handed on when their worker died."""
    row = session.execute(_DUE, {"late": LATE}).one()
    if row.jobs:
        rung = f"; bells were rung for {row.rung} of them" if row.rung else "; no bell was rung for them"
        yield problem(
            f"{row.jobs} jobs have been due for up to {ago(row.age)}{rung}.",
            "See whether workers run and take their queue; or work them off here: columnline drain",
        )
    if lost := session.scalar(_LOST):
        yield problem(
            f"{lost} running jobs are past their lease, and nobody hands them on.",
            "Start beat or the bridge: celery -A worker beat; or work them off here: columnline drain",
        )
    if overdue := session.scalar(_OVERDUE, {"late": LATE, "rerun": JobKind.RERUN.value}):
        yield problem(
            f"{overdue} jobs wait past their deadline.", "columnline retry --state waiting; then columnline errors"
        )
    if not (row.jobs or lost or overdue):
        yield ok("Jobs are begun when they are due.")


def held(session: Session) -> Findings:
    """Whose runs wait for somebody."""
    rows = session.execute(_HELD).all()
    for row in rows:
        maps = row.client_id and row.reason in CURED
        cure = f"columnline clients map {typed(row.client_id)} --slug …" if maps else "columnline errors"
        who = f" of {row.client_id}" if row.client_id else ""
        yield warning(f"{row.jobs} jobs{who} are held for {ago(row.age)}: {row.reason}.", cure)
    if not rows:
        yield ok("No job is held.")


def errors(session: Session) -> Findings:
    """What ended in error in the last day."""
    rows = session.execute(_ERRORS).all()
    for row in rows:
        say = problem if row.code == Internal.code else warning
        yield say(
            f"{row.jobs} jobs of kind {row.kind} ended in error: {row.code}.",
            f"columnline errors --since 1d; once mended: columnline retry --code {row.code} --since 1d",
        )
    if not rows:
        yield ok("No job ended in error in the last day.")


def releases(session: Session) -> Findings:
    """Whether dossiers are shown when they are due."""
    if late := session.scalar(_LATE_RELEASES, {"late": LATE}):
        yield problem(
            f"{late} releases are overdue.", "Start beat and a worker; or release here: columnline drain"
        )
    else:
        yield ok("No release is overdue.")


def pruning(session: Session) -> Findings:
    """Whether old rows are pruned every day."""
    age = session.scalar(
        text("select extract(epoch from now() - max(seen_at))::float from heartbeats where process = 'prune'")
    )
    if age is None:
        yield warning("Nothing was ever pruned; beat asks for it within an hour of its start.", "columnline prune")
    elif age > UNPRUNED:
        yield warning(f"Nothing was pruned for {ago(age)}.", "columnline prune")
    else:
        yield ok(f"Pruned {ago(age)} ago.")


def config_conflicts(session: Session) -> Findings:
    """Whether config fields wait for somebody to decide."""
    if found := session.scalar(text("select count(*) from config_sync_state where conflict_since is not null")):
        yield warning(
            f"{found} config fields differ between both tables of clients.",
            f"columnline clients sync --dry-run; then {SETTLE}",
        )
    else:
        yield ok("No config field waits for a decision.")
