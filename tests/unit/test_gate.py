import asyncio
import json

import pytest

from worker.bridge.gate import SLASH, Gate, unescaped


def request(path="/columnline/jobs", raw_path=None, kind="http"):
    return {"type": kind, "path": path, "raw_path": (raw_path or path).encode()}


def run(coroutine):
    """What it returns; a minute is what only something that hangs takes."""
    return asyncio.run(asyncio.wait_for(coroutine, 60))


async def nothing():
    return {"type": "http.request"}


class Inner:
    """An application that answers when it is told to, and remembers the paths it saw."""

    def __init__(self):
        self.go, self.came, self.paths = asyncio.Event(), asyncio.Semaphore(0), []

    async def __call__(self, scope, receive, send):
        self.paths.append(scope["path"])
        self.came.release()
        await self.go.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})


async def answered(gate, scope):
    """The messages of the answer."""
    sent = []

    async def send(message):
        sent.append(message)

    await gate(scope, nothing, send)
    return sent


async def overloaded():
    inner = Inner()
    gate = Gate(inner, most=3)
    held = [asyncio.create_task(answered(gate, request())) for _ in range(3)]
    for _ in held:
        await inner.came.acquire()
    refused = await answered(gate, request())
    health = [asyncio.create_task(answered(gate, request(path))) for path in ("/livez", "/readyz")]
    for _ in health:
        await inner.came.acquire()
    inner.go.set()
    answers = await asyncio.gather(*held, *health)
    return refused, answers, await answered(gate, request())


def test_more_requests_at_once_than_may_be_are_429_and_health_is_always_answered():
    refused, answers, later = run(overloaded())
    start, body = refused
    headers = dict(start["headers"])
    assert start["status"] == 429
    assert int(headers[b"retry-after"]) > 0
    assert headers[b"content-type"] == b"application/problem+json"
    problem = json.loads(body["body"])
    assert (problem["code"], problem["retryable"], problem["ok"]) == ("overloaded", True, False)
    assert [start["status"] for start, _ in answers] == [204] * 5
    assert later[0]["status"] == 204, "there is room again"


async def failing():
    async def broken(scope, receive, send):
        raise RuntimeError

    gate = Gate(broken, most=1)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            await answered(gate, request())


def test_a_request_that_fails_gives_its_place_back():
    run(failing())


async def seen(scope):
    inner = Inner()
    inner.go.set()
    await answered(Gate(inner), scope)
    return inner.paths[0]


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("/runs/a", "/runs/a"),
        ("/runs/a%2Fb/outputs", f"/runs/a{SLASH}b/outputs"),
        ("/runs/a%2fb", f"/runs/a{SLASH}b"),
        ("/runs/a%252Fb", "/runs/a%2Fb"),
        ("/runs/%C3%A9", "/runs/é"),
        ("/runs/a%20b%3F", "/runs/a b?"),
        ("/runs/%FF", "/runs/\udcff"),
        ("/runs/%", "/runs/%"),
        ("/runs/%zz", "/runs/%zz"),
        ("//a///", "//a///"),
    ],
)
def test_a_path_is_divided_before_it_is_decoded(raw, path):
    assert run(seen(request("whatever a server made of it", raw))) == path
    assert "/".join(unescaped(part) for part in path.split("/")) == path.replace(SLASH, "/")


def test_a_path_without_its_raw_form_is_taken_as_it_is():
    assert run(seen({"type": "http", "path": "/runs/é"})) == "/runs/é"
    assert run(seen(request("/ws", kind="websocket"))) == "/ws"
