"""`columnline up`: everything at once, on this machine, until Ctrl-C."""

import os
import socket
import sys
import time
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Annotated

import httpx2
import typer

from models.jobs import Scope
from worker import db, keys, migrate, servers
from worker.celery import alive
from worker.cli.output import Exit, err, out, reporting_errors
from worker.settings import env_name, settings
from worker.supervise import NotReadyError, Process, supervise

FIRST_KEY = "first"

Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port of the bridge; 0 picks a free one.")]
Concurrency = Annotated[int, typer.Option(min=1, max=64, help="Publishes at the same time.")]
DataDir = Annotated[Path | None, typer.Option(help="Where embedded servers keep their data.")]


def up(
    port: Port = None,
    concurrency: Concurrency = 2,
    data_dir: DataDir = None,
    flower: Annotated[bool, typer.Option("--flower", help="Start Flower too.")] = False,
) -> None:
    """Start the bridge, a worker and beat, and keep them running until Ctrl-C or SIGTERM.

    Without DATABASE_URL and REDIS_URL, real servers of our own are started too.
    """
    with reporting_errors():
        address = prepare(port, data_dir)
        if (key := first_key()) is not None:
            out.print(f"Your first API key, shown this once:\n\n  {key}\n", soft_wrap=True)
        out.print(f"Starting at {address} (API: {address}/docs). Ctrl-C stops everything.")
        run(address, concurrency, flower=flower)


def prepare(port: int | None, data_dir: Path | None) -> str:
    """Find or start the servers, migrate, and choose the bridge's address.

    The children inherit what is decided here through the environment.
    """
    if data_dir is not None:
        os.environ[env_name("data_dir")] = str(data_dir)
        settings.cache_clear()
    os.environ["DATABASE_URL"], os.environ["REDIS_URL"] = servers.database_url(), servers.broker_url()
    migrate.upgrade(db.engine())
    host = settings().host
    return f"http://{host}:{_free_port(host) if port == 0 else port or settings().port}"


def first_key() -> str | None:
    """Make a key that may do everything, unless the database has one that is valid, and return it."""
    with db.transaction() as session:
        known = keys.every(session)
        if any(key.revoked_at is None for key in known):
            return None
        taken = {key.name for key in known}
        name = next(name for name in (FIRST_KEY, *(f"{FIRST_KEY}-{n}" for n in count(2))) if name not in taken)
        return keys.create(session, name, Scope.OPS)


def run(
    address: str,
    concurrency: int,
    *,
    flower: bool = False,
    once_ready: Callable[[], None] | None = None,
    write: Callable[[str], None] = err.out,
) -> None:
    """Run all processes until `once_ready` has returned or, without it, until a signal.

    Args:
        address: where the bridge listens, as `prepare` returned it.
        concurrency: publishes at the same time.
        flower: whether to run Flower too, on its own port.
        once_ready: what to do once all of them are ready.
        write: takes each line the processes say.
    """
    db.dispose()  # the children have connections of their own
    since = time.time()
    try:
        supervise(
            _processes(address, concurrency, os.environ, flower=flower),
            ready=lambda: _ready(address, since),
            body=once_ready,
            write=write,
            grace=settings().task_time_limit + 15,
        )
    except NotReadyError as error:
        err.print(str(error), style="red", markup=False)
        raise typer.Exit(Exit.UNAVAILABLE) from None


def _processes(address: str, concurrency: int, env: Mapping[str, str], *, flower: bool) -> list[Process]:
    """The programs, in the order in which they stop: first the door, last the hands that finish their task."""
    host, _, port = address.removeprefix("http://").rpartition(":")
    celery = [sys.executable, "-m", "celery", "-A", "worker"]
    programs = [
        Process(
            "bridge",
            [
                sys.executable,
                "-m",
                "uvicorn",
                "worker.bridge:app",
                f"--host={host}",
                f"--port={port}",
                "--no-access-log",
            ],
            env,
        ),
        Process("beat", [*celery, "beat"], env),
        Process("worker", [*celery, "worker", "--concurrency", str(concurrency)], env),
    ]
    if flower:
        programs.insert(0, Process("flower", [*celery, "flower", "--address=127.0.0.1"], env))
    return programs


def _ready(address: str, since: float) -> bool:
    """Whether the bridge accepts, and worker and beat have shown a sign of life since then."""
    if any(not (file := alive(name)).exists() or file.stat().st_mtime < since for name in ("worker", "beat")):
        return False
    try:
        return httpx2.get(f"{address}/readyz", timeout=3).is_success
    except httpx2.HTTPError:
        return False


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
