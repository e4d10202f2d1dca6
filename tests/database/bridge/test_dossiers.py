"""Dossiers over HTTP: find them, see what was decided about their release, and decide it."""

from datetime import timedelta

import pytest

from models.jobs import Scope
from tests.database.bridge.calls import refusal
from tests.database.publishing import LAKESHORE, NORTHWIND, events, everything, execute, now, one, query
from tests.database.rows import add, add_batch, add_list, ago, ahead, set_drip

NOBODY = "00000000-0000-4000-8000-000000000000"
ERROR = '{"code": "outputs_missing", "detail": "Nothing came."}'


@pytest.fixture
def shelf(http):
    """Dossiers of both versions by a letter, `a` the oldest, and their batch and list."""
    batch = add_batch("7")
    days = {letter: ago(days=90 - number) for number, letter in enumerate("abcdefgh")}

    def v1(letter, **values):
        return add(pipeline_version="v1", created_at=days[letter], **values)

    def v2(letter, **values):
        return add(run_id=f"RUN_{letter}", created_at=days[letter], **values)

    ids = {
        "a": v1("a", company_name="Hull 100% Steel", company_domain="www.Hull.example", released_at=ago(days=80)),
        "b": v1("b", client_id=LAKESHORE, company_name="Bow", status="skeleton"),
        "c": v2("c", company_name="Acme", company_domain="acme.example", released_at=ago(days=1), batch_id=batch),
        "d": v2("d", company_name="Hull", release_at=ahead(days=1), release_date=ahead(days=1).date()),
        "e": v2("e", client_id=LAKESHORE, company_name="hull_two"),
        "f": v2("f", company_name="Run RUN_f", status="error", error=ERROR, batch_id=batch),
        "g": v2("g", company_name="Keel", status="archived"),
    }
    ids["h"] = v2("h", company_name="Acme 2", released_at=ago(hours=1), supersedes_dossier_id=ids["c"])
    execute(
        "update dossiers set status = 'superseded', superseded_by_dossier_id = :h where id = :c",
        h=ids["h"],
        c=ids["c"],
    )
    return {"ids": ids, "batch": batch, "list": add_list("Hot", NORTHWIND, ids["a"], ids["e"]), "days": days}


def listed(http, ids, **params):
    """The letters of the dossiers that are listed, the newest first."""
    answer = http.get("/columnline/dossiers", params=params)
    assert answer.status_code == 200, answer.text
    letters = {str(dossier_id): letter for letter, dossier_id in ids.items()}
    return "".join(letters[row["dossier_id"]] for row in answer.json()["dossiers"])


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({}, "hgfedcba"),
        ({"client_id": "CLT_NORTHWIND_001"}, "hgfdca"),
        ({"client_id": str(LAKESHORE)}, "eb"),
        ({"status": "error"}, "f"),
        ({"status": "superseded"}, "c"),
        ({"pipeline_version": "v1"}, "ba"),
        ({"pipeline_version": "v2"}, "hgfedc"),
        ({"release": "released"}, "hca"),
        ({"release": "scheduled"}, "d"),
        ({"release": "held"}, "e"),
        ({"batch_id": "batch"}, "fc"),
        ({"list_id": "list"}, "ea"),
        ({"list_id": NOBODY}, ""),
        ({"company": "HULL"}, "eda"),
        ({"company": "hull.exam"}, "a"),
        ({"company": "%"}, "a"),
        ({"company": "hull_"}, "e"),
        ({"since": "days"}, "hgf"),
        ({"company": "hull", "pipeline_version": "v2", "client_id": "CLT_NORTHWIND_001"}, "d"),
        ({"status": "", "release": "null", "company": "", "batch_id": "", "since": "", "limit": "8"}, "hgfedcba"),
    ],
    ids=str,
)
def test_a_filter_keeps_the_dossiers_of_both_versions_that_meet_all_of_it(http, shelf, params, found):
    values = {"batch": str(shelf["batch"]), "list": str(shelf["list"]), "days": shelf["days"]["f"].isoformat()}
    sent = {name: values.get(value, value) for name, value in params.items()}
    assert listed(http, shelf["ids"], **sent) == found


@pytest.mark.parametrize(
    ("params", "code", "status"),
    [
        ({"client_id": "CLT_NOBODY"}, "client_not_found", 404),
        ({"client_id": "CLT_UNMAPPED_001"}, "client_not_found", 404),
        ({"status": "lost"}, "validation", 422),
        ({"release": "soon"}, "validation", 422),
        ({"batch_id": "7"}, "validation", 422),
        ({"since": "2026-01-20T00:00:00"}, "validation", 422),
        ({"limit": "0"}, "validation", 422),
        ({"limit": "201"}, "validation", 422),
        ({"cursor": "x"}, "validation", 422),
        ({"colour": "red"}, "validation", 422),
    ],
    ids=str,
)
def test_a_filter_that_means_nothing_is_refused(http, params, code, status):
    assert refusal(http.get("/columnline/dossiers", params=params), status)["code"] == code


def test_a_row_says_the_same_of_v1_and_v2(http, shelf):
    rows = {row["company_name"]: row for row in http.get("/columnline/dossiers").json()["dossiers"]}
    old, new, error, shown = (rows[name] for name in ("Hull 100% Steel", "Acme", "Run RUN_f", "Acme 2"))
    assert set(old) == set(new)
    assert (old["run_id"], old["pipeline_version"], old["client_name"]) == (None, "v1", "Northwind Steel")
    assert (old["list_ids"], new["list_ids"]) == ([str(shelf["list"])], [])
    assert (new["batch_number"], new["updated"], new["superseded_by_dossier_id"]) == (
        "7",
        True,
        shown["dossier_id"],
    )
    assert (shown["updated"], shown["supersedes_dossier_id"]) == (False, new["dossier_id"])
    assert (error["error_code"], old["error_code"]) == ("outputs_missing", None)


@pytest.mark.parametrize("limit", [1, 3, 5])
def test_pages_show_every_dossier_once_while_others_arrive(http, limit):
    begun = ago(days=1)
    moments = [begun + timedelta(seconds=number // 3) for number in range(15)]  # few, so that many share one
    wanted = [add(run_id=f"RUN_{number}", created_at=moment) for number, moment in enumerate(moments)]
    found, cursor = [], None
    while True:
        page = http.get("/columnline/dossiers", params={"limit": limit, "cursor": cursor or ""}).json()
        found += page["dossiers"]
        if (cursor := page["next_cursor"]) is None:
            break
        add(run_id=f"LATE_{len(found)}")
    ids = [row["dossier_id"] for row in found]
    assert len(set(ids)) == len(ids)
    assert set(map(str, wanted)) == set(ids), "those that arrive later are newer than the first page"
    order = [(row["created_at"], row["dossier_id"]) for row in found]
    assert order == sorted(order, reverse=True)


def test_a_dossier_shows_who_decided_what_about_its_release(http, bridge):
    dossier_id = add(run_id="RUN")
    path = f"/columnline/dossiers/{dossier_id}"
    publisher = {"X-API-Key": bridge.keys[Scope.PUBLISH]}
    for body in ({"release_date": "2090-01-20"}, {"hold": "true"}, {"release_date": "01/21/2090"}):
        assert http.post(f"{path}/release", json=body, headers=publisher).json()["duplicate"] is False
    assert http.post(f"{path}/release").json()["released_at"]
    assert http.post(f"{path}/archive").json()["status"] == "archived"
    shown = http.get(path, headers={"X-API-Key": bridge.keys[Scope.READ]}).json()
    assert [(event["action"], event["asked_by"], event["previous_date"]) for event in shown["history"]] == [
        ("scheduled", "key tests-publish", None),
        ("held", "key tests-publish", "2090-01-20"),
        ("scheduled", "key tests-publish", None),
        ("released", "key tests-ops", "2090-01-21"),
        ("archived", "key tests-ops", "2090-01-21"),
    ]
    assert shown["history"][0]["release_at"] == "2090-01-20T12:00:00Z", "seven o'clock in Toronto"
    assert (shown["duplicate"], shown["ok"]) == (False, True)


def test_released_now_it_is_seen_and_once_more_is_a_duplicate(http):
    dossier_id = add(run_id="RUN", release_at=ahead(days=3))
    first = http.post(f"/columnline/dossiers/{dossier_id}/release", json={})
    assert (first.status_code, first.json()["duplicate"], first.json()["status"]) == (200, False, "ready")
    before = everything()
    again = http.post(f"/columnline/dossiers/{dossier_id}/release", json={}).json()
    assert (again["duplicate"], again["released_at"]) == (True, first.json()["released_at"])
    assert everything() == before


def test_put_on_another_day_it_is_there_and_the_same_day_again_is_a_duplicate(http):
    dossier_id = add(run_id="RUN")
    path = f"/columnline/dossiers/{dossier_id}/release"
    first = http.post(path, json={"release_date": "2090-07-20"}).json()
    assert (first["release_date"], first["release_at"]) == ("2090-07-20", "2090-07-20T11:00:00Z")
    again = http.post(path, json={"release_date": "2090-07-20T04:00:00.000Z"}).json()
    assert (again["duplicate"], again["release_at"]) == (True, first["release_at"])
    come = http.post(path, json={"release_date": "2020-01-20"}).json()
    assert (come["duplicate"], come["release_date"], bool(come["released_at"])) == (False, "2020-01-20", True)


def test_held_it_is_off_the_calendar_and_held_again_is_a_duplicate(http):
    dossier_id = add(run_id="RUN", release_at=ahead(days=3), release_date=ahead(days=3).date())
    path = f"/columnline/dossiers/{dossier_id}/release"
    first = http.post(path, json={"release_date": None, "hold": True}).json()
    assert (first["duplicate"], first["release_date"], first["release_at"]) == (False, None, None)
    assert http.post(path, json={"hold": True}).json()["duplicate"] is True
    assert http.get("/columnline/releases").json()["releases"] == []


def test_dripped_it_takes_the_next_free_slot_and_no_other_takes_it_too(http):
    set_drip()
    moments = []
    for number in range(3):
        path = f"/columnline/dossiers/{add(run_id=f'RUN_{number}')}/release"
        moments.append(http.post(path, json={"release_date": " Drip "}).json()["release_at"])
        assert http.post(path, json={"release_date": "drip"}).json()["duplicate"] is True
    free = http.get("/columnline/releases", params={"client_id": str(NORTHWIND)}).json()["free_slots"]
    assert [*moments, *free] == sorted({*moments, *free})


def test_archived_before_its_release_it_leaves_its_chain_and_once_more_is_a_duplicate(http):
    old = add(pipeline_version="v1", released_at=ago(days=9))
    dossier_id = add(run_id="RUN", release_at=ahead(days=3), supersedes_dossier_id=old)
    first = http.post(f"/columnline/dossiers/{dossier_id}/archive").json()
    assert (first["duplicate"], first["status"]) == (False, "archived")
    assert (first["release_at"], first["released_at"], first["supersedes_dossier_id"]) == (None, None, None)
    assert http.post(f"/columnline/dossiers/{dossier_id}/archive").json()["duplicate"] is True
    assert one("select status, superseded_by_dossier_id from dossiers where id = :id", id=old) == {
        "status": "ready",
        "superseded_by_dossier_id": None,
    }


STATES = {
    "released": lambda: {"released_at": ago(days=1)},
    "error": lambda: {"status": "error", "error": ERROR},
    "archived": lambda: {"status": "archived"},
    "superseded": lambda: {"status": "superseded"},
    "skeleton": lambda: {"status": "skeleton", "pipeline_version": "v1", "run_id": None},
    "held": dict,
    "scheduled": lambda: {"release_at": ahead(days=9), "release_date": ahead(days=9).date()},
}
LATER, HOLD, DRIP = {"release_date": "2090-01-20"}, {"hold": True}, {"release_date": "drip"}


@pytest.mark.parametrize(
    ("state", "action", "body", "code"),
    [
        ("released", "release", LATER, "already_released"),
        ("released", "release", HOLD, "already_released"),
        ("released", "release", DRIP, "already_released"),
        *[
            (state, "release", body, "dossier_not_ready")
            for state in ("error", "archived", "superseded", "skeleton")
            for body in ({}, LATER, HOLD)
        ],
        ("error", "archive", None, "dossier_not_ready"),
        ("skeleton", "archive", None, "dossier_not_ready"),
        ("scheduled", "release", DRIP, "drip_unavailable"),
        *[
            ("scheduled", "release", {"release_date": day}, "release_date_invalid")
            for day in ("", None, "null", "someday", "2026-02-30", "02/03/2026", "1999-12-31", 7, True, ["drip"])
        ],
        ("scheduled", "release", {"hold": True} | LATER, "validation"),
        ("scheduled", "release", {"hold": "perhaps"}, "validation"),
        ("scheduled", "release", {"release_on": "2090-01-20"}, "validation"),
        ("scheduled", "release", [], "validation"),
        ("scheduled", "release", {"hold": False, "release_date": ""}, "release_date_invalid"),
    ],
    ids=str,
)
def test_a_decision_that_cannot_be_taken_is_refused_and_changes_nothing(http, state, action, body, code):
    dossier_id = add(**{"run_id": "RUN"} | STATES[state]())
    before = everything()
    answer = http.post(f"/columnline/dossiers/{dossier_id}/{action}", json=body)
    assert refusal(answer, 422)["code"] == code
    assert everything() == before


@pytest.mark.parametrize("action", ["release", "archive", ""])
def test_a_dossier_that_is_not_there_is_a_404_that_says_so(http, action):
    path = f"/columnline/dossiers/{NOBODY}/{action}".rstrip("/")
    problem = refusal(http.post(path) if action else http.get(path), 404)
    assert (problem["code"], problem["errors"][0]["field"]) == ("dossier_not_found", "dossier_id")


def test_a_drip_that_cannot_be_read_is_named(http):
    set_drip('{"days": ["moonday"]}')
    path = f"/columnline/dossiers/{add(run_id='RUN')}/release"
    problem = refusal(http.post(path, json=DRIP), 422)
    assert problem["code"] == "drip_unavailable"
    assert "moonday" in problem["detail"]
    assert events("RUN") == []


def test_a_dossier_shown_to_readers_supersedes_what_it_replaces_in_the_same_answer(http):
    old = add(pipeline_version="v1", released_at=ago(days=9))
    dossier_id = add(run_id="RUN", release_at=ahead(days=3), supersedes_dossier_id=old)
    http.post(f"/columnline/dossiers/{dossier_id}/release").raise_for_status()
    shown = http.get(f"/columnline/dossiers/{old}").json()
    assert (shown["status"], shown["updated"]) == ("superseded", True)
    assert shown["superseded_by_dossier_id"] == str(dossier_id)
    (row,) = query("select released_at from dossiers where id = :id", id=dossier_id)
    assert now() - row.released_at < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("query", "body"),
    [({"release_date": "2099-03-09"}, {}), ({"hold": "true"}, {}), ({}, {"hold": ""}), ({}, {"release_date": ""})],
)
def test_what_would_release_at_once_by_mistake_is_refused(http, query, body):
    dossier_id = add(run_id="RUN", release_at=ahead(days=3))
    before = everything()
    answer = http.post(f"/columnline/dossiers/{dossier_id}/release", params=query, json=body)
    assert answer.status_code == 422
    assert everything() == before
