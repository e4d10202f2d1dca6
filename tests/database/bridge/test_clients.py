"""Clients over HTTP: who is mapped to whom, who waits, and keeping config fields equal."""

import json
from datetime import datetime
from urllib.parse import quote
from uuid import UUID

import pytest

from models.jobs import Scope
from tests.database.bridge.calls import refusal
from tests.database.publishing import LAKESHORE, NORTHWIND, accept, dossier, execute, job_of, one, query
from tests.database.sides import SECOND, V2, A, B, both, history, put
from worker import db, keys
from worker.drain import drain

UNMAPPED = "CLT_UNMAPPED_001"
CLIENTS = "/columnline/clients"


@pytest.fixture(autouse=True)
def _no_config(http):
    execute("delete from config_sync_state")
    execute("delete from config_sync_history")
    execute("update v2_clients set icp_config = null")


@pytest.fixture
def held(sample):
    """The run of the unmapped client, whose publish is held."""
    run_id = sample("run_unmapped_client")["run"]["run_id"]
    accept(run_id)
    list(drain())
    assert job_of(run_id).state == "held"
    return run_id


def listed(http, **params):
    answer = http.get(CLIENTS, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def sync(http, status=200, **body):
    answer = http.post(f"{CLIENTS}/sync", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def put_mapping(http, client=UNMAPPED, **body):
    return http.put(f"{CLIENTS}/{quote(client, safe='')}/mapping", json=body)


def everything():
    tables = ("clients", "v2_clients", "config_sync_state", "config_sync_history", "jobs")
    return {table: query(f"select * from {table} order by {table}::text") for table in tables}


def test_clients_are_listed_with_where_they_lead_and_who_waits(http, held):
    execute("insert into clients (name) values ('Gulf Conveyors')")
    answer = listed(http)
    assert (answer["ok"], answer["next_cursor"]) == (True, None)
    rows = {row["v2_client_id"]: row for row in answer["clients"]}
    assert [(row["mapped_by"], row["production_client_id"]) for row in rows.values()] == [
        ("slug", str(LAKESHORE)),
        ("mapping", str(NORTHWIND)),
        (None, None),
    ]
    (waiting,) = listed(http, unmapped="true")["clients"]
    assert waiting == rows[UNMAPPED]
    assert (waiting["held_runs"], waiting["status"]) == (1, "onboarding")
    assert datetime.fromisoformat(waiting["held_since"]) == job_of(held).created_at
    assert [(who["name"], who["why"]) for who in waiting["candidates"]] == [("Gulf Conveyors", "name alike")]


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_pages_show_every_client_once_although_others_arrive(http, limit):
    found, cursor = [], ""
    while cursor is not None:
        page = listed(http, limit=limit, cursor=cursor)
        found += [row["v2_client_id"] for row in page["clients"]]
        cursor = page["next_cursor"]
        execute("insert into v2_clients (client_id, client_name) values (:c, 'x')", c=f"A{len(found)}")
    assert found == sorted({SECOND, V2, UNMAPPED})


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 201}, {"unmapped": "perhaps"}, {"page": 2}])
def test_a_page_that_cannot_be_is_refused(http, params):
    problem = refusal(http.get(CLIENTS, params=params), 422)
    assert problem["errors"][0]["field"] == next(iter(params))


@pytest.mark.parametrize(
    "body", [{"production_client_id": str(LAKESHORE)}, {"slug": "lakeshore-interiors"}, {"create": True}], ids=str
)
def test_a_client_is_mapped_and_its_held_runs_are_rung_for_at_once(http, held, body, monkeypatch):
    rung = []
    monkeypatch.setattr(http.app.state.bell, "ring", rung.extend)
    answer = put_mapping(http, **body)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["ok"], told["created"], told["changed"], told["released_jobs"]) == (
        True,
        "create" in body,
        True,
        1,
    )
    assert [job.key for job in rung] == [held]
    list(drain())
    assert str(dossier(held).client_id) == told["production_client_id"]
    again = put_mapping(http, production_client_id=told["production_client_id"]).json()
    assert (again["changed"], again["created"], again["released_jobs"]) == (False, False, 0)


def test_what_is_odd_about_a_mapping_is_told(http):
    execute("update v2_clients set status = 'inactive' where client_id = :c", c=UNMAPPED)
    put_mapping(http, slug="lakeshore-interiors").raise_for_status()
    shared, idle, before = put_mapping(http, production_client_id=str(NORTHWIND)).json()["warnings"]
    assert V2 in shared
    assert "inactive" in idle
    assert str(LAKESHORE) in before


BAD = {
    "no such client": (UNMAPPED, {"production_client_id": str(UUID(int=0))}, 404, "production_client_id"),
    "no such v2 client": ("CLT_NOBODY", {"create": True}, 404, "client_id"),
    "no such slug": (UNMAPPED, {"slug": "nobody"}, 404, "slug"),
    "no id": (UNMAPPED, {"production_client_id": "LAKESHORE"}, 422, "production_client_id"),
    "no way": (UNMAPPED, {}, 422, "production_client_id"),
    "no": (UNMAPPED, {"create": False}, 422, "production_client_id"),
    "two ways": (UNMAPPED, {"slug": "lakeshore-interiors", "create": True}, 422, "production_client_id"),
    "an unknown way": (UNMAPPED, {"name": "Lakeshore"}, 422, "name"),
    "a slug that is taken": (SECOND, {"create": True}, 422, "slug"),
    "a control character": (UNMAPPED, {"slug": "a\x00b"}, 422, "slug"),
    "a list": (UNMAPPED, {"slug": ["lakeshore-interiors"]}, 422, "slug"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_mapping_that_will_not_do_is_refused_with_its_code_and_changes_nothing(http, held, name):
    client, body, status, field = BAD[name]
    before = everything()
    problem = refusal(put_mapping(http, client, **body), status)
    assert problem["code"] == ("client_not_found" if status == 404 else "validation")
    assert problem["errors"][0]["field"] == field
    assert everything() == before


def test_no_body_and_no_json_are_no_mapping(http):
    path = f"{CLIENTS}/{UNMAPPED}/mapping"
    assert refusal(http.put(path), 422)["code"] == "validation"
    assert refusal(http.put(path, content="{"), 400)["code"] == "invalid_json"


def test_a_client_whose_id_needs_escapes_is_mapped(http):
    execute("insert into v2_clients (client_id, client_name) values ('CLT/é %2F', 'x')")
    answer = put_mapping(http, "CLT/é %2F", create=True)
    assert answer.status_code == 200, answer.text
    assert answer.json()["v2_client_id"] == "CLT/é %2F"


def test_a_dry_run_of_a_sync_says_what_would_be_done_and_changes_nothing(http):
    put("v2", A)
    before = everything()
    report = sync(http, dry_run=True)
    assert (report["ok"], report["dry_run"], report["owner"], report["copied"]) == (True, True, "v2", 1)
    assert report["differences"] == [
        {
            "v2_client_id": V2,
            "client_id": str(NORTHWIND),
            "field": "icp_config",
            "action": "to_production",
            "reason": "only one side has a value",
            "v2": A,
            "production": None,
            "since": None,
        }
    ]
    assert everything() == before


def test_a_sync_copies_reports_conflicts_and_keeps_who_asked(http):
    put("v2", A)
    assert sync(http)["copied"] == 1
    assert both() == (A, A)
    put("production", B)
    report = sync(http)
    assert (report["ok"], report["copied"], report["conflicts"]) == (True, 0, 1)
    settled = sync(http, client_id=V2, field="icp_config", take="production")
    assert (settled["fields"], settled["copied"], settled["conflicts"]) == (1, 1, 0)
    assert both() == (B, B)
    rows = query("select distinct asked_by from config_sync_history")
    assert [row.asked_by for row in rows] == ["key tests-ops"]
    assert history() == []


def test_what_make_sends_for_nothing_is_nothing(http):
    put("v2", A)
    report = sync(http, client_id="", field="null", take="", dry_run="")
    assert (report["dry_run"], report["fields"], report["copied"]) == (False, 6, 1)
    assert http.post(f"{CLIENTS}/sync").status_code == 200


@pytest.mark.parametrize("body", [{"take": "both"}, {"take": 1}, {"dry_run": "perhaps"}, {"owner": "v2"}], ids=str)
def test_a_sync_that_cannot_be_is_refused(http, body):
    problem = refusal(http.post(f"{CLIENTS}/sync", json=body), 422)
    assert (problem["code"], problem["errors"][0]["field"]) == ("validation", next(iter(body)))


@pytest.mark.parametrize(("named", "lacking"), [({}, "client_id"), ({"client_id": V2}, "field")], ids=str)
def test_a_side_that_is_to_be_taken_everywhere_is_refused(http, named, lacking):
    put("production", B)
    problem = refusal(http.post(f"{CLIENTS}/sync", json={"take": "v2", **named}), 422)
    assert (problem["code"], problem["errors"][0]["field"]) == ("validation", lacking)
    assert both() == (None, B)


@pytest.mark.parametrize("scope", [Scope.READ, Scope.PUBLISH])
def test_reading_shows_clients_and_only_ops_may_map_and_sync(http, scope):
    with db.transaction() as session:
        headers = {"X-API-Key": keys.create(session, f"test-{scope}-{one('select now() as n').n}", scope)}
    put("v2", A)
    before = everything()
    assert http.get(CLIENTS, headers=headers).status_code == 200
    body = json.dumps({"create": True})
    refused = http.put(f"{CLIENTS}/{UNMAPPED}/mapping", content=body, headers=headers)
    assert refusal(refused, 403)["code"] == "forbidden"
    assert refusal(http.post(f"{CLIENTS}/sync", headers=headers), 403)["code"] == "forbidden"
    assert everything() == before
