"""Faults of PostgreSQL, of the way to it, and of other sessions that are in the way."""

import os
import signal
from contextlib import ExitStack, suppress

from psycopg.errors import (
    ConnectionTimeout,
    DeadlockDetected,
    LockNotAvailable,
    OperationalError,
    QueryCanceled,
)

from tests.chaos.faults.table import Reason, Skipped, fault, must_hit

_OURS = "datname = current_database() and application_name = 'columnline' and pid <> pg_backend_pid()"
SIDES = ("worker_postgres", "worker_postgres", "bridge_postgres")
FULL = "too many clients"


def _fault(name, code, least, most):
    return fault(name, code, "postgres", least, most)


@_fault("PostgreSQL stopped at once, and started", "T14", 0.5, 3)
def stop(world, rng, seconds):
    world.postgres.stop()
    try:
        world.wait(seconds)
    finally:
        world.postgres.start()


@_fault("every session ended, again and again", "T15", 2, 5)
def terminate(world, rng, seconds):
    ended = 0
    with world.postgres.connect() as connection:
        for _ in world.every(0.5, seconds):
            ended += connection.execute(
                f"select pg_terminate_backend(pid) from pg_stat_activity where {_OURS}"
            ).rowcount
    must_hit(ended)


@_fault("PostgreSQL standing still", "T16", 1, 5)
def stall(world, rng, seconds):
    world.postgres.stall()
    try:
        world.wait(seconds)
    finally:
        world.postgres.resume()


@_fault("one session standing still", "T16", 2, 6)
def stall_one(world, rng, seconds):
    with world.postgres.connect() as connection:
        pids = [row[0] for row in connection.execute(f"select pid from pg_stat_activity where {_OURS}")]
    chosen = [pid for pid in pids if world.postgres.owns(pid)]
    must_hit(chosen)
    pid = rng.choice(sorted(chosen))
    try:
        os.kill(pid, signal.SIGSTOP)
    except ProcessLookupError:
        raise Skipped(Reason.NOTHING_THERE) from None
    try:
        world.wait(seconds)
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@_fault("no way to PostgreSQL, without a word", "T16", 1, 5)
def blackhole(world, rng, seconds):
    proxy = world.proxies[rng.choice(SIDES)]
    proxy.blackhole()
    world.wait(seconds)
    proxy.heal()


@_fault("connections to PostgreSQL reset", "T16", 1, 3)
def reset(world, rng, seconds):
    for _ in world.every(0.4, seconds):
        world.proxies[rng.choice(SIDES)].reset()


@_fault("reply of COMMIT lost", "T17", 2, 4)
def cut_commits(world, rng, seconds):
    proxy = world.proxies[rng.choice(SIDES)]
    before = proxy.cuts
    for _ in world.every(0.6, seconds):
        proxy.cut_commits()
        world.wait(rng.uniform(0.1, 0.3))
        proxy.heal()
    must_hit(proxy.cuts - before)


@_fault("answers of PostgreSQL cut off", "T17", 1, 3)
def cut(world, rng, seconds):
    proxy = world.proxies[rng.choice(SIDES)]
    before = proxy.cuts
    for _ in world.every(0.4, seconds):
        proxy.cut_after(rng.randint(1, 3000))  # more may not come before the next
    proxy.heal()
    must_hit(proxy.cuts - before)


@_fault("PostgreSQL answering slowly", "T16", 1, 4)
def slow(world, rng, seconds):
    proxy = world.proxies[rng.choice(SIDES)]
    proxy.delay(rng.uniform(0.02, 0.2))
    world.wait(seconds)
    proxy.heal()


@_fault("table of dossiers locked", "T18", 1, 5)
def lock(world, rng, seconds):
    with world.postgres.connect() as connection, connection.transaction():
        try:
            connection.execute("lock table dossiers in access exclusive mode")
        except LockNotAvailable:
            raise Skipped(Reason.LOCKED) from None
        world.wait(seconds)


@_fault("locks taken the other way round", "T19", 1, 2)
def deadlock(world, rng, seconds):
    for _ in world.every(0.3, seconds):
        with (
            world.postgres.connect() as connection,
            suppress(DeadlockDetected, LockNotAvailable, QueryCanceled),
            connection.transaction(),
        ):
            connection.execute("select from batches for update")
            connection.execute("select from jobs where state = 'running' for update")


@_fault("connections used up", "T20", 2, 4)
def use_up(world, rng, seconds):
    refused = 0
    with ExitStack() as held:
        for _ in world.every(0.1, seconds):
            try:
                while not world.over.is_set():
                    held.enter_context(world.postgres.connect())
            except ConnectionTimeout:
                continue  # where the machine is slow
            except OperationalError as error:
                if FULL not in str(error):
                    raise
                refused += 1
    must_hit(refused)


@_fault("disk full", "T21", 1, 5)
def full(world, rng, seconds):
    with world.postgres.connect() as connection:
        connection.execute("update chaos.disk set is_full = true")
        try:
            world.wait(seconds)
        finally:
            connection.execute("update chaos.disk set is_full = false")


@_fault("PostgreSQL read-only", "T22", 1, 4)
def read_only(world, rng, seconds):
    with world.postgres.connect() as connection:
        connection.execute("alter system set default_transaction_read_only = on")
        connection.execute("select pg_reload_conf()")
        try:
            world.wait(seconds)
        finally:
            connection.execute("alter system reset default_transaction_read_only")
            connection.execute("select pg_reload_conf()")


@_fault("schema migrated again", "T23", 0.5, 1)
def migrate(world, rng, seconds):
    world.migrate()
    world.wait(seconds)
