"""Dossiers as files for spreadsheets: what is asked for, read page by page, written as it is read.

Read `order` (what may be asked for), `columns` (what comes out), `reading`, then `cells`, `as_csv` and `as_xlsx`
(how it is written). `files` keeps what a job writes.
"""

from collections.abc import Generator

from worker.export import as_csv, as_xlsx
from worker.export.order import Format, Order
from worker.export.reading import Progress, pages


def parts(order: Order, progress: Progress | None = None) -> Generator[bytes, None, None]:
    """The file, part by part, while its rows are read; a part is empty where reading went on and nothing is due.

    Between two parts no transaction is open, so whoever takes them may be as slow as they like. Closing the
    iterator removes whatever it keeps on the disk.

    Args:
        order: what to export.
        progress: told how far it is.
    """
    read = pages(order, progress or Progress())
    if order.format is Format.XLSX:
        return as_xlsx.parts(order.what, read)
    return as_csv.parts(order.what, read, bom=order.bom)
