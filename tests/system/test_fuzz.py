"""The fuzzer reaches what it is to break, and fails on what is none of the promised ends."""

import importlib.util
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="Atheris is pinned for Python 3.11 on Linux x86-64 only"
)
BROKEN = "import tests.fuzz.__main__ as fuzz; fuzz.ends_well = lambda run: 1 / 0; fuzz.main()"


def fuzzed(folder, *program):
    command = [sys.executable, *program, "--seconds", "2", "--seed", "1", "--folder", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_outputs_of_a_fuzzer_end_well_and_what_reached_new_code_is_kept(tmp_path):
    ended = fuzzed(tmp_path, "-m", "tests.fuzz")
    assert ended.returncode == 0, ended.stderr
    seeds = set((tmp_path / "corpus").glob("seed-*"))
    assert seeds < set((tmp_path / "corpus").iterdir())


def test_an_end_that_nobody_promised_is_found_and_what_led_there_kept(tmp_path):
    ended = fuzzed(tmp_path, "-c", BROKEN)
    assert ended.returncode != 0
    assert "ZeroDivisionError" in ended.stdout + ended.stderr
    assert list(tmp_path.glob("crash-*"))
