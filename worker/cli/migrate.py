"""`columnline migrate`: bring the database to the schema this version needs, or see beforehand, or go back."""

from typing import Annotated

import typer

from worker import db
from worker import migrate as migrations
from worker.adoption.losses import Losses
from worker.adoption.plan import Plan, TableChange
from worker.cli.output import AsJson, Exit, err, out, print_json, reporting_errors, table


def migrate(
    sql: Annotated[
        bool, typer.Option("--sql", help="Print the SQL instead of running it; with --plan only what is pending.")
    ] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Say what would change and what stands in the way; change nothing.")
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take everything back: V1 as it was. Needs --yes.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --undo: lose what it says would be lost.")] = False,
    as_json: AsJson = False,
) -> None:
    """Create or adopt the tables. Additive, safe beside a running app, and a no-op the second time."""
    if undo and (sql or plan):
        raise typer.BadParameter("--undo goes with neither --sql nor --plan.")
    if yes and not undo:
        raise typer.BadParameter("--yes goes with --undo only.")
    if sql and as_json:
        raise typer.BadParameter("--sql prints SQL, not JSON.")
    with reporting_errors(as_json=as_json):
        if undo:
            _undo(yes=yes, as_json=as_json)
        elif plan:
            _plan(sql=sql, as_json=as_json)
        elif sql:
            out.out(migrations.sql())
        else:
            _migrate(as_json=as_json)


def _migrate(*, as_json: bool) -> None:
    before = migrations.current(db.engine())
    after = migrations.upgrade(db.engine())
    if as_json:
        print_json({"ok": True, "before": before, "after": after})
    else:
        out.print("Nothing to do: " if before == after else f"Migrated from {before or 'nothing'}: ", end="")
        out.print(f"the schema is at {after}.")


def _plan(*, sql: bool, as_json: bool) -> None:
    found = migrations.plan(db.engine())
    if sql:
        out.out(migrations.sql(found.before) if found.steps else "-- Nothing is pending.")
        _show_obstacles(found)
    elif as_json:
        print_json(found)
    else:
        _show(found)
        _show_obstacles(found)
    if not found.ok:
        raise typer.Exit(Exit.FAILED)


def _show(found: Plan) -> None:
    if not found.steps:
        out.print(f"Nothing to do: the schema is at {found.before}.", markup=False)
        return
    at = f"The schema is at {found.before}" if found.before else "No migration has been run here"
    out.print(f"{at}; this version needs {found.after}.", markup=False)
    steps = table("migration", "does")
    for step in found.steps:
        steps.add_row(step.revision, step.does)
    out.print(steps)
    changes = table("table", "becomes", "with")
    if found.role:
        changes.add_row("(role) app_reader", "created")
    for change in found.tables:
        changes.add_row(change.table, change.action, _added(change))
    out.print(changes)


def _added(change: TableChange) -> str:
    if change.action == "created":
        return ""
    kinds = {
        "columns": change.columns,
        "indexes": change.indexes,
        "INVALID indexes, rebuilt:": change.rebuilt,
        "constraints": change.constraints,
        "triggers": change.triggers,
    }
    return "; ".join(f"{kind} {', '.join(names)}" for kind, names in kinds.items() if names) or "left as it is"


def _show_obstacles(found: Plan) -> None:
    if found.obstacles:
        err.print("[red]This stands in the way:[/]")
    for obstacle in found.obstacles:
        err.print(f"- {obstacle.sentence}", markup=False, soft_wrap=True)


def _undo(*, yes: bool, as_json: bool) -> None:
    engine = db.engine()
    before = migrations.current(engine)
    if before == migrations.BASELINE:
        if as_json:
            print_json({"ok": True, "before": before, "after": before, "undo": None})
        else:
            out.print("Nothing to do: the schema is V1's.")
        return
    found = migrations.what_undo_loses(engine)
    if not as_json:
        _show_losses(found)
    if yes:
        after = migrations.undo(engine)
        if as_json:
            print_json({"ok": True, "before": before, "after": after, "undo": found})
        else:
            out.print("Taken back: the schema is V1's.")
        return
    if as_json:
        print_json({"ok": False, "before": before, "after": before, "undo": found})
    else:
        err.print("Nothing was changed. Back up what is to be kept, then run it with --yes.")
    raise typer.Exit(Exit.USAGE)


def _show_losses(found: Losses) -> None:
    shown = table("would be lost", "rows", title=None)
    for loss in found.lost:
        shown.add_row(loss.what, str(loss.count))
    out.print(shown if found.lost else "Nothing would be lost.")
    if found.plain:
        out.print(
            f"Dossiers of V2 that stay, as rows like V1's: {found.plain}. They lose their run "
            "ids; those runs cannot be published again."
        )
    if found.running:
        out.print(f"Jobs running now: {found.running}. Stop the workers and beat first.")
