"""Copy stands under the row of the contact it is for, the client's own in place of the general."""

import pytest

from tasks.assemble import assemble
from tests.builders import contacts_of, run_of

BODY = {"email_subject": "S", "email_body": "B", "linkedin_message": "L"}


def made(*copy, override=(), people=("Ann Lee", "Bo Ray"), composer=None):
    outputs = {
        "6_ENRICH_CONTACTS": contacts_of(*people),
        "10A_COPY": copy,
        "10B_COPY_CLIENT_OVERRIDE": tuple(override),
    }
    if composer:
        outputs["11_DOSSIER_COMPOSER"] = composer
    return assemble(run_of(outputs))


def codes(draft):
    return [notice.code for notice in draft.warnings]


@pytest.mark.parametrize(
    "whom",
    [
        {"contact_id": "CONT_001"},
        {"contact_id": "contact_1"},
        {"contactIndex": 1},
        {"contact_index": "1"},
        {"contact_name": "BO RAY"},
        {"target_name": "Ray, Bo"},
        {"contact_id": "CONT_001", "contact_name": "Bo Ray"},
        {"contact_id": "CONT_000", "contact_name": "Bo Ray"},
    ],
)
def test_an_entry_has_the_id_the_name_and_the_title_of_its_contact(whom):
    draft = made({"copy_outputs": [whom | BODY | {"hooks": ["x"]}]})
    assert draft.copy["outreach"] == [
        {"contact_id": str(draft.contacts[1].id), "target_name": "Bo Ray", "target_title": "Engineer"}
        | BODY
        | {"hooks": ["x"]}
    ]


@pytest.mark.parametrize(
    "output",
    [
        {"copy_outputs": [{"contact_index": 0} | BODY]},
        {"copy_outputs": {"contact_index": 0} | BODY},
        {"copy_outputs": {"CONT_000": BODY}},
        {"copy_outputs": {"Ann Lee": BODY}},
        {"contact_index": 0} | BODY,
        [{"contact_index": 0} | BODY],
        {"contact_index": 0, "result": BODY},
        {"copy_outputs": [{"contact_index": 0, "subject": "S", "body": "B", "linkedin_message": "L"}]},
        {"copy_outputs": {"0": BODY}},
        {"copy_outputs": {"contact_index": 0, "email": {"subject": "S", "body": "B"}, "linkedin_message": "L"}},
        {"contact_index": 0, "email": {"subject": "S", "body": "B"}, "linkedin_message": "L"},
        {"copy_outputs": [{"contact_index": 0, "email_body": "B"}, {"contact_index": 0} | BODY]},
    ],
)
def test_entries_come_in_any_shape(output):
    (entry,) = made(output).copy["outreach"]
    assert {name: entry[name] for name in BODY} == BODY


def test_entries_follow_the_contacts_order_and_a_contact_without_copy_has_none():
    draft = made(
        {"copy_outputs": [{"contact_index": 2} | BODY]},
        {"copy_outputs": [{"contact_index": 0} | BODY]},
        people=("Ann Lee", "Bo Ray", "Cy Poe"),
    )
    assert [entry["target_name"] for entry in draft.copy["outreach"]] == ["Ann Lee", "Cy Poe"]


@pytest.mark.parametrize("name", ["final_copy_outputs", "override_copy", "copy_outputs", "overrideCopy"])
def test_an_override_replaces_field_by_field(name):
    override = {
        name: [{"contact_id": "CONT_000", "email_subject": "New", "email_body": None, "override_applied": True}],
        "overrides_applied_count": 1,
    }
    draft = made({"copy_outputs": [{"contact_index": 0} | BODY, {"contact_index": 1} | BODY]}, override=[override])
    ann, bo = draft.copy["outreach"]
    assert (ann["email_subject"], ann["email_body"], ann["linkedin_message"]) == ("New", "B", "L")
    assert ann["override_applied"] is True
    assert bo["email_subject"] == "S"
    assert draft.copy["overrides_applied_count"] == 1


@pytest.mark.parametrize("echo", ["copy_outputs", "override_copy"])
@pytest.mark.parametrize("order", [1, -1])
def test_the_final_copy_wins_over_an_echo_of_what_it_replaces(echo, order):
    final = ("final_copy_outputs", [{"contact_index": 0, "email_body": "Final"}])
    general = (echo, [{"contact_index": 0, "email_body": "General", "email_subject": "S"}])
    draft = made(override=[dict([final, general][::order])])
    (entry,) = draft.copy["outreach"]
    assert (entry["email_body"], entry["email_subject"]) == ("Final", "S")


def test_of_two_letters_to_one_contact_the_later_counts():
    draft = made(
        {"copy_outputs": [{"contact_index": 0, "email_body": "old"}]},
        {"copy_outputs": [{"contact_index": 0, "email_body": "new"}]},
    )
    assert [entry["email_body"] for entry in draft.copy["outreach"]] == ["new"]
    assert draft.copy["outreach_set_aside"] == [{"contact_index": 0, "email_body": "old"}]
    assert codes(draft) == ["overruled"]


def test_what_an_email_says_besides_its_text_is_kept():
    email = {"subject": "S", "body": "B", "tone": "warm"}
    draft = made({"copy_outputs": [{"contact_index": 0, "email_body": "Mine", "email": email}]})
    (entry,) = draft.copy["outreach"]
    assert (entry["email_subject"], entry["email_body"]) == ("S", "Mine")
    assert entry["email"] == {"body": "B", "tone": "warm"}


def test_copy_without_a_text_is_told():
    draft = made({"copy_outputs": [{"contact_index": 0, "letter": {"text": "B"}}]})
    assert draft.copy["outreach"][0]["letter"] == {"text": "B"}
    assert codes(draft) == ["shape_unexpected"]


def test_of_two_letters_in_one_list_the_earlier_is_set_aside():
    letters = [{"contact_id": "CONT_000", "email_subject": subject, "email_body": subject} for subject in "ABC"]
    draft = made({"copy_outputs": letters}, override=[{"final_copy_outputs": [{"contact_index": 0} | BODY]}])
    assert draft.copy["outreach"][0]["email_subject"] == "S"
    assert draft.copy["outreach_set_aside"] == letters[:2]
    assert codes(draft) == ["overruled"] * 2


def test_letters_by_channel_in_one_list_are_one_entry():
    email = {"contact_index": 0, "type": "email", "email_subject": "S", "email_body": "B"}
    message = {"contact_index": 0, "type": "linkedin", "linkedin_message": "L"}
    draft = made({"copy_outputs": [email, message]})
    (entry,) = draft.copy["outreach"]
    assert {name: entry[name] for name in BODY} == BODY
    assert codes(draft) == []


def test_copy_for_nobody_is_kept_apart_and_told():
    entry = {"contact_id": "CONT_009", "contact_name": "Zoe Fox"} | BODY
    draft = made({"copy_outputs": [entry, "a text"]})
    assert draft.copy["outreach"] == []
    assert draft.copy["outreach_set_aside"] == [entry, {"email_body": "a text"}]
    assert codes(draft) == ["contact_unmatched"] * 2
    assert not any("Zoe" in notice.detail for notice in draft.warnings)


def test_a_letter_to_nobody_of_its_index_is_for_nobody():
    entry = {"contact_index": 0, "contact_name": "Zoe Fox"} | BODY
    draft = made({"copy_outputs": [entry]})
    assert draft.copy["outreach"] == []
    assert draft.copy["outreach_set_aside"] == [entry]
    assert codes(draft) == ["contact_mismatch", "contact_unmatched"]


def test_a_letter_in_pieces_is_one_text():
    draft = made({"copy_outputs": [{"contact_index": 0, "email_body": ["Hello", "there"]}]})
    assert draft.copy["outreach"][0]["email_body"] == "Hello\nthere"
    assert draft.copy["outreach"][0]["email_subject"] is None


def test_unusable_copy_is_a_notice_only():
    draft = made("I cannot write that.", {"copy_outputs": None})
    assert draft.copy["outreach"] == []
    assert codes(draft) == ["step_unusable"]
    assert "cannot write" not in draft.warnings[0].detail


def test_the_composers_scripts_are_the_last_resort():
    composer = {
        "leadScore": 70,
        "emailScripts": [
            {"contactName": "Ann Lee", "subject": "C", "body": "C"},
            {"contactName": "Bo Ray", "body": "C"},
        ],
    }
    draft = made({"copy_outputs": [{"contact_index": 0} | BODY]}, composer=composer)
    assert [entry["email_body"] for entry in draft.copy["outreach"]] == ["B", "C"]
    assert "email_scripts" not in draft.find_leads
