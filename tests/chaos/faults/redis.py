"""Faults of Redis, of the way to it, and of the bells in it."""

import json

from celery import Celery
from redis import Redis

from tests.chaos.faults.table import fault, must_hit

QUEUE = "publish"
NOBODY = "00000000-0000-0000-0000-000000000000"
JUNK = (b"junk", b"{}", b"[]", b'{"body": "!", "headers": {}, "properties": {}}', b"\xff\xfe", b"null")


def _fault(name, code, least, most):
    return fault(name, code, "redis", least, most)


def _client(world):
    return Redis(port=world.redis.port, socket_timeout=2, socket_connect_timeout=2)


@_fault("Redis stopped, and started empty", "T7", 1, 4)
def stop(world, rng, seconds):
    world.redis.stop()
    try:
        world.wait(seconds)
    finally:
        world.redis.start()


@_fault("Redis standing still", "T8", 2, 6)
def stall(world, rng, seconds):
    world.redis.stall()
    try:
        world.wait(seconds)
    finally:
        world.redis.resume()


@_fault("Redis flushed, again and again", "T9", 2, 5)
def flush(world, rng, seconds):
    with _client(world) as redis:
        for _ in world.every(0.5, seconds):
            redis.flushall()


@_fault("Redis full", "T10", 1, 3)
def full(world, rng, seconds):
    with _client(world) as redis:
        redis.config_set("maxmemory", 1)
        try:
            world.wait(seconds)
        finally:
            redis.config_set("maxmemory", 0)


@_fault("Redis made a replica of nobody", "T11", 1, 4)
def replica(world, rng, seconds):
    with _client(world) as redis:
        redis.replicaof("127.0.0.1", 1)
        try:
            world.wait(seconds)
        finally:
            redis.replicaof("NO", "ONE")


@_fault("bells forged", "T12", 1, 3)
def forge(world, rng, seconds):
    with Celery(broker=world.redis.url) as stranger, stranger.connection_for_write() as connection:
        stranger.conf.task_publish_retry = False
        for _ in world.every(0.3, seconds):
            for job_id in (NOBODY, "no uuid", "", 7):
                kwargs = {"job_id": job_id}
                stranger.send_task("publish.run", kwargs=kwargs, queue=QUEUE, connection=connection)
            stranger.send_task("publish.run", args=[1, 2], queue=QUEUE, connection=connection)
            stranger.send_task("no.such.task", queue=QUEUE, connection=connection)


@_fault("bells that are no messages", "T12", 0.5, 1)
def junk(world, rng, seconds):
    with _client(world) as redis:
        redis.lpush(QUEUE, rng.choice(JUNK))
    world.wait(seconds)


@_fault("bells doubled", "T12", 1, 3)
def double(world, rng, seconds):
    doubled = 0
    with _client(world) as redis:
        for _ in world.every(0.2, seconds):
            bells = redis.lrange(QUEUE, 0, 50)
            held = [json.dumps(json.loads(value)[0]) for value in redis.hvals("unacked")[:20]]
            for bell in [*bells, *held] * 3:
                redis.lpush(QUEUE, bell)
            doubled += len(bells) + len(held)
    must_hit(doubled)


@_fault("no way to Redis, without a word", "T13", 2, 6)
def blackhole(world, rng, seconds):
    proxy = world.proxies[rng.choice(("worker_redis", "worker_redis", "bridge_redis"))]
    proxy.blackhole()
    world.wait(seconds)
    proxy.heal()


@_fault("connections to Redis refused", "T7", 1, 4)
def refuse(world, rng, seconds):
    proxy = world.proxies[rng.choice(("worker_redis", "bridge_redis"))]
    proxy.refuse()
    world.wait(seconds)
    proxy.heal()


@_fault("connections to Redis reset", "T13", 1, 3)
def reset(world, rng, seconds):
    for _ in world.every(0.5, seconds):
        world.proxies[rng.choice(("worker_redis", "bridge_redis"))].reset()


@_fault("answers of Redis cut off", "T13", 1, 3)
def cut(world, rng, seconds):
    proxy = world.proxies["worker_redis"]
    before = proxy.cuts
    for _ in world.every(0.6, seconds):
        proxy.cut_after(rng.randint(1, 3000))
    proxy.heal()
    must_hit(proxy.cuts - before)
