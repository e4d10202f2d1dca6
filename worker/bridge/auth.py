"""Who may call: a dependency that names the scope it needs, checked before anything of the request is read."""

from typing import Annotated, Any

from fastapi import Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from models.jobs import Scope
from worker import db, keys
from worker.bridge.signatures import Signed

SIGNED_MAY = (Scope.READ, Scope.PUBLISH)
_header = APIKeyHeader(name="X-API-Key", auto_error=False, description="a key from `columnline keys create`")
_bearer = HTTPBearer(auto_error=False, description="the same key")


def needs(scope: Scope) -> Any:
    """A dependency that lets a key of this scope through, and says whose it is, as history records it.

    The OpenAPI document names the scope.

    Raises (when called): Unauthorized, Forbidden.
    """
    return Security(_check, scopes=[scope.value])


def _check(
    scopes: SecurityScopes,
    header: Annotated[str | None, Security(_header)],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    is_signed: Signed,
) -> str:
    if is_signed and Scope(scopes.scope_str) in SIGNED_MAY:
        return "signed request"
    presented = header or (bearer.credentials if bearer else "")
    with db.transaction() as session:
        return f"key {keys.verify(session, presented.strip(), Scope(scopes.scope_str))}"
