"""The HTTP bridge: `uvicorn worker.bridge:app`. It reads models, writes job rows and rings; it never publishes.

Read `publish`, `runs`, `jobs`, then what they stand on: `auth`, `body`, `problems`.
"""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import FastAPI

from worker import logs
from worker.bridge import health, jobs, problems, publish, runs
from worker.bridge.context import THREADS
from worker.bridge.openapi import describe
from worker.ring import BackgroundBell, be_brief
from worker.settings import settings
from worker.sweep import sweep

log = logs.get(__name__)


@asynccontextmanager
async def _running(app: FastAPI) -> AsyncIterator[None]:
    """Ring and sweep for as long as the bridge runs: beat is no single point of failure."""
    logs.configure()
    settings()
    be_brief()
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    app.state.bell = BackgroundBell()
    app.state.bell.start()
    stopping = threading.Event()
    sweeper = threading.Thread(target=_sweep_until, args=(stopping,), name="sweep", daemon=True)
    sweeper.start()
    yield
    stopping.set()
    await anyio.to_thread.run_sync(app.state.bell.stop)
    await anyio.to_thread.run_sync(sweeper.join, 5)


def _sweep_until(stopping: threading.Event) -> None:
    while not stopping.wait(settings().sweep_interval):
        try:
            sweep()
        except Exception as error:  # noqa: BLE001 - the next sweep may do; a sweeper that died would tell nobody
            log.warning("sweep_failed", error=type(error).__name__)


def create_app() -> FastAPI:
    """The application, with nothing started."""
    app = FastAPI(
        title="Columnline publish worker",
        version="0.1.0",
        description="Turns finished pipeline runs into published dossiers: each exactly once, or an error that "
        "says what to do.",
        redirect_slashes=False,
        max_body_size=problems.BODY_LIMIT,
        lifespan=_running,
    )
    problems.install(app)
    for router in (runs.router, publish.router, jobs.router, health.router):
        app.include_router(router)
    describe(app)
    return app


app = create_app()
