"""Who is signed in: a key was presented once, a random cookie stands for it until the key or the day ends.

The database has a hash of the cookie, so that nobody who reads it can sign in; what a form must bear against
forged requests is derived from the cookie, which no script can read.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from models.jobs import ApiKey, Scope
from models.page import PageSession
from worker import db, keys
from worker.answers import base_url
from worker.bridge.rates import rates
from worker.errors import Unauthorized
from worker.settings import settings

COOKIE = "columnline_session"
LIFETIME = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is signed in."""

    name: str
    key: ApiKey
    token: str

    @property
    def csrf(self) -> str:
        """What each form of this visitor bears."""
        return hmac.new(self.token.encode(), b"csrf", hashlib.sha256).hexdigest()

    @property
    def asked_by(self) -> str:
        """Who asks, as history records it."""
        return f"page, key {self.name}"

    def may(self, scope: str) -> bool:
        """Whether the key's scope is wide enough."""
        return keys.includes(self.key.scope, Scope(scope))


def sign_in(session: Session, presented: str) -> str:
    """A new token for whoever presents this key; expired ones are forgotten.

    Raises:
        Unauthorized: it is no valid key.
    """
    key = keys.identify(session, presented.strip())
    token = secrets.token_urlsafe(32)
    session.execute(delete(PageSession).where(PageSession.expires_at < func.now()))
    session.add(PageSession(token_hash=_hash(token), key_id=key.id, expires_at=func.now() + LIFETIME))
    return token


def sign_out(session: Session, token: str) -> None:
    """Have the token stand for nobody."""
    session.execute(delete(PageSession).where(PageSession.token_hash == _hash(token)))


def find(session: Session, token: str) -> Visitor | None:
    """Whoever the token stands for; nobody once it is expired, signed out, or its key revoked."""
    key = session.scalar(
        select(ApiKey)
        .join(PageSession, PageSession.key_id == ApiKey.id)
        .where(
            PageSession.token_hash == _hash(token),
            PageSession.expires_at > func.now(),
            ApiKey.revoked_at.is_(None),
        )
    )
    return Visitor(key.name, key, token) if key else None


def set_cookie(request: Request, response: Response, token: str) -> None:
    """Give the browser the token: for this site alone, out of scripts' reach, by https where it came by it."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(LIFETIME.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=base_url(settings(), str(request.base_url)).startswith("https:"),
    )


def needs(scope: Scope) -> Any:
    """A dependency: the visitor, whose key has at least this scope.

    Raises (when called): Unauthorized, Forbidden, RateLimited.
    """

    def check(request: Request) -> Visitor:
        limits, token = rates(request), request.cookies.get(COOKIE)
        if not token:
            raise Unauthorized("Sign in with an API key.")
        mark = limits.admit(request, token)
        with db.transaction() as session:
            visitor = find(session, token)
        if visitor is None:
            limits.failed(request, mark)
            raise Unauthorized("Sign in with an API key.")
        limits.known(mark)
        limits.count(visitor.key.id)
        keys.require(visitor.key, scope)
        return visitor

    return Depends(check)


Reader = Annotated[Visitor, needs(Scope.READ)]
"""Whoever may look."""


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
