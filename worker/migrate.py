"""Bring a database to the schema this code needs or back, say what that would change, or print the SQL for it."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, Engine
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential

from worker.adoption import built, facts, losses, wanted
from worker.adoption.losses import Losses
from worker.adoption.obstacle import Obstacle
from worker.adoption.plan import Plan, compare
from worker.errors import JobStateConflict, Validation
from worker.outcomes import passes_at_once
from worker.pooling import need_session

VERSION_TABLE = "columnline_schema_version"
BASELINE = "v1_baseline"

_again = retry(
    retry=retry_if_exception(passes_at_once),
    stop=stop_after_attempt(10),
    wait=wait_random_exponential(multiplier=0.2, max=5),
    reraise=True,
)


def _config(output: io.StringIO | None = None) -> Config:
    config = Config(output_buffer=output) if output else Config()
    config.set_main_option("script_location", "models:migrations")
    config.set_main_option("path_separator", "os")
    return config


@_again
def upgrade(engine: Engine) -> str:
    """Migrate to the newest revision. Gives way to the app after a short lock wait and tries again.

    Where nothing is pending, nothing is locked either, so that this may go through a transaction pooler.

    Returns:
        The revision reached.

    Raises:
        Validation: something stands in the way that would surely make it fail, or a transaction pooler does;
            nothing was touched.
        DBAPIError: a statement was refused, or the app held a lock through ten tries.
    """
    found = plan(engine)
    _refuse(found.certain)
    if found.steps:
        _run(engine, command.upgrade, "head")
    return head()


def _refuse(certain: list[Obstacle]) -> None:
    """Tell of everything that surely stands in the way, before anything is touched."""
    if not certain:
        return
    raise Validation(
        "Nothing was changed. " + "\n".join(obstacle.sentence for obstacle in certain),
        field=certain[0].subject.rpartition(".")[2],
        findings=tuple(obstacle.model_dump(exclude={"certain"}) for obstacle in certain),
    )


@_again
def downgrade(engine: Engine, revision: str) -> None:
    """Take the schema back to `revision`; `v1_baseline` is production before us. Gives way as `upgrade` does."""
    _run(engine, command.downgrade, revision)


def _run(engine: Engine, move: Callable[[Config, str], None], revision: str) -> None:
    need_session(engine)
    config = _config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        move(config, revision)


def plan(engine: Engine) -> Plan:
    """What `upgrade` would change in this database, and what stands in its way. Changes nothing."""
    with _looking(engine) as connection:
        revision = _revision(connection)
        need = _wanted(revision)
        return compare(need, facts.find(connection, revision, need))


def what_undo_loses(engine: Engine) -> Losses:
    """What `undo` would lose. Changes nothing.

    Raises:
        Validation: there is nothing to take back, or the database is at a revision not known to this version, or
            a table that would be dropped is not as the migrations have made it, or a migration was broken off.
    """
    with _looking(engine) as connection:
        revision = _revision(connection)
        if revision is None:
            raise Validation("The database was never migrated: there is nothing to take back.")
        need = _wanted(revision)
        found = facts.find(connection, revision, need)
        if need.pending is None:
            _refuse(compare(need, found).certain)
        _refuse(list(built.undone_tables(need, found)))
        return losses.count(connection, need, found)


def undo(engine: Engine) -> str:
    """Take back everything: V1's tables and rows are then as they were, and dossiers of V2 plain rows among them.

    Returns:
        The revision reached.

    Raises:
        Validation: as `what_undo_loses`, or a transaction pooler stands in the way; nothing was changed.
        JobStateConflict: a job is in a worker's hands; nothing was changed.
    """
    if running := what_undo_loses(engine).running:
        raise JobStateConflict(
            f"Jobs are running: {running}. Stop the workers and beat, wait until what they have in hand has "
            "ended, then undo. Nothing was changed."
        )
    downgrade(engine, BASELINE)
    return BASELINE


def sql(since: str | None = None) -> str:
    """The migrations after revision `since` as SQL, for those who apply it by other means; all without one."""
    output = io.StringIO()
    command.upgrade(_config(output), f"{since}:head" if since else "head", sql=True)
    return output.getvalue()


def head() -> str:
    """The revision this code needs."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def current(engine: Engine) -> str | None:
    """The revision the database is at, or None before the first migration."""
    with engine.connect() as connection:
        return _revision(connection)


def _revision(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


@contextmanager
def _looking(engine: Engine) -> Iterator[Connection]:
    """A connection whose every query sees the database at one moment, and which can change nothing."""
    with engine.connect() as connection:
        yield connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _wanted(revision: str | None) -> wanted.Wanted:
    scripts = ScriptDirectory.from_config(_config())
    newest_first = list(scripts.walk_revisions())
    known = [script.revision for script in newest_first]
    pending = newest_first[: known.index(revision)] if revision in known else None if revision else newest_first
    baseline = newest_first[-1].module
    return wanted.read(
        head(),
        None if pending is None else tuple(map(_described, reversed(pending))),
        sql(revision or BASELINE) if pending else "",
        v1=baseline.TABLES,
        visible=frozenset(baseline.VISIBLE),
        baseline_pending=revision is None,
        version_table=VERSION_TABLE,
    )


def _described(script: Script) -> wanted.Revision:
    return wanted.Revision(script.revision, script.longdoc.splitlines()[0])


def behind(revision: str | None) -> bool:
    """Whether the database is at an older revision than this code needs.

    A revision we do not know is a newer one: migrations only add, and run before the last old bridge is gone.
    """
    return revision is None or (revision in known_revisions() and revision != head())


@lru_cache(maxsize=1)
def known_revisions() -> frozenset[str]:
    """Every revision this code knows."""
    scripts = ScriptDirectory.from_config(_config())
    return frozenset(script.revision for script in scripts.walk_revisions())
