"""The columns: stable names, each with a sentence, one source for header, documentation and `--columns`."""

import re
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from models.production import Dossier
from models.view import ContactView, DossierView, EmailScript, Proof, WhyNow
from worker.bridge import app
from worker.export.columns import COLUMNS, DOSSIER, cells, header
from worker.export.order import What
from worker.view.shown import Shown

every_export = pytest.mark.parametrize("what", What)


def shown(**view):
    row = Dossier(id=uuid4(), pipeline_version="v2", status="ready")
    return Shown(row, "Northwind", ZoneInfo("UTC"), "7", DossierView(company_name="Acme", **view))


def rows(what, **view):
    return [dict(zip(header(what), row, strict=True)) for row in cells(what, shown(**view))]


@every_export
def test_names_are_snake_case_each_once_and_each_is_explained(what):
    names = header(what)
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z]+(_[a-z]+)*", name) for name in names)
    assert all(len(column.says) > 5 for column in COLUMNS[what])
    assert names[: len(DOSSIER)] == [column.name for column in DOSSIER]


@every_export
def test_the_document_of_the_bridge_names_every_column(what):
    path = f"/columnline/export/{what}.{{format}}"
    said = app.openapi()["paths"][path]["get"]["description"]
    assert re.findall("`(.+?)`", said.partition("Columns:")[2]) == header(what)


def test_the_names_that_others_build_on_stay():
    own = len(DOSSIER)
    assert " ".join(header(What.SIGNALS)) == (
        "dossier_id run_id pipeline_version client company domain lead_score urgency status batch_number "
        "batch_date lists release_date released_at updated created_at position signal happening proof_text "
        "proof_url"
    )
    assert " ".join(header(What.CONTACTS)[own:]) == (
        "contact_id is_primary contact_name first_name last_name title email phone linkedin_url bio tenure "
        "email_subject email_body linkedin_message"
    )
    assert " ".join(header(What.DOSSIERS)[own : own + 15]) == (
        "what_they_do the_angle explanation timing_context primary_signal primary_signal_happening "
        "primary_signal_source primary_signal_url signals primary_contact_name primary_contact_title "
        "primary_contact_email primary_contact_phone primary_contact_linkedin_url contacts"
    )


def test_a_dossier_is_one_row_with_its_first_signal_and_contact():
    (row,) = rows(
        What.DOSSIERS,
        contacts=(ContactView(name="Al", email="al@acme.example"), ContactView(name="Bo")),
        why_now=(WhyNow(signal="permit", proof=Proof(url="https://x.example")), WhyNow(signal="hiring")),
        lists=("Hot", "Later"),
    )
    assert (row["primary_contact_name"], row["primary_contact_email"], row["contacts"]) == (
        "Al",
        "al@acme.example",
        2,
    )
    assert (row["primary_signal"], row["primary_signal_url"], row["signals"]) == ("permit", "https://x.example", 2)
    assert (row["client"], row["company"], row["lists"], row["batch_number"]) == (
        "Northwind",
        "Acme",
        "Hot; Later",
        "7",
    )


def test_a_dossier_that_says_nothing_is_a_row_and_has_no_contact_and_no_signal():
    assert len(rows(What.DOSSIERS)) == 1
    assert rows(What.CONTACTS) == rows(What.SIGNALS) == []


def test_signals_are_numbered_from_the_primary_one():
    found = rows(What.SIGNALS, why_now=(WhyNow(signal="permit"), WhyNow(happening="They hire")))
    assert [(row["position"], row["signal"], row["happening"]) for row in found] == [
        (1, "permit", None),
        (2, None, "They hire"),
    ]


def test_a_contact_has_what_was_written_for_it_by_id_or_where_that_is_nobodys_by_name():
    al, bo, di = (ContactView(contact_id=uuid4(), name=name) for name in ("Al", "Bo", "Di"))
    scripts = (
        EmailScript(contact_id=str(uuid4()), target_name="Di", email_subject="by name, its id is gone"),
        EmailScript(contact_id=str(al.contact_id), target_name="Bo", email_subject="by id", linkedin_message="Hi"),
        EmailScript(target_name="BO", email_subject="by name", email_body="Dear Bo"),
    )
    found = rows(What.CONTACTS, contacts=(al, bo, di), email_scripts=scripts)
    assert [row["email_subject"] for row in found] == ["by id", "by name", "by name, its id is gone"]
    assert (found[0]["linkedin_message"], found[1]["email_body"]) == ("Hi", "Dear Bo")


@pytest.mark.parametrize("contact_id", [uuid4(), None])
@pytest.mark.parametrize("known_as", ["c1", "0"])
def test_a_letter_of_v1_that_knows_its_contact_by_a_number_is_found_by_name(known_as, contact_id):
    others = EmailScript(contact_id="c2", target_name="Ann Old", email_subject="To Ann")
    letter = EmailScript(contact_id=known_as, target_name="Bob Ray", email_subject="To Bob")
    (row,) = rows(
        What.CONTACTS,
        contacts=(ContactView(contact_id=contact_id, name="Bob Ray"),),
        email_scripts=(others, letter),
    )
    assert row["email_subject"] == "To Bob"
