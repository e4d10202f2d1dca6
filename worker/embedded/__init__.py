"""Real PostgreSQL and real Redis of our own, for a machine that has neither; kept under one directory.

Read `holding` (who may start, use and stop a server), `warden` (the program that keeps one), then the two
servers: `postgres`, `redis`. On POSIX systems only: everything rests on file locks that the kernel frees.
"""

from worker.embedded.holding import EmbeddedServerError, any_crashed, detach
from worker.embedded.postgres import attach_postgres
from worker.embedded.redis import attach_redis

__all__ = ["EmbeddedServerError", "any_crashed", "attach_postgres", "attach_redis", "detach"]
