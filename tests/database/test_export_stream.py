"""A download that breaks, stalls or is given up: the connection tells, and its place and its reading end."""

import asyncio
import json
import threading

import pytest
from sqlalchemy.exc import OperationalError

from tests.database.rows import add
from worker import db
from worker.bridge import download
from worker.export import reading

PATH = "/columnline/export/dossiers.csv"


@pytest.fixture
def places():
    """How many downloads may begin now."""

    def free():
        return download._places._value

    assert free() == download.AT_ONCE
    yield free
    assert free() == download.AT_ONCE, "a place was not given back"


@pytest.fixture
def five(clients, monkeypatch):
    """Five dossiers, read one by one."""
    monkeypatch.setattr(reading, "PAGE", 1)
    return [add(run_id=f"RUN_{n}", created_at=f"2026-01-0{n} 00:00Z") for n in range(1, 6)]


class Caller:
    """A caller of the application itself, who may hang up, or take nothing, after so many messages."""

    def __init__(self, http, path=PATH):
        self._app, self._path, self._key = http.app, path, http.headers["X-API-Key"]
        self.messages = []

    def get(self, *, hang_up_after=None, stall_after=None):
        """Make the call. Returns the bytes that came, and whether the end did."""

        async def call():
            gone = asyncio.Event()

            async def receive():
                if not self.messages and not hasattr(self, "asked"):
                    self.asked = True
                    return {"type": "http.request", "body": b"", "more_body": False}
                await gone.wait()
                return {"type": "http.disconnect"}

            async def send(message):
                self.messages.append(message)
                if len(self.messages) == hang_up_after:
                    gone.set()
                    await asyncio.sleep(0)
                if len(self.messages) == stall_after:
                    await asyncio.sleep(60)

            scope = {
                "type": "http",
                "asgi": {"version": "3.0", "spec_version": "2.3"},
                "http_version": "1.1",
                "method": "GET",
                "scheme": "http",
                "path": self._path,
                "raw_path": self._path.encode(),
                "query_string": b"",
                "root_path": "",
                "headers": [(b"x-api-key", self._key.encode())],
                "client": ("127.0.0.1", 1),
                "server": ("127.0.0.1", 80),
            }
            await self._app(scope, receive, send)

        asyncio.run(call())
        body = b"".join(message.get("body", b"") for message in self.messages[1:])
        return body, bool(self.messages) and self.messages[-1].get("more_body") is False


def pages_read(monkeypatch):
    """A list that grows by one with each page that is read."""
    read, before = [], reading._read

    def count(order, asked):
        read.append(asked)
        return before(order, asked)

    monkeypatch.setattr(reading, "_read", count)
    return read


def test_a_whole_file_ends_and_its_parts_come_while_it_is_read(http, five, places):
    caller = Caller(http)
    body, ended = caller.get()
    assert ended
    assert body.count(b"\r\n") == 6
    assert len(caller.messages) == 1 + 5 + 1  # start, a part for each page, end


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_who_hangs_up_ends_the_reading_and_frees_place_and_connection(
    http, five, places, monkeypatch, kind, tmp_path
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    read = pages_read(monkeypatch)
    caller = Caller(http, PATH.replace("csv", kind))
    _, ended = caller.get(hang_up_after=2)
    assert not ended
    if kind == "csv":
        assert len(read) <= 2
    assert db.engine().pool.checkedout() == 0
    assert list(tmp_path.iterdir()) == []


def test_who_takes_nothing_loses_the_place(http, five, places, monkeypatch):
    monkeypatch.setattr(download, "STALLED", 0.05)
    read = pages_read(monkeypatch)
    _, ended = Caller(http).get(stall_after=3)
    assert not ended
    assert len(read) <= 3


def test_an_error_in_the_midst_breaks_the_connection(http, five, places, monkeypatch):
    before = reading._read

    def broken(order, asked):
        if asked == [five[2]]:
            raise OperationalError("select", {}, Exception("gone"))
        return before(order, asked)

    monkeypatch.setattr(reading, "_read", broken)
    caller = Caller(http)
    with pytest.raises(RuntimeError, match="response already started"):
        caller.get()
    assert caller.messages[0]["status"] == 200
    assert all(message.get("more_body") for message in caller.messages[1:])


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_an_error_before_the_first_byte_is_a_problem(http, five, places, monkeypatch, kind):
    def broken(order, asked):
        raise OperationalError("select", {}, Exception("gone"))

    monkeypatch.setattr(reading, "_read", broken)
    answer = http.get(PATH.replace("csv", kind))
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


def test_a_full_disk_is_a_problem_that_says_so(http, five, places, disk_full):
    answer = http.get(PATH.replace("csv", "xlsx"))
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "No space left" in answer.json()["detail"]


def test_one_more_than_may_be_sent_at_once_is_overloaded_until_one_has_ended(http, five, places, monkeypatch):
    waiting, go_on, before = threading.Semaphore(0), threading.Event(), reading._read

    def slow(order, asked):
        waiting.release()
        go_on.wait(30)
        return before(order, asked)

    monkeypatch.setattr(reading, "_read", slow)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(http.get(PATH))) for _ in range(download.AT_ONCE)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert waiting.acquire(timeout=30)
    refused = http.get(PATH)
    go_on.set()
    for thread in threads:
        thread.join()
    assert (refused.status_code, refused.json()["code"]) == (429, "overloaded")
    assert int(refused.headers["retry-after"]) > 0
    assert [answer.status_code for answer in answers] == [200] * download.AT_ONCE
    assert http.get(PATH).status_code == 200


def test_the_log_tells_who_asked_for_what_and_how_it_ended_and_no_contents(http, five, places, monkeypatch):
    lines = []
    monkeypatch.setattr(download.log, "info", lambda event, **told: lines.append((event, told)), raising=False)
    http.get(PATH, params={"company": "Acme", "pipeline_version": "v2"})
    (first, begun), (last, ended) = lines
    assert (first, last) == ("export_started", "export_ended")
    assert begun == {
        "asked_by": "key tests",
        "what": "dossiers",
        "format": "csv",
        "conditions": ["pipeline_version", "company"],
    }
    assert ended == begun | {"ended": "sent", "dossiers": 5, "rows": 5}
    assert "Acme" not in json.dumps(lines)
