"""The app's view over HTTP: a V1 dossier and a V2 dossier come out alike, and are found by their day."""

import pytest

from tests.database.publishing import LAKESHORE, NORTHWIND, execute, one
from tests.database.rows import add, add_batch, add_list, ago
from worker.drain import drain


def shown(http, dossier_id):
    answer = http.get(f"/columnline/dossiers/{dossier_id}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_published_run_and_a_v1_row_have_the_same_keys_all_the_way_down(http, sample):
    document = sample("run_clean")
    http.post(f"/columnline/publish/{document['run']['run_id']}")
    list(drain())
    v2 = one("select id from dossiers where pipeline_version = 'v2'").id
    v1 = add(pipeline_version="v1", company_name="Old Co")
    new, old = shown(http, v2)["view"], shown(http, v1)["view"]
    assert new["whyNow"]
    assert new["contacts"]
    assert (new["pipelineVersion"], old["pipelineVersion"]) == ("v2", "v1")
    assert new["lists"] == ["Inbox"]
    for key, value in new.items():
        if isinstance(value, dict):
            assert set(value) == set(old[key])
    assert set(new) == set(old)


def test_contacts_without_an_index_come_in_the_order_in_which_they_were_made(http):
    dossier_id = add(pipeline_version="v1", company_name="Old Co")
    for name, hours in (("Bo", 1), ("Al", 2), ("Cy", 3)):
        execute(
            "insert into contacts (dossier_id, name, created_at) values (:id, :name, :made)",
            id=dossier_id,
            name=name,
            made=ago(hours=hours),
        )
    assert [person["name"] for person in shown(http, dossier_id)["view"]["contacts"]] == ["Cy", "Al", "Bo"]


def test_contacts_lists_and_the_badge_come_from_their_own_tables(http):
    old = add(pipeline_version="v1", company_name="Old Co", status="superseded")
    execute(
        "update dossiers set superseded_by_dossier_id = :new where id = :old", new=add(run_id="RUN_NEW"), old=old
    )
    for name, primary in (("Bo", False), ("Al", True)):
        execute(
            "insert into contacts (dossier_id, name, is_primary) values (:id, :name, :primary)",
            id=old,
            name=name,
            primary=primary,
        )
    add_list("Later", NORTHWIND, old)
    add_list("Hot", NORTHWIND, old)
    view = shown(http, old)["view"]
    assert [person["name"] for person in view["contacts"]] == ["Al", "Bo"]
    assert view["lists"] == ["Hot", "Later"]
    assert view["updated"] is True


@pytest.mark.parametrize(
    ("zone", "day"),
    [("America/Chicago", "2026-03-01"), ("UTC", "2026-03-02"), ("Mars/Olympus", "2026-03-02"), ("", "2026-03-02")],
)
def test_the_batch_date_is_the_clients_day_whatever_its_zone_is_called_and_finds_the_dossier(http, zone, day):
    execute("update clients set timezone = :zone where id = :id", zone=zone, id=NORTHWIND)
    batch = add_batch("7")
    execute("update batches set created_at = '2026-03-02 03:00Z' where id = :id", id=batch)
    dossier_id = add(run_id="RUN_DAY", batch_id=batch, created_at="2026-05-05 12:00Z")
    add(run_id="RUN_OTHER", client_id=LAKESHORE, created_at="2026-05-05 12:00Z")
    told = shown(http, dossier_id)
    assert told["view"]["batchDate"] == told["batch_date"] == day
    found = {
        asked: [
            row["dossier_id"]
            for row in http.get("/columnline/dossiers", params={"batch_date": asked}).json()["dossiers"]
        ]
        for asked in ("2026-03-01", "2026-03-02", "2026-03-03")
    }
    assert found == {key: [] for key in found} | {day: [str(dossier_id)]}


def test_a_dossier_without_a_batch_belongs_to_the_day_it_was_made(http):
    dossier_id = add(run_id="RUN_NONE", created_at="2026-05-05 12:00Z")
    assert shown(http, dossier_id)["view"]["batchDate"] == "2026-05-05"
    listed = http.get("/columnline/dossiers", params={"batch_date": "2026-05-05"}).json()["dossiers"]
    assert [row["dossier_id"] for row in listed] == [str(dossier_id)]


def test_a_span_of_time_has_a_beginning_that_counts_and_an_end_that_does_not(http):
    dossier_id = add(run_id="RUN_SPAN", created_at="2026-05-05 12:00Z")

    def found(**params):
        return [row["dossier_id"] for row in http.get("/columnline/dossiers", params=params).json()["dossiers"]]

    assert found(since="2026-05-05T12:00:00Z", until="2026-05-05T12:00:01Z") == [str(dossier_id)]
    assert found(until="2026-05-05T12:00:00Z") == []
