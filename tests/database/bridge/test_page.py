"""The page: who may look and act, that nothing hostile gets through, and that its screens show what is there."""

import html
import json
import re

import pytest

from models.jobs import Scope
from models.production import DossierStatus
from tests.database.publishing import NORTHWIND, accept, execute, one, publish, query, register
from tests.database.rows import add, add_batch, add_list, ahead
from worker import db, keys
from worker.drain import drain
from worker.page import figures, overview, plans, shelf, work
from worker.page.rendering import UNBROKEN
from worker.page.visitors import COOKIE

SCREENS = (
    "/",
    "/live/overview",
    "/jobs",
    "/dossiers",
    "/calendar",
    "/batches",
    "/live/batches",
    "/clients",
    "/clients?every=true",
    "/search",
    "/search?q=RUN",
)
FILES = ("/files/dossiers.csv", "/files/contacts.xlsx?status=ready", "/files/exports/none")
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>'\"><a href='javascript:alert(1)'>"
SECTIONS = (
    "primary_buying_signal",
    "company_snapshot",
    "opportunity_intelligence",
    "custom_research",
    "company_deep_dive",
    "network_intelligence",
    "the_math",
    "deal_strategy",
    "competitive_positioning",
    "decision_making_process",
    "outreach",
    "objections",
    "conversation_starters",
    "project_images",
    "logo_url",
    "the_angle",
    "score_explanation",
    "one_liner",
)


@pytest.fixture(autouse=True)
def _fresh():
    figures.now.forget()
    figures.by_hour.forget()


def token(client):
    """What the forms of this visit bear."""
    return re.search(r'name="csrf" value="([0-9a-f]{64})"', client.get("/").text)[1]


def act(client, path, **fields):
    return client.post(path, data={"csrf": token(client), "then": "/jobs"} | fields)


def job_in_error(run_id="RUN_BAD", detail="It went wrong."):
    error = {"code": "outputs_missing", "title": "Missing", "detail": detail, "retryable": True}
    return one(
        "insert into jobs (kind, key, payload, state, error, max_attempts, deadline_at, settled_at) values "
        "('publish.run', :key, :payload, 'error', :error, 8, now() + interval '1 day', now()) returning id",
        key=run_id,
        payload=json.dumps({"run_id": run_id}),
        error=json.dumps(error),
    ).id


@pytest.mark.parametrize("path", [*(path for path in SCREENS if not path.startswith("/live")), *FILES])
def test_a_stranger_is_led_to_the_form_and_then_to_where_they_wanted_to_go(browser, path):
    client = browser()
    client.cookies.clear()
    answer = client.get(path)
    assert answer.status_code == 303
    form = client.get(answer.headers["location"]).text
    assert f'name="then" value="{html.escape(path)}"' in form


def test_a_part_that_is_kept_live_answers_a_stranger_with_401_so_that_the_script_can_tell(browser):
    client = browser()
    client.cookies.clear()
    assert client.get("/live/overview").status_code == 401


@pytest.mark.parametrize("key", ["", "clk_", "clk_0_0", "x" * 3000, "clk_0_\ud800".encode("utf-8", "replace")])
def test_a_wrong_key_opens_nothing(browser, key):
    client = browser()
    client.cookies.clear()
    answer = client.post("/sign-in", data={"key": key})
    assert answer.status_code == 401
    assert "No valid key" in answer.text
    assert COOKIE not in client.cookies


@pytest.mark.parametrize(
    "then",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "evil", "/\r\nX"],
)
def test_signing_in_leads_nowhere_but_to_this_site(browser, bridge, then):
    answer = browser().post("/sign-in", data={"key": bridge.keys[Scope.READ], "then": then})
    assert answer.headers["location"] == "/"


def test_the_cookie_is_out_of_scripts_reach_and_the_database_does_not_have_it(browser, bridge):
    client = browser()
    answer = client.post("/sign-in", data={"key": bridge.keys[Scope.READ]})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    value = re.match(rf"{COOKIE}=([^;]+)", cookie)[1]
    stored = query("select token_hash::text as hash from page_sessions")
    assert stored
    assert not any(value in row.hash or value.encode().hex() in row.hash for row in stored)
    secure = client.post("https://testserver/sign-in", data={"key": bridge.keys[Scope.READ]})
    assert "Secure" in secure.headers["set-cookie"]


def test_a_visit_ends_with_signing_out_with_its_hours_and_with_its_key(browser):
    client = browser()
    kept = client.cookies[COOKIE]
    assert act(client, "/sign-out").headers["location"] == "/sign-in"
    client.cookies.set(COOKIE, kept)
    assert client.get("/").status_code == 303

    client = browser()
    assert client.get("/").status_code == 200
    execute("update page_sessions set expires_at = now() - interval '1 second'")
    assert client.get("/").status_code == 303

    with db.transaction() as session:
        key = keys.create(session, "short-lived", Scope.OPS)
    client.cookies.clear()
    client.post("/sign-in", data={"key": key})
    assert client.get("/").status_code == 200
    with db.transaction() as session:
        keys.revoke(session, "short-lived")
    assert client.get("/").status_code == 303
    execute("delete from api_keys where name = 'short-lived'")


def actions():
    """Every route of the page that changes something, with the least scope that may."""
    wanted = {"/sign-in": None, "/sign-out": Scope.READ, "/clients/map": Scope.OPS}
    wanted |= {f"/jobs/{{job_id}}/{name}": Scope.OPS for name in ("retry", "cancel")}
    wanted |= {
        f"/dossiers/{{dossier_id}}/{name}": Scope.OPS if name == "archive" else Scope.PUBLISH
        for name in ("release", "reschedule", "hold", "archive", "rerun")
    }
    there = {
        route.path
        for screens in (overview, work, shelf, plans)
        for route in screens.router.routes
        if "POST" in route.methods
    }
    assert there == set(wanted), "a new action of the page needs its scope here"
    return [(path, scope) for path, scope in sorted(wanted.items()) if scope is not None]


@pytest.mark.parametrize(("path", "scope"), actions())
def test_an_action_needs_its_scope_and_the_visits_own_token_and_no_other_site(browser, path, scope):
    filled = path.format(job_id=job_in_error(), dossier_id=add(run_id="RUN_X", release_at=ahead(days=1)))
    before = query("select * from dossiers"), query("select * from jobs")
    client = browser()
    good = token(client)
    for data in ({}, {"csrf": ""}, {"csrf": "0" * 64}):
        assert client.post(filled, data=data).status_code == 403
    cross = client.post(filled, data={"csrf": good}, headers={"Sec-Fetch-Site": "cross-site"})
    assert cross.status_code == 403
    if scope is not Scope.READ:
        narrower = browser(Scope.READ if scope is Scope.PUBLISH else Scope.PUBLISH)
        refused = act(narrower, filled)
        assert refused.status_code == 403
        assert "scope" in refused.text
    client.cookies.clear()
    assert client.post(filled, data={"csrf": good}).status_code == 401
    assert (query("select * from dossiers"), query("select * from jobs")) == before


def test_buttons_are_shown_to_those_whose_key_may_press_them(browser):
    job_id, dossier_id = job_in_error(), add(run_id="RUN_X", release_at=ahead(days=1))
    shown = {}
    for scope in Scope:
        client = browser(scope)
        text = (
            client.get("/").text + client.get(f"/jobs/{job_id}").text + client.get(f"/dossiers/{dossier_id}").text
        )
        shown[scope] = set(re.findall(r'action="/(?:jobs|dossiers)/[^/"]+/(\w+)"', text))
    assert shown[Scope.READ] == set()
    assert shown[Scope.PUBLISH] == {"release", "reschedule", "hold", "rerun"}
    assert shown[Scope.OPS] == shown[Scope.PUBLISH] | {"archive", "retry"}


@pytest.mark.parametrize("status", list(DossierStatus))
def test_archiving_is_offered_where_it_can_be_done(browser, status):
    dossier_id = add(
        run_id="RUN_X", status=status, error='{"code": "x", "detail": "x"}' if status == "error" else None
    )
    client = browser()
    offered = f"/dossiers/{dossier_id}/archive" in client.get(f"/dossiers/{dossier_id}").text
    if status == "archived":
        assert not offered, "there is nothing left to do"
    else:
        assert offered == (act(client, f"/dossiers/{dossier_id}/archive").status_code == 303)


@pytest.mark.parametrize("path", SCREENS)
def test_every_screen_forbids_inline_script_frames_and_anything_from_elsewhere(browser, path):
    answer = browser().get(path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|<style|href=\"(?!/|#|http)", answer.text)
    assert not re.search(r'(?:src|href)="https?://', answer.text)


def test_hostile_text_in_every_field_of_v1_v2_contacts_lists_and_jobs_is_only_text(browser):
    texts = json.dumps({"name": HOSTILE, "value": [HOSTILE], HOSTILE: HOSTILE, "url": "javascript:alert(1)"})
    section = {name: json.loads(texts) for name in SECTIONS} | {
        "primary_buying_signal": {"signal": HOSTILE, "source_url": "javascript:alert(1)", "source_name": HOSTILE}
    }
    stored = json.dumps(section)
    dossier_id = add(
        run_id="RUN_HOSTILE",
        company_name=HOSTILE,
        company_domain=HOSTILE,
        timing_urgency=HOSTILE,
        primary_signal=HOSTILE,
        find_leads=stored,
        enrich_lead=stored,
        copy=stored,
        insight=stored,
        media=stored,
        sources=json.dumps([{"title": HOSTILE, "url": "javascript:alert(1)"}]),
        release_at=ahead(days=1),
    )
    execute(
        "insert into contacts (dossier_id, name, title, email, phone, linkedin_url, bio_paragraph) "
        "values (:d, :t, :t, :t, :t, 'javascript:alert(1)', :t)",
        d=dossier_id,
        t=HOSTILE,
    )
    add_list(HOSTILE, NORTHWIND, dossier_id)
    execute("update clients set name = :t", t=HOSTILE)
    job_id = job_in_error(HOSTILE[:60], HOSTILE)
    client = browser()
    for path in (*SCREENS, f"/dossiers/{dossier_id}", f"/jobs/{job_id}", "/search?q=%3Cscript%3E"):
        text = client.get(path).text
        assert "<script>alert" not in text, path
        assert "<img" not in text, path
        assert not re.search(r'href\s*=\s*["\']?\s*javascript', text, re.IGNORECASE), path
    shown = client.get(f"/dossiers/{dossier_id}").text
    assert html.escape("<script>alert(1)</script>") in shown


@pytest.mark.parametrize("glue", ["", "<", "\u00a0", "é"])
def test_a_text_without_a_space_may_be_broken_so_that_a_browser_can_lay_it_out(browser, glue):
    said = f"A{glue}" * (2 * UNBROKEN) + "A"
    company = "https://acme.example/" + "B" * (2 * UNBROKEN)
    sections = {"find_leads": {"the_angle": said}, "sources": [{"title": said, "url": company}]}
    dossier_id = add(company_name=company, **{name: json.dumps(value) for name, value in sections.items()})
    text = browser().get(f"/dossiers/{dossier_id}").text
    shown = re.search(r'<p class="angle">(.*?)</p>', text)[1]
    parts = [html.unescape(part) for part in shown.split("<wbr>")]
    assert "".join(parts) == said
    assert max(map(len, parts)) == UNBROKEN
    assert f"<title>{company} " in text
    assert f'href="{company}"' in text


@pytest.mark.parametrize(
    ("moment", "is_seen"), [("now() - interval '1 hour'", True), ("now() + interval '9 days'", False)]
)
def test_a_v1_dossier_that_is_to_be_seen_later_is_said_to_be_so_and_may_be_held(browser, moment, is_seen):
    shown_at = one(f"select {moment} as at").at
    dossier_id = add(pipeline_version="v1", released_at=shown_at)
    text = browser().get(f"/dossiers/{dossier_id}").text
    assert re.search(r"<dt>Readers</dt><dd>(\w+)", text)[1] == ("since" if is_seen else "from")
    assert ("/hold" in text, "/release" in text, "/reschedule" in text) == (not is_seen,) * 3


@pytest.mark.parametrize(
    ("days", "said"), [(9, "V1 releases it on {day}"), (-9, "V1 was to release it on {day}"), (None, "not until")]
)
def test_what_v1_itself_is_to_release_is_told_as_that_and_is_no_dossier_on_hold(browser, days, said):
    day = None if days is None else ahead(days=days).date()
    dossier_id = add(pipeline_version="v1", company_name="Old Co", release_date=day)
    client = browser()
    text = client.get(f"/dossiers/{dossier_id}").text
    assert f"<dt>Readers</dt><dd>{said.format(day=day)}" in text
    assert ("/hold" in text) == (day is not None)
    for release, is_there in (("scheduled", day is not None), ("held", day is None), ("released", False)):
        listed = client.get(f"/dossiers?release={release}").text
        assert ("Old Co" in listed) == is_there
        assert (f"from {day}, by V1" in listed) == (is_there and release == "scheduled")
    link = re.search(r'href="([^"]+)">its dossiers to come', client.get("/calendar").text)[1]
    assert ("Old Co" in client.get(html.unescape(link)).text) == (day is not None)


@pytest.mark.parametrize(
    ("columns", "name", "score"),
    [
        ({"company_name": ""}, "Unnamed company", None),
        ({"company_name": "   ", "lead_score": -5}, "Unnamed company", None),
        ({"company_name": "null", "lead_score": 120, "company_domain": "old.example"}, "old.example", 100),
        (
            {"company_name": " ", "find_leads": '{"companyName": "Old Co", "lead_score": "78/100"}'},
            "Old Co",
            78,
        ),
        ({"company_name": "New Co", "find_leads": '{"company_name": "Old Co"}', "lead_score": 0}, "New Co", 0),
    ],
)
def test_a_dossier_has_the_name_and_the_score_of_its_view_wherever_it_is_listed(
    browser, bridge, columns, name, score
):
    dossier_id = add(pipeline_version="v1", release_at=ahead(days=1), **columns)
    client = browser()
    key = {"X-API-Key": bridge.keys[Scope.READ]}
    one_of_them = client.get(f"/columnline/dossiers/{dossier_id}", headers=key).json()
    (listed,) = client.get("/columnline/dossiers", headers=key).json()["dossiers"]
    (entry,) = client.get("/columnline/releases", headers=key).json()["releases"]
    view = one_of_them["view"]
    assert (view["companyName"], view["leadScore"]) == (name, score)
    assert (one_of_them["company_name"], one_of_them["lead_score"]) == (name, score)
    assert (listed["company_name"], listed["lead_score"], entry["company_name"]) == (name, score, name)
    for path in ("/dossiers", "/calendar", f"/search?q={dossier_id}"):
        assert f'<a href="/dossiers/{dossier_id}">{name}</a>' in client.get(path).text


def test_a_batch_whose_number_is_blank_has_a_link_that_can_be_seen(browser):
    batch_id = add_batch(" ")
    assert f'<a href="/dossiers?batch={batch_id}">Without a number</a>' in browser().get("/batches").text


def test_a_v1_dossier_and_a_v2_dossier_are_drawn_with_the_same_panels(browser, sample):
    document = sample("run_clean")
    client = browser()
    accept(document["run"]["run_id"])
    list(drain())
    v2 = one("select * from dossiers")
    columns = ("find_leads", "enrich_lead", "copy", "insight", "media", "sources")
    v1 = add(
        pipeline_version="v1",
        company_name="Old Co",
        **{name: json.dumps(v2[name]) for name in columns},
    )

    def panels(dossier_id):
        text = client.get(f"/dossiers/{dossier_id}").text
        return re.findall(r'<section class="panel" aria-labelledby="([\w-]+)"', text)

    assert set(panels(v2.id)) == {*panels(v1), "contacts"}
    assert len(panels(v2.id)) >= 14


def test_a_publish_that_was_held_for_days_is_among_those_of_the_hour_in_which_it_ended(browser):
    register("RUN_A")
    accept("RUN_A")
    execute("update jobs set created_at = now() - interval '3 days'")
    list(drain())
    execute("update job_attempts set finished_at = now() - interval '1 hour'")
    hour = figures.by_hour.get()[-2]
    assert (hour.published, hour.errors) == (1, 0)
    assert hour.median == hour.p95 == pytest.approx(71 * 3600, abs=60)
    publish("RUN_A", republish=True)
    figures.by_hour.forget()
    last = figures.by_hour.get()[-1]
    assert (last.published, last.median) == (1, None)
    assert browser().get("/").status_code == 200
