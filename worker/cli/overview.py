"""Commands that look at many dossiers at once: batch, stats."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from worker import db, progress
from worker import stats as figures
from worker.cli.given import ClientOption, Since, read_batch, read_client, read_since
from worker.cli.output import AsJson, Exit, err, out, painted, print_json, reporting_errors, table, when
from worker.progress import BatchProgress
from worker.stats import Durations, Figures

_LOOK = 1.0


def batch(
    which: Annotated[str | None, typer.Argument(help="A batch id or a batch number; none: a list.")] = None,
    client: ClientOption = None,
    follow: Annotated[bool, typer.Option("--follow", help="Draw it until everything in it has ended.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show how far a batch is, or list batches. Exit status 1 if something in the batch failed."""
    if follow and which is None:
        raise typer.BadParameter("--follow needs a batch: its id or its number.")
    with reporting_errors(as_json=as_json):
        if which is None:
            with db.transaction() as session:
                found, _ = progress.page(session, client_id=read_client(session, client), limit=limit)
            _print_batches(found, as_json=as_json)
            return
        with db.transaction() as session:
            batch_id = read_batch(session, which, client)
        shown = _follow(batch_id) if follow else _look(batch_id)
        if as_json:
            print_json(shown)
        else:
            _print_batches([shown], as_json=False)
    if shown.failed:
        raise typer.Exit(Exit.FAILED)


def stats(
    since: Since = None,
    client: ClientOption = None,
    days: Annotated[bool, typer.Option("--days", help="Also by client and day.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare V1 and V2: published, errors, success rate, and how long it took. The last 30 days by default."""
    with reporting_errors(as_json=as_json):
        until = datetime.now(UTC)
        first = read_since(since) or until - timedelta(days=30)
        with db.transaction() as session:
            found = figures.stats(session, first, until, read_client(session, client))
        if as_json:
            print_json(found)
            return
        columns = ("published", "errors", "success", "to publish", "to release")
        totals = table("pipeline", *columns)
        for row in found.totals:
            totals.add_row(row.pipeline_version, *_cells(row))
        out.print(totals)
        if days:
            by_day = table("day", "client", "pipeline", *columns, title="\nby client and day")
            for day in found.days:
                by_day.add_row(str(day.day), escape(day.client_name), day.pipeline_version, *_cells(day))
            out.print(by_day)
        out.print("\nTimes count from a run's last output: median, and the 95th percentile in brackets.")


def _cells(row: Figures) -> Iterator[str]:
    yield str(row.published)
    yield str(row.errors)
    yield "-" if row.success_rate is None else f"{row.success_rate:.1%}"
    yield _span(row.seconds_to_publish)
    yield _span(row.seconds_to_release)


def _span(durations: Durations | None) -> str:
    return "-" if durations is None else f"{_seconds(durations.median)} ({_seconds(durations.p95)})"


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 100 else str(timedelta(seconds=round(value)))  # noqa: PLR2004


def _look(batch_id: UUID) -> BatchProgress:
    with db.transaction() as session:
        return progress.show(session, batch_id)


def _follow(batch_id: UUID) -> BatchProgress:
    """The batch once everything in it has ended; drawn meanwhile."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rest]}", markup=False),
    )
    with Progress(*columns, console=err) as drawn:
        task = drawn.add_task("batch", rest="")
        while True:
            now = _look(batch_id)
            rest = f"{now.failed} failed, {now.running} running, {now.held} held, {now.outstanding} to come"
            drawn.update(
                task,
                description=now.batch_number,
                total=now.total,
                completed=now.completed + now.failed,
                rest=rest,
            )
            if now.is_over:
                return now
            time.sleep(_LOOK)


def _print_batches(found: list[BatchProgress], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    shown = table(
        "batch",
        "client",
        "number",
        "status",
        "total",
        "completed",
        "failed",
        "running",
        "held",
        "to come",
        "opened",
    )
    for row in found:
        counts = (row.total, row.completed, row.failed, row.running, row.held, row.outstanding)
        names = (str(row.batch_id), escape(row.client_name), escape(row.batch_number), painted(row.status))
        shown.add_row(*names, *map(str, counts), when(row.created_at))
    out.print(shown)
