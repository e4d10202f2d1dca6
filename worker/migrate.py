"""Bring a database to the schema this code needs, say whether it is there, or print the SQL for it."""

import io

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential

from worker.errors import Validation
from worker.outcomes import passes_in_step

VERSION_TABLE = "columnline_schema_version"

_HAS_MAPPING = """
select exists (
  select from pg_attribute
  where attrelid = to_regclass('v2_clients') and attname = 'production_client_id' and not attisdropped
) and to_regclass('clients') is not null
"""
_ORPHANS = """
select client_id, production_client_id from v2_clients v
where production_client_id is not null
  and not exists (select from clients c where c.id = v.production_client_id)
order by client_id
"""


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
        Validation: mappings lead to clients that are not there; nothing was touched.
        DBAPIError: a statement was refused, or the app held a lock through ten tries.
    """
    config = _config()
    with engine.connect() as connection:
        _refuse_orphans(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return head()


def _refuse_orphans(connection: Connection) -> None:
    """Tell of every mapping that the foreign key (roadmap §3) would refuse, before anything is touched."""
    has_column = connection.scalar(text(_HAS_MAPPING))
    rows = connection.execute(text(_ORPHANS)).all() if has_column else []
    connection.rollback()
    if rows:
        listed = "\n".join(f"  {row.client_id} -> {row.production_client_id}" for row in rows)
        raise Validation(
            f"Clients in v2_clients lead to production clients that are not there. Correct or empty their "
            f"production_client_id, then migrate. Nothing was changed.\n{listed}",
            field="production_client_id",
        )


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
