"""Callbacks leave for public, allowed addresses only, however one is spelt or what a name server answers."""

import socket
from types import SimpleNamespace

import httpcore2
import pytest

from tests.makecom import standing_in
from worker import outgoing
from worker.make_errors import CallbackFailed, CallbackGone, CallbackRefused
from worker.outgoing import check_url, post

ANY = "*"
MAKE = "*.make.com"
PUBLIC = "93.184.215.14"
PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "fc00::1",
    "fd12::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::10.0.0.1",
    "2002:0a00:0001::1",
    "2002:7f00:0001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
]


@pytest.fixture
def resolver(monkeypatch):
    """A function that sets what names lead to, one list of addresses for each look-up; returns the look-ups."""

    def lead_to(*answers):
        left, asked = list(answers), []
        real = socket.getaddrinfo

        def getaddrinfo(host, port, *args, **kwargs):
            if _is_literal(host):
                return real(host, port, *args, **kwargs)
            asked.append(host)
            found = left.pop(0) if len(left) > 1 else left[0]
            family = {True: socket.AF_INET6, False: socket.AF_INET}
            return [(family[":" in one], socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return asked

    return lead_to


@pytest.fixture
def connected(monkeypatch):
    """The addresses that a connection was tried to; none of them answers."""
    tried = []

    def create_connection(address, *args, **kwargs):
        tried.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", create_connection)
    return tried


def _is_literal(host):
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return True
    return False


def _url(host):
    return f"https://[{host}]/x" if ":" in host else f"https://{host}/x"


def send(url, hosts):
    return post(url, b"{}", {"Content-Type": "application/json"}, hosts)


@pytest.mark.parametrize("host", PRIVATE)
def test_a_private_address_is_refused_at_the_door_even_where_any_host_is_allowed(host):
    with pytest.raises(CallbackRefused, match="private address"):
        check_url(_url(host), ANY)


@pytest.mark.parametrize("host", PRIVATE)
def test_a_name_that_leads_to_a_private_address_is_not_connected_to(host, resolver, connected):
    resolver([host])
    with pytest.raises(CallbackRefused, match=f"leads to {host}, which is not a public address"):
        send("https://hook.make.com/x", MAKE)
    assert connected == []


@pytest.mark.parametrize(
    "spelt", ["2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.1", "0", "127.0.0.1."]
)
def test_another_spelling_of_this_machines_address_is_not_connected_to(spelt, connected):
    with pytest.raises(CallbackRefused):
        send(f"https://{spelt}/x", ANY)
    assert connected == []


@pytest.mark.parametrize("place", [0, 1])
def test_a_name_with_one_private_address_among_public_ones_is_not_connected_to(place, resolver, connected):
    found = [PUBLIC, "93.184.215.15"]
    found.insert(place, "10.0.0.1")
    resolver(found)
    with pytest.raises(CallbackRefused, match=r"leads to 10\.0\.0\.1"):
        send("https://hook.make.com/x", MAKE)
    assert connected == []


def test_a_name_is_looked_up_once_and_the_connection_goes_to_what_was_checked(resolver, connected):
    asked = resolver([PUBLIC], ["127.0.0.1"])
    with pytest.raises(CallbackFailed):
        send("https://hook.make.com/x", MAKE)
    assert (len(asked), connected) == (1, [(PUBLIC, 443)])


def test_each_sending_looks_the_name_up_anew(resolver, connected):
    resolver([PUBLIC], ["127.0.0.1"])
    with pytest.raises(CallbackFailed):
        send("https://hook.make.com/x", MAKE)
    with pytest.raises(CallbackRefused):
        send("https://hook.make.com/x", MAKE)
    assert connected == [(PUBLIC, 443)]


def test_where_the_first_address_does_not_answer_the_next_is_tried(resolver, connected):
    resolver(["2606:2800:21f:cb07:6820:80da:af6b:8b2c", PUBLIC])
    with pytest.raises(CallbackFailed):
        send("https://hook.make.com/x", MAKE)
    assert [address for address, _ in connected][-1] == PUBLIC


def test_however_many_addresses_do_not_answer_they_are_given_up_in_time(resolver, monkeypatch):
    resolver([f"93.184.215.{number}" for number in range(1, 20)])
    now, waits = [0.0], []

    def connect_tcp(backend, address, port, timeout, *_):
        waits.append(timeout)
        now[0] += timeout - 0.5 if len(waits) == 1 else timeout  # the last one then gets less than the others
        raise httpcore2.ConnectTimeout

    monkeypatch.setattr(outgoing, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(httpcore2.SyncBackend, "connect_tcp", connect_tcp)
    with pytest.raises(CallbackFailed, match="did not answer in time"):
        send("https://hook.make.com/x", MAKE)
    assert waits == [5, 5, 5, 5, 0.5]


def test_a_name_that_cannot_be_resolved_is_tried_again(monkeypatch):
    def unknown(*args, **kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(CallbackFailed, match="could not be reached"):
        send("https://hook.make.com/x", MAKE)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://hook.make.com/x", "only https"),
        ("http://127.0.0.1/x", "only https"),
        ("ftp://hook.make.com/x", "only https"),
        ("//hook.make.com/x", "only https"),
        ("https://user:password@hook.make.com/x", "a user or a password"),
        ("https://user@hook.make.com/x", "a user or a password"),
        ("https://:password@hook.make.com/x", "a user or a password"),
        ("https://make.com.evil.com/x", "its host is none of"),
        ("https://hook.make.com.evil.com/x", "its host is none of"),
        ("https://evilmake.com/x", "its host is none of"),
        ("https://make.com/x", "its host is none of"),
        ("https://evil.com/hook.make.com", "its host is none of"),
        ("https://evil.com#.make.com", "its host is none of"),
        ("https://evil.com?.make.com", "its host is none of"),
        ("https://evil.com\\.make.com/x", ""),
        ("https://evil.com\\@hook.make.com/x", ""),
        ("https://hook.make.com@evil.com/x", ""),
        ("https://evil.com/\thook.make.com", "no URL"),
        ("https://hook.make.com/x y", "no URL"),
        ("https://hook.make.com:port/x", "no URL"),
        ("https://hook.make.com:99999/x", "no URL"),
        ("https://[hook.make.com/x", "no URL"),
        ("https:///x", "no URL"),
        ("hook", "no URL"),
        ("", "no URL"),
        ("https://hook.make.com/" + "x" * 2000, "no URL"),
        ("https://hook.make.com/ü", ""),
        ("https://höok.make.com/x", ""),
        (f"https://{'a' * 64}.make.com/x", ""),
        ("https://hook..make.com/x", ""),
    ],
)
def test_what_is_no_allowed_url_is_refused_with_the_reason(url, why):
    with pytest.raises(CallbackRefused) as refused:
        check_url(url, MAKE)
    assert why in refused.value.detail
    assert (refused.value.code, refused.value.field) == ("callback_refused", "callback_url")
    assert "password" not in refused.value.detail.replace("a user or a password", "")


@pytest.mark.parametrize(
    "url", ["https://hook.make.com/x", "https://HOOK.Make.com:8443/x?y=1", "https://a.b.make.com"]
)
def test_an_allowed_url_passes(url):
    check_url(url, f"{PUBLIC}, *.Make.com")


def test_without_allowed_hosts_none_may_be_called():
    with pytest.raises(CallbackRefused, match="COLUMNLINE_CALLBACK_HOSTS"):
        check_url("https://hook.make.com/x", "")


def test_a_private_address_that_is_allowed_literally_is_called_over_plain_http():
    with standing_in() as make:
        assert send(f"{make.url}/callback", "*.make.com, 127.0.0.1") == 200
        assert len(make.to("/callback")) == 1


def test_a_private_address_is_not_allowed_by_a_pattern():
    with standing_in() as make:
        with pytest.raises(CallbackRefused, match="only https"):
            send(f"{make.url}/callback", "127.0.0.*")
        with pytest.raises(CallbackRefused, match="private address"):
            send(f"https://127.0.0.1:{make.server_address[1]}/callback", "127.0.0.*")
        assert make.seen == []


def test_an_allowed_literal_does_not_let_a_name_lead_there(resolver, connected):
    resolver(["127.0.0.1"])
    with pytest.raises(CallbackRefused):
        send("https://hook.make.com/x", "*.make.com,127.0.0.1")
    assert connected == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status):
    with standing_in() as make:
        make.fault("/callback", "status", status=status, location=f"{make.url}/hook/inside")
        with pytest.raises(CallbackRefused, match="redirects are not followed"):
            send(f"{make.url}/callback", "127.0.0.1")
        assert [entry["path"] for entry in make.seen] == ["/callback"]


def test_an_address_that_is_gone_says_so():
    with standing_in() as make:
        make.fault("/callback", "status", status=410)
        with pytest.raises(CallbackGone):
            send(f"{make.url}/callback", "127.0.0.1")


@pytest.mark.parametrize("of", ["body", "headers"])
def test_an_answer_that_drips_for_ever_is_given_up_in_time(of, monkeypatch):
    monkeypatch.setattr(outgoing, "TOTAL_TIME", 0.3)
    with standing_in() as make:
        make.fault("/callback", "drip", of=of, pause=0.05, bits=100)
        with pytest.raises(CallbackFailed, match="did not answer in time"):
            send(f"{make.url}/callback", "127.0.0.1")


def test_an_answer_that_stops_half_way_is_given_up_in_time(monkeypatch):
    monkeypatch.setattr(outgoing, "READ_TIME", 0.2)
    with standing_in() as make:
        make.fault("/callback", "drip", of="body", pause=60)
        with pytest.raises(CallbackFailed, match="did not answer in time"):
            send(f"{make.url}/callback", "127.0.0.1")


def test_of_an_endless_answer_little_is_read(monkeypatch):
    monkeypatch.setattr(outgoing, "MOST_READ", 1000)
    with standing_in() as make:
        make.fault("/callback", "drip", of="body", pause=0.001, bits=100)
        assert send(f"{make.url}/callback", "127.0.0.1") == 200


def test_the_certificate_is_checked_against_the_name(resolver, monkeypatch):
    asked = []

    class Stream(httpcore2.NetworkStream):
        def start_tls(self, ssl_context, server_hostname=None, timeout=None):
            asked.append((server_hostname, ssl_context.check_hostname))
            raise httpcore2.ConnectError

        def close(self):
            pass

    resolver([PUBLIC])
    monkeypatch.setattr(httpcore2.SyncBackend, "connect_tcp", lambda *args: Stream())
    with pytest.raises(CallbackFailed):
        send("https://hook.make.com/x", MAKE)
    assert asked == [("hook.make.com", True)]
