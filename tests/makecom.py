"""A stand-in for Make.com: a strict HTTP server that starts scenarios, takes hooks and callbacks, and can fail.

In a thread of the test (`with standing_in() as make`), or as a process of its own: `python -m tests.makecom`
prints its address first. Whatever it receives is kept in order, and told at `GET /_seen`; `POST /_fault` has it
fail from then on. HTTP/1.0: a connection carries one request.
"""

import argparse
import json
import re
import sys
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

TOKEN = "make-token"
SCENARIO = 4711
SECRET = "whsec_Y29sdW1ubGluZS10ZXN0cy1zZWNyZXQtdGhhdC1zaWducw=="
PATIENCE = 60
RUN = f"/api/v2/scenarios/{SCENARIO}/run"
CALLBACK = "/callback"

_RUN = re.compile(r"/api/v2/scenarios/(\d+)/run")
_EXECUTION = re.compile(r"/api/v2/scenarios/(\d+)/executions/([\w-]+)")
_HOOK = re.compile(r"/hook/[\w-]+")


class MakeCom(ThreadingHTTPServer):
    """The server: what it saw, what it is to do wrong, and the executions it started.

    Attributes:
        seen: every request, as a dict of `method`, `path`, `headers` (names in lower case), `body`, `fault`: what
            went wrong with it, if anything, a status or what was done, and, for a callback, `verified`: whether
            its signature is good; None where it bears none.
        executions: each execution's answer by its id; a test changes it.
    """

    daemon_threads = False  # so that closing waits for its threads

    def __init__(self, port=0, secret=SECRET):
        self.secret = secret
        self.seen, self.executions = [], {}
        self.released = threading.Event()
        self._faults = []
        self._changed = threading.Condition()
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def fault(self, path, do, times=1, **more):
        """Fail at paths that begin so: `slow`, `status`, `drop` once accepted, `drop_unread`, `drip`."""
        with self._changed:
            self._faults.append({"path": path, "do": do, "times": times} | more)

    def due_fault(self, path):
        """The fault that this request meets, if any; it counts as met."""
        with self._changed:
            found = next((one for one in self._faults if one["times"] and path.startswith(one["path"])), None)
            if found is not None:
                found["times"] -= 1
            return found

    def mend(self):
        """Fail no more."""
        with self._changed:
            self._faults.clear()

    def note(self, entry):
        with self._changed:
            self.seen.append(entry)
            self._changed.notify_all()

    def to(self, path):
        """Every request to a path that begins so, in order."""
        with self._changed:
            return [entry for entry in self.seen if entry["path"].startswith(path)]

    def wait_for(self, path, count=1):
        """Wait until so many requests have come to the path; returns them."""
        with self._changed:
            arrived = lambda: sum(entry["path"].startswith(path) for entry in self.seen) >= count  # noqa: E731
            assert self._changed.wait_for(arrived, PATIENCE), self.seen
        return self.to(path)

    def start_execution(self):
        with self._changed:
            execution_id = f"exec-{len(self.executions) + 1}"
            self.executions[execution_id] = {"status": "RUNNING"}
            return execution_id

    def end_execution(self, execution_id, status, message=None):
        error = {"error": {"name": "RuntimeError", "message": message}} if message else {}
        self.executions[execution_id] = {"status": status} | error

    def handle_error(self, request, client_address):
        """Stay silent about clients that hang up: tests ask them to."""
        if not isinstance(sys.exception() if hasattr(sys, "exception") else sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    timeout = PATIENCE

    def do_GET(self):
        self._handle(self._get)

    def do_POST(self):
        self._handle(self._post)

    def log_message(self, format, *args):  # noqa: A002 - the name of the base class
        pass

    def _handle(self, answer):
        path = self.path.partition("?")[0]
        fault = None if path.startswith("/_") else self.server.due_fault(path)
        if fault and fault["do"] == "drop_unread":
            return
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        if len(body.encode()) < length:
            return  # whoever began to send it is gone
        if not path.startswith("/_"):
            headers = {name.lower(): value for name, value in self.headers.items()}
            entry = {"method": self.command, "path": self.path, "headers": headers, "body": body}
            entry["fault"] = fault and fault.get("status", fault["do"])
            if path == CALLBACK:
                entry["verified"] = self._verified(body, headers)
            self.server.note(entry)
        if fault is None:
            answer(path, body)
        elif fault["do"] == "slow":
            self.server.released.wait(fault.get("seconds", PATIENCE))
            answer(path, body)
        elif fault["do"] == "status":
            self._status(fault)
        elif fault["do"] == "drip":
            self._drip(fault)
        elif fault["do"] == "drop" and _RUN.fullmatch(path):
            self.server.start_execution()

    def _get(self, path, body):
        if path == "/_seen":
            self._answer(200, self.server.seen)
        elif match := _EXECUTION.fullmatch(path):
            if self._is_authorized(match[1]):
                found = self.server.executions.get(match[2])
                self._answer(200 if found else 404, found or {"message": "No such execution"})
        else:
            self._answer(404, {"message": "Not Found"})

    def _post(self, path, body):
        if path == "/_fault":
            self.server.fault(**json.loads(body))
            self._answer(200, {})
        elif path == "/_execution":
            self.server.end_execution(**json.loads(body))
            self._answer(200, {})
        elif match := _RUN.fullmatch(path):
            self._run(match[1], body)
        elif _HOOK.fullmatch(path):
            self._text(200 if _is_order(_json(body)) else 400, "Accepted")
        elif path == CALLBACK:
            verified = self._verified(body, {name.lower(): value for name, value in self.headers.items()})
            self._text(401 if verified is False else 200, "Accepted")
        else:
            self._answer(404, {"message": "Not Found"})

    def _run(self, scenario, body):
        if not self._is_authorized(scenario):
            return
        found = _json(body)
        is_sound = isinstance(found, dict) and found.keys() == {"data", "responsive"}
        if not is_sound or found["responsive"] is not False or not _is_order(found["data"]):
            self._answer(400, {"message": "Validation failed"})
        else:
            self._answer(200, {"executionId": self.server.start_execution()})

    def _is_authorized(self, scenario):
        if self.headers.get("Authorization") != f"Token {TOKEN}":
            self._answer(401, {"message": "Access denied"})
        elif scenario != str(SCENARIO):
            self._answer(404, {"message": "No such scenario"})
        else:
            return True
        return False

    def _verified(self, body, headers):
        if "webhook-signature" not in headers:
            return None
        try:
            Webhook(self.server.secret).verify(body, headers)
        except WebhookVerificationError:
            return False
        return True

    def _status(self, fault):
        location = {"Location": fault["location"]} if "location" in fault else {}
        self._text(fault["status"], fault.get("text", "as told"), **location)

    def _drip(self, fault):
        """Send bit after bit, of the headers or of the body, until the client hangs up."""
        begun, bit = {
            "headers": (b"HTTP/1.1 200 OK\r\n", b"X-Drip: drop\r\n"),
            "body": (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n", b"drop"),
        }[fault["of"]]
        with suppress(OSError):
            self.wfile.write(begun)
            while not self.server.released.wait(fault.get("pause", 0.02)):
                self.wfile.write(bit * fault.get("bits", 1))

    def _answer(self, status, content):
        self._text(status, json.dumps(content), **{"Content-Type": "application/json"})

    def _text(self, status, text, **headers):
        raw = text.encode()
        self.send_response(status)
        for name, value in ({"Content-Type": "text/plain", "Content-Length": str(len(raw))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)


@contextmanager
def standing_in(port=0, secret=SECRET):
    """The server in a thread, until the block ends."""
    server = MakeCom(port, secret)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


def settings_for(url, secret=SECRET):
    """The settings of a worker and a bridge to which the server at this address is Make.com."""
    return {
        "COLUMNLINE_MAKE_MODE": "api",
        "COLUMNLINE_MAKE_URL": url,
        "COLUMNLINE_MAKE_TOKEN": TOKEN,
        "COLUMNLINE_MAKE_SCENARIO_ID": str(SCENARIO),
        "COLUMNLINE_CALLBACK_HOSTS": "127.0.0.1",
        "COLUMNLINE_CALLBACK_SECRET": secret,
    }


def _is_order(found):
    return (
        isinstance(found, dict)
        and all(isinstance(found.get(name), str) and found[name] for name in ("client_id", "run_id"))
        and isinstance(found.get("seed"), dict)
    )


def _json(body):
    try:
        return json.loads(body)
    except ValueError:
        return None


def main():
    """Serve until stdin ends or somebody ends the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--secret", default=SECRET)
    given = parser.parse_args()
    with standing_in(given.port, given.secret) as server:
        print(server.url, flush=True)  # noqa: T201 - what the test reads
        sys.stdin.read()


if __name__ == "__main__":
    main()
