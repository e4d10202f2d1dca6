"""The benchmark of the release tick runs, and the query for what is due keeps using its index."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.system.processes import WITHIN

ROOT = Path(__file__).parents[2]
SIZES = ("2000", "20000")


def test_the_benchmark_of_releases_tells_ratios_and_the_index_that_is_used(server_url):
    url = server_url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.bench.release", "--rows", *SIZES, "--rounds", "1", "--json"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=10 * WITHIN,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["index_used"] is True
    for size in SIZES:
        assert found["index"] == "dossiers_release_at_idx"
        assert found["index"] in found["plans"][size]
        assert (
            set(found["milliseconds"][size]) == set(found["ratios"][size]) == {"tick", "calendar", "client's list"}
        )
        assert all(value > 0 for value in found["milliseconds"][size].values())
    assert set(found["ratios"][SIZES[0]].values()) == {1}


def test_what_cannot_be_measured_is_wrong_usage():
    command = [sys.executable, "-m", "tests.bench.release", "--rows", "10", "--due", "20"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no more are due than there are rows" in done.stderr
