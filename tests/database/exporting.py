"""What tests of exports share: a V1 row that nobody ever checked, and files as other libraries read them."""

import csv
import io
import json

import openpyxl

from tests.database.publishing import execute
from tests.database.rows import add
from worker.drain import drain

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
DIRTY = {
    "find_leads": {
        "companyName": "null",
        "the_angle": ["Call them", None, "soon"],
        "lead_score": "78/100",
        "timing_urgency": "MEDIUM-HIGH",
        "primary_buying_signal": "They build a depot",
        "company_snapshot": '{"description": "Hauls \\"freight\\"", "domain": "old.example"}',
    },
    "enrich_lead": {"additional_signals": {"headline": "Hiring", "source_url": "javascript:alert(1)"}},
    "enrich_contacts": [{"full_name": "Ann Old", "email": "ann@old.example"}, "N/A"],
    "copy": {
        "outreach": {"target_name": "ann old", "email_subject": "Your depot", "email_body": "Dear Ann,\r\nhi"}
    },
    "insight": "null",
    "media": [],
}


def dirty(**columns):
    """A V1 dossier with sections as V1 has them; returns its id."""
    sections = {name: json.dumps(value) for name, value in DIRTY.items()}
    return add(pipeline_version="v1", company_name="Old Haulage", **sections | columns)


def published(http, document):
    """Publish the sample run; returns its dossier's id."""
    http.post(f"/columnline/publish/{document['run']['run_id']}")
    list(drain())
    return http.get("/columnline/dossiers", params={"pipeline_version": "v2"}).json()["dossiers"][0]["dossier_id"]


def read_csv(content):
    """The rows of a CSV file, each as a dict."""
    found = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))
    return [dict(zip(found[0], row, strict=True)) for row in found[1:]]


def read_xlsx(content):
    """The rows of the sheets of an XLSX file, each as a dict of the cells that are not empty."""
    rows = []
    for sheet in openpyxl.load_workbook(io.BytesIO(content)):
        assert not [cell for row in sheet for cell in row if cell.data_type == "f"], "a formula"
        names, *found = sheet.values
        rows += [dict(zip(names, row, strict=True)) for row in found]
    return rows


def get(http, what="dossiers", kind="csv", **params):
    """The rows of an export over HTTP."""
    answer = http.get(f"/columnline/export/{what}.{kind}", params=params)
    assert answer.status_code == 200, answer.text
    return (read_csv if kind == "csv" else read_xlsx)(answer.content)


def hostile(value):
    """The same with every text in it turned into a formula, but for links and ids, which are checked."""
    if isinstance(value, str):
        return value if value.startswith("http") else f"=1+{value}"
    if isinstance(value, dict):
        return {key: item if key == "contact_id" else hostile(item) for key, item in value.items()}
    return [hostile(item) for item in value] if isinstance(value, list) else value


def delete(dossier_id):
    execute("delete from dossiers where id = :id", id=dossier_id)
