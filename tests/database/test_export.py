"""Exports over HTTP: V1 and V2 alike, as CSV and XLSX, of the dossiers that are wanted, and safe to open."""

import json

import pytest

from tests.database.exporting import XLSX, delete, dirty, get, hostile, published, read_csv, read_xlsx
from tests.database.publishing import LAKESHORE, NORTHWIND, execute, one, query
from tests.database.rows import add, add_batch, add_list
from worker import db
from worker.dossier_filter import DossierFilter
from worker.export import parts, reading
from worker.export.columns import COLUMNS, header
from worker.export.order import Format, Order, What

WHATS = [what.value for what in What]
KINDS = [kind.value for kind in Format]


@pytest.mark.parametrize("kind", KINDS)
def test_v1_and_v2_come_out_alike_newest_first(http, sample, kind):
    execute("update clients set timezone = 'America/Chicago'")
    v2, v1 = published(http, sample("run_clean")), dirty(created_at="2026-01-20 14:00Z")
    new, old = get(http, kind=kind)
    assert [new["dossier_id"], old["dossier_id"]] == [v2, str(v1)]
    assert [new["pipeline_version"], old["pipeline_version"]] == ["v2", "v1"]
    view = http.get(f"/columnline/dossiers/{v2}").json()["view"]
    assert (new["company"], new["the_angle"], new["lists"]) == (view["companyName"], view["theAngle"], "Inbox")
    assert new["numbers"].split("; ") == view["companyIntel"]["numbers"]
    assert new["primary_contact_email"] == view["contacts"][0]["email"]
    assert new["lead_score"] == (str(view["leadScore"]) if kind == "csv" else view["leadScore"])
    assert (old["company"], old["what_they_do"], old["urgency"]) == ("Old Haulage", 'Hauls "freight"', "High")
    assert (old["the_angle"], old["domain"], old["run_id"] or None) == ("Call them, soon", "old.example", None)
    assert old["created_at"] == "2026-01-20T08:00:00-06:00"
    assert old["batch_date"] == "2026-01-20"
    assert old["updated"] == ("false" if kind == "csv" else False)


@pytest.mark.parametrize("kind", KINDS)
def test_each_contact_is_a_row_with_what_was_written_for_it(http, sample, kind):
    v2 = published(http, sample("run_clean"))
    dirty(created_at="2020-01-01 00:00Z")
    rows = get(http, "contacts", kind)
    view = http.get(f"/columnline/dossiers/{v2}").json()["view"]
    scripts = {script["contactId"]: script for script in view["emailScripts"]}
    assert scripts
    for row, contact in zip(rows, view["contacts"], strict=False):
        assert (row["contact_id"], row["contact_name"]) == (contact["contactId"], contact["name"])
        script = scripts.get(contact["contactId"], {})
        assert (row["email_subject"] or None) == script.get("emailSubject")
        assert (row["linkedin_message"] or None) == script.get("linkedinMessage")
    assert len(rows) == len(view["contacts"]) + 1
    old = rows[-1]
    assert (old["contact_name"], old["email"], old["email_subject"]) == (
        "Ann Old",
        "ann@old.example",
        "Your depot",
    )
    assert old["email_body"].splitlines() == ["Dear Ann,", "hi"]


@pytest.mark.parametrize("kind", KINDS)
def test_each_signal_is_a_row_and_a_link_that_is_none_is_left_out(http, sample, kind):
    v2 = published(http, sample("run_clean"))
    dirty(created_at="2020-01-01 00:00Z")
    rows = get(http, "signals", kind)
    view = http.get(f"/columnline/dossiers/{v2}").json()["view"]
    assert [row["signal"] for row in rows if row["dossier_id"] == v2] == [one["signal"] for one in view["whyNow"]]
    old = [(row["position"], row["signal"], row["proof_url"] or None) for row in rows if row["dossier_id"] != v2]
    first, second = ("1", "2") if kind == "csv" else (1, 2)
    assert old == [(first, "They build a depot", None), (second, "Hiring", None)]


@pytest.mark.parametrize("what", WHATS)
@pytest.mark.parametrize(("kind", "media_type"), [("csv", "text/csv; charset=utf-8"), ("xlsx", XLSX)])
def test_the_answer_says_what_it_is_and_is_to_be_saved(http, what, kind, media_type):
    answer = http.get(f"/columnline/export/{what}.{kind}")
    assert answer.headers["content-type"] == media_type
    assert answer.headers["content-disposition"] == f'attachment; filename="{what}.{kind}"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "content-length" not in answer.headers


def test_without_dossiers_there_is_a_header(http):
    assert http.get("/columnline/export/signals.csv").text.count("\r\n") == 1
    assert get(http, kind="xlsx") == []


@pytest.mark.parametrize(("bom", "begins"), [("true", b'\xef\xbb\xbf"dossier_id'), ("", b'"dossier_id')])
def test_a_byte_order_mark_is_there_where_it_is_asked_for(http, bom, begins):
    assert http.get("/columnline/export/dossiers.csv", params={"bom": bom}).content.startswith(begins)


def test_every_condition_narrows_it_down(http, clients):
    batch = add_batch("7")
    mine = add(run_id="RUN_A", batch_id=batch, company_name="Acme", released_at="2026-01-02 00:00Z")
    v1 = add(pipeline_version="v1", company_name="Old", status="archived", created_at="2020-01-01 12:00Z")
    theirs = add(run_id="RUN_B", client_id=LAKESHORE, company_name="Else")
    hot = add_list("Hot", NORTHWIND, mine)

    def found(**params):
        return {row["dossier_id"] for row in get(http, **params)}

    everything = {str(mine), str(v1), str(theirs)}
    assert found() == everything
    for params, expected in (
        ({"client_id": "CLT_LAKESHORE_001"}, {theirs}),
        ({"status": "archived"}, {v1}),
        ({"pipeline_version": "v2"}, {mine, theirs}),
        ({"release": "released"}, {mine}),
        ({"batch_id": str(batch)}, {mine}),
        ({"list_id": str(hot)}, {mine}),
        ({"company": "acm"}, {mine}),
        ({"until": "2021-01-01T00:00:00Z"}, {v1}),
        ({"since": "2021-01-01T00:00:00Z"}, {mine, theirs}),
        ({"batch_date": "2020-01-01"}, {v1}),
        ({"ids": f"{v1}, {theirs}"}, {v1, theirs}),
        ({"ids": f"{v1},{theirs}", "status": "ready"}, {theirs}),
    ):
        assert found(**params) == {str(one) for one in expected}, params


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({"ids": "x"}, 422, "validation"),
        ({"ids": ",".join([str(NORTHWIND)] * 501)}, 422, "validation"),
        ({"client_id": "CLT_NOBODY"}, 404, "client_not_found"),
        ({"limit": "5"}, 422, "validation"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_sent(http, params, status, code):
    answer = http.get("/columnline/export/dossiers.csv", params=params)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_no_text_of_a_dossier_runs_as_a_formula_and_in_xlsx_none_is_one(http, sample):
    dossier_id = published(http, sample("run_clean"))
    row = one("select find_leads, enrich_lead, copy, insight, sources from dossiers where id = :id", id=dossier_id)
    for name, value in row.items():
        as_json = json.dumps(hostile(value))
        execute(f"update dossiers set {name} = cast(:v as jsonb) where id = :id", v=as_json, id=dossier_id)
    execute(
        "update dossiers set company_name = '=1+x', company_domain = '@x', run_id = '-1+x', timing_urgency = '+x'"
    )
    execute("update clients set name = '\t=1+x'")
    execute("update batches set batch_number = '\uff1d1+x'")
    execute("update lists set name = ' =1+x'")
    people = ("name", "first_name", "last_name", "title", "email", "phone", "bio_paragraph", "tenure")
    execute(f"update contacts set {', '.join(f'{name} = chr(61) || {name}' for name in people)}")
    for what in WHATS:
        written = get(http, what, "csv")
        assert written
        for cell in (cell for line in written for cell in line.values()):
            assert not cell.lstrip().startswith(tuple("=+-@\uff1d")), cell
        plain = get(http, what, "xlsx")
        assert sum(str(cell).startswith("=1+") for line in plain for cell in line.values()) >= 2
        for safe, line in zip(written, plain, strict=True):
            for name, cell in line.items():
                if isinstance(cell, str):
                    assert safe[name].removeprefix("'") == cell
    hit = {name for line in get(http) for name, cell in line.items() if cell.startswith("'")}
    texts = {
        "client",
        "company",
        "domain",
        "run_id",
        "batch_number",
        "lists",
        "the_angle",
        "summary",
        "how_they_buy",
    }
    assert texts <= hit
    assert {"email_subject", "email_body", "bio"} <= {
        name for line in get(http, "contacts") for name, cell in line.items() if cell.startswith("'")
    }


@pytest.mark.parametrize("kind", Format)
def test_two_exports_go_on_while_dossiers_are_deleted_and_added(clients, monkeypatch, kind):
    monkeypatch.setattr(reading, "PAGE", 2)
    ids = [add(run_id=f"RUN_{n}", created_at=f"2026-01-0{n} 00:00Z") for n in range(1, 6)]
    first, second = (parts(Order(What.DOSSIERS, kind, DossierFilter())) for _ in range(2))
    begun = [next(first), next(second)]
    delete(ids[0])
    add(run_id="RUN_NEW")
    wholes = [begin + b"".join(rest) for begin, rest in zip(begun, (first, second), strict=True)]
    for whole in wholes:
        rows = (read_csv if kind is Format.CSV else read_xlsx)(whole)
        assert [row["run_id"] for row in rows] == ["RUN_5", "RUN_4", "RUN_3", "RUN_2"]


def test_nothing_is_held_between_two_parts(clients, monkeypatch):
    monkeypatch.setattr(reading, "PAGE", 1)
    add(run_id="RUN_A")
    add(run_id="RUN_B")
    made = parts(Order(What.DOSSIERS, Format.CSV, DossierFilter()))
    next(made)
    assert db.engine().pool.checkedout() == 0
    assert not query(
        "select 1 from pg_stat_activity where state = 'idle in transaction' and datname = current_database()"
    )
    made.close()


def test_a_page_is_as_it_was_at_one_moment(clients, monkeypatch):
    add(run_id="RUN_A")
    levels = []

    def look(session, ids):
        levels.append(session.connection().exec_driver_sql("show transaction_isolation").scalar())
        return []

    monkeypatch.setattr(reading, "shown", look)
    assert b"".join(parts(Order(What.DOSSIERS, Format.CSV, DossierFilter())))
    assert levels == ["repeatable read"]
    assert one("show transaction_isolation")["transaction_isolation"] == "read committed"


def test_a_column_of_an_export_is_in_its_file_whatever_the_rows_are(http):
    for what in What:
        assert (
            http.get(f"/columnline/export/{what}.csv").text.count(",")
            == len(COLUMNS[what]) - 1
            == len(header(what)) - 1
        )
