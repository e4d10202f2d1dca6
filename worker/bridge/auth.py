"""Who may call: a dependency that names the scope it needs, checked before anything of the request is read."""

from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from models.jobs import Scope
from worker import db, keys
from worker.bridge.body import query_understood
from worker.bridge.rates import SIGNED, rates
from worker.bridge.signatures import Signed
from worker.errors import Unauthorized

SIGNED_MAY = (Scope.READ, Scope.PUBLISH)
_header = APIKeyHeader(name="X-API-Key", auto_error=False, description="a key from `columnline keys create`")
_bearer = HTTPBearer(auto_error=False, description="the same key")


def needs(scope: Scope) -> Any:
    """A dependency that lets a key of this scope through, and says whose it is, as history records it.

    The OpenAPI document names the scope.

    Raises (when called): Unauthorized, Forbidden; RateLimited, before the database is asked; Validation, where
    the query is not understood, of which strangers learn nothing.
    """
    return Security(_understood, scopes=[scope.value])


def _check(
    request: Request,
    scopes: SecurityScopes,
    header: Annotated[str | None, Security(_header)],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    is_signed: Signed,
) -> str:
    if is_signed and Scope(scopes.scope_str) in SIGNED_MAY:
        rates(request).count(SIGNED)
        return "signed request"
    presented = (header or (bearer.credentials if bearer else "")).strip()
    limits = rates(request)
    mark = limits.admit(request, presented)
    try:
        with db.transaction() as session:
            name = keys.verify(session, presented, Scope(scopes.scope_str))
    except Unauthorized:
        limits.failed(request, mark)
        raise
    limits.known(mark)
    return f"key {name}"


async def _understood(
    caller: Annotated[str, Security(_check)], _query: Annotated[None, Depends(query_understood)]
) -> str:
    return caller
