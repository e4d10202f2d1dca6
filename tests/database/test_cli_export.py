"""`columnline export`: to a file that is whole or not there, or to standard output."""

import json
import os
import subprocess
import sys
import threading

import pytest

from tests.database.command import code_of, columnline, shown, told
from tests.database.exporting import dirty, read_csv, read_xlsx
from tests.database.publishing import LAKESHORE, NORTHWIND
from tests.database.rows import add, add_batch, add_list
from worker.export import reading
from worker.export.columns import COLUMNS, header
from worker.export.order import What

pytestmark = pytest.mark.usefixtures("clients")


def export(*words):
    result = columnline("export", *words)
    assert result.exit_code == 0, result.output
    return read_csv(result.stdout_bytes)


def companies(*words):
    return {row["company"] for row in export("dossiers", *words)}


@pytest.mark.parametrize("words", [[], ["--out", "-"], ["--format", "csv"]])
def test_without_a_file_csv_goes_to_standard_output_and_nothing_else_does(words):
    dirty()
    (row,) = export("contacts", *words)
    assert (row["company"], row["contact_name"]) == ("Old Haulage", "Ann Old")


def test_a_byte_order_mark_can_be_asked_for():
    assert columnline("export", "signals", "--bom").stdout_bytes.startswith(b"\xef\xbb\xbf")


def test_xlsx_goes_to_standard_output_too_where_that_is_no_terminal():
    dirty()
    result = columnline("export", "signals", "--format", "xlsx")
    assert [row["signal"] for row in read_xlsx(result.stdout_bytes)] == ["They build a depot", "Hiring"]


@pytest.mark.parametrize(("name", "reads"), [("a.csv", read_csv), ("a.xlsx", read_xlsx), ("a.XLSX", read_xlsx)])
def test_the_files_name_says_its_format(tmp_path, name, reads):
    dirty()
    path = tmp_path / name
    answer = told(columnline("export", "signals", "--out", path, "--json"))
    assert len(reads(path.read_bytes())) == 2
    assert answer == {
        "ok": True,
        "file": str(path),
        "bytes": path.stat().st_size,
        "total": 1,
        "dossiers": 1,
        "rows": 2,
    }
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_for_people_it_says_how_much_it_wrote_and_not_on_standard_output(tmp_path):
    dirty()
    result = columnline("export", "signals", "--out", tmp_path / "a.csv")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "2 rows of 1 dossiers" in result.stderr


def test_a_file_that_cannot_be_finished_is_not_there_and_what_was_there_stays(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("before")
    monkeypatch.setattr(reading, "PAGE", 1)
    add(run_id="RUN_A")
    add(run_id="RUN_B")
    real, calls = reading._read, []

    def broken(order, asked):
        calls.append(asked)
        if len(calls) == 2:
            assert len(list(tmp_path.iterdir())) == 2, "it is written beside"
            raise KeyboardInterrupt
        return real(order, asked)

    monkeypatch.setattr(reading, "_read", broken)
    result = columnline("export", "dossiers", "--out", path)
    assert result.exit_code != 0
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("a.csv", "before")]


def test_a_place_where_no_file_can_be_is_told(tmp_path):
    assert code_of(columnline("export", "signals", "--out", tmp_path / "none" / "a.csv", "--json")) == "validation"
    assert code_of(columnline("export", "signals", "--out", tmp_path, "--json")) == "validation"
    for folder in (".", "/", ""):
        assert code_of(columnline("export", "signals", "--out", folder, "--json")) == "validation"


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_goes_on_leading_to_the_file_that_is_written(tmp_path, is_there):
    dirty()
    link, path = tmp_path / "link.csv", tmp_path / "folder" / "a.csv"
    path.parent.mkdir()
    if is_there:
        path.write_text("before")
    link.symlink_to("folder/a.csv")
    columnline("export", "signals", "--out", link)
    assert link.is_symlink()
    assert len(read_csv(path.read_bytes())) == 2
    assert [one.name for one in path.parent.iterdir()] == ["a.csv"]


def test_a_pipe_is_written_into_and_stays_one(tmp_path):
    dirty()
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    told(columnline("export", "signals", "--out", pipe, "--json"))
    assert pipe.is_fifo()
    reader.join(30)
    assert len(read_csv(read[0])) == 2


def test_a_device_is_written_into_and_stays_one(tmp_path):
    link = tmp_path / "null"
    link.symlink_to(os.devnull)
    told(columnline("export", "signals", "--out", link, "--json"))
    assert link.is_char_device()
    assert [one.name for one in tmp_path.iterdir()] == ["null"]


@pytest.mark.parametrize("how", [">", "--out"])
def test_what_takes_no_more_is_told(tmp_path, how):
    link = tmp_path / "full"
    link.symlink_to("/dev/full")
    command = f"{sys.executable} -m worker.cli export signals {how} {link}"
    done = subprocess.run(["bash", "-c", command], env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "(validation)" in done.stderr
    assert "Errno" not in done.stderr


def test_a_full_disk_is_an_outage_and_leaves_no_file(tmp_path, disk_full):
    assert code_of(columnline("export", "signals", "--out", tmp_path / "a.xlsx", "--json"), 4) == "unavailable"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.xls", "A.XLS", "a.ods"])
def test_a_name_of_a_format_that_is_not_written_is_refused_unless_the_format_is_said(tmp_path, name):
    path = tmp_path / name
    assert code_of(columnline("export", "signals", "--out", path, "--json")) == "validation"
    assert not path.exists()
    told(columnline("export", "signals", "--out", path, "--format", "csv", "--json"))
    assert path.exists()


def test_json_needs_a_file_to_tell_of():
    assert code_of(columnline("export", "signals", "--json"), 2) == "validation"


def test_every_option_narrows_it_down():
    batch = add_batch("7")
    mine = add(run_id="RUN_A", batch_id=batch, company_name="Mine", released_at="2026-01-02 00:00Z")
    old = add(pipeline_version="v1", company_name="Old", status="archived", created_at="2020-01-01 12:00Z")
    add(run_id="RUN_B", client_id=LAKESHORE, company_name="Theirs")
    hot = add_list("Hot", NORTHWIND, mine)
    assert companies() == {"Mine", "Old", "Theirs"}
    for words, expected in (
        (["--client", "CLT_LAKESHORE_001"], {"Theirs"}),
        (["--version", "v1"], {"Old"}),
        (["--status", "archived"], {"Old"}),
        (["--release", "released"], {"Mine"}),
        (["--list", "Hot"], {"Mine"}),
        (["--list", hot], {"Mine"}),
        (["--batch", "7"], {"Mine"}),
        (["--batch", batch], {"Mine"}),
        (["--company", "thei"], {"Theirs"}),
        (["--since", "2d"], {"Mine", "Theirs"}),
        (["--since", "2020-01-01"], {"Mine", "Old", "Theirs"}),
        (["--since", "2020-01-02"], {"Mine", "Theirs"}),
        (["--since", "2020-01-01T12:00:01Z"], {"Mine", "Theirs"}),
        (["--until", "2020-01-01"], {"Old"}),
        (["--until", "2020-01-01T12:00:00Z"], set()),
        (["--batch-date", "2020-01-01"], {"Old"}),
        (["--ids", f"RUN_B,{old}"], {"Old", "Theirs"}),
    ):
        assert companies(*words) == expected, words


def test_what_is_named_and_is_not_there_or_is_there_twice_is_told(tmp_path):
    for client in (NORTHWIND, LAKESHORE):
        add_list("Hot", client)
    out = ("--out", tmp_path / "a.csv", "--json")
    assert code_of(columnline("export", "signals", "--list", "Cold", *out), 3) == "list_not_found"
    assert code_of(columnline("export", "signals", "--list", "Hot", *out)) == "validation"
    assert columnline("export", "signals", "--list", "Hot", "--client", "CLT_NORTHWIND_001").exit_code == 0
    assert code_of(columnline("export", "signals", "--batch", "9", *out), 3) == "batch_not_found"
    assert code_of(columnline("export", "signals", "--ids", "RUN_NONE", *out), 3) == "dossier_not_found"


@pytest.mark.parametrize("what", What)
def test_the_columns_can_be_asked_for(what):
    said = shown(columnline("export", what, "--columns"))
    assert all(name in said for name in header(what))
    assert told(columnline("export", what, "--columns", "--json")) == [
        {"name": column.name, "says": column.says} for column in COLUMNS[what]
    ]


def test_who_stops_reading_a_pipe_ends_it_quietly():
    dirty()
    command = f"{sys.executable} -m worker.cli export signals | true"
    done = subprocess.run(["bash", "-c", command], env=os.environ, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert json.dumps(done.stdout) == '""'
