"""`columnline prune`: delete what is old now, rather than when beat next asks."""

from typing import Annotated

import typer

from worker import db
from worker import prune as pruning
from worker.cli.output import AsJson, out, print_json, reporting_errors, table
from worker.settings import settings


def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would go, and delete nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete what is old: ended jobs, attempts, history. Beat does so daily; publishes and outputs stay."""
    with reporting_errors(as_json=as_json):
        if dry_run:
            with db.transaction() as session:
                found = pruning.would_prune(session, settings())
        else:
            found, _ = pruning.prune(settings())
    if as_json:
        print_json({"ok": True, "dry_run": dry_run, "pruned": found})
        return
    shown = table("what", "older than", "would go" if dry_run else "gone")
    for one in found:
        shown.add_row(one.what, f"{one.days} days", str(one.rows))
    out.print(shown)
