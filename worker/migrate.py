"""Bring a database to the schema this code needs, say whether it is there, or print the SQL for it."""

import io

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential

from worker.outcomes import passes_in_step

VERSION_TABLE = "columnline_schema_version"


def _config(output: io.StringIO | None = None) -> Config:
    config = Config(output_buffer=output) if output else Config()
    config.set_main_option("script_location", "models:migrations")
    config.set_main_option("path_separator", "os")
    return config


@retry(
    retry=retry_if_exception(passes_in_step),
    stop=stop_after_attempt(10),
    wait=wait_random_exponential(multiplier=0.2, max=5),
    reraise=True,
)
def upgrade(engine: Engine) -> str:
    """Migrate to the newest revision. Gives way to the app after a short lock wait and tries again.

    Returns:
        The revision reached.

    Raises:
        DBAPIError: a statement was refused, or the app held a lock through ten tries.
    """
    config = _config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return head()


def downgrade(engine: Engine, revision: str) -> None:
    """Take the schema back to `revision`; `v1_baseline` is production before us."""
    config = _config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


def sql() -> str:
    """The whole migration as SQL, for those who apply it by other means."""
    output = io.StringIO()
    command.upgrade(_config(output), "head", sql=True)
    return output.getvalue()


def head() -> str:
    """The revision this code needs."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def current(engine: Engine) -> str | None:
    """The revision the database is at, or None before the first migration."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        return context.get_current_revision()
