"""API keys: `clk_<id>_<secret>`, stored as a hash, several valid at once, revocable.

The secret has 256 random bits, so a plain hash cannot be guessed back and verifying is cheap.
"""

import hashlib
import hmac
import secrets
from datetime import timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models.jobs import ApiKey, Scope
from worker.errors import Forbidden, NotFound, Unauthorized, Validation
from worker.fields import LONGEST_NAME

_NOBODY = hashlib.sha256(b"nobody").digest()
_SEEN_AT_MOST_EVERY = timedelta(minutes=1)
_UNSEEN = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < func.now() - _SEEN_AT_MOST_EVERY)
_INCLUDES = {
    Scope.READ: {Scope.READ},
    Scope.PUBLISH: {Scope.READ, Scope.PUBLISH},
    Scope.OPS: {Scope.READ, Scope.PUBLISH, Scope.OPS},
}


def create(session: Session, name: str, scope: Scope) -> str:
    """Make a key and return it, the only time it can be seen.

    Raises:
        Validation: the name is taken, or is none that can be read and typed.
    """
    if not (1 <= len(name) <= LONGEST_NAME and name.isprintable()):
        raise Validation(
            f"{name[:LONGEST_NAME]!r} is no name for a key. Choose 1 to {LONGEST_NAME} printable characters.",
            field="name",
        )
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    try:
        with session.begin_nested():
            session.add(ApiKey(id=key_id, name=name, scope=scope, secret_hash=_hash(secret)))
    except IntegrityError:
        raise Validation(
            f"There is a key named {name!r}. Choose another name; a revoked key keeps its own.", field="name"
        ) from None
    return f"clk_{key_id}_{secret}"


def verify(session: Session, presented: str | None, needed: Scope) -> str:
    """Check a key as it came in, and return its name.

    Raises:
        Unauthorized: as `identify` has it.
        Forbidden: a good key of too narrow a scope.
    """
    found = identify(session, presented)
    require(found, needed)
    return found.name


def identify(session: Session, presented: str | None) -> ApiKey:
    """The key that was presented, noted as used.

    Raises:
        Unauthorized: missing, malformed, unknown, wrong or revoked: one sentence for all of them.
    """
    prefix, _, rest = (presented or "").partition("_")
    key_id, _, secret = rest.partition("_")
    found, unseen = None, False
    if prefix == "clk" and key_id.isascii() and key_id.isalnum():
        row = session.execute(select(ApiKey, _UNSEEN).where(ApiKey.id == key_id)).one_or_none()
        found, unseen = row or (None, False)
    # Compared in any case, so that an unknown id takes as long as a wrong secret.
    same = hmac.compare_digest(found.secret_hash if found else _NOBODY, _hash(secret))
    if found is None or not same or found.revoked_at is not None:
        raise Unauthorized(
            "Send a valid key as `Authorization: Bearer clk_…` or `X-API-Key: clk_…`. Keys are made with "
            "`columnline keys create`."
        )
    if unseen:
        session.execute(
            update(ApiKey)
            .where(ApiKey.id == found.id, _UNSEEN)
            .values(last_used_at=func.now())
            .execution_options(synchronize_session=False)
        )
    return found


def includes(scope: str, needed: Scope) -> bool:
    """Whether a key of this scope may do what needs that one."""
    return needed in _INCLUDES[Scope(scope)]


def require(key: ApiKey, needed: Scope) -> None:
    """Make sure that the key's scope is wide enough.

    Raises:
        Forbidden: it is too narrow.
    """
    if not includes(key.scope, needed):
        raise Forbidden(
            f"Key {key.name!r} has scope `{key.scope}`; this call needs `{needed.value}`. Use another key, or "
            f"make one: columnline keys create NAME --scope {needed.value}."
        )


def revoke(session: Session, name: str) -> None:
    """Make a key worthless from now on.

    Raises:
        NotFound: no key of that name.
    """
    done = session.scalar(
        update(ApiKey)
        .where(ApiKey.name == name)
        .values(revoked_at=func.coalesce(ApiKey.revoked_at, func.now()))
        .returning(ApiKey.id)
        .execution_options(synchronize_session=False)
    )
    if done is None:
        raise NotFound(f"There is no key named {name!r}. See `columnline keys list`.", field="name")


def every(session: Session) -> list[ApiKey]:
    """All keys, oldest first, revoked ones too."""
    return list(session.scalars(select(ApiKey).order_by(ApiKey.created_at)))


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
