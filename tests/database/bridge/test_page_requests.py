"""What browsers and strangers send to the page: odd queries, hostile bodies, headers that lead elsewhere."""

from html import unescape
from re import search

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from models.jobs import Scope
from tests.database.bridge.test_page import act, job_in_error
from tests.database.exporting import dirty, read_csv
from tests.database.publishing import LAKESHORE, NORTHWIND, execute
from tests.database.rows import add, add_list
from worker import db
from worker.bridge import download
from worker.drain import drain
from worker.export import reading
from worker.page import figures
from worker.settings import settings


@pytest.fixture(autouse=True)
def _fresh():
    figures.now.forget()


def test_a_filter_left_at_any_finds_all_on_each_page(browser, monkeypatch):
    for number in range(3):
        job_in_error(f"RUN_{number}")
    monkeypatch.setattr("worker.page.work._PAGE", 2)
    answer = browser().get("/jobs?state=&kind=publish.run&code=outputs_missing")
    assert answer.status_code == 200
    older = unescape(search(r'class="next" href="([^"]+)"', answer.text)[1])
    assert "RUN_0" in browser().get(older).text


def test_one_clients_dossiers_of_a_list_or_a_day_are_shown_paged_and_exported(browser, monkeypatch):
    monkeypatch.setattr("worker.page.shelf._PAGE", 1)
    made = "2026-03-01 12:00Z"
    alder, birch = (add(company_name=name, created_at=made) for name in ("Alder & Co", "Birch Co"))
    add(company_name="Another day's")
    add(company_name="Another client's", client_id=LAKESHORE, created_at=made)
    hot = add_list("Hot", NORTHWIND, alder, birch)
    add_list("Another client's list", LAKESHORE)
    client = browser()
    form = client.get(f"/dossiers?company=&client={NORTHWIND}&list=&version=&status=&release=&batch_date=").text
    assert f'<option value="{NORTHWIND}" selected>' in form
    assert f'<option value="{hot}">Hot</option>' in form
    assert "client&#39;s list" not in form
    for asked in (f"client={NORTHWIND}&batch_date=2026-03-01", f"list={hot}"):
        first = client.get(f"/dossiers?{asked}&company=+Co").text
        second = client.get(unescape(search(r'class="next" href="([^"]+)"', first)[1])).text
        assert 'class="next"' not in second
        for shown in (first, second):
            assert ("Alder" in shown) != ("Birch" in shown)
            assert '<span class="dim">2026-03-01</span>' in shown
            file = client.get(unescape(search(r'href="(/files/dossiers.csv[^"]+)"', shown)[1]))
            assert {row["company"] for row in read_csv(file.content)} == {"Alder & Co", "Birch Co"}


@pytest.mark.parametrize(
    "path", ["/jobs?code=%00", "/jobs?kind=%00", "/clients?cursor=%00", "/search?q=%00", "/dossiers?company=%00"]
)
def test_what_postgresql_cannot_hold_is_no_failure_of_the_bridge(browser, path):
    assert browser().get(path).status_code in {200, 404}


def test_nor_is_it_in_a_form(browser):
    chosen = {"client_id": "CLT\0", "production_client_id": "create"}
    assert act(browser(), "/clients/map", **chosen).status_code == 404


@pytest.mark.parametrize("announced", [True, False])
def test_a_stranger_cannot_fill_the_memory_by_signing_in(browser, announced):
    client = browser()
    client.cookies.clear()
    content = b"a" * 30_000 if announced else iter([b"a" * 10_000] * 3)
    assert client.post("/sign-in", content=content).status_code == 413


def test_the_cookie_is_for_https_alone_where_the_page_is_reached_by_it_through_a_proxy(
    browser, bridge, monkeypatch
):
    client = browser()
    reached = settings().model_copy(update={"public_url": "https://bridge.example"})
    monkeypatch.setattr("worker.page.visitors.settings", lambda: reached)
    answer = client.post("/sign-in", data={"key": bridge.keys[Scope.READ]})
    assert "; Secure" in answer.headers["set-cookie"]


def test_the_way_back_from_an_error_leads_nowhere_but_to_this_site(browser):
    referer = {"Referer": "http://testserver//evil.example/x"}
    answer = browser().get("/dossiers/00000000-0000-0000-0000-000000000000", headers=referer)
    assert answer.status_code == 404
    assert '<a href="/">Go back</a>' in answer.text


def test_an_export_is_a_plain_link_so_that_a_sign_in_form_is_not_saved_as_a_spreadsheet(browser):
    dossier_id = add()
    shown = browser().get(f"/dossiers/{dossier_id}").text
    assert " download" not in search(r'<a href="/files/[^>]+>', shown)[0]


def test_the_few_that_are_held_are_not_looked_for_among_all_jobs(http):
    statement = figures._LONGEST_HELD.compile(db.engine(), compile_kwargs={"literal_binds": True})
    with db.transaction() as session:
        # As among very many jobs, where PostgreSQL would rather walk along an index than sort.
        session.execute(text("set local enable_sort = off"))
        session.execute(text("set local enable_seqscan = off"))
        plan = session.execute(text(f"explain {statement}")).scalars().all()
    assert "jobs_held_idx" in "".join(plan)
    assert "jobs_created_at_idx" not in "".join(plan)


@pytest.mark.parametrize("path", ["/dossiers/a%2Fb", "/jobs/%FF", "/files/a%2Fb.csv", "/dossiers/%ED%A0%80"])
def test_a_stranger_with_an_odd_address_is_led_to_the_form_and_then_to_that_address(browser, path):
    client = browser()
    client.cookies.clear()
    answer = client.get(path)
    assert answer.status_code == 303
    assert f'name="then" value="{path}"' in client.get(answer.headers["location"]).text


def test_whose_visit_ends_in_the_middle_of_a_form_is_led_back_to_it(browser):
    path = f"/dossiers/{add()}"
    client = browser()
    client.cookies.clear()
    answer = client.post(f"{path}/hold", data={"csrf": "x"}, headers={"Referer": f"http://testserver{path}"})
    assert answer.status_code == 401
    assert f'<a href="{path}">Go back</a>' in answer.text


def test_a_file_that_cannot_be_begun_now_is_told_on_a_screen(browser):
    client = browser()
    for _ in range(download.AT_ONCE):
        assert download._places.acquire(blocking=False)
    try:
        answer = client.get("/files/dossiers.csv")
    finally:
        for _ in range(download.AT_ONCE):
            download._places.release()
    assert (answer.status_code, answer.headers["content-type"]) == (429, "text/html; charset=utf-8")
    assert int(answer.headers["retry-after"]) > 0
    assert "content-disposition" not in answer.headers
    assert "exports are being sent" in answer.text
    assert client.get("/files/dossiers.csv").status_code == 200


@pytest.mark.parametrize("sent", [0, 1])
def test_a_file_that_meets_an_outage_is_told_on_a_screen_unless_it_was_begun(browser, monkeypatch, sent):
    client = browser()
    for number in range(2):
        add(run_id=f"RUN_{number}", company_name="Acme")
    calls, read = [], reading._read

    def broken(order, asked):
        calls.append(asked)
        if len(calls) > sent:
            raise OperationalError("select", {}, Exception("gone"))
        return read(order, asked)

    monkeypatch.setattr(reading, "PAGE", 1)
    monkeypatch.setattr(reading, "_read", broken)
    answer = client.get("/files/dossiers.csv")
    kind = answer.headers["content-type"].partition(";")[0]
    assert (answer.status_code, kind) == ((200, "text/csv") if sent else (503, "text/html"))
    assert ("The database is away" in answer.text, "Acme" in answer.text) == (not sent, bool(sent))


def test_an_export_that_a_job_writes_is_named_by_what_it_is_and_its_file_is_saved_from_its_screen(browser, bridge):
    dirty()
    client = browser(Scope.READ)
    key = {"X-API-Key": bridge.keys[Scope.PUBLISH]}
    asked = client.post("/columnline/exports", json={"what": "contacts"}, headers=key).json()
    path = f"/jobs/{asked['job_id']}"
    assert "/files/exports/" not in client.get(path).text, "it is not written yet"
    list(drain())
    shown = client.get(path).text
    assert '<h1 class="id">Export of contacts</h1>' in shown
    assert f'<a href="{path}">Export of contacts</a>' in client.get("/jobs").text
    file = client.get(search(r'href="(/files/exports/[^"]+)">Save the file', shown)[1])
    assert file.headers["content-disposition"] == 'attachment; filename="contacts.csv"'
    assert [row["contact_name"] for row in read_csv(file.content)] == ["Ann Old"]
    execute("delete from export_parts")
    gone = client.get(f"/files/exports/{asked['job_id']}")
    assert (gone.status_code, "was kept for" in gone.text) == (404, True)
