"""Flower's configuration: it only shows, to this machine alone and behind auth, and leads from a task to its run.

`celery -A worker flower --conf=worker/observability/flowerconfig.py`; the command line goes before it.
"""

import ast
import os
import secrets
import sys
from typing import Any

from worker.settings import settings

address = "127.0.0.1"
read_only = True
max_tasks = 10_000
tasks_columns = "name,uuid,state,kwargs,exception,received,runtime,worker"

# Who chooses nothing has a password all the same, until Flower ends: every user of this machine reaches its port.
if {"FLOWER_BASIC_AUTH", "FLOWER_AUTH", "FLOWER_UNAUTHENTICATED_API"}.isdisjoint(os.environ):
    basic_auth = [f"ops:{secrets.token_urlsafe(12)}"]
    sys.stdout.write(f"Sign in to Flower as {basic_auth[0]}, or choose: FLOWER_BASIC_AUTH=user:password\n")
    sys.stdout.flush()


def format_task(task: Any) -> Any:
    """The task as Flower shows it: beside its run, the page's address of its job. Searching sees it as it is."""
    try:
        ids = ast.literal_eval(task.kwargs or "{}")
    except (ValueError, SyntaxError):  # cut short by Celery, which does so to long ones
        return task
    if isinstance(ids, dict) and "job_id" in ids:
        config = settings()
        page = (config.public_url or f"http://{config.host}:{config.port}").rstrip("/")
        task.kwargs = f"{ids.get('run_id', '')} {page}/jobs/{ids['job_id']}".strip()
    return task
