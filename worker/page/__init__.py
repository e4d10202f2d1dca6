"""The page at `/`, for ops and for whoever tries the demo: drawn on the server, kept live by a little script.

Read `overview`, `work` (jobs), `shelf` (dossiers) and `plans` (calendar, batches, clients), then what they stand
on: `rendering`, `visitors` (who is signed in), `forms` (what they send), `figures` and `charts`. It does what the
bridge does, through the same functions.
"""

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from worker.page import overview, plans, shelf, work
from worker.page.rendering import STATIC


def install(app: FastAPI) -> None:
    """Put the page before the bridge: its screens at `/`, its style and script beside them."""
    for screens in (overview, work, shelf, plans):
        app.include_router(screens.router)
    app.mount("/page-static", StaticFiles(directory=STATIC), name="page-static")
