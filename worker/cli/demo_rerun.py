"""The part of the demo with Make.com in it: a rerun goes round completely, with a stand-in for Make.com.

Pressed over HTTP, it is told to the stand-in, which notes it; the demo then plays the pipeline: outputs pushed and
published under the new run id. The new dossier replaces the old one, and the stand-in verifies the callback.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from worker.settings import env_name, settings

_STANDS_IN = "tests.makecom"
_SETTINGS = {
    "make_mode": "api",
    "make_token": "make-token",
    "make_scenario_id": "4711",
    "callback_hosts": "127.0.0.1",
}
_SECRET = "whsec_Y29sdW1ubGluZS1kZW1vLXNlY3JldC10aGF0LXNpZ25z"  # noqa: S105 - signs the demo's own callback, and nothing else
_PATIENCE = 25.0
_LOOK = 0.1


@contextmanager
def make_com(checkout: Path) -> Iterator[str]:
    """A stand-in for Make.com while the block lasts, which this process and its children know by their settings.

    Yields:
        Its address.
    """
    command = [sys.executable, "-m", _STANDS_IN, "--secret", _SECRET]
    with subprocess.Popen(  # noqa: S603 - our own program
        command, cwd=checkout, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        wanted = _SETTINGS | {"make_url": url, "callback_secret": _SECRET}
        os.environ.update({env_name(name): value for name, value in wanted.items()})
        settings.cache_clear()
        try:
            yield url
        finally:
            process.stdin.close()  # it ends with its input


def play(http: httpx2.Client, make: str, dossier_id: str, document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Run the dossier again, and yield what happened, step by step: what, and what came of it.

    Raises:
        AssertionError: it did not go round; says where it stopped.
    """
    pressed = http.post(f"/rerun/{dossier_id}", json={}).raise_for_status().json()
    yield "rerun pressed", pressed["status"]
    told = _awaited(make, lambda entry: entry["path"].endswith("/run") and pressed["run_id"] in entry["body"])
    order = json.loads(told["body"])["data"]
    yield "Make.com told", f"to run {order['run_id']} for {order['client_id']}"
    outputs = [
        {"step_name": step["step_name"], "step_id": f"{order['run_id']}/{number}", "output": step["output"]}
        for number, step in enumerate(document["steps"])
    ]
    http.post(f"/runs/{order['run_id']}/outputs", json={"outputs": outputs}).raise_for_status()
    body = {"callback_url": f"{make}/callback"}
    answer = http.post(f"/publish/{order['run_id']}", params={"wait": int(_PATIENCE)}, json=body).json()
    assert answer["status"] == "done", answer
    assert answer["supersedes_dossier_id"] == dossier_id, answer
    yield "published", f"supersedes {dossier_id}"
    rerun = http.get(f"/reruns/{pressed['rerun_id']}").raise_for_status().json()
    assert rerun["status"] == "published", rerun
    called = _awaited(make, lambda entry: entry["path"] == "/callback" and order["run_id"] in entry["body"])
    assert called["verified"], called
    yield "callback", "received, and its signature verified"


def _awaited(make: str, is_it: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first request that the stand-in has seen of this kind, once it has."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        seen: list[dict[str, Any]] = httpx2.get(f"{make}/_seen").json()
        if found := next(filter(is_it, seen), None):
            return found
        time.sleep(_LOOK)
    raise AssertionError(f"Make.com's stand-in waited {_PATIENCE:g} s in vain")
