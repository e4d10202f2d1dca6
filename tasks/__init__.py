"""The verbs, in the order the data meets them: `publish`, `load`, `assemble/`, `store`; and `sweep`.

Each task is a shim around functions that take what they need and return what they made.
"""

from tasks.publish import preview_run, publish_run
from tasks.sweep import sweep_jobs

__all__ = ["preview_run", "publish_run", "sweep_jobs"]
