"""Sources are links, one per URL; a dossier has a logo if its company has a domain."""

import pytest

from tasks.assemble import assemble
from tests.builders import CONTENTS, contacts_of, run_of


def sources_of(given, step="10_WRITER_INTRO"):
    draft = assemble(run_of({step: CONTENTS[step] | {"sources": given}}))
    return draft.sources, [notice.code for notice in draft.warnings]


@pytest.mark.parametrize(
    ("given", "source"),
    [
        ({"title": "T", "url": "https://a.example/x?y=z#w"}, {"title": "T", "url": "https://a.example/x?y=z#w"}),
        ({"text": "T", "url": "http://a.example"}, {"title": "T", "url": "http://a.example"}),
        ({"name": "T", "url": " HTTPS://a.example "}, {"title": "T", "url": "HTTPS://a.example"}),
        ({"sourceName": "T", "sourceUrl": "https://a.example"}, {"title": "T", "url": "https://a.example"}),
        ({"title": None, "text": "T", "url": "https://a.example"}, {"title": "T", "url": "https://a.example"}),
        ({"url": "https://a.example"}, {"title": "https://a.example", "url": "https://a.example"}),
        ("https://a.example", {"title": "https://a.example", "url": "https://a.example"}),
        (
            {"text": "T", "url": "https://a.example", "name": "N"},
            {"title": "T", "url": "https://a.example", "name": "N"},
        ),
    ],
)
def test_a_source_has_a_title_and_a_url(given, source):
    assert sources_of([given]) == ([source], [])
    assert sources_of(given) == ([source], [])


def test_the_sources_of_a_step_that_says_nothing_else_are_collected():
    said = {"custom_research": None, "sources": [{"title": "T", "url": "https://a.example"}]}
    draft = assemble(run_of({"10_WRITER_CLIENT_SPECIFIC": said}))
    assert draft.sources == [{"title": "T", "url": "https://a.example"}]
    assert [notice.code for notice in draft.warnings] == ["step_unusable"]


def test_sources_that_came_as_their_json_text_are_read():
    given = '[{"title": "T", "url": "https://a.example"}, "https://b.example"]'
    sources, codes = sources_of(given)
    assert [source["url"] for source in sources] == ["https://a.example", "https://b.example"]
    assert codes == ["shape_repaired"]


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "a.example",
        "//a.example",
        "ftp://a.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://",
        "https:///x",
        'https://a.example/" onclick=',
        "https://a.example/<script>",
        "https://a b.example",
        " javascript:https://a.example",
        7,
        ["https://a.example"],
        "https://" + "a" * 100_000 + " b",
    ],
)
def test_what_is_no_link_is_no_source(url):
    assert sources_of([{"title": "T", "url": url}]) == ([], ["source_refused"])


def test_a_url_is_listed_once_with_the_first_title_it_was_given():
    given = [
        "https://a.example",
        {"title": "T", "url": "https://a.example"},
        {"title": "U", "url": "https://a.example"},
    ]
    assert sources_of(given) == ([{"title": "T", "url": "https://a.example"}], [])


def test_the_sources_of_all_steps_are_collected_in_the_steps_order():
    outputs = {
        name: content | {"sources": [f"https://{name[:3].strip('_').lower()}{place}.example"]}
        for place, (name, content) in enumerate(CONTENTS.items())
    }
    outputs |= {
        "6_ENRICH_CONTACTS": contacts_of("Ann Lee") | {"sources": ["https://contacts.example"]},
        "6_ENRICH_CONTACT_INDIVIDUAL": {
            "contact_index": 0,
            "phone": "1",
            "sources": ["https://individual.example"],
        },
        "10A_COPY": (
            {"copy_outputs": [], "sources": ["https://copy1.example"]},
            {"copy_outputs": [], "sources": ["https://copy2.example"]},
        ),
        "8_MEDIA": {
            "logo_url": "https://l.example/l.png",
            "sources": ["https://media.example", "https://100.example"],
        },
        "07B_INSIGHT": {"the_math": {"translation": "x"}, "sources": ["https://insight.example"]},
    }
    draft = assemble(run_of(outputs))
    hosts = [source["url"].removeprefix("https://").removesuffix(".example") for source in draft.sources]
    assert hosts == [
        "100",
        "101",
        "102",
        "103",
        "104",
        "insight",
        "contacts",
        "individual",
        "copy1",
        "copy2",
        "media",
    ]
    assert [source["url"] for source in draft.insight["sources"]] == [
        "https://104.example",
        "https://insight.example",
    ]


def test_what_people_steps_call_a_source_is_not_quoted():
    outputs = {"6_ENRICH_CONTACTS": contacts_of("Ann Lee") | {"sources": [{"title": "Ann Lee's page"}, "Ann Lee"]}}
    draft = assemble(run_of(outputs))
    assert [notice.code for notice in draft.warnings] == ["source_refused"] * 2
    assert not any("Ann" in notice.detail for notice in draft.warnings)


def media_of(media=None, domain="acme.example"):
    outputs = {"8_MEDIA": media} if media else {}
    outputs["10_WRITER_OPPORTUNITY"] = CONTENTS["10_WRITER_OPPORTUNITY"] | {
        "company_snapshot": {"domain": domain, "description": "x"}
    }
    return assemble(run_of(outputs)).media


def test_without_a_logo_one_is_built_from_the_domain():
    media = media_of()
    assert media["logo_url"] == "https://www.google.com/s2/favicons?domain=acme.example&sz=128"
    assert media["logo_fallback_chain"] == [
        "https://icons.duckduckgo.com/ip3/acme.example.ico",
        "https://acme.example/favicon.ico",
    ]


def test_a_logo_that_was_found_stays_and_the_built_ones_stand_behind_it():
    found = {
        "logo_url": "https://l.example/l.png",
        "logo_fallback_chain": ["https://l.example/2.png", "https://l.example/l.png"],
    }
    media = media_of(found)
    assert media["logo_url"] == "https://l.example/l.png"
    assert media["logo_fallback_chain"][0] == "https://l.example/2.png"
    assert len(media["logo_fallback_chain"]) == len(set(media["logo_fallback_chain"])) == 4


def test_without_a_domain_there_is_no_logo():
    media = media_of(domain=None)
    assert (media["logo_url"], media["logo_fallback_chain"]) == (None, [])


@pytest.mark.parametrize("name", ["project_images", "recommended_project_images", "image_assets", "projectImages"])
def test_pictures_go_by_several_names(name):
    picture = {
        "url": "https://i.example/1.jpg",
        "caption": "C",
        "source_url": "https://s.example",
        "project_name": "P",
    }
    assert media_of({name: [picture]})["project_images"] == [picture]
    assert media_of({name: "https://i.example/1.jpg"})["project_images"] == [{"url": "https://i.example/1.jpg"}]


def test_what_else_the_media_step_says_is_kept():
    media = media_of({"target_company": {"name": "Acme", "domain": "acme.example"}, "enrichedAt": "2026-01-15"})
    assert media["target_company"] == {"name": "Acme", "domain": "acme.example"}
    assert media["enriched_at"] == "2026-01-15"
