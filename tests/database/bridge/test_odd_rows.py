"""One odd row must not take list, view, exports or page away from everybody: V1 checked nothing."""

import json

import pytest

from models.jobs import Scope
from tests.database.exporting import read_csv, read_xlsx
from tests.database.publishing import execute
from tests.database.rows import add

DEEP = "[" * 3000 + "]" * 3000
ODD = {
    "a moment that never comes": {"released_at": "infinity"},
    "made before all time": {"created_at": "-infinity"},
    "made after all time": {"created_at": "infinity"},
    "before Christ": {"created_at": "0044-03-15 00:00:00 BC", "released_at": "0044-03-15 00:00:00 BC"},
    "the year 20000": {"created_at": "20000-01-01", "release_date": "20000-01-01"},
    "a day BC": {"release_date": "0044-03-15 BC"},
    "a day that never comes": {"release_date": "infinity"},
    "the last moment": {"created_at": "9999-12-31 23:59:59Z", "released_at": "9999-12-31 23:59:59Z"},
    "the first moment": {"created_at": "0001-01-01 00:00:00Z", "released_at": "0001-01-01 00:00:00Z"},
    "a number of thousands of digits": {"find_leads": f'{{"the_angle": {"1" * 5000}}}'},
    "nested without end": {"find_leads": f'{{"the_angle": {DEEP}}}'},
}


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("name", ODD)
def test_a_row_with_anything_in_it_is_shown_everywhere(http, bridge, browser, name, zone):
    execute("update clients set timezone = :zone", zone=zone)
    usual, odd = add(), add(pipeline_version="v1", **ODD[name])
    key = {"X-API-Key": bridge.keys[Scope.READ]}
    listed = http.get("/columnline/dossiers", headers=key)
    assert {row["dossier_id"] for row in listed.json()["dossiers"]} == {str(usual), str(odd)}
    assert http.get(f"/columnline/dossiers/{odd}", headers=key).json()["company_name"] == "Acme"
    for kind, read in (("csv", read_csv), ("xlsx", read_xlsx)):
        file = http.get(f"/columnline/export/dossiers.{kind}", headers=key)
        assert {row["dossier_id"] for row in read(file.content)} == {str(usual), str(odd)}
    client = browser()
    for path in ("/", "/dossiers", f"/dossiers/{odd}", "/calendar", "/search?q=Acme"):
        assert client.get(path).status_code == 200, path


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01"])
@pytest.mark.parametrize("zone", ["Etc/GMT-11", "Etc/GMT+11", "UTC"])
def test_the_first_and_the_last_day_there_are_can_be_asked_for(http, day, zone):
    execute("update clients set timezone = :zone", zone=zone)
    dossier_id = add(created_at=f"{day} 12:00Z")
    found = http.get("/columnline/dossiers", params={"batch_date": day}).json()["dossiers"]
    assert [row["dossier_id"] for row in found] == [str(dossier_id)]


def test_a_number_is_shown_with_all_its_digits(http):
    sections = {"company_deep_dive": {"revenue": 12500000.5, "founded_year": 1987.0}}
    dossier_id = add(pipeline_version="v1", enrich_lead=json.dumps(sections))
    assert "12500000.5" in http.get("/columnline/export/dossiers.csv", params={"ids": str(dossier_id)}).text
