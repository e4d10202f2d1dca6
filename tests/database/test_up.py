"""Where `columnline up` and `columnline demo` listen and how they reach it, before anything is started."""

import os
import socket
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx2
import pytest

from models.jobs import Scope
from worker import db, keys
from worker.cli import demo
from worker.cli.up import _processes, prepare
from worker.errors import Unauthorized, Validation

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Both names as they were: they are added to."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "intranet.example")


@pytest.mark.parametrize(
    ("upper", "lower", "both"), [("corp", "", "corp,"), ("a", "b", "b,"), ("", "", ""), ("*", "", "*")]
)
def test_exceptions_that_somebody_made_for_a_proxy_still_hold(monkeypatch, upper, lower, both):
    monkeypatch.setenv("NO_PROXY", upper)
    monkeypatch.setenv("no_proxy", lower)
    prepare(0, None)
    assert (os.environ["no_proxy"] or os.environ["NO_PROXY"]).startswith(both)
    assert both == "*" or os.environ["no_proxy"] == os.environ["NO_PROXY"] == f"{both}127.0.0.1,127.0.0.1"


@contextmanager
def listening(host, port):
    """Something that answers there."""

    class Here(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    class Server(HTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    with Server((host, port), Here) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


def has_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


SHOWN = {"127.0.0.1": "127.0.0.1"} | ({"::1": "[::1]"} if has_ipv6() else {})


@pytest.mark.parametrize(("host", "shown"), SHOWN.items())
def test_the_bridge_is_reached_at_the_address_it_gets_and_through_no_proxy(setting, monkeypatch, host, shown):
    setting(host=host)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    address = prepare(0, None)
    port = int(address.rpartition(":")[2])
    assert address == f"http://{shown}:{port}"
    (bridge,) = (program for program in _processes(address, 1, {}, flower=False) if program.name == "bridge")
    assert {f"--host={host}", f"--port={port}"} <= set(bridge.argv)
    with listening(host, port):
        assert httpx2.get(address, timeout=5).status_code == 204


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "a b", "x" * 300])
def test_a_host_that_is_no_address_is_refused_by_its_setting(setting, host):
    setting(host=host)
    with pytest.raises(Validation, match="COLUMNLINE_HOST is"):
        prepare(0, None)


def test_a_port_that_is_taken_is_refused_with_what_to_do(setting):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(Validation, match="--port"):
        prepare(taken.getsockname()[1], None)


def test_the_demos_key_is_no_good_after_it_however_it_ends():
    with suppress(KeyboardInterrupt), demo.temporary_key() as key:
        with db.transaction() as session:
            assert keys.verify(session, key, Scope.OPS)
        raise KeyboardInterrupt
    with db.transaction() as session, pytest.raises(Unauthorized):
        keys.verify(session, key, Scope.READ)
