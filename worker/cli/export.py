"""The command that writes dossiers, contacts or signals to a file for a spreadsheet."""

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, BinaryIO
from uuid import UUID, uuid4

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Drawn
from sqlalchemy.orm import Session

from models.production import DossierStatus
from worker import db
from worker.cli.calendar import Version
from worker.cli.given import (
    ClientOption,
    Since,
    read_batch,
    read_batch_date,
    read_client,
    read_dossier,
    read_list,
    read_since,
    read_until,
)
from worker.cli.output import AsJson, err, out, print_json, reporting_errors, table
from worker.dossier_filter import DossierFilter, ReleaseState
from worker.errors import Validation, WrongUsage
from worker.export import parts
from worker.export.columns import COLUMNS
from worker.export.order import Format, Order, What
from worker.export.reading import Progress

STDOUT = "-"
_OTHERS = (".xls", ".xlsm", ".xlsb", ".ods")
"""Ends of names by which a spreadsheet expects a format that is not written here."""


def export(
    what: Annotated[What, typer.Argument(help="What a row is.")],
    kind: Annotated[Format | None, typer.Option("--format", help="By --out's end, else csv.")] = None,
    to: Annotated[str | None, typer.Option("--out", help="The file; - or none: standard output.")] = None,
    client: ClientOption = None,
    version: Annotated[Version | None, typer.Option(help="Only of this pipeline.")] = None,
    status: Annotated[DossierStatus | None, typer.Option(help="Only with this status.")] = None,
    release: Annotated[
        ReleaseState | None, typer.Option(help="Only those readers see, will see, or will not.")
    ] = None,
    on_list: Annotated[
        str | None, typer.Option("--list", help="Only on this list: its id, or its name beside --client.")
    ] = None,
    batch: Annotated[str | None, typer.Option(help="Only of this batch: its id or its number.")] = None,
    company: Annotated[str | None, typer.Option(help="Part of the company's name or domain.")] = None,
    batch_date: Annotated[str | None, typer.Option(help="Only of this day of the client's: 2026-01-20.")] = None,
    since: Since = None,
    until: Annotated[str | None, typer.Option(help="Not made after this day, in UTC, or this moment.")] = None,
    ids: Annotated[str | None, typer.Option(help="Only these: dossier or run ids, divided by commas.")] = None,
    bom: Annotated[bool, typer.Option("--bom", help="Begin a CSV with a byte order mark, for Excel.")] = False,
    columns: Annotated[bool, typer.Option("--columns", help="Print what the columns are, and stop.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write dossiers, their contacts or their signals to a CSV or XLSX file, V1 and V2 alike, newest first."""
    with reporting_errors(as_json=as_json):
        if columns:
            _print_columns(what, as_json=as_json)
            return
        to = None if to == STDOUT else to
        form = kind or _named(to)
        if to is None and as_json:
            raise WrongUsage("--json tells of a file. Name one with --out.", field="out")
        if to is None and form is Format.XLSX and sys.stdout.isatty():
            raise WrongUsage("XLSX is no text for a terminal. Name a file with --out.", field="out")
        with db.transaction() as session:
            wanted = DossierFilter(
                client_id=read_client(session, client),
                status=status,
                pipeline_version=version,
                release=release,
                list_id=read_list(session, on_list, client),
                batch_id=read_batch(session, batch, client),
                company=company,
                batch_date=read_batch_date(batch_date),
                since=read_since(since),
                until=read_until(until),
                ids=_read_ids(session, ids),
            )
        order, progress = Order(what, form, wanted, bom=bom), Progress()
        if to is None:
            with _standard_output() as file:
                _write(order, progress, file)
            return
        with _whole(Path(to)) as file:
            size = _write(order, progress, file)
        if as_json:
            print_json({"ok": True, "file": to, "bytes": size, **asdict(progress)})
        else:
            err.print(f"{escape(to)}: {progress.rows} rows of {progress.dossiers} dossiers", soft_wrap=True)


def _named(to: str | None) -> Format:
    """The format that the file's name says.

    Raises:
        Validation: it says one that is not written here.
    """
    name = (to or "").lower()
    if name.endswith(_OTHERS):
        raise Validation(
            f"No file like {to} can be written. Name one that ends with .xlsx or .csv, or add --format.",
            field="out",
        )
    return Format.XLSX if name.endswith(".xlsx") else Format.CSV


def _write(order: Order, progress: Progress, file: BinaryIO) -> int:
    """Write the export; drawn meanwhile, where a person looks on. Returns how many bytes it has."""
    drawing = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    size = 0
    with (
        Drawn(*drawing, console=err, disable=not err.is_terminal, transient=True) as drawn,
        closing(parts(order, progress)) as made,
    ):
        task = drawn.add_task(order.what, total=None)
        for part in made:
            size += file.write(part)
            drawn.update(task, total=progress.total, completed=progress.dossiers)
    file.flush()
    return size


@contextmanager
def _standard_output() -> Iterator[BinaryIO]:
    """Standard output.

    Raises:
        Validation: it takes no more.
    """
    try:
        with _writing("Standard output"):
            yield sys.stdout.buffer
    except Validation:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python tries once more at its end
        raise


@contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    """A file that has the name once it is whole; where the block raises, what was there stays.

    A link goes on leading to its file, and what is no file, such as a pipe or a device, is written into.

    Raises:
        Validation: there can be no such file.
    """
    if not path.name:
        raise Validation(f"{str(path)!r} is a folder. Name a file in it.", field="out")
    with _writing(path):
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                yield file
            return
        path = Path(os.path.realpath(path))
        beside = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
        try:
            with beside.open("xb") as file:
                yield file
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


@contextmanager
def _writing(name: str | Path) -> Iterator[None]:
    """Say of a failure what cannot be written; who stops reading a pipe ends it, quietly."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Validation(f"{name} cannot be written: {error.strerror or error}.", field="out") from None


def _read_ids(session: Session, text: str | None) -> tuple[UUID, ...] | None:
    if text is None:
        return None
    return tuple(read_dossier(session, name.strip()) for name in text.split(",") if name.strip())


def _print_columns(what: What, *, as_json: bool) -> None:
    found = COLUMNS[what]
    if as_json:
        print_json([{"name": column.name, "says": column.says} for column in found])
        return
    listed = table("column", "what it says")
    for column in found:
        listed.add_row(column.name, column.says)
    out.print(listed)
