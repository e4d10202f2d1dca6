"""The command line: `columnline`. Exit statuses: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 unavailable.

A command's module is imported when the command is called: each needs other libraries, none needs all of them.
"""

from typing import Any

import typer
from typer.core import TyperGroup

from worker.cli.lazy import LazyCommand

COMMANDS = {
    "up": ("up:up", "Start the bridge, a worker and beat, and keep them running until Ctrl-C or SIGTERM."),
    "demo": ("demo:demo", "Send the sample runs through the bridge; exit status 0 if each ends as expected."),
    "migrate": (
        "migrate:migrate",
        "Create or adopt the tables. Additive, safe beside a running app, and a no-op the second time.",
    ),
    "import": (
        "imports:import_files",
        "Put runs and their outputs into the database from files, all of them or none. Publishes nothing.",
    ),
    "publish": ("jobs:publish", "Publish finished runs. Exit status 1 if one was refused or ended in error."),
    "status": ("jobs:status", "Show a job with its attempts, or how many jobs are in which state."),
    "errors": (
        "jobs:errors",
        "List what needs somebody: jobs in error, held ones, and reruns without an end, each with what to do.",
    ),
    "retry": (
        "jobs:retry",
        "Make jobs due again that are in error, cancelled, held or waiting: those named, or those a filter finds.",
    ),
    "dossiers": (
        "calendar:dossiers",
        "List dossiers of V1 and V2, newest first; or show one, with what was decided about its release.",
    ),
    "releases": (
        "calendar:releases",
        "Show the release calendar: what becomes visible when, and what is superseded then.",
    ),
    "release": (
        "calendar:release",
        "Show a dossier to its readers now; or put it on another day, or take it off the calendar.",
    ),
    "archive": (
        "calendar:archive",
        "Archive a dossier; one that readers never saw leaves the calendar, and replaces nothing any more.",
    ),
    "export": (
        "export:export",
        "Write dossiers, their contacts or their signals to a CSV or XLSX file, V1 and V2 alike, newest first.",
    ),
    "batch": (
        "overview:batch",
        "Show how far a batch is, or list batches. Exit status 1 if something in the batch failed.",
    ),
    "stats": (
        "overview:stats",
        "Compare V1 and V2: published, errors, success rate, and how long it took. The last 30 days by default.",
    ),
    "rerun": (
        "make:rerun",
        "Have Make.com run the pipeline again from the dossier's seed; what it publishes replaces the dossier.",
    ),
    "drain": (
        "jobs:drain",
        "Work off all due jobs in this process, without the broker: for the day Redis is gone.",
    ),
    "doctor": (
        "doctor:doctor",
        "Look for what may be wrong, and say what to type about it. Exit status 1 if there is a problem.",
    ),
    "prune": (
        "prune:prune",
        "Delete what is old: ended jobs, attempts, history. Beat does so daily; publishes and outputs stay.",
    ),
    "keys": ("keys:app", "API keys of the bridge."),
    "clients": ("clients:app", "Map clients, set what they want, keep both tables of them equal."),
    "callbacks": ("make:callbacks_app", "What scenarios are told of the ends of publishes."),
    "make": ("make:make_app", "Ready-made pieces for Make.com."),
}
"""Each command's function or group, and the line of help that says what it does, in the order of the help."""


class Commands(TyperGroup):
    """All commands, none of them imported yet."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, (place, line) in COMMANDS.items():
            self.add_command(LazyCommand(name, f"worker.cli.{place}", line))


app = typer.Typer(
    cls=Commands,
    help="Publish finished pipeline runs as dossiers, and look after them.\n\n"
    "Exit status: 0 done, 1 failed or ended in error, 2 wrong usage or settings, 3 not found, 4 unavailable.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


@app.callback()
def prepare() -> None:
    """Keep log lines off standard output, which is for answers, and below warnings off the terminal."""
    from worker import logs  # noqa: PLC0415 - not before a command is called
    from worker.cli.output import reporting_errors  # noqa: PLC0415 - not before a command is called

    with reporting_errors():
        logs.configure("WARNING")


def main() -> None:
    """Run the command line."""
    app()
