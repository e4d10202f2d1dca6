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
    schema_revision: str | None
    schema_expected: str


@router.get("/livez")
def livez() -> Liveness:
    """The process is alive. Looks at nothing else, so an outage elsewhere never has it killed."""
    return Liveness()


@router.get("/readyz", responses={503: {"model": Readiness}})
def readyz(response: Response) -> Readiness:
    """Database, schema and broker. 503 where requests cannot be accepted; a broker that is away is no reason."""
    expected = migrate.head()
    revision, reachable = None, True
    try:
        revision = migrate.current(db.engine())
    except (DBAPIError, PoolTimeoutError):
        reachable = False
    broker = broker_answers()
    able = reachable and revision == expected
    response.status_code = 200 if able else 503
    return Readiness(
        status=("ready" if broker else "degraded") if able else "unavailable",
        database="ok" if reachable else "unreachable",
        broker="ok" if broker else "unreachable",
        schema_revision=revision,
        schema_expected=expected,
    )


def broker_answers() -> bool:
    """Whether a connection to the broker can be made within a second or two."""
    connection: Any
    try:
        with celery_app.connection_for_write(connect_timeout=1) as connection:
            connection.ensure_connection(max_retries=1, timeout=1)
            connection.default_channel.close()
    except Exception:  # noqa: BLE001 - whatever a broker's client raises, it is not there
        return False
    return True
