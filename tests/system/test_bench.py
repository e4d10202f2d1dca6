"""Each benchmark runs, counts what it did, and tells figures that can be; none is asked to be fast."""

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.bench import plots
from tests.bench.__main__ import main, read
from tests.bench.export import MOST_GROWTH
from tests.bench.recording import BEGIN, COMMIT, Sent, written
from tests.bench.rounds import Rounds, spread

ROOT = Path(__file__).parents[2]
SIZES = ("2000", "8000")
RUNS, DOSSIERS = 12, 200
LIMIT = 900  # seconds, for what takes a twentieth of that on an idle machine


@pytest.fixture
def measured(server_url, admin, tmp_path):
    """A function that runs benchmarks in a tiny form and returns what they told."""

    def run(*words):
        file = tmp_path / "bench.json"
        words = (*words, "--rounds", "1", "--runs", str(RUNS), "--json", str(file), "--plots", str(tmp_path))
        done = bench("tests.bench", *words, DATABASE_URL=server_url.render_as_string(hide_password=False))
        assert done.returncode == 0, done.stderr
        found = json.loads(file.read_text())
        assert found.pop("machine")["fsync"] == admin.execute("show fsync").fetchone()[0]
        for benchmark in found.values():
            for row in benchmark["figures"].values():
                assert all(figure.get("low", 0) >= 0 for figure in row.values())
            assert all(ratio["median"] > 0 for ratio in benchmark["ratios"].values())
        return found

    return run


def bench(module, *words, **env):
    """Run a benchmark; returns the process when it has ended."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("COLUMNLINE_")} | env
    command = [sys.executable, "-m", module, *words]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=LIMIT, check=False)


def a_drain_is_measured_beside_pgbench_and_the_predecessor(drain):
    assert drain["runs"] == RUNS
    assert 10 <= drain["run"]["outputs"] <= 14
    assert 20_000 <= drain["run"]["stored_bytes"] <= drain["run"]["raw_bytes"] <= 50_000
    assert set(drain["figures"]) == {"worker", "pgbench", "rq"}
    assert all(row["per_second"]["median"] > 0 for row in drain["figures"].values())
    worker = drain["figures"]["worker"]
    assert all(worker[name]["median"] > 0 for name in ("cpu_per_1000", "main_peak_mb", "child_peak_mb"))
    assert drain["figures"]["rq"]["cpu_per_1000"]["median"] > 0
    assert set(drain["ratios"]) == {"worker to pgbench", "worker to rq"}


def latency_is_measured_when_idle_and_under_load(latency):
    figures = latency["figures"]
    assert set(figures) == {"idle", "idle, as seen by a caller", "idle, rq", "half of the drain rate"}
    for row in figures.values():
        assert 0 < row["p50_ms"]["median"] <= row["p95_ms"]["median"] <= row["p99_ms"]["median"]
    assert figures["idle"]["p50_ms"]["median"] < figures["idle, as seen by a caller"]["p99_ms"]["median"]


def the_bridge_is_measured_beside_a_server_that_only_inserts(bridge):
    assert set(bridge["figures"]) == {f"{name} at {many}" for name in ("bridge", "peer") for many in (16, 64)}
    assert all(row["per_second"]["median"] > 0 for row in bridge["figures"].values())


def growth_is_measured_and_drawn(growth, file):
    queries = {"tick", "calendar", "client's list"}
    assert growth["index_used"] is True
    assert set(growth["plans"]) == set(SIZES)
    assert all("dossiers_release_at_idx" in plan for plan in growth["plans"].values())
    assert set(growth["figures"]) == {f"{int(size):,}" for size in SIZES}
    for row in growth["figures"].values():
        assert {name.removesuffix(", ms") for name in row} == queries
        assert all(figure["median"] > 0 for figure in row.values())
    assert set(growth["curves"]) == queries
    drawn = ET.parse(file).getroot()
    assert len(drawn.findall("{http://www.w3.org/2000/svg}polyline")) == len(queries)


def exports_are_measured_beside_a_bare_loop_and_their_memory_is_flat(export):
    assert export["dossiers"] == DOSSIERS
    assert export["flat"] is True
    assert set(export["figures"]) == {"dossiers.csv", "contacts.csv", "dossiers.xlsx"}
    for row in export["figures"].values():
        assert row["rows_per_second"]["median"] * row["seconds"]["median"] >= DOSSIERS * 0.9
        assert row["grown_mb"]["median"] <= MOST_GROWTH / 1e6 == 50
    assert len(export["ratios"]) == len(export["figures"])


def test_a_start_is_measured_from_nothing_and_once_more(measured):
    start = measured("start")["start"]
    assert set(start["figures"]) == {"first start", "later start", "imports of the libraries"}
    for variant in ("first start", "later start"):
        row = start["figures"][variant]
        assert row["seconds"]["median"] > 0
        assert row["processes"]["median"] >= 8
        assert 0 < row["pss_mb"]["median"] <= row["rss_mb"]["median"]


def test_latency_is_measured_without_a_drain_before_it_and_growth_is_drawn(measured, tmp_path):
    found = measured("latency", "growth", "--sizes", *SIZES)
    latency_is_measured_when_idle_and_under_load(found["latency"])
    growth_is_measured_and_drawn(found["growth"], tmp_path / "growth.svg")


def test_a_drain_the_bridge_and_exports_are_measured_one_after_the_other(measured):
    found = measured("drain", "bridge", "export", "--dossiers", str(DOSSIERS))
    a_drain_is_measured_beside_pgbench_and_the_predecessor(found["drain"])
    the_bridge_is_measured_beside_a_server_that_only_inserts(found["bridge"])
    exports_are_measured_beside_a_bare_loop_and_their_memory_is_flat(found["export"])


@pytest.mark.parametrize("held", ["index_used", "flat"])
def test_what_did_not_hold_is_the_exit_status(held, monkeypatch, server_url, capsys):
    """Neither can be had by asking for it: an index that is not used, memory that grows."""
    monkeypatch.setenv("DATABASE_URL", server_url.render_as_string(hide_password=False))
    name = {"index_used": "growth", "flat": "export"}[held]
    monkeypatch.setattr("sys.argv", ["bench", name])
    for answer, status in ((True, 0), (False, 1)):
        found = {"figures": {}, "ratios": {}, held: answer}
        monkeypatch.setattr(f"tests.bench.{name}.run", lambda *_, found=found: found)
        assert main() == status


def test_a_benchmark_that_is_not_there_is_wrong_usage(capsys):
    with pytest.raises(SystemExit, match="2"):
        read(["speed"])
    assert "no such benchmark: speed" in capsys.readouterr().err


def test_a_recorded_statement_is_written_with_the_ids_of_any_publish():
    names = {"R_7": "('R_' || :n::int)"}
    given = {"run": "R_7", "text": "it's", "none": None, "many": ["R_7", "R_8"]}
    asked = "select %(run)s::text, %(text)s, %(none)s::int, %(many)s::text[], '%%'"
    script, variables = written([BEGIN, Sent(asked, (given,)), COMMIT], names, 2, 10)
    assert variables == {"p0": "it's"}
    assert script.splitlines()[1:] == [
        "\\set n :i * 2 + :client_id",
        "\\set k :n % 10",
        "BEGIN;",
        "select (('R_' || :n::int))::text, :p0, NULL::int, array[(('R_' || :n::int)), ('R_8')]::text[], '%';",
        "COMMIT;",
    ]


def test_what_is_sent_in_one_round_trip_is_written_so():
    script, _ = written([BEGIN, Sent("insert", ((), ()), together=True), COMMIT], {}, 2, 10)
    assert script.splitlines()[3:] == [
        "BEGIN;",
        "\\startpipeline",
        "insert;",
        "insert;",
        "\\endpipeline",
        "COMMIT;",
    ]


def test_ratios_are_taken_within_each_round():
    rounds = Rounds()
    for ours, theirs in ((10, 5), (30, 10), (100, 25)):
        rounds.add("ours", speed=ours, memory=None)
        rounds.add("theirs", speed=theirs)
    assert rounds.ratio("speed", "ours", "theirs") == {"median": 3, "low": 2, "high": 4}
    assert rounds.figures()["ours"] == {"speed": {"median": 30, "low": 10, "high": 100}}


def test_a_spread_of_times_is_told_in_milliseconds():
    assert spread([0.25]) == {"p50_ms": 250, "p95_ms": 250, "p99_ms": 250}
    assert spread([n / 1000 for n in range(101)])["p95_ms"] == pytest.approx(95)


def test_a_plot_holds_every_point_inside_its_axes():
    drawn = ET.fromstring(plots.curves("a < b", {"flat": [(10, 5), (1000, 5)], "one": [(10, 1)]}, "x", "y"))
    for circle in drawn.findall("{http://www.w3.org/2000/svg}circle"):
        assert plots.LEFT <= float(circle.get("cx")) <= plots.WIDTH - plots.RIGHT
        assert plots.TOP <= float(circle.get("cy")) <= plots.HEIGHT - plots.BOTTOM
