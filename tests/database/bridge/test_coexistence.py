"""Production's 734 V1 dossiers and V2's beside them: in list, view, exports and on the page alike."""

import csv
import io

import psycopg
import pytest

from models.view import DossierView
from tests import v1
from tests.database.publishing import query
from worker.drain import drain

LISTS = ("whyNow", "contacts", "emailScripts", "commonObjections", "sources", "lists")


@pytest.fixture(scope="module")
def production():
    return v1.production()


@pytest.fixture
def both(http, sample, shared_database, production):
    """The ids of V1's dossiers and of two of V2, which were published beside them."""
    with psycopg.connect(shared_database) as connection:
        v1.load(connection, production)
    for name in ("run_clean", "run_composer"):
        http.post(f"/columnline/publish/{sample(name)['run']['run_id']}")
    list(drain())
    found = {row.id: row.pipeline_version for row in query("select id, pipeline_version from dossiers")}
    assert sorted(found.values()) == ["v1"] * 734 + ["v2"] * 2
    return found


def every_page(http, **params):
    cursor = None
    while True:
        answer = http.get(
            "/columnline/dossiers", params=params | {"limit": 200} | ({"cursor": cursor} if cursor else {})
        )
        assert answer.status_code == 200, answer.text
        yield from answer.json()["dossiers"]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return


def test_both_are_in_the_list_and_are_told_apart_by_a_filter(http, both):
    listed = {row["dossier_id"]: row["pipeline_version"] for row in every_page(http)}
    assert listed == {str(dossier_id): version for dossier_id, version in both.items()}
    for version, count in (("v1", 734), ("v2", 2)):
        assert len(list(every_page(http, pipeline_version=version))) == count


def test_every_one_has_a_view_whose_lists_are_lists_and_whose_links_are_links(http, both):
    for dossier_id in both:
        answer = http.get(f"/columnline/dossiers/{dossier_id}")
        assert answer.status_code == 200, answer.text
        view = answer.json()["view"]
        assert all(isinstance(view[name], list) for name in LISTS)
        assert all(source["url"] is None or source["url"].startswith("http") for source in view["sources"])
        assert "null" not in {view["companyName"], view["theAngle"], view["whatTheyDo"]}
        assert DossierView.model_validate(view).pipeline_version == both[dossier_id]


def test_every_one_is_in_the_exports_once(http, both):
    csv.field_size_limit(10_000_000)
    answer = http.get("/columnline/export/dossiers.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert sorted(row["dossier_id"] for row in rows) == sorted(map(str, both))
    assert all(row["domain"] != "null" for row in rows)
    for what in ("contacts", "signals"):
        found = list(csv.DictReader(io.StringIO(http.get(f"/columnline/export/{what}.csv").text, newline="")))
        assert {row["pipeline_version"] for row in found} == {"v1", "v2"}
        assert {row["dossier_id"] for row in found} <= set(map(str, both))


def test_whatever_is_odd_about_them_they_are_drawn_on_the_page(http, bridge, both, production):
    """Three with each oddity, and sixty others: the page draws the views that all were seen to have."""
    odd = {dossier_id for ids in production.traits.values() for dossier_id in ids[:3]}
    sound = both.keys() - {dossier_id for ids in production.traits.values() for dossier_id in ids}
    v2 = {dossier_id for dossier_id in both if both[dossier_id] == "v2"}
    http.post("/sign-in", data={"key": next(iter(bridge.keys.values()))})
    for dossier_id in odd | v2 | set(sorted(sound)[:60]):
        answer = http.get(f"/dossiers/{dossier_id}")
        assert answer.status_code == 200, answer.text
    for path in ("/", "/dossiers", "/dossiers?version=v1", "/batches", "/calendar", "/clients?every=true"):
        assert http.get(path).status_code == 200
    http.cookies.clear()
