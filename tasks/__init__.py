"""The verbs, in the order the data meets them: `publish`, `load`, `assemble/`, `placing`, `store`, `release`.

Each task is a shim around functions that take what they need and return what they made.
"""

from tasks.callback import send_callback
from tasks.clients import sync_clients
from tasks.export import write_export
from tasks.prune import prune_old
from tasks.publish import preview_run, publish_run
from tasks.release import release_due_dossiers
from tasks.rerun import trigger_rerun
from tasks.sweep import sweep_jobs

__all__ = [
    "preview_run",
    "prune_old",
    "publish_run",
    "release_due_dossiers",
    "send_callback",
    "sweep_jobs",
    "sync_clients",
    "trigger_rerun",
    "write_export",
]
