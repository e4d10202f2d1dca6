"""`columnline up`: everything at once, on this machine, until Ctrl-C."""

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from itertools import chain, count
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import httpx2
import typer

from models.jobs import Scope
from worker import db, keys, migrate, observability, servers
from worker.celery import alive
from worker.cli.output import Exit, err, out, reporting_errors
from worker.embedded import EmbeddedServerError, detach
from worker.errors import Validation
from worker.settings import env_name, settings
from worker.supervise import NotReadyError, Process, supervise

FIRST_KEY = "first"
FLOWER = Path(observability.__file__).with_name("flowerconfig.py")
"""Has it only show."""

BRIDGE = ("uvicorn", "worker.bridge:app", "--no-access-log", "--timeout-keep-alive=75")
"""An idle connection is kept for longer than proxies and clients keep theirs: whoever closes first may meet a
request under way, which then has no answer. Uvicorn's own five seconds are what some clients keep too."""

LOOK_EVERY = 3.0
"""Seconds between two looks whether an embedded server has crashed."""

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

    Without DATABASE_URL and REDIS_URL, real servers of our own are started too, and again should they crash.
    """
    with reporting_errors():
        address = prepare(port, data_dir)
        if (key := first_key()) is not None:
            out.print(f"Your first API key, shown this once:\n\n  {key}\n", soft_wrap=True)
        else:
            out.print("There is a key already. Another: columnline keys create NAME --scope ops")
        out.print("Starting. Ctrl-C stops everything.")
        ready = f"Ready at {address}, described at {address}/docs."
        run(address, concurrency, flower=flower, once_ready=lambda: out.print(ready), stay=True)


def prepare(port: int | None, data_dir: Path | None) -> str:
    """Find or start the servers, migrate, and choose the bridge's address.

    The processes find the servers the same way, and hold embedded ones themselves: should we be killed, those stay
    until the last task in hand is done.
    """
    if data_dir is not None:
        os.environ[env_name("data_dir")] = str(data_dir)
        settings.cache_clear()
    servers.broker_url()
    migrate.upgrade(db.engine())
    host = settings().host
    _reach_directly(host)
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{_bindable(host, settings().port if port is None else port)}"


def _reach_directly(host: str) -> None:
    """What runs here is not reached through a proxy, whatever the environment says of other addresses."""
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if known.strip() != "*":
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(filter(None, [known, host, "127.0.0.1"]))


def first_key() -> str | None:
    """Make a key that may do everything, unless the database has one that is valid, and return it."""
    with db.transaction() as session:
        known = keys.every(session)
        if any(key.revoked_at is None for key in known):
            return None
        taken = {key.name for key in known}
        names = chain([FIRST_KEY], (f"{FIRST_KEY}-{number}" for number in count(2)))
        name = next(name for name in names if name not in taken)
        return keys.create(session, name, Scope.OPS)


def run(
    address: str,
    concurrency: int,
    *,
    flower: bool = False,
    once_ready: Callable[[], None],
    stay: bool = False,
    write: Callable[[str], None] = err.out,
) -> None:
    """Run all processes until `once_ready` has returned; with `stay`, until a signal.

    Args:
        address: where the bridge listens, as `prepare` returned it.
        concurrency: publishes at the same time.
        flower: whether to run Flower too, on its own port.
        once_ready: what to do once all of them are ready.
        stay: whether to go on after that.
        write: takes each line the processes say.
    """
    db.dispose()  # the children have connections of their own
    over = threading.Event()

    def body() -> None:
        once_ready()
        while stay and not over.wait(LOOK_EVERY):
            _start_servers_again()

    since = time.time()
    try:
        supervise(
            _processes(address, concurrency, os.environ | {"PYTHONUNBUFFERED": "1"}, flower=flower),
            ready=lambda: _ready(address, since),
            body=body,
            write=write,
            grace=settings().task_time_limit + 15,
        )
    except NotReadyError as error:
        err.print(str(error), style="red", markup=False)
        raise typer.Exit(Exit.UNAVAILABLE) from None
    finally:
        over.set()
        db.dispose()
        detach(settings().data_dir)  # embedded servers have stopped once this returns, unless others use them


def _start_servers_again() -> None:
    """Start again what has crashed of the embedded servers; what cannot be had now may be had at the next look."""
    try:
        if servers.start_again():
            err.print("An embedded server had crashed, and runs again.", style="yellow")
    except (EmbeddedServerError, OSError) as error:
        err.print(str(error), style="red", markup=False)


def _processes(address: str, concurrency: int, env: Mapping[str, str], *, flower: bool) -> list[Process]:
    """The programs, in the order in which they stop: first the door, last the hands that finish their task."""
    where = urlsplit(address)
    celery = [sys.executable, "-m", "celery", "-A", "worker"]
    programs = [
        Process(
            "bridge",
            [
                *(sys.executable, "-m", *BRIDGE),
                *(f"--host={where.hostname}", f"--port={where.port}"),
            ],
            env,
        ),
        Process("beat", [*celery, "beat"], env),
        Process("worker", [*celery, "worker", "--concurrency", str(concurrency)], env),
    ]
    if flower:
        programs.insert(0, Process("flower", [*celery, "flower", f"--conf={FLOWER}", "--address=127.0.0.1"], env))
    return programs


def _ready(address: str, since: float) -> bool:
    """Whether the bridge accepts, and worker and beat have shown a sign of life since then."""
    if any(not (file := alive(name)).exists() or file.stat().st_mtime < since for name in ("worker", "beat")):
        return False
    try:
        return httpx2.get(f"{address}/readyz", timeout=3).is_success
    except httpx2.HTTPError:
        return False


def _bindable(host: str, port: int) -> int:
    """The port, or a free one for 0.

    Raises:
        Validation: somebody else has it.
    """
    try:
        family, *_, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError) as error:
        raise Validation(f"{env_name('host')} is {host!r}, which is no address: {error}.", field="host") from None
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
            found: int = probe.getsockname()[1]
            return found
    except OSError as error:
        raise Validation(
            f"Port {port} of {host} cannot be had: {error.strerror}. Choose another with --port; 0 picks a free "
            "one.",
            field="port",
        ) from None
