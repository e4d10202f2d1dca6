"""The page in a real browser, before a real bridge and worker: what a person sees and can do."""

import csv

import openpyxl
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from sqlalchemy import text

from tests.builders import CONTENTS, sample
from tests.conftest import SAMPLES
from tests.system.browser import PHONE, needs_chromium, tabs
from tests.system.runs import rows
from tests.system.stack import running
from worker import db, inbox
from worker.cli.imports import import_clients, import_run, read

pytestmark = needs_chromium

CLIENT = "CLT_NORTHWIND_001"
LATE = "10_WRITER_STRATEGY"
HOSTILE = (
    "<script>window.owned=1</script><img src=x onerror=window.owned=1><svg onload=window.owned=1>"
    "\"'><a href=javascript:window.owned=1>x</a>"
)
SERIOUS = {"serious", "critical"}
UNIQUE = "landmark-unique"  # moderate to axe, but whoever goes by landmarks cannot tell two of one name apart
SMALLEST = 9
"""Pixels of a label that can still be read."""


@pytest.fixture(scope="module")
def page(shared_database, tmp_path_factory):
    """A function that opens a tab, and the system behind it; all tests here share them."""
    with (
        running(tmp_path_factory.mktemp("page"), shared_database, "bridge", "worker") as system,
        tabs(f"http://127.0.0.1:{system.port}") as open_tab,
    ):
        yield open_tab, system


def register(run_id, *, without=(), **more):
    contents = {name: output for name, output in CONTENTS.items() if name not in without} | more
    with db.transaction() as session:
        inbox.register_run(session, run_id, {"client_id": CLIENT})
        inbox.store_outputs(session, run_id, [inbox.Output(name, output) for name, output in contents.items()])
    return run_id


def publish(system, run_id, **options):
    return system.http.post(f"/publish/{run_id}", json=options, params={"wait": 25}).json()


def row_of(tab, run_id):
    return tab.page.locator("#last-jobs tbody tr").filter(
        has=tab.page.get_by_role("link", name=run_id, exact=True)
    )


def test_a_run_arrives_and_finishes_before_the_eyes_of_whoever_has_signed_in(page):
    open_tab, system = page
    tab = open_tab().sign_in(system.key)
    tab.page.evaluate("window.never_reloaded = true")
    with db.transaction() as session:
        run_id, _ = import_run(session, sample("run_clean"))
    expect(row_of(tab, run_id)).to_have_count(0)
    system.http.post(f"/publish/{run_id}")
    expect(row_of(tab, run_id)).to_contain_text("done")
    expect(row_of(tab, run_id)).to_contain_text("released")
    assert tab.page.evaluate("window.never_reloaded")
    tab.picture("now")
    row_of(tab, run_id).get_by_role("link", name="released").click()
    expect(tab.page.get_by_role("heading", level=1)).to_have_text("Northgate Copper")
    assert not tab.troubles


def test_updates_can_be_paused_and_what_the_reader_opened_stays_open(page):
    open_tab, system = page
    tab = open_tab().sign_in(system.key)
    tab.page.get_by_text("The figures as a table").click()
    table = tab.page.get_by_role("columnheader", name="95th percentile")
    expect(table).to_be_visible()
    publish(system, register("RUN_1"))
    expect(row_of(tab, "RUN_1")).to_contain_text("done")
    expect(table).to_be_visible()
    tab.page.get_by_role("button", name="Pause updates").click()
    asked = []
    tab.page.on("request", lambda request: asked.append(request.url) if "/live/" in request.url else None)
    publish(system, register("RUN_2"))
    with tab.page.expect_response(lambda answer: "/live/overview" in answer.url):
        assert not asked
        tab.page.get_by_role("button", name="Go on updating").click()
    expect(row_of(tab, "RUN_2")).to_contain_text("done")
    assert not tab.troubles


def test_a_v1_dossier_and_a_v2_dossier_are_found_and_read_alike(page):
    open_tab, system = page
    with db.transaction() as session:
        run_id, _ = import_run(session, sample("run_clean"))
    dossier_id = publish(system, run_id)["dossier_id"]
    with db.transaction() as session:
        session.execute(
            text(
                """insert into dossiers (client_id, company_name, company_domain, status, released_at, lead_score,
                     timing_urgency, find_leads, enrich_lead, copy, insight, media, sources)
                   select client_id, 'Oldfield Works', 'oldfield.example', 'ready', now(), 120, 'medium',
                     find_leads, to_jsonb(enrich_lead::text), copy, insight, '"null"', sources
                   from dossiers where id = :id"""
            ),
            {"id": dossier_id},
        )
    tab = open_tab().sign_in(system.key)
    panels = {}
    for company in ("Northgate Copper", "Oldfield Works"):
        tab.page.get_by_role("searchbox").fill(company)
        tab.page.get_by_role("button", name="Search").click()
        tab.page.get_by_role("link", name=company).click()
        expect(tab.page.get_by_role("heading", level=1)).to_have_text(company)
        tab.page.wait_for_load_state()
        panels[company] = tab.page.locator("article h2").all_inner_texts()
    assert {"Why now", "The opportunity", "The math", "Objections", "Sources"} <= set(panels["Oldfield Works"])
    rows_only = {"Contacts", "Pictures"}
    assert set(panels["Oldfield Works"]) | rows_only == set(panels["Northgate Copper"]) | rows_only
    tab.picture("dossier_v1")
    tab.go(f"/dossiers/{dossier_id}").picture("dossier_v2")
    assert not tab.troubles


def test_a_failed_run_is_retried_by_keyboard_once_its_output_is_there(page):
    open_tab, system = page
    run_id = register("RUN_LATE", without=[LATE])
    system.http.post(f"/publish/{run_id}")
    tab = open_tab().sign_in(system.key)
    card = tab.page.locator(".card.error").filter(has_text=run_id)
    expect(card).to_contain_text(LATE)
    tab.picture("now_with_an_error")
    with db.transaction() as session:
        inbox.store_outputs(session, run_id, [inbox.Output(LATE, CONTENTS[LATE])])
    card.get_by_role("button", name="Retry").focus()
    tab.page.keyboard.press("Enter")
    expect(tab.page.get_by_role("status")).to_contain_text("Tried again")
    expect(row_of(tab, run_id)).to_contain_text("done")
    expect(card).to_have_count(0)
    assert not tab.troubles


def test_a_release_is_put_on_another_day_then_brought_forward(page):
    open_tab, system = page
    dossier_id = publish(system, register("RUN_DAY"), release_date="2099-01-20")["dossier_id"]
    tab = open_tab().sign_in(system.key).go("/calendar")
    expect(tab.page.get_by_role("heading", name="20 January 2099")).to_be_visible()
    tab.picture("calendar")
    tab.page.locator(f'a[href="/dossiers/{dossier_id}"]').click()
    tab.page.get_by_label("Day, in the client's time zone").fill("2099-03-04")
    tab.page.get_by_role("button", name="Reschedule").click()
    expect(tab.page.get_by_role("status")).to_have_text("Rescheduled.")
    assert [str(row[0]) for row in rows("select release_date from dossiers where run_id = 'RUN_DAY'")] == [
        "2099-03-04"
    ]
    tab.page.get_by_role("button", name="Release now").click()
    expect(tab.page.get_by_role("status")).to_contain_text("readers see it now")
    tab.page.reload()
    expect(tab.page.get_by_role("heading", level=1)).to_be_visible()
    expect(tab.page.get_by_role("status")).to_have_count(0)
    assert rows("select released_at <= now() from dossiers where run_id = 'RUN_DAY'") == [(True,)]
    assert (f"page, key test-{system.port}",) in rows("select distinct asked_by from calendar_events")
    assert not tab.troubles


def test_the_dossiers_a_filter_shows_are_downloaded_and_read_back(page, tmp_path):
    open_tab, system = page
    output = CONTENTS["10_WRITER_INTRO"] | {"company_name": '=Cmd & Söhne, "Ltd"'}
    dossier_id = publish(system, register("RUN_CSV", **{"10_WRITER_INTRO": output}))["dossier_id"]
    tab = open_tab().sign_in(system.key).go("/dossiers?company=S%C3%B6hne")
    with tab.page.expect_download() as downloading:
        tab.page.get_by_role("link", name="Export dossiers as CSV").click()
    file = tmp_path / "dossiers.csv"
    downloading.value.save_as(file)
    with file.open(newline="", encoding="utf-8") as lines:
        (row,) = csv.DictReader(lines)
    assert row["dossier_id"] == dossier_id
    assert row["company"] == '\'=Cmd & Söhne, "Ltd"', "a spreadsheet does not run it"
    tab.go(f"/dossiers/{dossier_id}")
    with tab.page.expect_download() as downloading:
        tab.page.get_by_role("link", name="Export contacts as XLSX").click()
    workbook = tmp_path / "contacts.xlsx"
    downloading.value.save_as(workbook)
    sheet = openpyxl.load_workbook(workbook).active
    assert sheet.max_row == 1 + rows("select count(*) from contacts where dossier_id = :d", d=dossier_id)[0][0]
    assert not tab.troubles


def test_a_client_that_waits_for_a_mapping_is_mapped_and_its_run_goes_on(page):
    open_tab, system = page
    with db.transaction() as session:
        run_id, _ = import_run(session, sample("run_unmapped_client"))
    system.http.post(f"/publish/{run_id}")
    tab = open_tab().sign_in(system.key)
    tab.page.get_by_role("link", name="Map the client").click()
    tab.picture("clients")
    tab.page.get_by_label("Lead it to").select_option("create")
    tab.page.get_by_role("button", name="Map").click()
    expect(tab.page.get_by_role("status")).to_contain_text("what was held goes on")
    tab.go("/")
    expect(row_of(tab, run_id)).to_contain_text("done")
    assert not tab.troubles


def hostile(value):
    """The same output with hostile text in every text of it, and hostile links for links."""
    match value:
        case dict():
            return {key: hostile(item) for key, item in value.items()}
        case list():
            return [hostile(item) for item in value]
        case str() if value.startswith("http"):
            return "javascript:window.owned=1"
        case str() if value.isdigit() or "@" in value:
            return value
        case str():
            return f"{value} {HOSTILE}"
        case _:
            return value


def test_script_handlers_and_links_planted_in_every_text_of_a_run_do_nothing(page):
    open_tab, system = page
    run_id = register("RUN_HOSTILE", **{name: hostile(output) for name, output in CONTENTS.items()})
    answer = publish(system, run_id, list="<script>window.owned=1</script>")
    assert answer["code"] == "list_not_found", "the list is refused, and nothing of it is run either"
    answer = publish(system, run_id, republish=True)
    assert answer["status"] == "done", answer
    system.http.put("/runs/RUN_BAD", json={"client_id": CLIENT})
    system.http.post("/runs/RUN_BAD/outputs", json={"outputs": [{"step_name": HOSTILE[:100], "output": HOSTILE}]})
    publish(system, "RUN_BAD")
    tab = open_tab().sign_in(system.key)
    dossier = f"/dossiers/{answer['dossier_id']}"
    for path in (
        "/",
        "/jobs",
        "/dossiers",
        "/search?q=%3Cscript%3Ewindow.owned%3D1%3C/script%3E",
        "/batches",
        dossier,
    ):
        tab.go(path)
        tab.page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        assert tab.page.evaluate("window.owned") is None
        hrefs = tab.page.eval_on_selector_all("a", "links => links.map((one) => one.protocol)")
        assert set(hrefs) <= {"http:", "https:"}
        assert tab.page.locator("main script, main img, main svg[onload]").count() == 0
    assert "<script>window.owned=1</script>" in tab.page.locator("article").inner_text()
    assert not tab.troubles


def violations(tab):
    """What axe finds seriously wrong with the screen as it is."""
    found = Axe().run(tab.page).response["violations"]
    wider = tab.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    low = tab.page.eval_on_selector_all(
        ".tick", "labels => labels.map((one) => one.getBoundingClientRect().height)"
    )
    return (
        [("wider than the screen", wider)] * (wider > 0)
        + [("too small to read", height) for height in low if height < SMALLEST]
        + [
            (one["id"], [node["html"][:200] for node in one["nodes"]])
            for one in found
            if one["impact"] in SERIOUS or one["id"] == UNIQUE
        ]
    )


def test_no_screen_keeps_out_people_with_disabilities(page):
    open_tab, system = page
    with db.transaction() as session:
        import_clients(session, read(SAMPLES / "clients.json"))
        runs = [
            import_run(session, sample(name))[0] for name in ("run_clean", "run_prose_only", "run_unmapped_client")
        ]
    answers = [publish(system, run_id) for run_id in runs]
    scheduled = publish(system, register("RUN_LATER"), release_date="2099-01-21")
    paths = {
        "now": "/",
        "jobs": "/jobs",
        "job": f"/jobs/{answers[1]['job_id']}",
        "dossiers": "/dossiers",
        "dossier": f"/dossiers/{answers[0]['dossier_id']}",
        "scheduled": f"/dossiers/{scheduled['dossier_id']}",
        "calendar": "/calendar",
        "batches": "/batches",
        "clients": "/clients",
        "search": "/search?q=RUN",
        "nothing": "/dossiers/none",
    }
    found = {}
    main = {
        name: paths[name] for name in ("now", "dossier", "calendar")
    }  # the colours of the dark are the phone's too
    looks = {"light": ({}, paths), "dark": ({"color_scheme": "dark"}, main), "phone": (PHONE, paths)}
    for look, (options, screens) in looks.items():
        tab = open_tab(**options).go("/sign-in")
        found["sign_in", look] = violations(tab)
        tab.picture(f"sign_in_{look}")
        tab.sign_in(system.key)
        for name, path in screens.items():
            tab.go(path)
            tab.page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
            found[name, look] = violations(tab)
            tab.picture(f"{name}_{look}")
    assert {which: faults for which, faults in found.items() if faults} == {}


INTRUDER = """
window.SwaggerUIBundle = async ({url}) => {
  const asked = async (address, how) => fetch(address, how).then((answer) => answer.status, () => "refused");
  const cookie = (() => { try { return document.cookie; } catch (error) { return error.name; } })();
  const found = [await asked(url), await asked("/", {credentials: "include"}), cookie];
  document.getElementById("swagger-ui").textContent = JSON.stringify(found);
};
SwaggerUIBundle.presets = {};
"""


def test_the_foreign_script_of_the_docs_reads_the_document_and_cannot_act_for_whoever_is_signed_in(page):
    open_tab, system = page
    tab = open_tab().sign_in(system.key)

    def serve(route):
        script = route.request.url.endswith(".js")
        route.fulfill(body=INTRUDER if script else "", content_type="text/javascript" if script else "text/css")

    tab.page.route("https://cdn.jsdelivr.net/**", serve)
    tab.go("/docs")
    expect(tab.page.locator("#swagger-ui")).to_have_text('[200,"refused","SecurityError"]')
