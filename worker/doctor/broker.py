"""Is the broker there, does it throw nothing away, and does what is in it get taken out?"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amqp.exceptions import AccessRefused
from kombu.exceptions import OperationalError
from redis.exceptions import AuthenticationError

from worker.celery import QUEUE_OF, app
from worker.doctor.database import skew
from worker.doctor.findings import Findings, ok, problem, typed, warning

OLDEST = (6, 2)
_NEARLY_FULL = 0.7
_LONG = 1000
_NO_EVICTION = "config set maxmemory-policy noeviction, and the same in redis.conf"


def reachable() -> Findings:
    """Whether a connection can be made within seconds."""
    try:
        with _connection() as connection:
            yield ok(f"The broker answers ({connection.transport.driver_name}).")
    except OperationalError as error:
        if not isinstance(error.__cause__, AuthenticationError | AccessRefused):
            raise
        yield problem("The broker refuses the user or the password.", "Check both in REDIS_URL.")


def redis() -> Findings:
    """Whether it is a primary that keeps what it is given, has room, and whose clock agrees with ours."""
    with _redis() as client:
        if client is None:
            return
        told, (seconds, micros), now = client.info(), client.time(), time.time()
        place = _cli(client)
    if told.get("role") != "master":
        yield problem("This Redis is a replica: it takes no bells.", "Lead REDIS_URL to the primary.")
    policy = told.get("maxmemory_policy", "unknown")
    if policy != "noeviction":
        yield problem(f"Redis may throw bells away: maxmemory-policy is {policy}.", f"{place} {_NO_EVICTION}")
    most, used = told.get("maxmemory", 0), told.get("used_memory", 0)
    if most and used > _NEARLY_FULL * most:
        yield warning(f"Redis is {used / most:.0%} full.", "Raise its maxmemory, or find who else uses it.")
    version = str(told.get("redis_version", "0"))
    if tuple(map(int, version.split(".")[:2])) < OLDEST:
        yield warning(f"Redis {version} is old.", "Move to Redis 6.2 or newer.")
    else:
        yield ok(f"Redis {version}, policy {policy}.")
    yield skew("Redis' clock", seconds + micros / 1e6 - now)


def queues() -> Findings:
    """How many bells wait in which queue."""
    with _redis() as client:
        if client is None:
            return
        lengths = {name: int(client.llen(name)) for name in sorted(set(QUEUE_OF.values()))}
    long = {name: length for name, length in lengths.items() if length > _LONG}
    for name, length in long.items():
        yield warning(f"{length} bells wait in queue {name}.", "Start more workers, or see why none takes them.")
    if not long:
        waiting = ", ".join(f"{name} {length}" for name, length in lengths.items() if length)
        yield ok(f"Bells that wait: {waiting or 'none'}.")


def _cli(client: Any) -> str:
    """How this Redis is called by hand. Its password is not said: `redis-cli` takes that from REDISCLI_AUTH."""
    leads = client.connection_pool.connection_kwargs
    if path := leads.get("path"):
        return f"redis-cli -s {typed(path)}"
    return f"redis-cli -h {typed(str(leads.get('host', 'localhost')))} -p {leads.get('port', 6379)}"


@contextmanager
def _connection() -> Iterator[Any]:
    with app.connection_for_write(connect_timeout=2) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
        yield connection


@contextmanager
def _redis() -> Iterator[Any]:
    """A client of the Redis that is the broker; None where it is none."""
    with _connection() as connection:
        yield getattr(connection.default_channel, "client", None)
