"""Figures over HTTP: how far batches are while their runs are on their way, and V1 beside V2."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.database.bridge.calls import refusal
from tests.database.publishing import LAKESHORE, NORTHWIND, execute, query, register
from tests.database.rows import add, add_batch, ago, ahead
from worker.drain import drain

NOBODY = "00000000-0000-4000-8000-000000000000"
BEGAN = datetime(2026, 1, 5, 12, tzinfo=UTC)
COUNTS = ("status", "total", "completed", "failed", "running", "held", "outstanding")


def of_batch(http, batch_id):
    """The batch's status and counts, which are the same in the list and in the table."""
    shown = http.get(f"/columnline/batches/{batch_id}").json()
    assert shown.pop("ok") is True
    assert shown in http.get("/columnline/batches").json()["batches"]
    return tuple(shown[name] for name in COUNTS)


def in_table(batch_id):
    (row,) = query("select status, total_dossiers, completed_dossiers from batches where id = :id", id=batch_id)
    return tuple(row.values())


@pytest.mark.parametrize("strategy", ["run", "make"])
def test_a_batch_moves_while_its_runs_are_still_running(http, setting, strategy):
    setting(batch_strategy=strategy, outputs_deadline=0)
    for run_id in ("GOOD", "BAD", "HELD", "FAILED", "GIVEN_UP"):
        outputs = run_id not in {"BAD", "FAILED"}
        register(run_id, LAKESHORE if run_id == "HELD" else NORTHWIND, outputs=outputs, batch_number="W")
    register("ALONE", batch_number="X")
    (held,) = query("select batch_id from v2_runs where run_id = 'HELD'")
    (batch,) = query("select batch_id as id from v2_runs where run_id = 'GOOD'")
    assert of_batch(http, batch.id) == ("pending", 4, 0, 0, 0, 0, 4)

    jobs = {run_id: http.post(f"/columnline/publish/{run_id}").json()["job_id"] for run_id in ("GOOD", "GIVEN_UP")}
    assert of_batch(http, batch.id) == ("processing", 4, 0, 0, 2, 0, 2)
    http.post(f"/columnline/jobs/{jobs['GIVEN_UP']}/cancel").raise_for_status()
    assert of_batch(http, batch.id) == ("processing", 3, 0, 0, 1, 0, 2)
    list(drain())
    assert of_batch(http, batch.id) == ("processing", 3, 1, 0, 0, 0, 2)
    assert in_table(batch.id) == ("processing", 3, 1)

    http.post("/columnline/publish/BAD").raise_for_status()
    list(drain())
    assert of_batch(http, batch.id) == ("processing", 3, 1, 1, 0, 0, 1)
    execute("update v2_runs set status = 'failed' where run_id = 'FAILED'")
    assert of_batch(http, batch.id) == ("complete_with_errors", 3, 1, 2, 0, 0, 0), "the pipeline said so itself"

    execute("update v2_clients set production_client_id = null, slug = null where client_id = 'CLT_LAKESHORE_001'")
    http.post("/columnline/publish/HELD").raise_for_status()
    list(drain())
    assert of_batch(http, held.batch_id) == ("processing", 1, 0, 0, 1, 1, 0)


def test_batches_are_listed_newest_first_page_by_page_of_one_client_or_all(http):
    begun = ago(days=1)
    wanted = [
        str(add_batch(str(n), NORTHWIND if n % 3 == 0 else LAKESHORE, created_at=begun + timedelta(hours=n // 3)))
        for n in range(7)
    ]
    found, cursor = [], ""
    while cursor is not None:
        page = http.get("/columnline/batches", params={"limit": 2, "cursor": cursor}).json()
        found += page["batches"]
        cursor = page["next_cursor"]
        add_batch(f"late {len(found)}")
    assert {batch["batch_id"] for batch in found} == set(wanted)
    order = [(batch["created_at"], batch["batch_id"]) for batch in found]
    assert order == sorted(set(order), reverse=True)
    for client_id in ("CLT_LAKESHORE_001", str(LAKESHORE)):
        page = http.get("/columnline/batches", params={"client_id": client_id}).json()
        assert {batch["batch_number"] for batch in page["batches"]} == {"5", "4", "2", "1"}


def test_a_batch_of_v1_keeps_its_own_status_beside_true_counts(http):
    batch = add_batch("V1 7", status="generating", total_dossiers=99, completed_dossiers=98)
    add(pipeline_version="v1", batch_id=batch, released_at=ago(days=1))
    add(pipeline_version="v1", batch_id=batch, status="error")
    assert of_batch(http, batch)[:4] == ("generating", 2, 1, 1)


def test_a_batch_that_is_not_there_is_a_404_that_says_so(http):
    assert refusal(http.get(f"/columnline/batches/{NOBODY}"), 404)["code"] == "batch_not_found"
    assert refusal(http.get("/columnline/batches/7"), 422)["code"] == "validation"
    assert (
        refusal(http.get("/columnline/batches", params={"client_id": "CLT_NOBODY"}), 404)["code"]
        == "client_not_found"
    )


def stats(http, **params):
    answer = http.get("/columnline/stats", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def add_run(run_id, *, ended, logged=()):
    """A run that ended then, or whose outputs were logged then."""
    execute(
        "insert into v2_runs (run_id, client_id, completed_at) values (:r, 'CLT_NORTHWIND_001', :ended)",
        r=run_id,
        ended=ended,
    )
    for number, moment in enumerate(logged):
        execute(
            "insert into v2_pipeline_logs (step_id, run_id, step_name, status, completed_at) "
            "values (:s, :r, 'STEP', 'completed', :m)",
            s=f"{run_id}/{number}",
            r=run_id,
            m=moment,
        )


@pytest.fixture
def year(http):
    """Dossiers of both versions with known moments, one of them a day later."""
    later = timedelta(seconds=1)
    for number in range(1, 6):  # published 10, 20, 30, 40, 50 s after the last output, released after 100, 200, …
        ended = None if number % 2 else BEGAN
        add_run(f"RUN_{number}", ended=ended, logged=[BEGAN - timedelta(hours=1), BEGAN])
        released = BEGAN + 100 * number * later if number < 4 else ahead(days=9) if number == 4 else None
        add(run_id=f"RUN_{number}", created_at=BEGAN + 10 * number * later, released_at=released)
    add_run("RUN_BAD", ended=BEGAN)
    add(run_id="RUN_BAD", status="error", error="{}", created_at=BEGAN + timedelta(hours=5))
    add(run_id="RUN_LOST", status="archived", created_at=BEGAN)  # its run is gone
    days = (BEGAN, BEGAN, BEGAN + timedelta(days=1))
    statuses = ("superseded", "enriching", "error")
    for moment, status in zip(days, statuses, strict=True):
        released = moment if status == "superseded" else None
        add(pipeline_version="v1", client_id=LAKESHORE, status=status, created_at=moment, released_at=released)


SPAN = {"since": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z"}


def test_v1_and_v2_stand_side_by_side_with_their_rates_and_times(http, year):
    v1, v2 = sorted(stats(http, **SPAN)["totals"], key=lambda row: row["pipeline_version"])
    assert v1 == {
        "pipeline_version": "v1",
        "published": 1,
        "errors": 1,
        "unfinished": 1,
        "released": 1,
        "success_rate": 0.5,
        "seconds_to_publish": None,
        "seconds_to_release": None,
    }
    assert v2 == {
        "pipeline_version": "v2",
        "published": 6,
        "errors": 1,
        "unfinished": 0,
        "released": 3,
        "success_rate": round(6 / 7, 4),
        "seconds_to_publish": {"median": 30.0, "p95": 48.0},
        "seconds_to_release": {"median": 200.0, "p95": 290.0},
    }


def test_the_days_tell_the_same_by_client_newest_first(http, year):
    found = stats(http, **SPAN)
    assert [(row["day"], row["client_name"], row["published"], row["errors"]) for row in found["days"]] == [
        ("2026-01-06", "Lakeshore Interiors", 0, 1),
        ("2026-01-05", "Lakeshore Interiors", 1, 0),
        ("2026-01-05", "Northwind Steel", 6, 1),
    ]
    for name in ("published", "errors", "unfinished", "released"):
        assert sum(row[name] for row in found["days"]) == sum(row[name] for row in found["totals"])


def test_a_client_alone_is_found_by_either_id(http, year):
    for client_id in ("CLT_LAKESHORE_001", str(LAKESHORE)):
        found = stats(http, **SPAN, client_id=client_id)
        assert [row["pipeline_version"] for row in found["totals"]] == ["v1"]
    problem = refusal(http.get("/columnline/stats", params=SPAN | {"client_id": "CLT_NOBODY"}), 404)
    assert problem["code"] == "client_not_found"


def test_the_span_begins_with_since_and_ends_before_until(http, year):
    day = {"since": "2026-01-06T12:00:00Z", "until": "2026-01-06T12:00:01Z"}
    assert [row["errors"] for row in stats(http, **day)["totals"]] == [1]
    assert stats(http, since="2026-01-06T12:00:00.000001Z", until=day["until"])["totals"] == []
    before = stats(http, since="2026-01-05T13:00:00Z", until=day["since"])["totals"]
    assert [(row["pipeline_version"], row["errors"]) for row in before] == [("v2", 1)]


def test_without_a_span_the_last_thirty_days_count(http):
    add(created_at=ago(days=29))
    add(created_at=ago(days=31))
    for params in ({}, {"since": "", "until": "null", "client_id": ""}):
        found = stats(http, **params)
        assert [row["published"] for row in found["totals"]] == [1]


def test_an_empty_span_has_no_rows_and_no_rates(http, year):
    found = stats(http, since="2025-01-01T00:00:00Z", until="2025-02-01T00:00:00Z")
    assert (found["ok"], found["totals"], found["days"]) == (True, [], [])
    add(pipeline_version="v1", status="skeleton", created_at=datetime(2025, 1, 5, tzinfo=UTC))
    (row,) = stats(http, since="2025-01-01T00:00:00Z", until="2025-02-01T00:00:00Z")["totals"]
    assert (row["published"], row["unfinished"], row["success_rate"]) == (0, 1, None)


@pytest.mark.parametrize("until", ["2026-01-20T00:00:00Z", "2026-01-20T01:00:00+01:00", "2026-01-19T00:00:00Z"])
def test_a_span_that_ends_before_it_begins_is_refused(http, until):
    answer = http.get("/columnline/stats", params={"since": "2026-01-20T00:00:00Z", "until": until})
    problem = refusal(answer, 422)
    assert (problem["code"], problem["errors"][0]["field"]) == ("validation", "since")


@pytest.mark.parametrize(
    "params",
    [
        {"until": "0001-01-01T00:00:00Z"},
        {"until": "0001-01-01T00:00:00+14:00"},
        {"since": "0001-01-01T00:00:00+14:00"},
        {"since": "9999-12-31T23:59:59-14:00"},
        {"until": "9999-12-31T23:59:59-23:59"},
        {"since": "0001-01-01T00:00:00+23:59", "until": "9999-12-31T23:59:59-23:59"},
        {"since": "2026-01-20"},
        {"since": "1737331200"},
        {"since": "-99999999999999999999"},
        {"since": "2026-01-20T00:00:00+24:00"},
    ],
    ids=str,
)
def test_a_span_at_the_ends_of_time_is_a_span_or_refused(http, year, params):
    answer = http.get("/columnline/stats", params=params)
    if answer.status_code != 200:
        assert refusal(answer, 422)["code"] == "validation"
