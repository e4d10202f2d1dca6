"""What the dossiers of one company have in common: the domain that was registered."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.domain_name import company_key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("acme.com", "acme.com"),
        ("ACME.Com", "acme.com"),
        ("www.acme.com", "acme.com"),
        ("https://www.acme.com/about?a=b#c", "acme.com"),
        ("http://user:pass@acme.com:8080/x", "acme.com"),
        ("acme.com:443", "acme.com"),
        ("acme.com.", "acme.com"),
        ("  acme.com  ", "acme.com"),
        ("careers.acme.com", "acme.com"),
        ("a.b.c.acme.com", "acme.com"),
        ("info@mail.acme.com", "acme.com"),
        ("acme.co.uk", "acme.co.uk"),
        ("www.acme.co.uk", "acme.co.uk"),
        ("careers.acme.co.uk", "acme.co.uk"),
        ("jobs.acme.com.au", "acme.com.au"),
        ("acme.k12.ma.us", "acme.k12.ma.us"),
        ("acme.github.io", "acme.github.io"),
        ("docs.acme.github.io", "acme.github.io"),
        ("other.github.io", "other.github.io"),
        ("acme.blogspot.com", "acme.blogspot.com"),
        ("acme.myshopify.com", "acme.myshopify.com"),
        ("müller.de", "xn--mller-kva.de"),
        ("WWW.MÜLLER.DE", "xn--mller-kva.de"),
        ("karriere.xn--mller-kva.de", "xn--mller-kva.de"),
        ("株式会社.jp", "xn--6oqv20b1zgzxr.jp"),
        ("acme.公司.cn", "acme.xn--55qx5d.cn"),
        ("WWW\u3002Acme\uff0ecom", "acme.com"),
        ("acme.example", "acme.example"),
        ("sub.acme.unheardof", "acme.unheardof"),
    ],
)
def test_a_companys_key_is_its_registered_domain(text, key):
    assert company_key(text) == key


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        " ",
        "com",
        "co.uk",
        "www.co.uk",
        "https://github.io/",
        "github.io",
        "blogspot.com",
        "localhost",
        "127.0.0.1",
        "Acme Works",
        "acme.com, other.com",
        "公司.cn",
        "@",
    ],
)
def test_a_suffix_that_many_share_and_what_is_no_domain_have_no_key(text):
    assert company_key(text) is None


def test_neighbours_under_a_shared_suffix_are_companies_of_their_own():
    assert company_key("acme.github.io") != company_key("other.github.io")
    assert company_key("acme.co.uk") != company_key("other.co.uk")


HOSTS = st.from_regex(r"([a-zö][a-z0-9]{0,5}\.){0,2}acme[a-z0-9]{0,6}\.(com|co\.uk|github\.io|de)", fullmatch=True)


@settings(deadline=None)  # the first of all reads the list of suffixes
@given(st.text() | HOSTS)
def test_a_key_is_its_own_key(text):
    key = company_key(text)
    assert key is None or company_key(key) == key


@settings(deadline=None)
@given(HOSTS, st.sampled_from(["{}", "https://{}/", "www.{}", " {}:80", "{}.", "{}?q", "careers.{}"]))
def test_what_surrounds_a_domain_and_its_subdomains_do_not_matter(host, form):
    key = company_key(host)
    assert key is not None
    assert company_key(form.format(host)) == company_key(form.format(host).upper()) == key
