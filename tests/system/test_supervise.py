import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest

from tests.system.processes import WITHIN, assert_ended
from worker.supervise import NotReadyError, Process, child, supervise
from worker.supervise.supervisor import growing_pause, print_line

# A program that says its pid, and on SIGTERM that it was asked to end and, after that, that it has ended. It
# writes without a buffer: a signal that comes while print() is flushing would have the handler's print() fail.
POLITE = """
import os, signal, sys

def say(*words):
    os.write(1, (" ".join(map(str, words)) + chr(10)).encode())

def end(*_):
    say("asked to end")
    with open(sys.argv[1]) if sys.argv[1:] else open(os.devnull) as permission:
        permission.read()
    say("ended")
    sys.exit()

signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGINT, lambda *_: say("interrupted"))
say("pid", os.getpid())
while True:
    signal.pause()
"""

# A program that ends by no signal but SIGKILL, or by itself after a minute.
STUBBORN = """
import os, signal
signal.alarm(60)
signal.signal(signal.SIGTERM, lambda *_: os.write(1, b"asked to end" + bytes([10])))
os.write(1, f"pid {os.getpid()}".encode() + bytes([10]))
while True:
    signal.pause()
"""

# A supervisor as a process of its own: Supervisor(source, …).
# Under nohup SIGHUP is ignored by all that is started, and the supervisor leaves it so: here it has a terminal.
SUPERVISOR = """
import signal
import sys
from worker.supervise import Process, supervise
signal.signal(signal.SIGHUP, signal.SIG_DFL)
programs = [Process(name, [sys.executable, "-c", source]) for name, source in zip(*[iter(sys.argv[1:])] * 2)]
print("ended by", supervise(programs), flush=True)
"""


class Lines:
    """What was said, in order, by whoever calls it; `wait_for` waits for it to be said."""

    def __init__(self):
        self.seen = []
        self._coming = queue.SimpleQueue()

    def __call__(self, line: str):
        self._coming.put(line)

    def wait_for(self, text: str) -> str:
        end = time.monotonic() + WITHIN
        while True:
            try:
                line = self._coming.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"{text!r} was never said, but {self.seen}") from None
            self.seen.append(line)
            if text in line:
                return line

    def pid(self, name: str) -> int:
        return int(self.wait_for(f"{name} | pid").split()[-1])

    def all(self) -> list[str]:
        while not self._coming.empty():
            self.seen.append(self._coming.get())
        return self.seen


def program(name: str, source: str = POLITE, *arguments: str) -> Process:
    return Process(name, [sys.executable, "-c", source, *arguments])


@contextmanager
def supervised(*programs: Process, **options) -> Iterator[Lines]:
    """Supervise in a thread for as long as the block lasts; what it raised is raised at the block's end."""
    lines, over, failures = Lines(), threading.Event(), []

    def run():
        try:
            supervise(programs, body=over.wait, write=lines, **options)
        except BaseException as failure:  # noqa: BLE001
            failures.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield lines
    finally:
        over.set()
        thread.join(WITHIN)
        assert not thread.is_alive()
    if failures:
        raise failures[0]


class Supervisor:
    """A supervisor in a process, and group, of its own."""

    def __init__(self, **sources: str):
        arguments = [part for name_and_source in sources.items() for part in name_and_source]
        self.process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISOR, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )
        self.lines = Lines()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        with self.process.stdout as output:
            for line in output:
                self.lines(line.rstrip("\n"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(WITHIN)


def said(lines: list[str], *texts: str) -> list[str]:
    return [line for line in lines if any(text in line for text in texts)]


def test_each_line_a_program_says_is_shown_under_its_name():
    with supervised(program("a", "print('one\\ntwo', flush=True)\nimport time; time.sleep(60)")) as lines:
        lines.wait_for("two")
    assert lines.all()[:2] == ["a | one", "a | two"]


def test_the_last_thing_a_program_says_comes_before_the_news_of_its_end():
    with supervised(program("a", "print('line\\n' * 20_000 + 'last words')"), pause=lambda _: 3600.0) as lines:
        lines.wait_for("ended with status 0")
    assert lines.all()[-2] == "a | last words"


def test_errors_and_bytes_that_are_no_text_are_shown_too():
    with supervised(program("a", r"import os; os.write(2, b'\xff!\n'); import time; time.sleep(60)")) as lines:
        assert lines.wait_for("!") == "a | �!"


def test_lines_of_all_programs_begin_in_the_same_column():
    with supervised(program("bridge"), program("beat")) as lines:
        names = {lines.wait_for("pid").partition("pid")[0] for _ in range(2)}
    assert names == {"bridge | ", "beat   | "}


def test_programs_are_stopped_in_the_given_order_each_after_the_one_before_has_ended():
    names = ["bridge", "beat", "worker"]
    with supervised(*map(program, names)) as lines:
        for _ in names:
            lines.wait_for("pid")
    stops = [line.replace(" ", "") for line in said(lines.all(), "asked", "ended")]
    assert stops == [f"{name}|{what}" for name in names for what in ("askedtoend", "ended")]


def test_a_program_may_finish_what_it_has_in_hand_before_the_next_is_asked_to_end(tmp_path):
    os.mkfifo(tmp_path / "permission")
    over = threading.Event()
    lines = Lines()
    programs = [program("worker", POLITE, str(tmp_path / "permission")), program("last")]
    thread = threading.Thread(target=supervise, args=(programs,), kwargs={"body": over.wait, "write": lines})
    thread.start()
    lines.wait_for("pid")
    lines.wait_for("pid")
    over.set()
    lines.wait_for("worker | asked to end")
    assert not said(lines.all(), "last   | asked")
    (tmp_path / "permission").write_text("")
    thread.join(WITHIN)
    assert said(lines.all(), "ended", "killed") == ["worker | ended", "last   | ended"]


def test_a_program_that_does_not_end_is_killed_when_its_grace_is_over():
    with supervised(program("a", STUBBORN), grace=0.3) as lines:
        pid = lines.pid("a")
    assert_ended([pid])
    assert said(lines.all(), "asked", "killed") == [
        "a | asked to end",
        "a | still there 0.3 s after SIGTERM: killed",
    ]


def test_what_a_program_left_behind_is_killed_when_it_ends():
    source = f"""
import subprocess, sys
print("pid", subprocess.Popen([sys.executable, "-c", {STUBBORN!r}]).pid, flush=True)
"""
    with supervised(program("a", source), pause=lambda _: 3600) as lines:
        pid = lines.pid("a")
        lines.wait_for("ended with status 0")
        assert_ended([pid])


def test_a_program_that_ends_by_itself_starts_again_after_a_pause_that_knows_its_failures():
    failures = []

    def pause(count: int) -> float:
        failures.append(count)
        return 0.0 if count < 3 else 3600.0

    with supervised(program("a", "raise SystemExit(7)"), pause=pause) as lines:
        lines.wait_for("starts again in 3600 s")
    assert failures == [1, 2, 3]
    assert lines.all() == [
        "a | ended with status 7; starts again in 0 s",
        "a | ended with status 7; starts again in 0 s",
        "a | ended with status 7; starts again in 3600 s",
    ]


def test_the_pause_grows_to_half_a_minute():
    assert [growing_pause(failures) for failures in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]


def test_a_program_that_ran_for_long_has_not_failed_before(monkeypatch):
    monkeypatch.setattr(child, "STEADY", 0.0)
    failures = []

    def pause(count: int) -> float:
        failures.append(count)
        return 0.0 if len(failures) < 3 else 3600.0

    with supervised(program("a", ""), pause=pause) as lines:
        lines.wait_for("starts again in 3600 s")
    assert failures == [1, 1, 1]


def test_a_killed_program_starts_again_and_the_others_run_on():
    with supervised(program("a"), program("b"), pause=lambda _: 0.0) as lines:
        pids = {name: pid for name, _, _, pid in (lines.wait_for("pid").split() for _ in range(2))}
        os.kill(int(pids["a"]), signal.SIGKILL)
        lines.wait_for("a | killed by SIGKILL; starts again in 0 s")
        assert lines.pid("a") != int(pids["a"])
        assert psutil.pid_exists(int(pids["b"]))
    assert said(lines.all(), "b | killed", "b | ended with") == []


def test_a_program_that_waits_to_start_again_does_not_delay_the_end():
    began = time.monotonic()
    with supervised(program("a", ""), pause=lambda _: 3600.0) as lines:
        lines.wait_for("starts again")
    assert time.monotonic() - began < WITHIN


def test_a_program_that_does_not_exist_is_said_to_be_so():
    with supervised(Process("a", ["/nowhere/at/all"]), pause=lambda _: 3600.0) as lines:
        lines.wait_for("a | /nowhere/at/all: No such file or directory")
        lines.wait_for("a | ended with status 1")


def test_a_program_gets_the_environment_and_the_signals_of_any_other():
    script = 'echo "$COLOUR"; kill -PIPE $$; echo survived'
    process = Process("a", ["sh", "-c", script], {"COLOUR": "blue", "PATH": os.environ["PATH"]})
    with supervised(process, pause=lambda _: 3600.0) as lines:
        lines.wait_for("killed by SIGPIPE")
    assert lines.all()[0] == "a | blue"


def test_the_body_runs_once_all_is_ready_and_its_end_is_the_end():
    answers = iter([False, False, True])
    order = []

    def ready() -> bool:
        order.append("asked")
        return next(answers)

    ending = supervise([program("a")], ready=ready, body=lambda: order.append("body"), write=Lines())
    assert ending is None
    assert order == ["asked", "asked", "asked", "body"]


def test_what_the_body_raises_is_raised_after_all_programs_have_ended():
    lines = Lines()
    pids = []

    def body():
        pids.append(lines.pid("a"))
        raise LookupError("no dossier")

    with pytest.raises(LookupError, match="no dossier"):
        supervise([program("a")], body=body, write=lines)
    assert not psutil.pid_exists(pids[0])


def test_what_ready_raises_is_raised_after_all_programs_have_ended():
    lines = Lines()
    pids = []

    def ready() -> bool:
        pids.append(lines.pid("a"))
        raise LookupError("no port")

    with pytest.raises(LookupError, match="no port"):
        supervise([program("a")], ready=ready, write=lines)
    assert not psutil.pid_exists(pids[0])


def test_programs_that_do_not_get_ready_in_time_are_stopped():
    with (
        pytest.raises(NotReadyError, match=r"not ready after 0 s: none of them failed"),
        supervised(program("a"), ready=lambda: False, patience=0.2),
    ):
        pass


def test_a_program_that_fails_again_and_again_before_all_is_ready_ends_the_waiting():
    with (
        pytest.raises(NotReadyError, match=r"bridge ended with status 3 \(3 times\)"),
        supervised(
            program("bridge", "raise SystemExit(3)"),
            program("beat"),
            ready=lambda: False,
            patience=3600.0,
            pause=lambda failures: 0.0 if failures < 3 else 3600.0,
        ),
    ):
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_whole_terminal_reaches_the_supervisor_alone_which_stops_all_in_order(number):
    with Supervisor(first=POLITE, second=POLITE) as supervisor:
        supervisor.lines.wait_for("| pid ")
        supervisor.lines.wait_for("| pid ")
        os.killpg(supervisor.process.pid, number)
        supervisor.lines.wait_for(f"ended by {number}")
        assert supervisor.process.wait(WITHIN) == 0
    stops = [line.replace(" ", "") for line in said(supervisor.lines.all(), "asked", "| ended", "interr")]
    assert stops == ["first|askedtoend", "first|ended", "second|askedtoend", "second|ended"]


def test_a_second_interrupt_kills_all_programs_at_once():
    with Supervisor(first=STUBBORN, second=STUBBORN) as supervisor:
        pids = [int(supervisor.lines.wait_for("pid").split()[-1]) for _ in range(2)]
        supervisor.process.send_signal(signal.SIGINT)
        supervisor.lines.wait_for("asked to end")
        supervisor.process.send_signal(signal.SIGINT)
        supervisor.lines.wait_for("ended by")
        assert_ended(pids)


def test_a_signal_before_all_is_ready_ends_it_as_well():
    pid = os.getpid()

    def ready() -> bool:
        os.kill(pid, signal.SIGTERM)
        return False

    before = signal.getsignal(signal.SIGTERM)
    assert supervise([program("a")], ready=ready, write=Lines()) is signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_no_program_outlives_a_supervisor_that_is_killed_and_each_may_end_in_order(tmp_path):
    sources = {
        name: f"""
import os, pathlib, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(pathlib.Path({str(tmp_path / name)!r}).touch()))
print("pid", os.getpid(), flush=True)
signal.pause()
"""
        for name in ("first", "second")
    }
    with Supervisor(**sources) as supervisor:
        pids = [int(supervisor.lines.wait_for("pid").split()[-1]) for _ in sources]
        supervisor.process.kill()
        assert_ended(pids)
    assert {path.name for path in tmp_path.iterdir()} == set(sources)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_a_program_whose_supervisor_died_before_it_started_does_not_start(tmp_path):
    witness = tmp_path / "started"
    dead = subprocess.Popen(["true"])
    dead.wait()
    leashed = [sys.executable, "-I", "-S", child.leash.__file__, str(dead.pid), "touch", str(witness)]
    assert subprocess.run(leashed, check=False).returncode == 1
    assert not witness.exists()


def test_a_terminal_that_went_away_does_not_stall_the_programs(monkeypatch: pytest.MonkeyPatch):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        print_line("nobody reads this")
        monkeypatch.undo()
        forget: Callable[[], int] = closed.buffer.raw.close  # what could not be written is not tried again
        forget()
