"""XLSX, written row by row: a text is a text, whatever it looks like, so it needs no `'` before it.

The sheets and the file itself are made in a folder of their own, which goes with the iterator, however that ends.
"""

import re
import tempfile
from collections.abc import Generator, Iterable
from pathlib import Path

from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.worksheet import Worksheet

from models.clean import REPLACEMENT
from worker.errors import Unavailable
from worker.export.cells import Cell
from worker.export.columns import header
from worker.export.order import What

MAX_ROWS = 1_048_576
LONGEST = 32_767
CUT = " […cut: a cell holds no more]"
_READ_AT_ONCE = 256 * 1024
_NO_XML = re.compile("[\ud800-\udfff\ufffe\uffff]")
_RICH = ("<r>", "</r>")


def parts(what: What, pages: Iterable[list[list[Cell]]]) -> Generator[bytes, None, None]:
    """The file, in parts. While it is made, an empty part tells that a page was read.

    Raises:
        Unavailable: the disk is full, or has no folder for it.
    """
    try:
        yield from _made(what, pages)
    except (OSError, FileCreateError) as error:
        raise Unavailable(
            f"An XLSX file is made on the disk first, and that failed: {error}. Make room for temporary files, or "
            "ask for CSV."
        ) from error


def _made(what: What, pages: Iterable[list[list[Cell]]]) -> Generator[bytes, None, None]:
    with tempfile.TemporaryDirectory(prefix="columnline-export-") as folder:
        path = Path(folder) / what
        sheets = _Sheets(Workbook(path, {"constant_memory": True, "tmpdir": folder, "use_zip64": True}), what)
        try:
            sheets.start()
            for page in pages:
                for row in page:
                    sheets.add(row)
                yield b""
            sheets.finish()
        finally:
            sheets.forget()
        with path.open("rb") as file:
            while part := file.read(_READ_AT_ONCE):
                yield part


class _Sheets:
    """The rows of a file, on as many sheets as they need, each with a header that stays in sight."""

    def __init__(self, book: Workbook, what: What) -> None:
        self._book = book
        self._what = what
        self._bold = book.add_format({"bold": True})
        self._count = 0

    def start(self) -> None:
        """Start a sheet with its header."""
        self._count += 1
        name = self._what if self._count == 1 else f"{self._what} {self._count}"
        self._sheet: Worksheet = self._book.add_worksheet(name)
        self._sheet.freeze_panes(1, 0)
        for column, title in enumerate(header(self._what)):
            self._sheet.write_string(0, column, title, self._bold)
        self._next = 1

    def add(self, row: list[Cell]) -> None:
        """Write a row, on the next sheet where this one is full."""
        if self._next >= MAX_ROWS:
            self.start()
        sheet, number = self._sheet, self._next
        for column, value in enumerate(row):
            match value:
                case str():
                    if value:
                        sheet.write_string(number, column, written(value))
                case bool():
                    sheet.write_boolean(number, column, value)
                case int() | float():
                    sheet.write_number(number, column, value)
                case None:
                    pass
        self._next += 1

    def finish(self) -> None:
        """Write the file. Takes a while: the rows are compressed now."""
        self._book.close()

    def forget(self) -> None:
        """Let go of what is open: a file that nobody waits for is not written first."""
        for sheet in self._book.worksheets():
            sheet.row_data_fh.close()


def written(text: str) -> str:
    """The text as a cell may hold it: what XML cannot say is replaced, what is too long is cut and says so."""
    text = text.replace("\r\n", "\n")  # as Excel breaks lines in a cell
    if not text.isascii():
        text = _NO_XML.sub(REPLACEMENT, text)
    if text.startswith(_RICH[0]) and text.endswith(_RICH[1]):
        text += " "  # or the library takes it for markup of its own, and writes it as it stands
    if len(text) * 2 <= LONGEST or len(text.encode("utf-16-le")) // 2 <= LONGEST:
        return text
    room = 2 * (LONGEST - len(CUT))
    return text.encode("utf-16-le")[:room].decode("utf-16-le", "ignore") + CUT
