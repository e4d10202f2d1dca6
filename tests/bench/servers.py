"""Servers to measure on, and databases that are copied as often as a round needs a fresh one.

PostgreSQL is a cluster of our own with default durability (`fsync` and `synchronous_commit` on), or the server
that `DATABASE_URL` names. Redis is always one of our own: its queues bear the names of production's.
"""

import os
import tempfile
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import redis
from sqlalchemy.engine import URL, make_url

from worker import db, migrate, ring, servers
from worker.embedded import attach_postgres, attach_redis, detach
from worker.settings import Settings, settings


@dataclass(frozen=True)
class Servers:
    """Where they are, and a folder for what a round writes."""

    url: URL
    redis_url: str
    folder: Path

    def postmaster(self):
        """The process whose children serve PostgreSQL's clients; None where it runs elsewhere."""
        with self.admin() as admin:
            try:
                found = psutil.Process(admin.info.backend_pid).parent()
            except psutil.NoSuchProcess:
                return None
        return found if found is not None and found.name().startswith("postgres") else None

    @contextmanager
    def admin(self, database=None):
        """An autocommit connection."""
        with psycopg.connect(plain(self.url.set(database=database or self.url.database)), autocommit=True) as made:
            yield made

    @contextmanager
    def database(self, template=None):
        """A database of our own, which this process uses too: a copy of `template`, or one newly migrated."""
        name = f"columnline_bench_{uuid.uuid4().hex[:12]}"
        before = os.environ.get("DATABASE_URL")
        with self.admin() as admin:
            admin.execute(f'create database "{name}" template "{template or "template1"}"')
            try:
                use(self.url.set(database=name), self.redis_url)
                if template is None:
                    engine = db.make_engine(servers.database_url(), settings())
                    migrate.upgrade(engine)
                    engine.dispose()
                admin.execute("checkpoint")  # so that no round pays for writing what an earlier one left
                yield name
            finally:
                use(before, self.redis_url)
                admin.execute(f'drop database "{name}" with (force)')

    def settled(self, name):
        """Leave the database as autovacuum would, and nobody connected, so that it may be copied."""
        db.dispose()
        with self.admin(name) as admin:
            admin.execute("vacuum analyze")

    def forget_bells(self):
        """Empty Redis."""
        with redis.Redis.from_url(self.redis_url) as client:
            client.flushall()


def plain(url):
    """The URL as libpq reads it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def use(database, broker):
    """Have this process, and those it starts, use these servers from here on."""
    for name, url in (("DATABASE_URL", database), ("REDIS_URL", broker)):
        if url is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = url.render_as_string(hide_password=False) if isinstance(url, URL) else url
    db.dispose()
    for cached in (settings, servers.database_url, servers.broker_url):
        cached.cache_clear()


@contextmanager
def started():
    """The servers, until the end of the block."""
    configured = os.environ.get("DATABASE_URL")
    with tempfile.TemporaryDirectory(prefix="columnline-bench-", ignore_cleanup_errors=True) as folder:
        path = Path(folder)
        try:
            broker = attach_redis(path)
            named = Settings(DATABASE_URL=configured).database_url if configured else None
            url = named.get_secret_value() if named else attach_postgres(path)
            use(url, broker)
            ring.be_brief()  # settles Celery's configuration: the bells of this process go to our Redis
            yield Servers(make_url(url), broker, path)
        finally:
            use(configured, None)
            detach(path)
