"""The options of a publish at the door, in the body or the query: what they do, and what refuses them."""

import pytest

from models.values import dossier_id_of
from tests.database.bridge.calls import refusal
from tests.database.publishing import LAKESHORE, NORTHWIND, dossier, everything, execute, query, register
from tests.database.rows import add, add_list, ago, ahead, set_drip
from worker.drain import drain

NOBODY = "00000000-0000-4000-8000-000000000000"
IN = pytest.mark.parametrize("place", ["json", "params"])


@pytest.fixture
def run_id(http):
    """A finished run about acme.example."""
    return register("RUN")


def publish(http, run_id, place="json", **options):
    """Publish the run with these options in the body or in the query; returns the job once it has ended."""
    answer = http.post(f"/columnline/publish/{run_id}", **{place: options})
    assert answer.status_code == 202, answer.text
    list(drain())
    return http.get(answer.headers["location"]).json()


def lists_of(run_id):
    rows = query(
        "select l.name from lists l join dossier_lists p on p.list_id = l.id where p.dossier_id = :id order by 1",
        id=dossier_id_of(run_id),
    )
    return [row.name for row in rows]


@IN
def test_a_list_is_named_by_its_id_or_by_its_name(http, place):
    hot = add_list("Hot leads")
    by_id = publish(http, register("RUN_1"), place, default_list_id=str(hot), list="null")
    by_name = publish(http, register("RUN_2"), place, list="hot LEADS", default_list_id="")
    assert by_id["list_ids"] == by_name["list_ids"] == [str(hot)]
    assert lists_of("RUN_1") == lists_of("RUN_2") == ["Hot leads"]
    publish(http, register("RUN_3"), place, list="inbox")
    assert lists_of("RUN_3") == ["Inbox"]


@IN
def test_a_batch_number_names_the_batch_whatever_the_strategy(http, run_id, place, setting):
    setting(batch_strategy="none")
    job = publish(http, run_id, place, batch_number="Week 3")
    assert job["batch_number"] == "Week 3"
    (batch,) = query("select * from batches")
    assert (str(batch.id), batch.batch_number, batch.total_dossiers) == (job["batch_id"], "Week 3", 1)


@IN
@pytest.mark.parametrize(
    ("policy", "asked", "linked"),
    [
        ("explicit", {}, False),
        ("explicit", {"supersede": "auto"}, True),
        ("auto", {}, True),
        ("auto", {"supersede": "none"}, False),
        ("auto", {"supersede": ""}, True),
    ],
)
def test_supersede_says_whether_the_companys_newest_is_replaced(
    http, run_id, place, setting, policy, asked, linked
):
    setting(supersede=policy)
    old = add(pipeline_version="v1", company_domain="https://www.ACME.example/", released_at=ago(days=9))
    job = publish(http, run_id, place, **asked)
    assert job["supersedes_dossier_id"] == (str(old) if linked else None)
    assert http.get(f"/columnline/dossiers/{old}").json()["updated"] is linked


@IN
@pytest.mark.parametrize("name", ["supersedes_run_id", "supersedes_dossier_id"])
def test_an_older_dossier_is_named_by_its_run_or_its_id(http, run_id, place, name):
    old = add(run_id="OLD", released_at=ago(days=9), company_domain="other.example")
    job = publish(http, run_id, place, **{name: "OLD" if name == "supersedes_run_id" else str(old)})
    assert (job["status"], job["supersedes_dossier_id"]) == ("done", str(old))
    assert dossier("OLD").status == "superseded"


@IN
def test_a_drip_takes_the_next_free_slot(http, run_id, place):
    set_drip()
    assert publish(http, run_id, place, release_date="drip")["released_at"] is None
    assert dossier(run_id).drip_position == 1
    calendar = http.get("/columnline/releases").json()["releases"]
    assert [(entry["run_id"], entry["drip"]) for entry in calendar] == [(run_id, True)]


def own():
    return add(run_id="OLD", released_at=ago(days=9))


def of_another():
    return add(run_id="OLD", client_id=LAKESHORE, released_at=ago(days=9))


def with_a_successor():
    old = own()
    add(run_id="NEWER", release_at=ahead(days=9), supersedes_dossier_id=old)
    return old


def itself():
    return add(id=dossier_id_of("RUN"), run_id="RUN", status="error")


def that_replaces_it():
    return add(run_id="OLD", supersedes_dossier_id=itself())


def list_of_another():
    return add_list("L", LAKESHORE)


def nothing():
    return NOBODY


BY_RUN, BY_ID = {"supersedes_run_id": "OLD"}, {"supersedes_dossier_id": "FOUND"}


@IN
@pytest.mark.parametrize(
    ("before", "options", "status", "code"),
    [
        (list_of_another, {"default_list_id": "FOUND"}, 422, "list_of_other_client"),
        (list_of_another, {"list": "L"}, 404, "list_not_found"),
        (nothing, {"default_list_id": NOBODY}, 404, "list_not_found"),
        (nothing, {"default_list_id": "Inbox"}, 422, "validation"),
        (nothing, {"default_list_id": NOBODY, "list": "Inbox"}, 422, "validation"),
        (own, BY_RUN | BY_ID, 422, "validation"),
        (own, BY_RUN | {"supersede": "auto"}, 422, "validation"),
        (own, BY_ID | {"supersede": "none"}, 422, "validation"),
        (own, {"supersede": "always"}, 422, "validation"),
        (nothing, BY_RUN, 404, "dossier_not_found"),
        (nothing, BY_ID, 404, "dossier_not_found"),
        (of_another, BY_RUN, 422, "supersede_other_client"),
        (of_another, BY_ID, 422, "supersede_other_client"),
        (with_a_successor, BY_RUN, 422, "supersede_taken"),
        (with_a_successor, BY_ID, 422, "supersede_taken"),
        (itself, BY_ID, 422, "validation"),
        (that_replaces_it, BY_RUN, 422, "validation"),
        (nothing, {"release_date": "drip"}, 422, "drip_unavailable"),
        (nothing, {"release_date": "2026-02-30"}, 422, "release_date_invalid"),
        (nothing, {"batch_number": "7\n8"}, 422, "validation"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
@pytest.mark.parametrize("door", ["", "/preview"])
def test_an_option_that_cannot_be_met_is_refused_and_leaves_no_job(
    http, run_id, place, before, options, status, code, door
):
    found = before()
    sent = {name: str(found) if value == "FOUND" else value for name, value in options.items()}
    there = everything()
    problem = refusal(http.post(f"/columnline/publish/{run_id}{door}", **{place: sent}), status)
    assert (problem["code"], problem["retryable"]) == (code, False)
    assert {error["field"] for error in problem["errors"]} & set(sent)
    assert everything() == there
    assert there["jobs"] == []


def test_of_many_runs_the_refused_have_no_job_and_the_others_do(http, run_id):
    with_a_successor()
    other = register("RUN_2")
    entries = [{"run_id": run_id, "supersedes_run_id": "OLD"}, {"run_id": other, "list": "Inbox"}]
    answer = http.post("/columnline/publish", json={"runs": entries}).json()
    assert [(one["error"] or {}).get("code") for one in answer["answers"]] == ["supersede_taken", None]
    assert [row.key for row in query("select key from jobs")] == [other]


def test_one_option_in_query_and_body_is_taken_once_or_refused(http, run_id):
    path = f"/columnline/publish/{run_id}"
    for name, one, other in (
        ("supersede", "auto", "none"),
        ("list", "Inbox", "Hot"),
        ("batch_number", "7", "8"),
        ("release_date", "2090-01-20", "drip"),
        ("supersedes_dossier_id", NOBODY, NOBODY.replace("0", "1", 1)),
    ):
        problem = refusal(http.post(path, params={name: one}, json={name: other}), 422)
        assert (problem["code"], problem["errors"][0]["field"]) == ("validation", name)
    assert everything()["jobs"] == []
    answer = http.post(path, params={"release_date": "2090-01-20"}, json={"release_date": "2090-01-20"})
    assert answer.status_code == 202


def test_what_is_in_the_query_and_in_the_body_must_agree_too(http, run_id):
    own()
    answer = http.post(f"/columnline/publish/{run_id}", params={"supersede": "auto"}, json=BY_RUN)
    assert refusal(answer, 422)["code"] == "validation"
    assert everything()["jobs"] == []


@pytest.mark.parametrize("same", [True, False])
def test_an_option_that_comes_twice_in_the_query_is_refused_and_leaves_no_job(http, run_id, same):
    twice = [("supersedes_run_id", "A"), ("supersedes_run_id", "A" if same else "B")]
    answer = http.post(f"/columnline/publish/{run_id}", params=twice)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation")
    assert answer.json()["errors"][0]["field"] == "supersedes_run_id"
    assert http.get("/columnline/jobs", params=[("status", "error"), ("status", "held")]).status_code == 422
    assert http.get("/columnline/jobs").json()["jobs"] == []


def test_a_probe_is_answered_whatever_its_query_says(http):
    assert http.get("/livez", params=[("a", 1), ("a", 1)]).status_code == 200


@pytest.mark.parametrize("name", ["path", "query", "body"])
def test_a_field_that_is_not_known_is_named_whatever_its_name(http, name):
    answer = http.put("/columnline/runs/R1", json={name: "x"}).json()
    assert (answer["code"], answer["errors"][0]["field"]) == ("validation", name)
    answer = http.get("/columnline/jobs", params={name: "x"}).json()
    assert (answer["code"], answer["errors"][0]["field"]) == ("validation", name)


def test_an_older_run_that_is_still_being_published_is_waited_for(http, run_id):
    http.post(f"/columnline/publish/{register('OLD')}", json={}).raise_for_status()
    execute("update jobs set run_at = now() + interval '1 hour' where key = 'OLD'")
    job = publish(http, run_id, supersedes_run_id="OLD")
    assert (job["status"], job["error"]["code"], job["retryable"]) == ("waiting", "supersede_pending", True)
    execute("update jobs set run_at = now() - interval '1 second' where key = 'OLD'")
    list(drain())
    execute("update jobs set run_at = now() - interval '1 second' where key = 'RUN'")
    list(drain())
    assert dossier(run_id).supersedes_dossier_id == dossier_id_of("OLD")


def preview(http, run_id, place, **options):
    """What a publish with these options would do."""
    before = {name: rows for name, rows in everything().items() if name != "jobs"}
    answer = http.post(f"/columnline/publish/{run_id}/preview", **{place: options | {"wait": 0}})
    list(drain())
    job = http.get(f"/columnline/jobs/{answer.json()['job_id']}").json()
    assert job["status"] == "done", job["error"]
    assert {name: rows for name, rows in everything().items() if name != "jobs"} == before
    return job["result"]


@IN
def test_a_preview_names_what_would_be_superseded_and_the_moment_of_release(http, run_id, place):
    old = add(pipeline_version="v1", company_domain="acme.example", company_name="Acme", released_at=ago(days=9))
    found = preview(http, run_id, place, supersede="auto", release_date="2090-07-20")
    assert found["supersedes"] == {
        "id": str(old),
        "run_id": None,
        "company_name": "Acme",
        "pipeline_version": "v1",
        "status": "ready",
    }
    moment = "2090-07-20T11:00:00+00:00"  # seven o'clock in Toronto
    assert (found["dossier"]["release_date"], found["dossier"]["release_at"]) == ("2090-07-20", moment)
    add(id=dossier_id_of("OLD"), run_id="OLD", released_at=ago(days=1))
    assert preview(http, run_id, place, supersedes_run_id="OLD")["supersedes"]["run_id"] == "OLD"
    nothing_asked = preview(http, run_id, place)
    assert (nothing_asked["supersedes"], nothing_asked["dossier"]["release_at"]) == (None, None)


@IN
def test_a_preview_of_a_drip_names_the_slot_that_the_publish_then_takes(http, run_id, place):
    set_drip()
    add(run_id="OTHER")
    found = preview(http, run_id, place, release_date="drip")
    free = http.get("/columnline/releases", params={"client_id": str(NORTHWIND)}).json()["free_slots"]
    publish(http, run_id, place, release_date="drip")
    moment = dossier(run_id).release_at.isoformat()
    assert (found["dossier"]["release_at"], free[0]) == (moment, moment.replace("+00:00", "Z"))
