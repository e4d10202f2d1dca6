"""`columnline import`: files of runs and clients go in whole, or not at all with a word on what is wrong where."""

import json

import pytest

from tests.conftest import SAMPLES
from tests.database.command import columnline, shown, told
from tests.database.publishing import NORTHWIND, accept, execute, job_of, one, query
from worker.drain import drain

RUN = {"run_id": "RUN_1", "client_id": "CLT_NORTHWIND_001"}
STEP = {"step_name": "10_WRITER_INTRO", "output": {"text": "x"}}
V2 = {"client_id": "CLT_NEW_001", "client_name": "New", "status": "active"}

pytestmark = pytest.mark.usefixtures("clients")


@pytest.fixture
def file(tmp_path):
    """A function that writes a document to a file of this name, and returns its path."""

    def write(document, name="run.json"):
        path = tmp_path / name
        path.write_text(json.dumps(document))
        return path

    return write


def everything():
    return {
        table: query(f"select * from {table}")
        for table in ("v2_runs", "v2_pipeline_logs", "clients", "v2_clients")
    }


def test_a_run_without_outputs_yet_is_registered(file):
    assert told(columnline("import", file({"run": RUN, "steps": []}), "--json"))["run_ids"] == ["RUN_1"]
    assert one("select client_id as c from v2_runs").c == "CLT_NORTHWIND_001"


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"run": {}, "steps": []}, "run.run_id"),
        ({"run": RUN | {"run_id": "A\nB"}, "steps": []}, "run.run_id"),
        ({"run": RUN | {"run_id": "x" * 129}, "steps": []}, "run.run_id"),
        ({"run": [], "steps": []}, "run"),
        ({"run": RUN, "steps": {}}, "steps"),
        ({"run": RUN, "steps": [{"output": 1}]}, "steps.0.step_name"),
        ({"run": RUN, "steps": [STEP | {"step_id": "A\x00"}]}, "steps.0.step_id"),
        ({"run": RUN | {"client_id": "CLT_NOBODY"}, "steps": []}, "client_id"),
        ({"v2_clients": None}, "v2_clients"),
        ({"v2_clients": [V2 | {"colour": "red"}]}, "colour"),
    ],
)
def test_what_is_no_run_and_no_client_is_refused_with_its_field_and_nothing_is_imported(file, document, field):
    before = everything()
    good = file({"run": RUN | {"run_id": "GOOD"}, "steps": [STEP]}, "good.json")
    bad = file(document, "bad.json")
    error = told(columnline("import", good, bad, "--json"), status=1 if "CLT_NOBODY" not in str(document) else 3)[
        "error"
    ]
    assert error["field"] == field
    assert everything() == before


REFUSED = [{"id": "no uuid", "name": "A"}, {"slug": "a"}, {"id": str(NORTHWIND)}]
UNSTORABLE = [{"name": "no uuid\u0000"}, {"name": "no uuid\ud83d"}]


@pytest.mark.parametrize("row", REFUSED + UNSTORABLE)
def test_what_the_database_refuses_is_told_with_its_file_and_no_text_of_the_row(file, row):
    before = everything()
    path = file({"clients": [row], "v2_clients": []})
    error = told(columnline("import", path, "--json"), status=1)["error"]
    assert str(path) in error["detail"]
    assert "no uuid" not in error["detail"]
    assert everything() == before


def test_a_publish_that_waited_for_the_outputs_goes_on(file):
    document = json.loads((SAMPLES / "run_clean.json").read_text())
    run_id = document["run"]["run_id"]
    told(columnline("import", file(document | {"steps": document["steps"][:1]}), "--json"))
    accept(run_id)
    list(drain())
    assert job_of(run_id).state == "waiting"
    execute("update jobs set rung_at = null")
    told(columnline("import", file(document), "--json"))
    assert job_of(run_id).rung_at is not None
    list(drain())
    assert job_of(run_id).state == "done"


def test_what_to_type_next_can_be_pasted(file):
    run_id = "[red] it's 1"
    printed = shown(columnline("import", file({"run": RUN | {"run_id": run_id}, "steps": []})))
    assert """columnline publish '[red] it'"'"'s 1'""" in printed
