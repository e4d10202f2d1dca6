"""A company's domain comes out in one form, or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.domain_name import normalise_domain

HOSTS = st.from_regex(r"[a-z][a-z0-9]{0,10}(-[a-z0-9]{1,5})?\.[a-z]{2,8}(\.[a-z]{2,3})?", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("acme.example", "acme.example"),
        ("ACME.Example", "acme.example"),
        ("https://www.Acme.example/about?a=b#c", "acme.example"),
        ("http://user:pass@acme.example:8080/x", "acme.example"),
        ("//acme.example/x", "acme.example"),
        ("  www.acme.example.  ", "acme.example"),
        ("www.www.acme.example", "acme.example"),
        ("www.com", "www.com"),
        ("info@acme.example", "acme.example"),
        ("mailto:info@acme.example", "acme.example"),
        ("acme.example:443", "acme.example"),
        ("acme.example\\path", "acme.example"),
        ("sub.acme.co.uk", "sub.acme.co.uk"),
        ("müller-straße.de", "xn--mller-strae-46a18a.de"),
        ("WWW\u3002Acme\uff0eexample", "acme.example"),
        ("xn--mller-kva.de", "xn--mller-kva.de"),
        ("MÜLLER.de", "xn--mller-kva.de"),
        ("株式会社.jp", "xn--6oqv20b1zgzxr.jp"),
    ],
)
def test_a_domain_has_one_form(text, domain):
    assert normalise_domain(text) == domain


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ".",
        "acme",
        "localhost",
        "http://",
        "https:///",
        "127.0.0.1",
        "1.2",
        "[::1]",
        "::1",
        "a b.example",
        "acme.example, other.example",
        "acme.example (formerly other.example)",
        "under_score.example",
        "-acme.example",
        "acme..example",
        "a" * 64 + ".example",
        "a." * 200 + "example",
        "@",
        "x@",
        "javascript:alert(1)",
        "\0.example",
        "\ufffd.example",
        "a" * 100_000,
        "http:" * 50_000,
    ],
)
def test_what_is_no_domain_is_none(text):
    assert normalise_domain(text) is None


@given(
    HOSTS, st.sampled_from(["{}", "HTTPS://{}/", "www.{}", " {}:80", "{}.", "ftp://me@{}/a/b?c", "{}?q", "{}#f"])
)
def test_what_surrounds_a_domain_does_not_matter(host, form):
    expected = normalise_domain(host)
    assert expected is not None
    assert normalise_domain(form.format(host)) == normalise_domain(form.format(host.upper())) == expected


@given(st.text() | st.from_regex(r"(https?://)?(www\.)*[a-zäß。.-]{1,20}\.[a-z]{2,5}[:/]?.{0,5}", fullmatch=True))
def test_what_comes_out_comes_out_again(text):
    domain = normalise_domain(text)
    if domain is not None:
        assert normalise_domain(domain) == domain
        assert domain == domain.lower()
        assert domain.isascii()
        assert "." in domain
        assert not any(mark in domain for mark in "/:@ ?#")
