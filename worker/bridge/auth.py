"""Who may call: a dependency per scope, checked before anything of the request is read."""

from typing import Annotated, Any

from fastapi import Depends, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from models.jobs import Scope
from worker import db, keys

_header = APIKeyHeader(name="X-API-Key", auto_error=False, description="a key from `columnline keys create`")
_bearer = HTTPBearer(auto_error=False, description="the same key")


def needs(scope: Scope) -> Any:
    """A dependency that lets a key of this scope through.

    Raises (when called): Unauthorized, Forbidden.
    """

    def check(
        header: Annotated[str | None, Security(_header)],
        bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    ) -> str:
        presented = header or (bearer.credentials.strip() if bearer else None)
        with db.transaction() as session:
            return keys.verify(session, presented, scope)

    return Depends(check)
