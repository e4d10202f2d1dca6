"""The route that Prometheus reads."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from models.jobs import Scope
from worker import metrics
from worker.bridge.auth import needs
from worker.bridge.openapi import documented

router = APIRouter(tags=["overview"], responses=documented())


class Exposition(Response):
    """Prometheus' text format."""

    media_type = CONTENT_TYPE_LATEST


@router.get(
    "/metrics", summary="Metrics for Prometheus", response_class=Exposition, dependencies=[needs(Scope.READ)]
)
def read_metrics() -> Exposition:
    """How things stand, in Prometheus' text format, ten seconds old at most. Every bridge tells the same."""
    return Exposition(metrics.exposition())
