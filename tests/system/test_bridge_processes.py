"""Two bridges and a worker as processes: what only real sockets, signals and a real broker can show."""

import json
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import func, text, update

from models.jobs import Job, JobKind
from tests.conftest import secret_of
from tests.system.runs import send
from tests.system.stack import PATIENCE, Stack, own_broker, wait_until
from worker import db, jobs
from worker.settings import settings

LIMIT = 5_000_000
CANARY = "CANARY-0b7c"
PUBLISH_MANY = "POST /columnline/publish HTTP/1.1"

HARDLY_HTTP = [
    "GET /livez HTTP/1.1",
    "GET /livez HTTP/1.0",
    "GET /livez HTTP/9.9\nHost: a",
    "GET http://other/livez HTTP/1.1\nHost: a",
    "GET /\xff\xfe HTTP/1.1\nHost: a",
    "GET /columnline/runs/%FF%00?%FF=%00 HTTP/1.1\nHost: a\nX-API-Key: KEY",
    "GET /columnline/jobs HTTP/1.1\nHost: a\nX-API-Key: \xff\xfe",
    "GET /columnline/jobs HTTP/1.1\nHost: a\nX-API-Key: a\x00b",
    "GET /columnline/jobs HTTP/1.1\nHost: \xff\nX-API-Key: KEY",
    "GET /columnline/jobs HTTP/1.1\nHost: a\nHost: b\nX-API-Key: KEY\nX-API-Key: KEY",
    "GET /columnline/jobs HTTP/1.1\nHost: a\nX-API-Key: KEY\nX-Junk: " + "x" * 100_000,
    "GET /columnline/jobs HTTP/1.1\nHost: a\nX-API-Key: KEY\nContent-Length: 5\n\n{bad}",
    PUBLISH_MANY + "\nHost: a\nX-API-Key: KEY\nContent-Length: -1",
    PUBLISH_MANY + "\nHost: a\nX-API-Key: KEY\nContent-Length: " + "9" * 30,
    PUBLISH_MANY + "\nHost: a\nX-API-Key: KEY\nContent-Length: 2\nContent-Length: 3\n\n{}",
    PUBLISH_MANY + "\nHost: a\nX-API-Key: KEY\nTransfer-Encoding: chunked\n\nzz",
    PUBLISH_MANY + "\nHost: a\nX-API-Key: KEY\nTransfer-Encoding: gzip, chunked\n\n0",
    "GET /livez HTTP/1.1\nHost: a\nUpgrade: websocket\nConnection: Upgrade",
    "PRI * HTTP/2.0\n\nSM",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "hello",
]


@pytest.fixture(scope="module")
def stacks(shared_database, tmp_path_factory):
    """Two bridges, the first with a worker, on one database and one broker."""
    broker = own_broker(tmp_path_factory.mktemp("broker"))
    broker.start()
    first, second = (Stack(tmp_path_factory.mktemp("bridge"), shared_database, broker) for _ in range(2))
    try:
        with ThreadPoolExecutor() as pool:
            started = pool.submit(second.start, "bridge")
            first.start("bridge", "worker")
            started.result()
        yield first, second
    finally:
        first.close()
        second.close()
        broker.close()


@contextmanager
def connection(stack, *parts):
    """A socket to the bridge on which these parts were sent."""
    with closing(socket.create_connection(("127.0.0.1", stack.port), timeout=PATIENCE)) as sock:
        for part in parts:
            sock.sendall(part.encode("latin-1") if isinstance(part, str) else part)
        yield sock


def answer(sock):
    """Status, headers and body of the answer that comes."""
    file = sock.makefile("rb")
    status = int(file.readline().split()[1])
    headers = dict(line.decode().strip().lower().split(": ", 1) for line in iter(file.readline, b"\r\n"))
    return status, headers, file.read(int(headers["content-length"]))


def head(method, path, *lines):
    """The head of a request."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: bridge", *lines, "", ""])


def key(stack):
    return f"X-API-Key: {stack.key}"


def alive(stack):
    with connection(stack, head("GET", "/livez")) as sock:
        return answer(sock)[0] == 200


def test_twenty_publishes_at_once_on_two_bridges_make_one_job_one_dossier_and_its_contacts_once(stacks):
    run_id = send(stacks[0], suffix="_AT_ONCE")
    barrier = Barrier(20)

    def publish(number):
        barrier.wait()
        return stacks[number % 2].http.post(f"/publish/{run_id}", params={"wait": 25})

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(publish, range(20)))
    assert {one.status_code for one in answers} == {200}
    told = [one.json() for one in answers]
    assert {one["status"] for one in told} == {"done"}
    assert len({(one["job_id"], one["dossier_id"], one["contacts_created"]) for one in told}) == 1
    assert sorted(one["duplicate"] for one in told) == [False] + [True] * 19
    with db.transaction() as session:
        counts = session.execute(
            text(
                "select (select count(*) from jobs where key = :run_id), count(distinct d.id), count(c.id), "
                "count(distinct c.name) from dossiers d join contacts c on c.dossier_id = d.id "
                "where d.run_id = :run_id"
            ),
            {"run_id": run_id},
        ).one()
    contacts = told[0]["contacts_created"]
    assert contacts > 0
    assert tuple(counts) == (1, 1, contacts, contacts)


def test_a_body_that_says_it_is_6_mb_is_refused_before_a_byte_of_it(stacks):
    for path in ("/columnline/publish/RUN", "/columnline/publish", "/columnline/jobs/retry"):
        with connection(stacks[0], head("POST", path, key(stacks[0]), "Content-Length: 6000000")) as sock:
            status, headers, body = answer(sock)
        assert (status, headers["content-type"]) == (413, "application/problem+json")
        assert json.loads(body)["code"] == "payload_too_large"


def test_a_body_that_does_not_say_its_length_is_refused_before_it_is_there_whole(stacks):
    start = head("POST", "/columnline/publish", key(stacks[0]), "Transfer-Encoding: chunked")
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    with connection(stacks[0], start, chunk * (LIMIT // 0x10000 + 1)) as sock:
        assert answer(sock)[0] == 413, "although it has no end yet"


def test_a_stranger_is_refused_before_a_byte_of_the_body(stacks):
    for line in ("Content-Length: 6000000", "Content-Length: 10", "Transfer-Encoding: chunked"):
        for more in ((), ("Expect: 100-continue",)):
            with connection(stacks[0], head("POST", "/columnline/publish", line, *more)) as sock:
                status, headers, _ = answer(sock)
            assert (status, headers["content-type"]) == (401, "application/problem+json")


def test_a_whole_body_is_taken_in_pieces_of_any_size(stacks):
    with connection(
        stacks[0], head("PUT", "/columnline/runs/PIECES", key(stacks[0]), "Content-Length: 0")
    ) as sock:
        assert answer(sock)[0] == 201
    body = json.dumps({"outputs": [{"step_name": "A", "output": "x" * 300}]})
    pieces = "".join(f"1\r\n{character}\r\n" for character in body)
    start = head("POST", "/columnline/runs/PIECES/outputs", key(stacks[0]), "Transfer-Encoding: chunked")
    with connection(stacks[0], start, pieces, "0\r\n\r\n") as sock:
        status, _, said = answer(sock)
    assert (status, json.loads(said)["stored"]) == (200, 1)


def test_a_sender_who_hangs_up_in_the_middle_leaves_nothing_and_is_no_fault(stacks):
    stack = stacks[0]
    run_id = send(stack, suffix="_GONE")
    for line, sent in (
        ("Content-Length: 100", ""),
        ("Content-Length: 100", '{"release_date": "2026-'),
        ("Transfer-Encoding: chunked", "5\r\n{}"),
    ):
        with connection(stack, head("POST", f"/columnline/publish/{run_id}", key(stack), line), sent):
            assert alive(stack)
    assert alive(stack)
    assert stack.http.get(f"/runs/{run_id}").json()["job"] is None
    assert "request_failed" not in stack.log("bridge")
    assert "Traceback" not in stack.log("bridge")


def test_bytes_that_are_hardly_http_make_no_fault_and_end_nothing(stacks):
    stack = stacks[0]
    for sent in HARDLY_HTTP:
        raw = sent.replace("KEY", stack.key).replace("\n", "\r\n") + "\r\n\r\n"
        said = b""
        with suppress(ConnectionError), connection(stack, raw) as sock:  # it hangs up on what is too long
            sock.shutdown(socket.SHUT_WR)
            said = b"".join(iter(lambda sock=sock: sock.recv(65536), b""))
        status = said.split()[1] if said else b"400"
        assert status in {b"200", b"400", b"401", b"404", b"413", b"422", b"431", b"501"}, (sent[:80], said[:200])
        assert alive(stack)
    assert "request_failed" not in stack.log("bridge")


@pytest.mark.parametrize("fault", ["stopped", "hanging"])
def test_without_a_broker_publishes_are_accepted_at_once_and_done_once_it_is_back(stacks, fault):
    stack = stacks[0]
    run_ids = [send(stack, suffix=f"_{fault}_{number}") for number in range(4)]
    stop, start = (
        (stack.broker.stop, stack.broker.start)
        if fault == "stopped"
        else (
            stack.broker.stall,
            stack.broker.resume,
        )
    )
    stop()
    try:
        for run_id in run_ids:
            accepted = stack.http.post(f"/publish/{run_id}")
            assert accepted.status_code == 202, accepted.text
            assert accepted.elapsed < timedelta(seconds=5), "nobody waits for the broker"
        with connection(stack, head("GET", "/readyz")) as sock:
            status, _, body = answer(sock)
        assert (status, json.loads(body)["status"], json.loads(body)["broker"]) == (200, "degraded", "unreachable")
    finally:
        start()
    for run_id in run_ids:
        wait_until(lambda run_id=run_id: stack.http.get(f"/runs/{run_id}").json()["job"]["done"], run_id)


def test_what_is_sent_and_keys_reach_no_log(stacks):
    stack = stacks[0]
    for headers in ({}, {"X-API-Key": f"{CANARY}{stack.key}"}, {"Authorization": f"Bearer {CANARY}"}):
        for content in (json.dumps({"seed_data": {"name": CANARY}}), f'{{"{CANARY}', json.dumps({CANARY: 1})):
            stack.http.put("/runs/LOGGED", content=content, headers=headers)
            stack.http.put("/runs/LOGGED/outputs/10_WRITER_INTRO", content=content, headers=headers)
    stack.http.put("/runs/LOGGED", json={"client_id": "CLT_NORTHWIND_001"}).raise_for_status()
    assert stack.http.post("/publish/LOGGED", params={"wait": 25}).json()["done"]
    for stack in stacks:
        for name in ("bridge", "worker"):
            log = stack.log(name)
            assert CANARY not in log
            assert secret_of(stack.key) not in log


def test_a_bridge_told_to_end_lets_its_waiting_callers_go_with_an_answer(stacks):
    stack = stacks[1]
    with db.transaction() as session:
        values = {"kind": JobKind.PUBLISH, "key": "FAR", "client_id": None, "payload": {"run_id": "FAR"}}
        job, _ = jobs.accept(session, settings(), **values)
        session.execute(update(Job).where(Job.id == job.id).values(run_at=func.now() + timedelta(days=1)))
    request = head("GET", f"/columnline/jobs/{job.id}?wait=55", key(stack))
    with connection(stack, request) as first, connection(stack, request) as second:
        assert alive(stack), "what was sent before was read before"
        began = time.monotonic()
        assert stack.stop("bridge") in {0, -signal.SIGTERM}
        assert time.monotonic() - began < 30, "it did not wait with them"
        for waiting in (first, second):
            status, _, body = answer(waiting)
            assert (status, json.loads(body)["status"]) == (200, "queued")
    assert "Traceback" not in stack.log("bridge")
