"""Contacts are the people on the list, each with all that was found about them."""

import pytest

from models.values import contact_id_of
from tasks.assemble import assemble
from tests.builders import contacts_of, run_of


def made(listed, *enriched, **outputs):
    outputs = {name.upper(): output for name, output in outputs.items()}
    return assemble(run_of({"6_ENRICH_CONTACTS": listed, "6_ENRICH_CONTACT_INDIVIDUAL": enriched} | outputs))


def codes(draft):
    return [notice.code for notice in draft.warnings]


def test_contacts_keep_the_lists_order_and_have_ids_of_their_place():
    draft = made(contacts_of("Ann Lee", "Bo Ray"))
    assert [contact.name for contact in draft.contacts] == ["Ann Lee", "Bo Ray"]
    run = run_of()
    assert [contact.id for contact in draft.contacts] == [contact_id_of(run.dossier_id, place) for place in (0, 1)]


@pytest.mark.parametrize("name", ["contacts", "enriched_contacts", "key_contacts", "keyContacts", "CONTACTS"])
def test_the_list_goes_by_several_names(name):
    assert [contact.name for contact in made({name: [{"name": "Ann Lee"}]}).contacts] == ["Ann Lee"]


@pytest.mark.parametrize(
    "listed",
    [
        [{"name": "Ann Lee"}],
        {"name": "Ann Lee"},
        {"result": {"fullName": "Ann Lee"}},
        [{"result": {"name": "Ann Lee"}}],
        {"contacts": {"name": "Ann Lee"}},
        {"contacts": {"0": {"name": "Ann Lee"}}},
        {"contacts": {"primary": [{"name": "Ann Lee"}], "secondary": [], "other": None}},
        {"contacts": ["Ann Lee"]},
        {"contacts": '[{"name": "Ann Lee"}]'},
        {"contacts": [{"first_name": "Ann", "last_name": "Lee"}]},
        {"contacts": [{"full_name": " Ann  Lee "}, None]},
    ],
)
def test_an_entry_is_found_in_any_shape(listed):
    assert [contact.name for contact in made(listed).contacts] == ["Ann Lee"]


def test_people_listed_by_tier_are_each_a_contact_of_that_tier():
    listed = {"secondary": [{"name": "Ann Lee"}], "primaryContacts": [{"name": "Bo Ray"}, {"name": "Cy Poe"}]}
    draft = made({"contacts": listed})
    assert [(contact.name, contact.is_primary) for contact in draft.contacts] == [
        ("Ann Lee", False),
        ("Bo Ray", True),
        ("Cy Poe", False),
    ]
    assert codes(draft) == []


@pytest.mark.parametrize("entries", [[{"title": "E"}, {"title": "F"}], [{"title": "E"}, {"name": "Bo Ray"}]])
def test_who_has_no_name_takes_that_of_what_is_found_at_its_place(entries):
    named = [{"contact_index": place, "name": name} for place, name in enumerate(("Ann Lee", "Bo Ray"))]
    draft = made({"contacts": entries}, *named)
    assert [contact.name for contact in draft.contacts] == ["Ann Lee", "Bo Ray"]
    assert codes(draft) == []


def test_a_text_in_place_of_the_list_takes_no_name_by_its_place():
    draft = made({"contacts": "None were found."}, {"contact_index": 0, "name": "Ann Lee"})
    assert draft.contacts == ()
    assert codes(draft) == ["contact_unmatched", "not_a_person"]


@pytest.mark.parametrize(
    ("keys", "indexes"),
    [("01", [0, 1]), ("12", [0, 1]), ("13", [0, 2]), (["contact_1", "contact_2"], [0, 1]), (["CONT_000"], [0])],
)
def test_keys_of_the_list_that_count_from_one_are_an_order(keys, indexes):
    names = ["Ann Lee", "Bo Ray"][: len(keys)]
    listed = {key: {"name": name} for key, name in zip(keys, names, strict=True)}
    copy = {"copy_outputs": [{"contact_index": index, "email_body": "B"} for index in indexes]}
    draft = made({"contacts": listed}, **{"10a_copy": copy})
    assert [entry["target_name"] for entry in draft.copy["outreach"]] == names


def test_a_key_of_the_list_that_is_an_id_is_the_id_wherever_it_counts_from():
    draft = made({"contacts": {"contact_1": {"name": "Ann Lee"}}}, {"contact_id": "contact_1", "phone": "1"})
    assert draft.contacts[0].phone == "1"


def test_the_key_of_whom_nobody_names_is_kept():
    draft = made({"contacts": {"Decision Maker": {"title": "CEO"}, "Buyer": {"name": "Ann Lee"}}})
    assert draft.enrich_lead["contacts_set_aside"] == [{"listed_as": "Decision Maker", "title": "CEO"}]
    assert draft.contacts[0].enrichment_data == {"name": "Ann Lee"}


@pytest.mark.parametrize("listed", [[], {"contacts": []}, {"contacts": None}])
def test_nobody_makes_no_contacts(listed):
    assert made(listed).contacts == ()


def test_a_text_in_place_of_the_list_is_nobodys_name():
    draft = made({"contacts": "No contacts were found."})
    assert draft.contacts == ()
    assert draft.enrich_lead["contacts_set_aside"] == [{"instead_of_a_list": "No contacts were found."}]
    assert "not_a_person" in codes(draft)


@pytest.mark.parametrize(
    ("entries", "primary"),
    [
        ([{"tier": "secondary"}, {"tier": "primary"}], 1),
        ([{"tier": "secondary"}, {"tier": "Primary "}, {"tier": "primary"}], 1),
        ([{"tier": "secondary"}, {"tier": "tertiary"}], 0),
        ([{}, {}], 0),
        ([{}, {"is_primary": True}], 1),
        ([{"is_primary": "false"}, {"is_primary": "true"}], 1),
        ([{"tier": "Tier 2 - Secondary"}, {"tier": "Tier 1 - Primary"}], 1),
        ([{"tier": "non-primary"}, {"tier": "Primary (decision maker)"}], 1),
    ],
)
def test_exactly_one_contact_is_primary(entries, primary):
    listed = [{"name": f"Ann Lee{place}"} | entry for place, entry in enumerate(entries)]
    contacts = made({"contacts": listed}).contacts
    assert [contact.is_primary for contact in contacts] == [place == primary for place in range(len(entries))]


def test_a_company_that_is_called_primary_is_not():
    draft = made({"contacts": [{"name": "Acme LLC", "tier": "primary"}, {"name": "Ann Lee"}]})
    assert [(contact.name, contact.is_primary) for contact in draft.contacts] == [("Ann Lee", True)]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"name": "Harborlight Architects LLP"}, "'LLP'"),
        ({"name": "Ann", "type": "Company"}, "says that it is a company"),
        ({"name": "ACME works"}, "the company itself"),
        ({"name": None, "title": "CEO"}, "no name"),
        ({"name": "N/A"}, "no name"),
        ({"name": "---"}, "no name"),
    ],
)
def test_what_is_no_person_is_set_aside_and_its_copy_with_it(entry, reason):
    listed = {"contacts": [entry | {"contact_index": 0, "phone": "1"}, {"contact_index": 1, "name": "Ann Lee"}]}
    copy = {"copy_outputs": [{"contact_id": "CONT_000", "email_body": "Hello firm"}]}
    draft = made(listed, {"contact_index": 0, "linkedin_summary": "x"}, **{"10a_copy": copy})
    assert [contact.name for contact in draft.contacts] == ["Ann Lee"]
    (aside,) = draft.enrich_lead["contacts_set_aside"]
    assert aside["phone"] == "1"
    assert aside["linkedin_summary"] == "x"
    assert draft.copy["outreach"] == []
    assert draft.copy["outreach_set_aside"] == [{"contact_id": "CONT_000", "email_body": "Hello firm"}]
    (notice,) = [notice for notice in draft.warnings if notice.code == "not_a_person"]
    assert reason in notice.detail
    assert notice.field == "contacts[0]"
    assert "contact_unmatched" in codes(draft)


def test_a_person_who_bears_the_companys_name_is_one():
    assert made({"contacts": [{"name": "Acme Works", "linkedin_url": "https://l.example/in/acme"}]}).contacts


@pytest.mark.parametrize(
    ("listed", "found", "column", "value"),
    [
        ({"title": "VP"}, {"job_title": "CEO"}, "title", "CEO"),
        ({"phone": "1"}, {"mobile": "2"}, "phone", "2"),
        ({"phone": "1"}, {"phone_number": "n/a - none found"}, "phone", "1"),
        ({"phone": "ask"}, {"phone": "none found"}, "phone", "none found"),
        (
            {"linkedin_url": "https://l.example/a"},
            {"linkedin": "not found"},
            "linkedin_url",
            "https://l.example/a",
        ),
        ({"linkedin": "l.example/in/a"}, {"linkedin_url": "n/a - none found"}, "linkedin_url", "l.example/in/a"),
        (
            {"linkedin": "l.example/in/a"},
            {"linkedin": "https://l.example/b"},
            "linkedin_url",
            "https://l.example/b",
        ),
        ({"bio": "Old"}, {"bio_summary": "New"}, "bio_paragraph", "New"),
        ({"title": "VP"}, {"role": "champion"}, "title", "VP"),
        ({"role": "champion"}, {}, "title", "champion"),
    ],
)
def test_the_newest_value_counts_under_whichever_of_its_names(listed, found, column, value):
    (contact,) = made({"contacts": [{"name": "Ann Lee"} | listed]}, {"name": "Ann Lee"} | found).contacts
    assert getattr(contact, column) == value


@pytest.mark.parametrize(
    "name",
    ["Jane Doe (Acme Holdings)", "Jane Doe, Turner Construction", "Jane Doe (Acme AG)", "Jane Doe, Acme (US) LLC"],
)
@pytest.mark.parametrize(
    "given",
    [
        {"first_name": "Jane", "last_name": "Doe"},
        {"email": "jane@acme.example"},
        {"work_email": "JDoe@acme.example"},
        {"linkedin": "linkedin.com/in/jd", "email": "info@acme.example"},
    ],
)
def test_a_person_with_the_company_behind_the_name_is_one(name, given):
    (contact,) = made({"contacts": [{"name": name} | given]}).contacts
    assert (contact.name, contact.first_name, contact.last_name) == (name, "Jane", "Doe")
    assert made({"contacts": [{"name": name}]}).contacts == ()


@pytest.mark.parametrize(
    ("name", "email"),
    [
        ("Acme, Inc.", "info@acme.example"),
        ("Acme Bridge, LLC", "info@acme.example"),
        ("Smith, Jones & Partners", "smith@acme.example"),
        ("Turner Group (Acme LLC)", "turner@acme.example"),
        ("Baker Tilly (US) LLP", "baker.tilly@acme.example"),
        ("Mott MacDonald (UK) Ltd", "mott@acme.example"),
        ("Hensel Phelps, a Delaware corporation", "info@acme.example"),
        ("Accounts Payable, Acme Inc.", "accounts@acme.example"),
        ("Procurement Team (Acme Ltd)", "procurement-team@acme.example"),
        ("Jane Doe (Acme Ltd)", "acme@acme.example"),
    ],
)
@pytest.mark.parametrize("linkedin", [None, "https://linkedin.com/company/acme"])
def test_a_company_with_an_address_is_none(name, email, linkedin):
    assert made({"contacts": [{"name": name, "email": email, "linkedin": linkedin}]}).contacts == ()


def test_the_newest_value_counts_and_nothing_is_lost():
    entry = {"contact_index": 0, "name": "Ann Lee", "title": "Buyer", "email": "a@acme.example", "tier": "primary"}
    older = {"contact_index": 0, "name": "Ann Lee", "title": "Head of Buying", "phone": "1", "facts": ["a"]}
    newer = {"contact_index": "0", "title": None, "phone": "2", "facts": ["b"], "bio": "Buys."}
    (contact,) = made({"contacts": [entry]}, older, newer).contacts
    assert (contact.title, contact.phone, contact.email) == ("Head of Buying", "2", "a@acme.example")
    assert contact.bio_paragraph == "Buys."
    assert contact.enrichment_data == {
        "contact_index": "0",
        "name": "Ann Lee",
        "title": "Head of Buying",
        "email": "a@acme.example",
        "tier": "primary",
        "phone": "2",
        "facts": ["b"],
        "bio": "Buys.",
        "found_earlier": {"title": "Buyer", "phone": "1", "facts": ["a"]},
    }


def test_enrichment_finds_its_contact_by_index_or_by_name():
    draft = made(
        contacts_of("Ann Lee", "Bo Ray"), {"contact_index": 1, "phone": "1"}, {"name": "LEE, Ann", "phone": "0"}
    )
    assert [contact.phone for contact in draft.contacts] == ["0", "1"]


def test_enrichment_of_nobody_on_the_list_is_set_aside():
    draft = made(contacts_of("Ann Lee"), {"contact_index": 7, "name": "Bo Ray"})
    assert draft.enrich_lead["contacts_set_aside"] == [{"contact_index": 7, "name": "Bo Ray"}]
    assert codes(draft) == ["contact_unmatched"]


def test_no_column_holds_what_is_anothers_by_name():
    other = {"first_name": "Ingrid", "last_name": "Solberg", "email": "ingrid@acme.example", "bio": "Sails."}
    draft = made(contacts_of("Marta Lindqvist"), {"contact_index": 0} | other)
    (contact,) = draft.contacts
    assert (contact.first_name, contact.last_name) == ("Marta", "Lindqvist")
    assert (contact.email, contact.bio_paragraph) == (None, None)
    assert draft.enrich_lead["contacts_set_aside"] == [{"contact_index": 0} | other]
    assert codes(draft) == ["contact_mismatch", "contact_unmatched"]


def test_a_first_name_that_is_not_the_names_is_no_column():
    draft = made(contacts_of("Marta Lindqvist"), {"contact_index": 0, "name": "Marta L.", "first_name": "Ingrid"})
    assert (draft.contacts[0].first_name, draft.contacts[0].last_name) == ("Marta", "Lindqvist")
    assert draft.contacts[0].enrichment_data["first_name"] == "Ingrid"
    assert codes(draft) == ["contact_mismatch"]


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("田中 太郎", "Taro", "Tanaka"),
        ("Kim Min-jun", "Minjun", "Kim"),
        ("Hernandez Luis", "Luis", "Hernandes"),
        ("Hans Müller", "Johann", "Mueller"),
        ("Eduardo Paz", "Lalo", None),
        ("Ann Lee", "-", None),
        ("Pedro de Alcantara Francisco Antonio Joao Carlos Xavier", "Dom", None),
    ],
)
def test_the_given_parts_of_a_name_are_kept_where_any_may_be_in_it(name, first, last):
    draft = made({"contacts": [{"name": name, "first_name": first, "last_name": last}, {"name": name + " "}]})
    (contact,) = draft.contacts
    assert contact.first_name == first
    assert last in {contact.last_name, None}
    assert codes(draft) == ["contact_duplicate"]


def test_several_peoples_enrichment_may_come_in_one_output():
    draft = made(
        contacts_of("Ann Lee", "Bo Ray"), [{"contact_index": 1, "phone": "1"}, {"contact_index": 0, "phone": "0"}]
    )
    assert [contact.phone for contact in draft.contacts] == ["0", "1"]


def test_several_peoples_enrichment_may_stand_under_their_indexes():
    found = {"contacts": {"1": {"phone": "1"}, "CONT_000": {"phone": "0"}}}
    assert [contact.phone for contact in made(contacts_of("Ann Lee", "Bo Ray"), found).contacts] == ["0", "1"]


def test_what_the_composer_says_of_nobody_is_told_as_the_composers():
    draft = made(
        contacts_of("Ann Lee"), **{"11_dossier_composer": {"contacts": [{"name": "Zoe Fox"}], "lead_score": 70}}
    )
    assert [(notice.code, notice.step) for notice in draft.warnings] == [
        ("contact_unmatched", "11_DOSSIER_COMPOSER")
    ]


def test_one_person_listed_twice_is_one_contact():
    entries = [
        {"contact_index": 0, "name": "Ann Lee", "title": "Buyer"},
        {"contact_index": 1, "name": "ann lee", "title": "Buyer", "phone": "1"},
    ]
    copy = {"copy_outputs": [{"contact_id": "CONT_001", "email_body": "Hello"}]}
    draft = made({"contacts": entries}, **{"10a_copy": copy})
    assert [(contact.name, contact.phone) for contact in draft.contacts] == [("Ann Lee", "1")]
    assert draft.copy["outreach"][0]["email_body"] == "Hello"
    assert codes(draft) == ["contact_duplicate"]


@pytest.mark.parametrize("title", ["title", "job_title", "position"])
def test_two_people_of_one_name_and_different_titles_are_two(title):
    entries = [{"name": "Ann Lee", title: "Buyer"}, {"name": "Ann Lee", title: "Director"}]
    assert len(made({"contacts": entries}).contacts) == 2


@pytest.mark.parametrize(
    "entries",
    [
        [{"contact_index": 0, "title": "CEO"}, {}],
        [{}, {"contact_index": 0, "title": "CEO"}],
        [{"contact_index": 0, "title": "CEO"}, {"contact_index": 0, "title": "Chief"}],
        [{"contact_index": 0, "title": "CEO"}, {"contact_index": 1, "job_title": "ceo"}],
        [{}, {"title": "CEO"}, {}, {"title": "CEO"}],
    ],
)
def test_one_name_is_one_person_unless_two_titles_tell_them_apart(entries):
    listed = [{"name": "Ann Lee"} | entry for entry in entries]
    draft = made({"contacts": listed[:1], "key_contacts": listed[1:]}, {"name": "Ann Lee", "phone": "1"})
    (contact,) = draft.contacts
    assert contact.phone == "1"
    assert set(codes(draft)) == {"contact_duplicate"}


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("email", "jsmith@acme.example", "john.smith@acme.example"),
        ("linkedin_url", "https://linkedin.com/in/john", "https://linkedin.com/in/jsmith"),
    ],
)
@pytest.mark.parametrize("titles", [["CEO", None], [None, "CEO"], [None, None]])
def test_namesakes_with_another_index_and_another_address_are_two(field, one, other, titles):
    entries = [
        {"contact_index": place, "name": "John Smith", "title": title, field: value}
        for place, (title, value) in enumerate(zip(titles, (one, other), strict=True))
    ]
    contacts = made({"contacts": entries}).contacts
    assert [(contact.title, getattr(contact, field)) for contact in contacts] == [
        (titles[0], one),
        (titles[1], other),
    ]
    without_index = [{key: entry[key] for key in entry if key != "contact_index"} for entry in entries]
    assert len(made({"contacts": without_index}).contacts) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"email": "JSmith@acme.example"},
        {"linkedin": "uk.linkedin.com/in/John/", "email": "john@other.example"},
        {"phone": "1"},
    ],
)
def test_namesakes_with_another_index_and_no_other_address_are_one(other):
    profile = {"email": "jsmith@acme.example", "linkedin_url": "https://www.linkedin.com/in/john?trk=x"}
    entries = [{"contact_index": 0, "title": "CEO"} | profile, {"contact_index": 1} | other]
    assert len(made({"contacts": [{"name": "John Smith"} | entry for entry in entries]}).contacts) == 1


@pytest.mark.parametrize("title", [None, "Buyer"])
def test_an_entry_is_about_none_of_two_namesakes_without_a_title(title):
    entries = [{"contact_index": place, "email": f"{place}@acme.example"} for place in (0, 1)]
    entries.append({"contact_index": 2, "title": title, "phone": "1"})
    contacts = made({"contacts": [{"name": "John Smith"} | entry for entry in entries]}).contacts
    assert [contact.phone for contact in contacts] == [None, None, "1"]


@pytest.mark.parametrize(
    "titles", [["CEO", "Engineer", None], ["CEO", None, "Engineer"], [None, "CEO", "Engineer"]]
)
def test_a_namesake_without_a_title_joins_the_first_that_is_alone(titles):
    contacts = made({"contacts": [{"name": "Ann Lee", "title": title} for title in titles]}).contacts
    alone = titles[2] is not None
    assert [contact.title for contact in contacts] == (["CEO", "Engineer"] if alone else titles)


@pytest.mark.parametrize(
    ("fields", "column", "value"),
    [
        ({"job_title": "Buyer"}, "title", "Buyer"),
        ({"title": "Buyer", "role": "decision maker"}, "title", "Buyer"),
        ({"phone": 15550101}, "phone", "15550101"),
        ({"phone_number": " +1 555 0101 "}, "phone", "+1 555 0101"),
        ({"phones": ["+1 555 0101", "x"]}, "phone", "+1 555 0101"),
        ({"linkedin": "linkedin.example/in/ann"}, "linkedin_url", "linkedin.example/in/ann"),
        ({"linkedin": "linkedin.com/in/ann"}, "linkedin_url", "https://linkedin.com/in/ann"),
        ({"linkedin": "www.LinkedIn.com/in/ann"}, "linkedin_url", "https://www.LinkedIn.com/in/ann"),
        ({"linkedin": "https://linkedin.com/in/ann"}, "linkedin_url", "https://linkedin.com/in/ann"),
        ({"linkedin_url": "javascript:alert(1)"}, "linkedin_url", "javascript:alert(1)"),
        ({"bio_summary": "<b>Bio</b>"}, "bio_paragraph", "<b>Bio</b>"),
        ({"email": "mailto: ann @acme.example"}, "email", "ann@acme.example"),
        ({"email": "not given", "emails": ["ann@acme.example"]}, "email", "ann@acme.example"),
        ({"email": "not given"}, "email", None),
        ({"first_name": "Annie"}, "first_name", "Annie"),
        ({"first_name": "Dr."}, "first_name", "Ann"),
        ({}, "first_name", "Ann"),
        ({}, "last_name", "Lee"),
        ({"last_name": "Lee-Ray"}, "last_name", "Lee-Ray"),
        ({"tenure_months": 28}, "tenure", "2 years 4 months"),
        ({"tenure_months": "132"}, "tenure", "11 years"),
        ({"tenure_months": 13.0}, "tenure", "1 year 1 month"),
        ({"tenure_months": 4}, "tenure", "4 months"),
        ({"tenure_months": 1}, "tenure", "1 month"),
        ({"tenure_months": 1200}, "tenure", None),
        ({"tenure_months": 0}, "tenure", None),
        ({"tenure_months": -3}, "tenure", None),
        ({"tenure_months": 1e300}, "tenure", None),
        ({"tenure_months": "long"}, "tenure", None),
        ({"tenure_months": 28, "tenure": "since 2019"}, "tenure", "since 2019"),
        ({"source": "claims"}, "source", "claims"),
    ],
)
def test_a_column_is_read_from_what_was_found(fields, column, value):
    (contact,) = made({"contacts": [{"name": "Ann Lee"} | fields]}).contacts
    assert getattr(contact, column) == value


def test_a_title_as_a_first_name_is_not_anothers():
    assert codes(made({"contacts": [{"name": "Ann Lee", "first_name": "Dr."}]})) == []


@pytest.mark.parametrize(
    ("email", "code"),
    [
        ("ann@acme.example", None),
        (" Ann@acme.example ", None),
        ("mailto:ann@acme.example", "value_repaired"),
        ("ann at acme", "value_unreadable"),
    ],
)
def test_what_was_done_to_an_address_is_told_without_it(email, code):
    draft = made({"contacts": [{"name": "Ann Lee", "email": email}]})
    assert codes(draft) == ([code] if code else [])
    assert all("ann" not in notice.detail for notice in draft.warnings)
    assert draft.contacts[0].enrichment_data["email"] == email


def test_what_the_list_says_besides_the_people_is_kept():
    draft = made({"contacts": [], "contact_count": 0, "searchNote": "x"}, {"contacts": [], "batch": 2})
    assert (draft.enrich_lead["contact_count"], draft.enrich_lead["search_note"]) == (0, "x")
    assert draft.enrich_lead["batch"] == 2
