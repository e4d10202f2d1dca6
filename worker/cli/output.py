"""How the command line speaks: tables for people, `--json` for programs, one exit status per kind of ending."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import IntEnum
from typing import Annotated, Any, NoReturn

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from worker.embedded import EmbeddedServerError
from worker.errors import ColumnlineError, ReleaseDateInvalid, Unavailable, WrongUsage
from worker.outcomes import is_outage, lacks_schema, passes, passes_at_once
from worker.settings import SettingsError
from worker.stored import dumps

_WIDE = 200  # a pipe has no width; a table in it is to be searched, so its ids must not break
out = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else _WIDE)
err = Console(stderr=True, highlight=False, emoji=False)


class Exit(IntEnum):
    """Exit statuses of every command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    UNAVAILABLE = 4


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

_NOT_FOUND = 404


@contextmanager
def reporting_errors(*, as_json: bool = False) -> Iterator[None]:
    """Turn whatever goes wrong in the block into a sentence (or a JSON object) and an exit status."""
    try:
        yield
    except ColumnlineError as error:
        fail(error, as_json=as_json)
    except SettingsError as error:
        err.print(str(error), style="red", markup=False)
        raise typer.Exit(Exit.USAGE) from None
    except EmbeddedServerError as error:
        fail(Unavailable(str(error)), as_json=as_json)
    except (DBAPIError, PoolTimeoutError) as error:
        if lacks_schema(error):
            fail(Unavailable("The database is not migrated. Run: columnline migrate."), as_json=as_json)
        if passes_at_once(error):
            fail(Unavailable("Somebody else worked on the same rows. Run the command again."), as_json=as_json)
        if passes(error):
            fail(
                Unavailable(
                    "The database broke it off: it took too long. Run it again, or raise "
                    "COLUMNLINE_STATEMENT_TIMEOUT."
                ),
                as_json=as_json,
            )
        if not is_outage(error):
            raise
        fail(
            Unavailable("PostgreSQL cannot be reached. Check DATABASE_URL and that the server runs."),
            as_json=as_json,
        )


def fail(error: ColumnlineError, *, as_json: bool = False) -> NoReturn:
    """Tell of the error and end with its exit status."""
    if as_json:
        print_json({"ok": False, "error": error.as_dict()})
    else:
        err.print(f"[red]{error.title}[/] [dim]({error.code})[/]")
        err.print(error.detail, markup=False)
    if error.status == _NOT_FOUND:
        raise typer.Exit(Exit.NOT_FOUND)
    if isinstance(error, WrongUsage | ReleaseDateInvalid):
        raise typer.Exit(Exit.USAGE)
    raise typer.Exit(Exit.UNAVAILABLE if isinstance(error, Unavailable) else Exit.FAILED)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(dumps(_plain(value)) + "\n")


def table(*columns: str, title: str | None = None) -> Table:
    """An empty table in the house style."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def when(moment: datetime | None) -> str:
    """A moment to the second, in UTC, or a dash."""
    return f"{moment:%Y-%m-%d %H:%M:%S}Z" if moment else "-"


STYLES = {
    "done": "green",
    "ready": "green",
    "complete": "green",
    "complete_with_errors": "red",
    "processing": "yellow",
    "error": "red",
    "conflict": "red",
    "held": "yellow",
    "waiting": "yellow",
    "cancelled": "dim",
}


def painted(state: str) -> str:
    """A state in its colour."""
    style = STYLES.get(state)
    return f"[{style}]{state}[/]" if style else escape(state)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
