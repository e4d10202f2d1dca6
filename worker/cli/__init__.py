"""The command line: `columnline`. Exit statuses: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 unavailable."""

import typer

from worker import logs
from worker.cli import calendar, clients, demo, imports, jobs, keys, make, migrate, overview, up
from worker.cli.output import reporting_errors

app = typer.Typer(
    help="Publish finished pipeline runs as dossiers, and look after them.\n\n"
    "Exit status: 0 done, 1 failed or ended in error, 2 wrong usage or settings, 3 not found, 4 unavailable.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


@app.callback()
def prepare() -> None:
    """Keep log lines off standard output, which is for answers, and below warnings off the terminal."""
    with reporting_errors():
        logs.configure("WARNING")


app.command()(up.up)
app.command()(demo.demo)
app.command()(migrate.migrate)
app.add_typer(keys.app, name="keys")
app.add_typer(clients.app, name="clients")
app.command("import")(imports.import_files)
app.command()(jobs.publish)
app.command()(jobs.status)
app.command()(jobs.errors)
app.command()(jobs.retry)
app.command()(calendar.dossiers)
app.command()(calendar.releases)
app.command()(calendar.release)
app.command()(calendar.archive)
app.command()(overview.batch)
app.command()(overview.stats)
app.command()(make.rerun)
app.add_typer(make.callbacks_app, name="callbacks")
app.add_typer(make.make_app, name="make")
app.command()(jobs.drain)


def main() -> None:
    """Run the command line."""
    app()
