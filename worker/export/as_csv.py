"""CSV as RFC 4180 has it: CRLF, every cell quoted, UTF-8; nothing in it runs as a formula."""

import csv
import io
from collections.abc import Generator, Iterable

from worker.export.cells import Cell, neutral
from worker.export.columns import header
from worker.export.order import What

BOM = "\ufeff"


def parts(what: What, pages: Iterable[list[list[Cell]]], *, bom: bool = False) -> Generator[bytes, None, None]:
    """The file: the header with the first page, then page by page."""
    begin = (BOM if bom else "") + _lines([header(what)])
    for page in pages:
        yield (begin + _lines(page)).encode("utf-8", "replace")
        begin = ""
    if begin:
        yield begin.encode()


def _lines(rows: Iterable[Iterable[Cell]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerows([_written(value) for value in row] for row in rows)
    return text.getvalue()


def _written(value: Cell) -> Cell:
    if isinstance(value, str):
        return neutral(value)
    return str(value).lower() if isinstance(value, bool) else value
