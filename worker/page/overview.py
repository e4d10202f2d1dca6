"""The first screen, signing in and out, and searching."""

from contextlib import suppress
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from models.jobs import JobKind, Scope
from models.pipeline import V2Run
from models.production import Dossier
from worker import db, dossiers, jobs
from worker.bridge.rates import rates
from worker.dossier_filter import DossierFilter
from worker.errors import Unauthorized
from worker.page import figures, visitors
from worker.page.forms import Fields, Form, form
from worker.page.rendering import HEADERS, fragment, local_path, screen, screens
from worker.page.visitors import COOKIE, Reader

router = screens()

_FOUND = 20
_LONGEST_QUERY = 128


@router.get("/")
def overview(visitor: Reader, said: str = "") -> Response:
    """How things stand."""
    return screen("overview", visitor, said=said, now=figures.now.get(), hours=figures.by_hour.get())


@router.get("/live/overview")
def live_overview(request: Request, visitor: Reader) -> Response:
    """The part of the first screen that moves."""
    return fragment(request, "_overview", visitor, now=figures.now.get(), hours=figures.by_hour.get())


@router.get("/sign-in")
def sign_in_form(then: str = "/") -> Response:
    """Ask for a key."""
    return screen("sign_in", None, then=local_path(then), wrong=False)


@router.post("/sign-in")
def sign_in(request: Request, sent: Fields) -> Response:
    """Take a key, and lead to where the visitor wanted to go."""
    then = local_path(sent.get("then"))
    limits = rates(request)
    mark = limits.admit(request, sent.get("key", "").strip())
    try:
        with db.transaction() as session:
            token = visitors.sign_in(session, sent.get("key", ""))
    except Unauthorized:
        limits.failed(request, mark)
        return screen("sign_in", None, 401, then=then, wrong=True)
    limits.known(mark)
    response = RedirectResponse(then, 303, HEADERS)
    visitors.set_cookie(request, response, token)
    return response


@router.post("/sign-out")
def sign_out(sent: Annotated[Form, form(Scope.READ)]) -> Response:
    """End the visit."""
    with db.transaction() as session:
        visitors.sign_out(session, sent.visitor.token)
    response = RedirectResponse("/sign-in", 303, HEADERS)
    response.delete_cookie(COOKIE)
    return response


@router.get("/search")
def search(visitor: Reader, q: Annotated[str, Query(max_length=_LONGEST_QUERY)] = "") -> Response:
    """Runs by their ids, dossiers by theirs or by company."""
    asked = q.strip().replace("\0", "")
    with db.transaction() as session:
        runs = _runs(session, asked) if asked else []
        found = _dossiers(session, asked) if asked else []
    return screen("search", visitor, q=asked, runs=runs, dossiers=found)


def _runs(session: Session, asked: str) -> list[tuple[V2Run, UUID | None]]:
    """Runs whose id begins so, each with the job of its publish."""
    begins = V2Run.run_id.istartswith(asked, autoescape=True)
    statement = select(V2Run).where(begins).order_by(V2Run.started_at.desc()).limit(_FOUND)
    found = session.scalars(statement).all()
    publishes = [(run, jobs.find(session, JobKind.PUBLISH, run.run_id)) for run in found]
    return [(run, job.id if job else None) for run, job in publishes]


def _dossiers(session: Session, asked: str) -> list[dossiers.DossierRow]:
    """Dossiers with that id, of that run, or of a company whose name or domain holds the text."""
    by_company, _ = dossiers.page(session, DossierFilter(company=asked), limit=_FOUND)
    keys = [Dossier.run_id == asked]
    with suppress(ValueError):
        keys.append(Dossier.id == UUID(asked))
    ids = tuple(session.scalars(select(Dossier.id).where(or_(*keys))))
    by_id, _ = dossiers.page(session, DossierFilter(ids=ids), limit=_FOUND) if ids else ([], None)
    return [*by_id, *(row for row in by_company if row.dossier_id not in ids)]
