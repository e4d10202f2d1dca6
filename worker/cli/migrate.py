"""`columnline migrate`: bring the database to the schema this version needs."""

from typing import Annotated

import typer

from worker import db
from worker import migrate as migrations
from worker.cli.output import AsJson, out, print_json, reporting_errors


def migrate(
    sql: Annotated[bool, typer.Option("--sql", help="Print the SQL instead of running it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Create or adopt the tables. Additive, safe beside a running app, and a no-op the second time."""
    with reporting_errors(as_json=as_json):
        if sql:
            out.out(migrations.sql())
            return
        before = migrations.current(db.engine())
        after = migrations.upgrade(db.engine())
        if as_json:
            print_json({"ok": True, "before": before, "after": after})
        else:
            out.print("Nothing to do: " if before == after else f"Migrated from {before or 'nothing'}: ", end="")
            out.print(f"the schema is at {after}.")
