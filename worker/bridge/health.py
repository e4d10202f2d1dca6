"""Routes for whoever watches: is the process alive, and can it do its work?"""

from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from worker import db, migrate
from worker.celery import app as celery_app

router = APIRouter(tags=["health"])


class Liveness(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether requests can be accepted (`ready`), and whether workers hear of them at once (`degraded` if not)."""

    status: Literal["ready", "degraded", "unavailable"]
    database: Literal["ok", "unreachable"]
    broker: Literal["ok", "unreachable"] = Field(description="without it publishes are accepted, and done later")
    schema_revision: str | None = Field(description="the revision the database is at")
    schema_expected: str = Field(description="the revision this bridge needs, or any later one")


@router.head("/livez", include_in_schema=False)
@router.get("/livez", summary="Is the process alive?")
async def livez() -> Liveness:
    """Always 200. Looks at nothing and needs no thread, so an outage elsewhere never has the process killed."""
    return Liveness()


@router.head("/readyz", include_in_schema=False)
@router.get(
    "/readyz",
    summary="Can requests be accepted?",
    responses={503: {"model": Readiness, "description": "The database is away, or its schema is behind"}},
)
def readyz(response: Response) -> Readiness:
    """Database, schema and broker. 503 where requests cannot be accepted; a broker that is away is no reason."""
    revision, reachable = None, True
    try:
        revision = migrate.current(db.engine())
    except (DBAPIError, PoolTimeoutError):
        reachable = False
    broker = broker_answers()
    able = reachable and not migrate.behind(revision)
    response.status_code = 200 if able else 503
    return Readiness(
        status=("ready" if broker else "degraded") if able else "unavailable",
        database="ok" if reachable else "unreachable",
        broker="ok" if broker else "unreachable",
        schema_revision=revision,
        schema_expected=migrate.head(),
    )


def broker_answers() -> bool:
    """Whether a connection to the broker can be made within a second or two."""
    connection: Any
    try:
        with celery_app.connection_for_write(connect_timeout=1) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=1)
            connection.default_channel.close()
    except Exception:  # noqa: BLE001 - whatever a broker's client raises, it is not there
        return False
    return True
