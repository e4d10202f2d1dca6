"""Scenarios to import into Make.com: what `columnline make blueprint` prints (roadmap §7).

The shape is that of an exported blueprint: modules in order, ids counted from 1, each 300 to the right of the one
before. A hook is made at the import, so its parameters are empty; the key is a keychain of whoever imports.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from models.jobs import AT_REST

_STEP = 300
_WAIT = 25
_TIMEOUT = 60
_POLLS = 40
_RETRIES = {
    "count": 16,
    "interval": 30,
    "retry": True,
}  # for eight hours, as Make does by itself without a handler
_RUN = "{{encodeURL(1.run_id)}}"

Module = dict[str, Any]


def blueprint(name: str, url: str) -> dict[str, Any]:
    """The scenario of that name.

    Args:
        name: `publish-and-wait`, `publish-and-poll` or `rerun-webhook`.
        url: where the bridge is, as Make.com reaches it.
    """
    title, build = _SCENARIOS[name]
    modules = build(f"{url.rstrip('/')}/columnline")
    handlers = itertools.count(len(modules) + 1)
    return {
        "name": title,
        "flow": [_placed(module, number, handlers) for number, module in enumerate(modules, 1)],
        "metadata": {
            "instant": True,
            "version": 1,
            "scenario": {
                "roundtrips": 1,
                "maxErrors": 3,
                "autoCommit": True,
                "autoCommitTriggerLast": True,
                "sequential": False,
                "confidential": False,
                "dataloss": False,
                "dlq": True,
                "freshVariables": False,
            },
            "designer": {"orphans": []},
        },
    }


def _placed(module: Module, number: int, handlers: Iterator[int]) -> Module:
    """The module with its id and its place; its error handler below it, with an id after all others."""
    x, name = (number - 1) * _STEP, module["metadata"]["name"]
    placed = module | {"id": number, "metadata": {"designer": {"x": x, "y": 0, "name": name}}}
    if "onerror" in module:
        (handler,) = module["onerror"]
        below = {"designer": {"x": x, "y": _STEP, "name": handler["metadata"]["name"]}}
        placed["onerror"] = [handler | {"id": next(handlers), "metadata": below}]
    return placed


def _publish_and_wait(url: str) -> list[Module]:
    return [
        _hook("Finished run"),
        _request("Publish and wait", "post", f"{url}/publish/{_RUN}?wait={_WAIT}", "{}"),
        _answer("Tell the outcome", 2),
    ]


def _publish_and_poll(url: str) -> list[Module]:
    return [
        _hook("Finished run"),
        _request("Publish", "post", f"{url}/publish/{_RUN}", "{}"),
        _module("builtin:BasicRepeater", "Look again", {"start": "1", "step": "1", "repeats": str(_POLLS)}),
        _module("util:GetVariable2", "How is it?", {"name": "status", "scope": "roundtrip"}),
        _request("Get the job", "get", f"{{{{2.data.status_url}}}}?wait={_WAIT}")
        | _filter("it may go on", [[_is("4.status", "notequal", state) for state in AT_REST]]),
        _module(
            "util:SetVariable2", "Remember", {"name": "status", "scope": "roundtrip", "value": "{{5.data.status}}"}
        ),
        _answer("Tell the outcome", 5)
        | _filter("it stays so", [[_is("5.data.status", "equal", state)] for state in AT_REST]),
    ]


def _rerun_webhook(url: str) -> list[Module]:
    return [
        _hook("Rerun asked for"),
        _answer("Taken", None),
        _module(
            "util:SetVariable2",
            "Put the pipeline here",
            {"name": "seed", "scope": "roundtrip", "value": "{{1.seed}}"},
        ),
        _request("Publish and wait", "post", f"{url}/publish/{_RUN}?wait={_WAIT}", "{}"),
    ]


_SCENARIOS: dict[str, tuple[str, Callable[[str], list[Module]]]] = {
    "publish-and-wait": ("Columnline: publish and wait", _publish_and_wait),
    "publish-and-poll": ("Columnline: publish and poll", _publish_and_poll),
    "rerun-webhook": ("Columnline: rerun", _rerun_webhook),
}


def _module(
    kind: str, name: str, mapper: dict[str, Any], parameters: dict[str, Any] | None = None, version: int = 1
) -> Module:
    return {
        "id": 0,
        "module": kind,
        "version": version,
        "parameters": parameters or {},
        "mapper": mapper,
        "metadata": {"name": name},
    }


def _hook(name: str) -> Module:
    return _module("gateway:CustomWebHook", name, {})


def _answer(name: str, of: int | None) -> Module:
    body = "Accepted" if of is None else f"{{{{{of}.data}}}}"
    return _module("gateway:WebhookRespond", name, {"status": "200", "body": body, "headers": []})


def _request(name: str, method: str, url: str, body: str | None = None) -> Module:
    """The HTTP module, with the key from a keychain; what fails for a while is kept and tried again."""
    mapper = {
        "url": url,
        "method": method,
        "headers": [{"name": "Content-Type", "value": "application/json"}],
        "parseResponse": True,
        "stopOnHttpError": True,
        "allowRedirects": False,
        "shareCookies": False,
        "requestCompressedContent": True,
        "timeout": _TIMEOUT,
    }
    if body is not None:
        mapper |= {"inputMethod": "jsonString", "jsonStringBodyContent": body}
    made = _module(
        "http:MakeRequest",
        name,
        mapper,
        {"authenticationType": "apiKey", "apiKeyKeychain": "__IMTKEY__", "tlsType": "", "proxyKeychain": ""},
        version=4,
    )
    return made | {"onerror": [_module("builtin:Break", "Try again later", dict(_RETRIES))]}


def _filter(name: str, conditions: list[list[dict[str, str]]]) -> Module:
    """One of the conditions' rows must hold, each as a whole."""
    return {"filter": {"name": name, "conditions": conditions}}


def _is(mapped: str, operator: str, state: str) -> dict[str, str]:
    return {"a": f"{{{{{mapped}}}}}", "o": f"text:{operator}", "b": state}
