"""The app's view: one way for V1 and V2, whatever V1 rows hold."""

import json
from dataclasses import asdict
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.production import Contact, Dossier
from models.values import contact_id_of
from models.view import DossierView
from tasks.assemble import assemble
from tests.builders import run_input, sample
from worker.view.transform import view

SECTIONS = ("find_leads", "enrich_lead", "enrich_contacts", "copy", "insight", "media", "sources")


def row(**columns):
    return Dossier(**{"company_name": "Acme", "pipeline_version": "v1", "sources": []} | columns)


def published(name):
    """The view of a sample run, assembled and stored as a publish would."""
    draft = assemble(run_input(sample(name)))
    names = {column.name for column in Dossier.__table__.columns}
    columns = {name: getattr(draft, name) for name in names if hasattr(draft, name)}
    contacts = [Contact(**asdict(person)) for person in draft.contacts]
    return view(Dossier(**columns, pipeline_version="v2"), contacts)


@pytest.mark.parametrize("name", ["run_clean", "run_composer"])
def test_a_run_fills_every_panel_whether_writers_or_the_composer_wrote_it(name):
    seen = published(name)
    assert seen.company_name
    assert seen.what_they_do
    assert seen.the_angle
    assert 0 <= seen.lead_score <= 100
    assert seen.urgency in {"Low", "Medium", "High", "Critical"}
    assert seen.timing_context
    assert all(signal.signal and signal.happening and signal.proof.url for signal in seen.why_now)
    assert len(seen.why_now) >= 2
    assert seen.company_intel.summary
    assert seen.company_intel.numbers
    assert seen.opportunity_intelligence.headline
    assert seen.custom_research.items
    assert all(path.title and path.description for path in seen.network_intelligence.warm_paths_in)
    assert seen.network_intelligence.warm_paths_in
    assert seen.the_math_structured.bottom_line
    assert seen.competitive_positioning.what_they_dont_know[0].insight
    assert seen.deal_strategy.how_they_buy
    assert seen.deal_strategy.unique_value
    assert seen.decision_strategy.key_roles
    assert seen.common_objections[0].response
    assert seen.quick_reference.conversation_starters
    assert sum(person.is_primary for person in seen.contacts) == 1
    assert seen.contacts[0].is_primary
    assert {script.contact_id for script in seen.email_scripts} <= {str(one.contact_id) for one in seen.contacts}
    assert seen.sources
    assert seen.pipeline_version == "v2"


def test_the_composers_words_come_out_where_the_composer_put_them():
    outputs = {step["step_name"]: step["output"] for step in sample("run_composer")["steps"]}
    message = outputs["11_DOSSIER_COMPOSER"]["output"][-1]
    said = json.loads(message["content"][0]["text"])
    shown = published("run_composer").model_dump(mode="json")
    assert shown["companyName"] == said["companyName"]
    assert shown["theAngle"] == said["theAngle"]
    assert shown["leadScore"] == said["leadScore"]
    assert shown["urgency"] == said["urgency"]
    assert [one["signal"] for one in shown["whyNow"]] == [one["signal"] for one in said["whyNow"]]
    assert [one["proof"]["url"] for one in shown["whyNow"]] == [one["proof"]["url"] for one in said["whyNow"]]
    assert shown["companyIntel"]["numbers"] == said["companyIntel"]["numbers"]
    paths = [one["title"] for one in said["networkIntelligence"]["warmPathsIn"]]
    merged = [one["title"] for one in shown["networkIntelligence"]["warmPathsIn"]]  # 5C adds some of its own
    assert merged[: len(paths)] == paths


def test_an_empty_row_gives_every_key_empty_lists_and_no_null_list():
    shown = view(row(), []).model_dump(mode="json")
    assert shown["companyName"] == "Acme"
    assert shown["whyNow"] == shown["contacts"] == shown["emailScripts"] == shown["sources"] == []
    assert shown["companyIntel"] == {"summary": None, "numbers": [], "mainlinePhones": [], "generalEmails": []}
    schema = DossierView.model_json_schema(by_alias=True, mode="serialization")
    assert set(shown) == set(schema["properties"])


def test_its_json_schema_bears_the_apps_names():
    names = set(DossierView.model_json_schema(by_alias=True)["properties"])
    assert {"companyName", "whatTheyDo", "theMathStructured", "quickReference", "batchDate", "updated"} <= names


@pytest.mark.parametrize("nothing", [None, "null", "", "N/A", " Unknown ", [], {}, "NULL"])
def test_what_says_nothing_is_nothing_in_every_section(nothing):
    empty = view(row(), [])
    assert view(row(**dict.fromkeys(SECTIONS, nothing)), []) == empty
    inside = {"the_angle": nothing, "primary_buying_signal": nothing, "company_snapshot": nothing}
    assert view(row(find_leads=inside), []) == empty


@pytest.mark.parametrize(
    ("stored", "numbers"),
    [
        ("410 employees", ("410 employees",)),
        (["410 employees", None, "null"], ("410 employees",)),
        ({"name": "Staff", "count": 410}, ("Staff - 410",)),
        ('["410 employees", "2 depots"]', ("410 employees", "2 depots")),
        (410, ("410",)),
    ],
)
def test_a_text_an_object_or_a_number_where_a_list_is_due_is_a_list(stored, numbers):
    seen = view(row(enrich_lead={"company_deep_dive": {"numbers": stored}}), [])
    assert seen.company_intel.numbers == numbers


def test_keys_in_camel_case_and_sections_that_are_json_in_a_text_are_read():
    stored = json.dumps({"theAngle": "Now", "companySnapshot": {"description": "Builds"}})
    seen = view(row(find_leads=stored), [])
    assert (seen.the_angle, seen.what_they_do) == ("Now", "Builds")


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        " JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "https://a b",
        'https://"',
    ],
)
def test_no_address_but_http_gets_into_a_link(address):
    seen = view(
        row(
            find_leads={"primary_buying_signal": {"signal": "x", "source_url": address}},
            media={"logo_url": address, "project_images": [{"url": address, "caption": "c"}]},
            sources=[{"title": "t", "url": address}],
        ),
        [Contact(id=uuid4(), name="A", linkedin_url=address, is_primary=True)],
    )
    assert seen.why_now[0].proof.url is None
    assert seen.media.logo_url is seen.media.project_images[0].url is None
    assert seen.sources[0].url is None
    assert seen.contacts[0].linkedin_url is None


@pytest.mark.parametrize(
    ("stored", "score"),
    [(78, 78), (120, 100), (None, None), (0, 0)],
)
def test_the_score_stays_on_its_scale(stored, score):
    assert view(row(lead_score=stored), []).lead_score == score


@pytest.mark.parametrize(
    ("stored", "score"), [("78", 78), ("78/100", 78), (78.0, 78), ("high", None), (True, None)]
)
def test_a_score_that_only_its_section_has_is_read_from_there(stored, score):
    assert view(row(find_leads={"lead_score": stored}), []).lead_score == score


@pytest.mark.parametrize(
    ("stored", "urgency"),
    [("HIGH", "High"), ("critical", "Critical"), ("Medium-High", "High"), ("soon", None), ("null", None)],
)
def test_urgency_is_one_of_the_apps_four_words(stored, urgency):
    assert view(row(timing_urgency=stored), []).urgency == urgency


def test_contacts_of_the_old_section_are_shown_where_there_are_no_rows_and_not_beside_them():
    section = {"contacts": [{"full_name": "Ann", "email": "ann@acme.example"}, {"name": "null"}, "Bob"]}
    seen = view(row(enrich_contacts=section), [])
    assert [(one.name, one.is_primary) for one in seen.contacts] == [("Ann", True), ("Bob", False)]
    rows = [Contact(id=uuid4(), name="Cora", is_primary=True)]
    assert [one.name for one in view(row(enrich_contacts=section), rows).contacts] == ["Cora"]


def test_contacts_come_primary_first_then_in_the_pipelines_order():
    people = [
        Contact(id=uuid4(), name=name, is_primary=name == "C", enrichment_data={"contact_index": index})
        for index, name in enumerate("BAC")
    ]
    assert [one.name for one in view(row(), people).contacts] == ["C", "B", "A"]


def test_contacts_whose_index_is_a_text_come_in_its_order():
    people = [
        Contact(id=uuid4(), name=name, is_primary=False, enrichment_data={"contact_index": index})
        for name, index in (("A", "2"), ("B", "10"), ("C", "0"), ("D", "CONT_001"))
    ]
    assert [one.name for one in view(row(), people).contacts] == ["C", "D", "A", "B"]


def test_contacts_without_an_index_come_in_the_order_in_which_they_were_stored():
    dossier_id = uuid4()
    stored = [Contact(id=contact_id_of(dossier_id, place), name=name) for place, name in enumerate("CAB")]
    assert [one.name for one in view(row(id=dossier_id), stored[::-1]).contacts] == ["C", "A", "B"]
    others = [Contact(id=uuid4(), name=name) for name in "CAB"]
    assert [one.name for one in view(row(id=dossier_id), others).contacts] == ["C", "A", "B"]


@pytest.mark.parametrize("nothing", [None, "null", "N/A", "", [], {}, " NULL "])
def test_a_field_that_says_nothing_hides_no_other_name_of_it(nothing):
    research = {"title": "Clubs", "items": []}
    seen = view(
        row(
            find_leads={"custom_research": nothing, "company_snapshot": {"size_estimate": "50"}},
            enrich_lead={
                "custom_research": research,
                "company_deep_dive": {"employees": nothing},
                "network_intelligence": {"warm_paths": [{"name": nothing, "title": "Ines"}]},
            },
            enrich_contacts={"contacts": nothing, "key_contacts": [{"name": "Ann", "linkedin_url": nothing}]},
            insight={
                "competitive_positioning": {"insights_they_dont_know": nothing, "what_they_dont_know": ["I"]},
                "deal_strategy": {"unique_value_props": nothing, "unique_value": ["U"]},
            },
            copy={"outreach": [{"email_subject": nothing, "subject": "S", "email_body": nothing, "body": "B"}]},
        ),
        [],
    )
    assert seen.custom_research.title == "Clubs"
    assert seen.company_intel.numbers == ("Size: 50",)
    assert seen.network_intelligence.warm_paths_in[0].title == "Ines"
    assert [person.name for person in seen.contacts] == ["Ann"]
    assert seen.competitive_positioning.what_they_dont_know[0].insight == "I"
    assert seen.deal_strategy.unique_value == ("U",)
    assert (seen.email_scripts[0].email_subject, seen.email_scripts[0].email_body) == ("S", "B")


@pytest.mark.parametrize("nothing", [None, {}, {"signal": None, "description": "null"}, [{"signal": ""}, "N/A"]])
def test_the_signal_of_the_column_is_shown_where_the_section_says_nothing(nothing):
    seen = view(row(primary_signal="A permit", find_leads={"primary_buying_signal": nothing}), [])
    assert [signal.signal for signal in seen.why_now] == ["A permit"]
    told = {"primary_buying_signal": {"happening": "They hire"}}
    seen = view(row(primary_signal="A permit", find_leads=told), [])
    assert [(signal.signal, signal.happening) for signal in seen.why_now] == [(None, "They hire")]


def test_a_source_is_shown_once():
    found = view(row(sources=[{"title": "A", "url": "https://a.example"}, "https://a.example", {"name": "B"}]), [])
    assert [(one.text, one.url) for one in found.sources] == [("A", "https://a.example"), ("B", None)]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet=st.characters())
    | st.sampled_from(["null", "N/A", "https://a.example/x", "{", "[1", '{"a": [']),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=8)
            | st.sampled_from(
                sorted(
                    {
                        "primary_buying_signal",
                        "company_snapshot",
                        "contacts",
                        "outreach",
                        "objections",
                        "project_images",
                        "warm_paths",
                        "network_intelligence",
                        "custom_research",
                        "items",
                        "matches",
                        "proof",
                        "key_roles",
                        "company_deep_dive",
                        "numbers",
                        "deal_strategy",
                        "decision_making_process",
                        "competitive_positioning",
                    }
                )
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.fixed_dictionaries(dict.fromkeys(SECTIONS, JSON)),
    st.text(),
    st.none() | st.text(),
    st.none() | st.integers(-(2**31), 2**31 - 1),
)
def test_no_row_whatever_it_holds_breaks_the_view(sections, name, said, score):
    said_in = dict.fromkeys(("company_domain", "timing_urgency", "primary_signal"), said)
    person = Contact(id=uuid4(), name=said, linkedin_url=said, is_primary=True, enrichment_data=sections["media"])
    seen = view(row(**sections, **said_in, company_name=name, lead_score=score), [person])
    again = DossierView.model_validate_json(seen.model_dump_json())
    assert again == seen
