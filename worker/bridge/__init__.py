"""The HTTP bridge: `uvicorn worker.bridge:app`. It reads models, writes job rows and rings; it never publishes.

Read `publish`, `runs`, `jobs`, `dossiers`, `exports`, `overview`, then what they stand on: `gate`, `auth`,
`rates`, `body`, `problems`.
"""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

import anyio.to_thread
from fastapi import FastAPI

from worker import VERSION, logs, page, telemetry
from worker.bridge import (
    clients,
    docs,
    dossiers,
    exports,
    failures,
    health,
    jobs,
    metrics,
    openapi,
    overview,
    publish,
    reruns,
    runs,
)
from worker.bridge.context import MAX_WAITERS, THREADS
from worker.bridge.gate import Gate
from worker.bridge.rates import Rates
from worker.heartbeats import Pulse
from worker.outcomes import named
from worker.ring import BackgroundBell, be_brief
from worker.settings import settings
from worker.sweep import sweep
from worker.waiting import Watch

log = logs.get(__name__)

BODIES = (
    runs.RunFields,
    runs.ManyOutputs,
    publish.PublishOptions,
    publish.RunsToPublish,
    publish.RunToPublish,
    jobs.RetryMany,
    dossiers.Release,
    clients.Mapping,
    clients.SyncRequest,
    reruns.RerunOptions,
    exports.ExportRequest,
)


@asynccontextmanager
async def _running(app: FastAPI) -> AsyncIterator[None]:
    """Ring and sweep for as long as the bridge runs: beat is no single point of failure."""
    logs.configure()
    settings()
    telemetry.configure("bridge")
    be_brief()
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    app.state.bell = BackgroundBell()
    app.state.bell.start()
    stopping = threading.Event()
    sweeper = threading.Thread(target=_sweep_until, args=(stopping,), name="sweep", daemon=True)
    sweeper.start()
    with Pulse("bridge"), Watch(MAX_WAITERS) as app.state.watch:
        _when_told_to_end(app.state.watch.release)
        yield
    stopping.set()
    await anyio.to_thread.run_sync(app.state.bell.stop)
    await anyio.to_thread.run_sync(sweeper.join, 5)
    await anyio.to_thread.run_sync(telemetry.flush)


def _when_told_to_end(act: Callable[[], None]) -> None:
    """Have `act` called at SIGTERM or Ctrl-C: uvicorn waits for open requests, some of which wait for a job."""
    if threading.current_thread() is not threading.main_thread():
        return  # as in tests: signals are the main thread's alone
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        before: Any = signal.getsignal(number)

        def told(number: int, frame: FrameType | None, before: Any = before) -> None:
            loop.call_soon_threadsafe(act)
            if callable(before):
                before(number, frame)

        signal.signal(number, told)


def _sweep_until(stopping: threading.Event) -> None:
    while not stopping.wait(settings().sweep_interval):
        try:
            sweep()
        except Exception as error:  # noqa: BLE001 - the next sweep may do; a sweeper that died would tell nobody
            log.warning("sweep_failed", error=named(error))


def create_app() -> FastAPI:
    """The application, with nothing started."""
    app = FastAPI(
        title="Columnline publish worker",
        version=VERSION,
        description=openapi.DESCRIPTION,
        redirect_slashes=False,
        openapi_url=None,  # `docs` serves it
        generate_unique_id_function=openapi.operation_id,
        lifespan=_running,
    )
    app.state.rates = Rates()
    app.add_middleware(Gate)
    failures.install(app)
    for router in (
        runs.router,
        publish.router,
        jobs.router,
        dossiers.router,
        exports.router,
        overview.router,
        clients.router,
        reruns.router,
        metrics.router,
    ):
        app.include_router(router)
    app.include_router(health.router)
    page.install(app)
    openapi.describe(app, BODIES)
    docs.install(app)
    return app


app = create_app()
