"""The custom app for Make.com's editor, as files: what `columnline make app` writes (roadmap §7).

Each file is JSON with IML in it. A connection holds the key; the modules are Publish, Get job, Rerun and
Reschedule; the instant trigger fires when a dossier was published, which is a callback to the hook's own address.
"""

import json
from typing import Any

LABEL = "Columnline"
_POLL = {"condition": "{{!body.done}}", "delay": 5000, "limit": 50}

Field = dict[str, Any]

_JOB: list[Field] = [
    {"name": "ok", "type": "boolean", "label": "OK"},
    {"name": "done", "type": "boolean", "label": "Ended"},
    {"name": "retryable", "type": "boolean", "label": "A retry may help"},
    {"name": "duplicate", "type": "boolean", "label": "Changed nothing"},
    {"name": "job_id", "type": "text", "label": "Job ID"},
    {"name": "run_id", "type": "text", "label": "Run ID"},
    {"name": "status", "type": "text", "label": "Status"},
    {
        "name": "error",
        "type": "collection",
        "label": "Error",
        "spec": [{"name": "code", "type": "text"}, {"name": "detail", "type": "text"}],
    },
    {"name": "dossier_id", "type": "text", "label": "Dossier ID"},
    {"name": "batch_number", "type": "text", "label": "Batch"},
    {"name": "contacts_created", "type": "uinteger", "label": "Contacts"},
    {"name": "release_date", "type": "date", "label": "Release date"},
    {"name": "released_at", "type": "date", "label": "Released at"},
    {"name": "supersedes_dossier_id", "type": "text", "label": "Supersedes dossier"},
    {"name": "status_url", "type": "url", "label": "Status URL"},
]
_RERUN: list[Field] = [
    {"name": "ok", "type": "boolean", "label": "OK"},
    {"name": "done", "type": "boolean", "label": "Ended"},
    {"name": "duplicate", "type": "boolean", "label": "One was open already"},
    {"name": "rerun_id", "type": "text", "label": "Rerun ID"},
    {"name": "run_id", "type": "text", "label": "Run ID"},
    {"name": "dossier_id", "type": "text", "label": "Dossier ID"},
    {"name": "status", "type": "text", "label": "Status"},
]
_DOSSIER: list[Field] = [
    {"name": "ok", "type": "boolean", "label": "OK"},
    {"name": "duplicate", "type": "boolean", "label": "Changed nothing"},
    {"name": "dossier_id", "type": "text", "label": "Dossier ID"},
    {"name": "status", "type": "text", "label": "Status"},
    {"name": "release_date", "type": "date", "label": "Release date"},
    {"name": "release_at", "type": "date", "label": "Visible at"},
    {"name": "released_at", "type": "date", "label": "Released at"},
]
_JOB_SAMPLE: Field = {
    "ok": True,
    "done": True,
    "run_id": "RUN_20260115_181206",
    "status": "done",
    "contacts_created": 3,
}
_RERUN_SAMPLE: Field = {"ok": True, "done": False, "run_id": "RUN_20260115_181206_1f0a2b3c", "status": "requested"}
_DOSSIER_SAMPLE: Field = {"ok": True, "duplicate": False, "status": "ready", "release_date": "2026-01-20"}

_RUN = {"name": "run_id", "type": "text", "label": "Run ID", "required": True}
_OF_DOSSIER = {"name": "dossier_id", "type": "text", "label": "Dossier ID", "required": True}
_PUBLISH: list[Field] = [
    _RUN,
    {"name": "release_date", "type": "text", "label": "Release date", "help": "A day, or drip; empty: at once."},
    {"name": "list", "type": "text", "label": "List"},
    {
        "name": "supersede",
        "type": "select",
        "label": "Supersede",
        "options": [{"label": "The company's newest", "value": "auto"}, {"label": "None", "value": "none"}],
    },
    {"name": "supersedes_run_id", "type": "text", "label": "Supersedes run"},
    {"name": "supersedes_dossier_id", "type": "text", "label": "Supersedes dossier"},
    {"name": "default_list_id", "type": "text", "label": "List ID"},
    {"name": "batch_number", "type": "text", "label": "Batch"},
    {"name": "callback_url", "type": "url", "label": "Callback URL"},
    {"name": "republish", "type": "boolean", "label": "Assemble again"},
]
_PUBLISH_BODY = {f["name"]: f"{{{{parameters.{f['name']}}}}}" for f in _PUBLISH if f["name"] != "run_id"}

# Each module: its label, how it calls the bridge, what is asked, what comes out, and an example of that.
_MODULES: dict[str, tuple[str, Field, list[Field], list[Field], Field]] = {
    "publish": (
        "Publish a run",
        {
            "url": "/publish/{{encodeURL(parameters.run_id)}}",
            "method": "POST",
            "qs": {"wait": 25},
            "body": _PUBLISH_BODY,
            "response": {"output": "{{body}}"},
        },
        _PUBLISH,
        _JOB,
        _JOB_SAMPLE,
    ),
    "getJob": (
        "Get a job",
        {
            "url": "/jobs/{{parameters.job_id}}",
            "method": "GET",
            "qs": {"wait": 25},
            "repeat": _POLL,
            "response": {"output": "{{body}}"},
        },
        [{"name": "job_id", "type": "text", "label": "Job ID", "required": True}],
        _JOB,
        _JOB_SAMPLE,
    ),
    "rerun": (
        "Rerun a dossier",
        {
            "url": "/rerun/{{parameters.dossier_id}}",
            "method": "POST",
            "body": {"agents": "{{parameters.agents}}"},
            "response": {"output": "{{body}}"},
        },
        [_OF_DOSSIER, {"name": "agents", "type": "array", "label": "Agents", "spec": {"type": "text"}}],
        _RERUN,
        _RERUN_SAMPLE,
    ),
    "reschedule": (
        "Reschedule a dossier",
        {
            "url": "/dossiers/{{parameters.dossier_id}}/release",
            "method": "POST",
            "body": {"release_date": "{{parameters.release_date}}"},
            "response": {"output": "{{body}}"},
        },
        [_OF_DOSSIER, {"name": "release_date", "type": "text", "label": "Release date", "required": True}],
        _DOSSIER,
        _DOSSIER_SAMPLE,
    ),
}


def app_files(url: str) -> dict[str, str]:
    """The files of the app by their names, for a bridge that Make.com reaches at `url`."""
    files: dict[str, Any] = {
        "makecomapp.json": _manifest(),
        "general/common.json": {},
        "general/base.iml.json": {
            "baseUrl": f"{url.rstrip('/')}/columnline",
            "headers": {"X-API-Key": "{{connection.apiKey}}", "Content-Type": "application/json"},
            "response": {
                "error": {
                    "type": "RuntimeError",
                    "message": "[{{statusCode}}] {{body.code}}: {{body.detail}}",
                    "400": {"type": "BundleValidationError", "message": "{{body.detail}}"},
                    "401": {"type": "AccountValidationError", "message": "{{body.detail}}"},
                    "403": {"type": "AccountValidationError", "message": "{{body.detail}}"},
                    "404": {"type": "BundleValidationError", "message": "{{body.detail}}"},
                    "422": {"type": "DataError", "message": "{{body.detail}}"},
                    "429": {"type": "RateLimitError", "message": "{{body.detail}}"},
                    "503": {"type": "ConnectionError", "message": "{{body.detail}}"},
                }
            },
            "log": {"sanitize": ["request.headers.x-api-key"]},
        },
        "connections/key/params.iml.json": [
            {"name": "apiKey", "type": "password", "label": "API key", "required": True}
        ],
        "connections/key/communication.iml.json": {
            "url": f"{url.rstrip('/')}/columnline/jobs",  # a connection has no base
            "method": "GET",
            "qs": {"limit": 1},
            "headers": {"X-API-Key": "{{parameters.apiKey}}"},
            "log": {"sanitize": ["request.headers.x-api-key"]},
        },
        "webhooks/published/communication.iml.json": {"output": "{{body}}"},
        "modules/published/interface.iml.json": _JOB,
        "modules/published/samples.iml.json": _JOB_SAMPLE,
        "modules/published/static-params.iml.json": [],
    }
    for name, (_, communication, asked, interface, sample) in _MODULES.items():
        folder = f"modules/{name}"
        files |= {
            f"{folder}/communication.iml.json": communication,
            f"{folder}/static-params.iml.json": [],
            f"{folder}/mappable-params.iml.json": asked,
            f"{folder}/interface.iml.json": interface,
            f"{folder}/samples.iml.json": sample,
        }
    texts = {name: json.dumps(content, indent=2) + "\n" for name, content in files.items()}
    return texts | {"README.md": _README}


def _manifest() -> dict[str, Any]:
    module = {"connection": "key", "moduleType": "action", "actionCrud": None}
    return {
        "fileVersion": 1,
        "generalCodeFiles": {
            "base": "general/base.iml.json",
            "common": "general/common.json",
            "readme": "README.md",
        },
        "components": {
            "connection": {
                "key": {
                    "label": f"{LABEL} key",
                    "connectionType": "basic",
                    "codeFiles": _code("connections/key", ("communication", "params")),
                }
            },
            "webhook": {
                "published": {
                    "label": "Published",
                    "webhookType": "web",
                    "codeFiles": _code("webhooks/published", ("communication",)),
                }
            },
            "module": {
                name: module
                | {
                    "label": label,
                    "codeFiles": _code(
                        f"modules/{name}",
                        ("communication", "static-params", "mappable-params", "interface", "samples"),
                    ),
                }
                for name, (label, *_) in _MODULES.items()
            }
            | {
                "published": {
                    "label": "Watch published dossiers",
                    "moduleType": "instant_trigger",
                    "webhook": "published",
                    "codeFiles": _code("modules/published", ("static-params", "interface", "samples")),
                }
            },
        },
        "origins": [],
    }


def _code(folder: str, kinds: tuple[str, ...]) -> dict[str, str]:
    return {
        "".join(word.capitalize() if place else word for place, word in enumerate(kind.split("-"))): (
            f"{folder}/{kind}.iml.json"
        )
        for kind in kinds
    }


_README = """# Columnline for Make.com

Publish finished runs, look at their jobs, rerun and reschedule dossiers.

The trigger *Watch published dossiers* is instant: give its address as `callback_url` when you publish, or once for
a client with `columnline clients set CLT_... callback_url=...`.
"""
