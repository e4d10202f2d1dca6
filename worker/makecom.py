"""Make.com's own interface, as far as a rerun needs it: start the scenario, and look how its execution is."""

from collections.abc import Mapping
from typing import Any

import httpx2

from worker.choices import MakeMode
from worker.make_errors import MakeUnreachable, RerunFailed
from worker.settings import Settings

TIMEOUT = httpx2.Timeout(10, connect=5)
_NOT_TAKEN = {429, 503}
_SHOWN = 200


class Unclear(Exception):
    """The request was sent, and nobody knows whether Make.com started something: it has no idempotency keys."""


def start(config: Settings, order: Mapping[str, Any]) -> str | None:
    """Have Make.com run the pipeline.

    Args:
        config: the mode, and where to.
        order: what the scenario is told.

    Returns:
        The execution's id, where the API tells one.

    Raises:
        MakeUnreachable: it did not take the request, and started nothing.
        RerunFailed: it refused the request, or no request can be made of the settings.
        Unclear: the request was sent, and no answer says what became of it.
    """
    url, headers, body = _request(config, order)
    try:
        answer = httpx2.post(url, json=body, headers=headers, timeout=TIMEOUT, follow_redirects=False)
    except (httpx2.UnsupportedProtocol, httpx2.InvalidURL, UnicodeError) as error:
        raise RerunFailed(
            f"Make.com was not asked: no request can be made of the settings COLUMNLINE_MAKE_… "
            f"({type(error).__name__}). Check its address and the token, then ask again."
        ) from None
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError) as error:
        raise MakeUnreachable(f"Make.com could not be reached ({type(error).__name__}).") from None
    except httpx2.TransportError as error:
        raise Unclear(type(error).__name__) from None
    if answer.status_code in _NOT_TAKEN:
        raise MakeUnreachable(f"Make.com answered {answer.status_code}: {_text(answer)}.")
    if answer.status_code >= 500:  # noqa: PLR2004 - the server's fault, at whatever moment
        raise Unclear(str(answer.status_code))
    if not answer.is_success:
        raise RerunFailed(
            f"Make.com refused the rerun with {answer.status_code}: {_text(answer)}. Check the scenario, the "
            "token and COLUMNLINE_MAKE_MODE, then ask again.",
        )
    return _execution_id(answer) if config.make_mode is MakeMode.API else None


def failure(config: Settings, execution_id: str) -> str | None:
    """Why the execution failed; None while it runs, after a success, and where nothing can be learnt now."""
    assert config.make_url is not None
    url = f"{config.make_url.rstrip('/')}/api/v2/scenarios/{config.make_scenario_id}/executions/{execution_id}"
    try:
        answer = httpx2.get(url, headers=_authorization(config), timeout=TIMEOUT)
        found = answer.json() if answer.is_success else {}
    except (httpx2.TransportError, ValueError):
        return None
    if not isinstance(found, dict) or found.get("status") != "ERROR":
        return None
    error = found.get("error")
    text = error.get("message") if isinstance(error, dict) else None
    return str(text or "no reason given")[:_SHOWN]


def _request(config: Settings, order: Mapping[str, Any]) -> tuple[str, dict[str, str], Any]:
    if config.make_mode is MakeMode.WEBHOOK:
        assert config.make_webhook_url is not None
        return config.make_webhook_url.get_secret_value(), {}, order
    assert config.make_url is not None
    url = f"{config.make_url.rstrip('/')}/api/v2/scenarios/{config.make_scenario_id}/run"
    return url, _authorization(config), {"data": order, "responsive": False}


def _authorization(config: Settings) -> dict[str, str]:
    assert config.make_token is not None
    return {"Authorization": f"Token {config.make_token.get_secret_value()}"}


def _execution_id(answer: httpx2.Response) -> str | None:
    try:
        found = answer.json()
    except ValueError:
        return None
    value = found.get("executionId") if isinstance(found, dict) else None
    return str(value) if value else None


def _text(answer: httpx2.Response) -> str:
    return " ".join(answer.text[:_SHOWN].split()).rstrip(".") or "no reason given"
