"""What a browser sends: the fields of a form, from a screen of ours and from nowhere else."""

import hmac
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import Depends, Request

from models.jobs import Scope
from worker.bridge.body import read_raw
from worker.errors import Forbidden
from worker.page.rendering import local_path
from worker.page.visitors import Visitor, needs

MOST_FIELDS = 50
LONGEST = 20_000
"""Bytes of a form. A stranger may send one, to sign in, so it must cost little to refuse."""
SLOWEST = 10.0
"""Seconds in which a form must have arrived."""
_OURS = {"same-origin", "none"}


async def fields(request: Request) -> dict[str, str]:
    """The fields of a form that a page of this site sent.

    Raises:
        Forbidden: the browser says that another site sent it.
        PayloadTooLarge, UnsupportedEncoding, Unavailable: as every body.
    """
    if request.headers.get("sec-fetch-site", "none") not in _OURS:
        raise Forbidden("Another site sent this form. Nothing was done. Use the page itself.")
    raw = (await read_raw(request, LONGEST, SLOWEST)).decode("utf-8", "replace")
    try:
        given = parse_qsl(raw, max_num_fields=MOST_FIELDS)
    except ValueError:
        return {}
    return {name: value.replace("\0", "") for name, value in given}


Fields = Annotated[dict[str, str], Depends(fields)]


@dataclass(frozen=True, slots=True)
class Form:
    """A form, and the visitor who sent it."""

    visitor: Visitor
    fields: dict[str, str]

    @property
    def then(self) -> str:
        """The screen to show next: one of ours, `/` unless it names one."""
        return local_path(self.fields.get("then"))


def form(scope: Scope) -> Any:
    """A dependency: the form of a visitor whose key has at least this scope.

    Raises (when called): Unauthorized; Forbidden, also where the form does not bear the visitor's token.
    """

    def check(visitor: Annotated[Visitor, needs(scope)], sent: Fields) -> Form:
        if not hmac.compare_digest(sent.get("csrf", "").encode(), visitor.csrf.encode()):
            raise Forbidden(
                "This form is from another visit. Nothing was done. Load the page again, then repeat it."
            )
        return Form(visitor, sent)

    return Depends(check)


Publisher = Annotated[Form, form(Scope.PUBLISH)]
"""A form of whoever may release and rerun."""

Ops = Annotated[Form, form(Scope.OPS)]
"""A form of whoever may do all."""
