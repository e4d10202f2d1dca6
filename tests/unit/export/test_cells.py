"""Values as cells: what a spreadsheet would run is made harmless, and nothing else is touched."""

import csv
import errno
import io
import zipfile
from datetime import UTC, date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from worker.errors import Unavailable
from worker.export import as_csv, as_xlsx
from worker.export.cells import cell, neutral
from worker.export.columns import COLUMNS, header
from worker.export.order import What

CHICAGO = ZoneInfo("America/Chicago")
STARTERS = ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
WIDTH = len(COLUMNS[What.SIGNALS])


@pytest.mark.parametrize(
    "before",
    [
        *["", " ", "   ", "\x00", "\x0b", "\x7f", "\xa0", "\u200b", "\ufeff", "\u3000", "\u2028"],
        *["\u0301", "\ufe0f", "\u034f", "\u20dd", "\u115f", "\u1160", "\u3164", "\uffa0", " \u3164\u0301"],
    ],
)
@pytest.mark.parametrize("starter", STARTERS)
def test_a_formula_has_a_quote_before_it_whatever_hides_its_beginning(before, starter):
    text = f'{before}{starter}HYPERLINK("http://x")'
    assert neutral(text) == f"'{text}"


@pytest.mark.parametrize("text", ["\tx", "\rx", "\nx", "\r\n=1", "\t"])
def test_a_tab_or_line_break_at_the_beginning_has_a_quote_before_it(text):
    assert neutral(text) == f"'{text}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Acme",
        "3-2",
        "a=b",
        " a",
        "(=1)",
        "'=1",
        "é",
        "東京",
        "#1",
        '"=1"',
        "/x",
        "•-",
        "가",
        "\u3164a=",
        "e\u0301=",
    ],
)
def test_other_texts_stay_as_they_are(text):
    assert neutral(text) == text


@given(st.text())
@example("=1")
@example(" \t=1")
def test_no_cell_of_any_text_begins_with_a_formula(text):
    seen = neutral(text)
    assert seen.lstrip("\x00\x0b\x7f\ufeff\u200b " + "\t\r\n")[:1] not in {*STARTERS}
    assert seen[:1] not in {"\t", "\r", "\n"}
    assert seen.removeprefix("'") == text.removeprefix("'")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (78, 78),
        (-5, -5),
        (True, True),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (date(2026, 1, 20), "2026-01-20"),
        (datetime(2026, 1, 20, 14, 0, 0, 999, tzinfo=UTC), "2026-01-20T08:00:00-06:00"),
        (datetime(2026, 7, 20, 14, tzinfo=UTC), "2026-07-20T09:00:00-05:00"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00+00:00"),
        ((), ""),
        (("a", "b; c"), "a; b; c"),
    ],
    ids=str,
)
def test_a_value_is_written_as_a_spreadsheet_reads_it(value, shown):
    assert cell(value, CHICAGO) == shown
    assert type(cell(value, CHICAGO)) is type(shown)


values = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**9), 10**9), st.text(st.characters(exclude_categories=["Cs"]))
)
tables = st.lists(st.lists(values, min_size=WIDTH, max_size=WIDTH), max_size=4)


def as_text(value):
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case str():
            return neutral(value)
    return str(value)


@given(tables, st.booleans())
def test_what_a_csv_reader_reads_is_what_was_written(rows, bom):
    written = b"".join(as_csv.parts(What.SIGNALS, [rows], bom=bom))
    assert written.startswith(b"\xef\xbb\xbf") == bom
    text = written.decode("utf-8-sig")
    found = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert found == [header(What.SIGNALS)] + [[as_text(value) for value in row] for row in rows]


def test_every_cell_is_quoted_and_every_line_ends_as_the_rfc_has_it():
    row = ["a", 1, None, 'say "x"'] + [""] * (WIDTH - 4)
    first, second, end = b"".join(as_csv.parts(What.SIGNALS, [[row]])).decode().split("\r\n")
    assert first == ",".join(f'"{name}"' for name in header(What.SIGNALS))
    assert second.startswith('"a","1","","say ""x"""')
    assert end == ""


def test_without_rows_there_is_a_header():
    assert b"".join(as_csv.parts(What.SIGNALS, [])).count(b"\r\n") == 1
    assert sheets([]) == {"signals": [header(What.SIGNALS)]}


def sheets(rows):
    """What another library reads in the file."""
    book = openpyxl.load_workbook(io.BytesIO(b"".join(as_xlsx.parts(What.SIGNALS, [rows]))))
    assert all(sheet.freeze_panes == "A2" for sheet in book)
    assert {book.properties.creator, book.properties.lastModifiedBy} <= {None, ""}
    assert not [cell for sheet in book for row in sheet for cell in row if cell.data_type == "f" or cell.hyperlink]
    return {sheet.title: [[value.value for value in row] for row in sheet] for sheet in book}


def first_cell(text):
    _, row = sheets([[text, *[None] * (WIDTH - 1)]])["signals"]
    return row[0]


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "{=1+1}",
        "+1 555 0100",
        "@SUM(1)",
        "https://acme.example",
        "mailto:a@b.example",
        "0012",
        "1e5",
        "TRUE",
        " a ",
        "a\nb\tc",
    ],
)
def test_in_xlsx_a_text_is_that_text_and_no_formula_number_or_link(text):
    assert first_cell(text) == text


@pytest.mark.parametrize("text", ["<r><t>x</t></r>", "<r>&</r>", "</c><c>", "<r></t></si></r>"])
def test_in_xlsx_a_text_is_no_markup(text):
    assert first_cell(text).rstrip() == text


@pytest.mark.parametrize("text", ["a\x01b", "a\x0bb", "a\x1fb", "_x0041_", "a\rb"])
def test_in_xlsx_control_characters_survive(text):
    assert openpyxl.utils.escape.unescape(first_cell(text)) == text


@pytest.mark.parametrize("text", ["a\ufffeb", "a\uffffb", "a\ud800b"])
def test_in_xlsx_what_xml_cannot_say_is_replaced(text):
    assert first_cell(text) == "a\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize("unit", ["x", "é", "👍"])
def test_in_xlsx_a_text_that_no_cell_holds_is_cut_and_says_so(unit):
    length = as_xlsx.LONGEST // (len(unit.encode("utf-16-le")) // 2)
    assert first_cell(unit * length) == unit * length
    cut = first_cell(unit * (length + 1))
    assert cut.endswith(as_xlsx.CUT)
    assert as_xlsx.LONGEST - 2 < len(cut.encode("utf-16-le")) // 2 <= as_xlsx.LONGEST


@settings(deadline=None)
@given(tables)
def test_any_text_makes_a_workbook_that_can_be_read(rows):
    (found,) = sheets(rows).values()
    assert len(found) == 1 + len(rows) or not any(any(row) for row in rows)


def test_numbers_and_truths_are_no_texts():
    rows = [[78, True, False, -2, *["x"] * (WIDTH - 4)]]
    assert sheets(rows)["signals"][1][:4] == [78, True, False, -2]


def test_more_rows_than_a_sheet_holds_go_on_on_the_next(monkeypatch):
    monkeypatch.setattr(as_xlsx, "MAX_ROWS", 4)
    rows = [[str(number), *["x"] * (WIDTH - 1)] for number in range(7)]
    found = sheets(rows)
    assert list(found) == ["signals", "signals 2", "signals 3"]
    assert [sheet[0] for sheet in found.values()] == [header(What.SIGNALS)] * 3
    assert [row[0] for sheet in found.values() for row in sheet[1:]] == [str(number) for number in range(7)]


def test_a_sheet_of_more_bytes_than_a_plain_zip_file_holds_is_written(monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1_000)
    rows = [[f"{number}" * 100, *["x"] * (WIDTH - 1)] for number in range(50)]
    assert sheets(rows)["signals"][1:] == rows


@pytest.mark.parametrize("place", [(as_xlsx.Worksheet, "write_string"), (zipfile.ZipFile, "write")])
def test_a_full_disk_is_an_outage_and_leaves_nothing_on_it(place, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(as_xlsx.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(*place, full)
    with pytest.raises(Unavailable, match="No space left on device"):
        sheets([["x"] * WIDTH])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_a_workbook_that_is_not_finished_leaves_nothing_on_the_disk(taken, tmp_path, monkeypatch):
    monkeypatch.setattr(as_xlsx.tempfile, "tempdir", str(tmp_path))
    made = as_xlsx.parts(What.SIGNALS, [[["x"] * WIDTH]] * 2)
    for _ in range(taken):
        next(made)
    assert bool(list(tmp_path.iterdir())) == bool(taken)
    made.close()
    assert list(tmp_path.iterdir()) == []
