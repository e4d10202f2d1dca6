"""How long `columnline up` takes to be ready, at the first time and later, and its memory at rest.

Beside it, in the same round: a Python that only imports the libraries. With servers of its own, as on a machine
that has neither: the first start makes the database.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.bench.rounds import Rounds
from tests.bench.usage import at_rest, tree

COLUMNLINE = (sys.executable, "-m", "worker.cli")
LIBRARIES = "celery, fastapi, kombu, psycopg, pydantic_settings, redis, sqlalchemy.orm, structlog, typer, uvicorn"
REST = 3
"""Seconds until memory counts as at rest."""


def run(rounds, told):
    """Measure it so many times; returns figures by variant, and ratios to the bare libraries."""
    found = Rounds()
    for number in range(rounds):
        told(f"starting, round {number + 1} of {rounds}")
        with tempfile.TemporaryDirectory(prefix="columnline-bench-", ignore_cleanup_errors=True) as folder:
            for variant in ("first start", "later start"):
                found.add(variant, **up(Path(folder)))
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", f"import {LIBRARIES}"], check=True)
        found.add("imports of the libraries", seconds=time.perf_counter() - began)
    return {
        "rounds": rounds,
        "figures": found.figures(),
        "ratios": {
            f"{variant} to imports": found.ratio("seconds", variant, "imports of the libraries")
            for variant in ("first start", "later start")
        },
    }


def up(folder):
    """Start everything with its data in `folder`, and end it; seconds until it is ready, and memory at rest."""
    servers = {"DATABASE_URL", "REDIS_URL"}
    env = {name: value for name, value in os.environ.items() if name not in servers}
    command = [*COLUMNLINE, "up", "--port", "0", "--data-dir", str(folder)]
    began = time.perf_counter()
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            said = []
            for line in process.stdout:
                said.append(line)
                if line.startswith("Ready at"):
                    break
            else:
                raise AssertionError(f"columnline up ended: {''.join(said)[-2000:]}")
            took = time.perf_counter() - began
            time.sleep(REST)
            found = [*tree(psutil.Process(process.pid)), *_of_servers(folder)]
            memory = at_rest(found)
        finally:
            process.send_signal(signal.SIGTERM)
            process.stdout.read()
    return {"seconds": took, "pss_mb": memory["pss"] / 1e6, "rss_mb": memory["rss"] / 1e6, "processes": len(found)}


def _of_servers(folder):
    """The embedded servers' processes: no children of whoever started them, they work in the data's directory."""
    for process in psutil.process_iter():
        try:
            inside = Path(process.cwd()).is_relative_to(folder.resolve())
        except (psutil.Error, OSError):
            continue
        if inside:
            yield process
