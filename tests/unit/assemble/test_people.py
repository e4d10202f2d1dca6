"""Who is a person, who is meant, and what of an address is one."""

# ruff: noqa: RUF001  (curly quotes and foreign letters are the point)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.clean import index_of
from tasks.assemble.emails import email_in
from tasks.assemble.notes import Notes
from tasks.assemble.people import company_mark, comparable, in_parts, is_honorific, may_be
from tasks.assemble.roster import Roster, name_of
from tests.generator.facts import WORLD

COMPANIES = [
    "Harborlight Architects LLP",
    "Tarn Engineering Inc.",
    "Brückner & Söhne GmbH",
    "Atelier Vauban SARL",
    "Oakline Capital LLC",
    "Kestrel Cost Consultants Ltd",
    "株式会社青葉設計",
    "Siemens AG",
    "Telecom Italia S.p.A.",
    "Danone S.A.",
    "Acme Pty. Ltd.",
    "Smith & Sons",
    "Turner & Townsend",
    "Smith &Co",
    "Perkins+Will",
    "City of Mobile",
    "The University of Leeds",
    "ООО Ромашка",
    "Ministry of Works",
    "Bluewater Ports Authority",
    "Northgate Holdings",
    "Procurement Department",
    "Kone Oyj",
    "ACME CORP",
]
PEOPLE = [
    "Bill Grzegorczyk",
    "Wei-Ling Hsu",
    "Siobhán Nic Gearailt",
    "Dr. Aiko Tanabe",
    "Maria Sá",
    "MARIA SA",
    "Kevin Co",
    "Bo Ag",
    "Tomás Villanueva-Ortiz",
    "Renée O'Shaughnessy",
    "St. John Smith",
    "Jane Doe, P.Eng.",
    "Anna Banks",
    "Tom Church",
    "Ann Portof",
    "Martin Luther King, Jr.",
    "Christian Limits",
    "Inc",
    "Corp",
    "Ngozi",
    "王伟",
    "Jean-Luc Corporal",
    "Al Partnerson",
    "D'Arcy Cityof",
]


@pytest.mark.parametrize("name", COMPANIES + [name for name, _ in WORLD["firms"]])
def test_a_companys_name_has_a_mark(name):
    assert company_mark(name) in name


@pytest.mark.parametrize("name", PEOPLE)
def test_a_persons_name_has_none(name):
    assert company_mark(name) is None


def test_nobody_in_the_world_is_taken_for_a_company():
    given = [name for region in WORLD["regions"] for name, _ in region["given"]]
    family = [name for region in WORLD["regions"] for name, _ in region["family"]]
    for first in given:
        for last in family:
            assert company_mark(f"{first} {last}") is None
            assert company_mark(f"{last} {first}") is None
            assert company_mark(f"{first} {last}".upper()) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Renée O'Shaughnessy", "RENEE  O’SHAUGHNESSY"),
        ("Dr. Aiko Tanabe", "aiko tanabe"),
        ("Prof. Dr. Jürgen Groß", "Jurgen Gross"),
        ("Tomás Villanueva-Ortiz", "Tomas Villanueva Ortiz"),
        ("Tanabe, Aiko", "Aiko Tanabe"),
        ("Bill Grzegorczyk, P.Eng.", "Bill Grzegorczyk"),
        ("Jane Doe, Chief Engineer", "Jane Doe"),
        ("Grzegorczyk, MD", "Grzegorczyk"),
        ("MBA PhD", "MBA"),
        ("John Smith PhD", "John Smith"),
        ("Łucja Dąbrowska", "Lucja Dabrowska"),
        ("Søren Ægir", "soren aegir"),
        ("Yıldırım Emre", "YILDIRIM EMRE"),
        ("Siobha\u0301n", "Siobhán"),
    ],
)
def test_spellings_of_one_name_are_equal(one, other):
    assert comparable(one) == comparable(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Jane Doe", "Jane Roe"),
        ("Jack Ma", "Jack"),
        ("Li Wei", "Wei Li"),
        ("John Smith Jr", "John Smith"),
        ("王伟", "王芳"),
    ],
)
def test_different_names_are_not(one, other):
    assert comparable(one) != comparable(other)


@pytest.mark.parametrize(
    ("one", "other", "may"),
    [
        ("Marta Lindqvist", "Lindqvist Marta", True),
        ("Marta Lindqvist", "M. Lindqvist", True),
        ("Marta Lindqvist", "Marta L.", True),
        ("Marta Lindqvist", "Marta", True),
        ("Marta Eva Lindqvist", "Marta E Lindqvist", True),
        ("Marta Lindqvist", "Marta Eva Lindqvist-Berg", True),
        ("Mary-Ann Lee", "Maryann Lee", True),
        ("王伟", "伟 王", True),
        ("Robert Lee", "Bob Lee", True),
        ("Bill Lee", "Will Lee", True),
        ("Danny Lee", "Daniel Lee", True),
        ("Chris Lee", "Christopher J. Lee", True),
        ("Marta Lindqvist", "Ingrid Solberg", False),
        ("Marta Lindqvist", "Ingrid Lindqvist", False),
        ("Marta Lindqvist", "Marta Solberg", False),
        ("Marta Eva Lindqvist", "Marta Ida Lindqvist", False),
        ("Li Wang", "Lin Wang", True),
        ("Hans Müller", "Hans Mueller", True),
        ("Sven Ødegård", "Sven Odegaard", True),
        ("Katherine Poe", "Catherine Poe", True),
        ("Mohammed Ali", "Muhammad Ali", True),
        ("Alejandro Ruiz", "Alex", True),
        ("Elisabeth Poe", "Liz Poe", True),
        ("Eduardo Poe", "Lalo Poe", True),
        ("Thomas MacDonald", "Tom Mac Donald", True),
        ("JR Smith", "John Robert Smith", True),
        ("Jean-Luc Picard", "JL Picard", True),
        ("Kim Min-jun", "Minjun Kim", True),
        ("Luis Hernandes", "Hernandez Luis", True),
        ("田中 太郎", "Taro Tanaka", True),
        ("Li Wang", "Lin Wu", False),
        ("Ann Lee", "Ann Leeson", False),
        ("Robert Lee", "Bill Lee", False),
        ("王伟", "王芳", False),
        ("a b c d e f g h", "a b c d e f g i", False),
    ],
)
def test_a_name_may_be_anothers_that_leaves_out_or_shortens_but_has_no_word_of_its_own(one, other, may):
    assert may_be(comparable(one), comparable(other)) is may_be(comparable(other), comparable(one)) is may


@given(st.text(max_size=30))
def test_a_comparable_name_is_its_own(name):
    assert comparable(comparable(name)) == comparable(name)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Marta Lindqvist", ("Marta", "Lindqvist")),
        ("Dr. Aiko Tanabe", ("Aiko", "Tanabe")),
        ("Siobhán Nic Gearailt", ("Siobhán", "Nic Gearailt")),
        ("Tanabe, Aiko", ("Aiko", "Tanabe")),
        ("Jane Doe, P.E., LEED AP", ("Jane", "Doe")),
        ("John Smith Jr.", ("John", "Smith")),
        ("Ngozi PhD", ("Ngozi", None)),
        ("Jack Ma", ("Jack", "Ma")),
        ("Don Draper", ("Don", "Draper")),
        ("M. Night Shyamalan", ("M.", "Night Shyamalan")),
        ("Ngozi", ("Ngozi", None)),
        ("王伟", ("王伟", None)),
        ("Dr.", ("Dr.", None)),
        ("", (None, None)),
    ],
)
def test_a_name_comes_apart_without_titles(name, parts):
    assert in_parts(name) == parts


def test_a_title_alone_is_no_first_name():
    assert is_honorific("Dr.")
    assert is_honorific("Prof. Dr.")
    assert not is_honorific("Drew")


@pytest.mark.parametrize(
    ("entry", "index"),
    [
        ({"contact_index": 2}, 2),
        ({"contact_index": "2"}, 2),
        ({"contact_index": 2.0}, 2),
        ({"contact_id": "CONT_002"}, 2),
        ({"contact_id": "contact-12"}, 12),
        ({"contact_id": "7b1d2b8c-0000-4000-8000-000000000001"}, None),
        ({"contact_index": None, "contact_id": "CONT_003"}, 3),
        ({"contact_index": True}, None),
        ({"contact_index": [1]}, None),
        ({"contact_index": -1}, None),
        ({}, None),
    ],
)
def test_an_index_is_a_number_however_it_is_written(entry, index):
    assert index_of(entry) == index


def test_a_name_is_in_one_piece_or_in_two():
    assert name_of({"name": "  Jane   Doe "}) == "Jane Doe"
    assert name_of({"full_name": "Jane Doe"}) == "Jane Doe"
    assert name_of({"first_name": "Jane", "last_name": "Doe"}) == "Jane Doe"
    assert name_of({"name": 7, "title": "CEO"}) is None


def roster(*entries, owners=None):
    return Roster(list(entries), owners or list(range(len(entries))))


def found(listed, entry):
    notes = Notes()
    return listed.find(entry, notes, "at"), [notice.code for notice in notes.all()]


def test_who_is_meant_is_known_by_index_else_by_name():
    listed = roster({"contact_index": 5, "name": "Jane Doe"}, {"contact_index": 7, "name": "John Roe"})
    assert found(listed, {"contact_index": 7}) == (1, [])
    assert found(listed, {"contact_id": "CONT_005", "name": "J. Doe"}) == (0, [])
    assert found(listed, {"contact_name": "ROE, John"}) == (1, [])
    assert found(listed, {"contact_index": 9, "name": "john roe"}) == (1, [])
    assert found(listed, {"contact_index": 9, "name": "Nobody"}) == (None, [])
    assert found(listed, {}) == (None, [])


def test_where_no_entry_has_an_index_its_place_is_one():
    listed = roster({"name": "Jane Doe"}, {"name": "John Roe"})
    assert found(listed, {"contact_index": 1}) == (1, [])
    assert found(listed, {"contact_index": 0, "contact_id": "CONT_001"}) == (0, [])


def test_a_letter_to_somebody_by_name_is_for_nobody_else():
    listed = roster({"contact_index": 0, "name": "Jane Doe"}, {"contact_index": 1, "name": "John Roe"})
    assert found(listed, {"contact_id": "CONT_001", "contact_name": "Jane Doe"}) == (0, ["contact_mismatch"])


@pytest.mark.parametrize("name", ["CONT_001", "Contact 1", "Hiring Manager", "VP of Engineering", "[First Name]"])
def test_an_id_a_title_or_a_placeholder_is_nobodys_name(name):
    listed = roster({"contact_index": 0, "name": "Jane Doe"}, {"contact_index": 1, "title": "Buyer"})
    assert found(listed, {"contact_index": 0, "name": name}) == (0, [])
    assert found(listed, {"contact_index": 1, "name": name}) == (1, [])
    assert found(listed, {"contact_index": 1, "name": "John Roe"}) == (1, [])


@pytest.mark.parametrize("name", ["Jane Roe", "Ingrid Solberg"])
def test_an_index_leads_to_nobody_of_another_name(name):
    listed = roster({"contact_index": 0, "name": "Jane Doe"}, {"contact_index": 1, "name": "John Roe"})
    assert found(listed, {"contact_index": 0, "name": name}) == (None, ["contact_mismatch"])


def test_whoever_is_listed_without_a_name_has_the_name_that_finds_it_first():
    listed = roster({"contact_index": 0, "title": "CEO"})
    assert found(listed, {"contact_index": 0, "name": "Jane Doe"}) == (0, [])
    assert found(listed, {"contact_index": 0, "name": "John Roe"}) == (None, ["contact_mismatch"])


def test_an_id_is_the_lists_own_where_it_has_ids():
    one = {"contact_index": 0, "contact_id": "CONT_001", "name": "Jane Doe"}
    other = {"contact_index": 1, "contact_id": "CONT_002", "name": "John Roe"}
    listed = roster(one, other)
    assert found(listed, {"contact_id": "CONT_001"}) == (0, [])
    assert found(listed, {"contact_index": 1, "contact_id": "CONT_002"}) == (1, [])
    assert found(listed, {"contact_index": 1, "contact_id": "CONT_001"}) == (None, ["contact_mismatch"])
    assert found(listed, {"contact_index": 1, "contact_id": "CONT_001", "name": "Jane Doe"}) == (
        0,
        ["contact_mismatch"],
    )
    assert found(listed, {"contact_id": "CONT_000"}) == (None, [])
    assert found(listed, {"index": 1}) == (1, [])


def test_what_two_people_share_finds_neither():
    listed = roster({"contact_index": 0, "name": "Jane Doe"}, {"contact_index": 0, "name": "Jane Doe"})
    assert found(listed, {"contact_index": 0}) == (None, [])
    assert found(listed, {"name": "Jane Doe"}) == (None, [])
    twice = roster(
        {"contact_index": 0, "name": "Jane Doe"}, {"contact_index": 1, "name": "Jane Doe"}, owners=[0, 0]
    )
    assert found(twice, {"contact_index": 1}) == found(twice, {"name": "jane doe"}) == (0, [])


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("jane@acme.example", "jane@acme.example"),
        ("  mailto:jane@acme.example ", "jane@acme.example"),
        ("MAILTO:Jane@ACME.Example?subject=Hi", "Jane@acme.example"),
        ("jane @ acme.example", "jane@acme.example"),
        ("Jane Doe <jane@acme.example>", "jane@acme.example"),
        ("<jane@acme.example>,", "jane@acme.example"),
        ("jane@acme.example, j.doe@acme.example", "jane@acme.example"),
        ("none / jane@acme.example", "jane@acme.example"),
        (["nobody", "jane@acme.example"], "jane@acme.example"),
        ("jane@acme.example - verified", "jane@acme.example"),
        ("jane@acme.example verified", "jane@acme.example"),
        ("jane@acme.example (verified)", "jane@acme.example"),
        ("jane@acme.example. Verified", "jane@acme.example"),
        ("jane@acme.example <verified>", "jane@acme.example"),
        ("jane@acme.example\n+1 555 0100", "jane@acme.example"),
        ("\u200bjane@acme.example\u200b", "jane@acme.example"),
        ("Likely jane@acme.example", "jane@acme.example"),
        ("Jane Doe jane@acme.example", "jane@acme.example"),
        ("not found; try info@acme.example", "info@acme.example"),
        ("Email: jane@acme.example", "jane@acme.example"),
        ("E-mail: jane @acme.example", "jane@acme.example"),
        ("jane@acme .example", "jane@acme.example"),
        ("[jane@acme.example](mailto:jane@acme.example)", "jane@acme.example"),
        ("[Jane Doe](mailto:jane@acme.example)", "jane@acme.example"),
        ('<a href="mailto:jane@acme.example">Jane</a>', "jane@acme.example"),
        ("o'brien@acme.example", "o'brien@acme.example"),
        ("jane@münchen.example", "jane@münchen.example"),
        ("jane@acme. com", "jane@acme.com"),
        ("jane.doe@acme. com", "jane.doe@acme.com"),
        ("jane . doe @ acme . com", "jane.doe@acme.com"),
        ("jane . doe@acme . co . uk", "jane.doe@acme.co.uk"),
        ("jane@acme.com .", "jane@acme.com"),
        ("jane@acme.com . Verified", "jane@acme.com"),
        (".jane@acme.com", "jane@acme.com"),
        ("Email: .jane@acme.com", "jane@acme.com"),
        ("1. jane@acme.com", "jane@acme.com"),
        ("Dr. jane@acme.com", "jane@acme.com"),
        ("dr jane@acme.com", "jane@acme.com"),
        ("likely jane@acme.com", "jane@acme.com"),
        ("e-mail jane@acme.com", "jane@acme.com"),
        ("Email: work jane@acme.com", "jane@acme.com"),
        ("she can be reached at jane@acme.com", "jane@acme.com"),
        ("jane doe@acme.com", None),
        ("j ane@acme.com", None),
        ("Email: jane doe@acme.com", None),
        ("mary-jane doe@acme.com", None),
        ("Email: jane. doe@acme.com", None),
        ("Jane .doe@acme.com", None),
        ("jane@acme.co . uk", None),
        ("jane@acme.com . verified", None),
        ("j***@acme.example", None),
        ("[address]@acme.example", None),
        ("(j)doe@acme.example", None),
        ("j…@acme.example", None),
        ("email=jane@acme.example", None),
        ("jane doe @acme.example", None),
        ("jane. doe@acme.example", None),
        ("jane .doe@acme.example", None),
        ("jane@acme.co. uk", None),
        ("jane@acme.co[.]uk", None),
        ("jane@acme.example@other.example", None),
        ("Reach her @ acme.example", None),
        ("jane at acme dot example", None),
        ("jane@acme", None),
        ("@acme.example", None),
        ("", None),
        (None, None),
        (7, None),
        ({"a": "jane@acme.example"}, None),
        ("a@" + "b" * 2000 + ".example", None),
    ],
)
def test_an_address_is_read_out_of_what_was_written(value, address):
    assert email_in(value) == address


@given(st.text(max_size=40) | st.emails())
def test_an_address_reads_again_as_itself(text):
    address = email_in(text)
    assert address is None or email_in(address) == address
