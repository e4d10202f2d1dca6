"""Reruns: Make.com is told once to run the pipeline again, and what comes of it is known in the end."""

import json
from uuid import UUID, uuid4

import pytest

from tests.database.command import code_of, columnline, shown, told
from tests.database.companies import (
    LAKESHORE,
    NORTHWIND,
    PRODUCTION,
    add_v1,
    dossier,
    execute,
    publish,
    query,
    read_by,
    register,
)
from tests.database.publishing import at_once, everything, one
from tests.database.rerunning import HOOK, SEED, add_v2, ask, job_of, now_is, play_pipeline, started
from tests.makecom import RUN, TOKEN
from worker import reruns
from worker.drain import drain
from worker.errors import ClientAmbiguous, ClientNotFound, ClientUnmapped, ColumnlineError
from worker.make_errors import RerunUnavailable

pytestmark = pytest.mark.usefixtures("clients")


@pytest.fixture
def hook(make, setting):
    """Make.com, set up for the mode `webhook`."""
    setting(make_mode="webhook", make_webhook_url=make.url + HOOK)
    return make


@pytest.fixture
def v2(clients):
    """A published dossier of V2, by its id."""
    return add_v2()


def order(rerun, **values):
    return {
        "client_id": NORTHWIND,
        "run_id": rerun.run_id,
        "seed": SEED,
        "rerun_of_dossier_id": str(rerun.dossier_id),
        "supersedes_run_id": "R1",
        "agents": [],
    } | values


def test_in_the_mode_api_the_scenario_is_told_everything_and_its_execution_is_known(make, v2):
    rerun = started(v2, agents=["copy", "insight"])
    (entry,) = make.to(RUN)
    assert (entry["method"], entry["path"]) == ("POST", RUN)
    assert entry["headers"]["authorization"] == f"Token {TOKEN}"
    assert entry["headers"]["content-type"] == "application/json"
    wanted = order(rerun, agents=["copy", "insight"])
    assert json.loads(entry["body"]) == {"data": wanted, "responsive": False}
    found = now_is(rerun)
    assert (found.status, found.execution_id, found.done, found.ok) == ("triggered", "exec-1", False, True)
    assert found.triggered_at is not None


def test_in_the_mode_webhook_the_hook_gets_the_order_bare_and_no_token(hook, v2):
    rerun = started(v2)
    (entry,) = hook.seen
    assert (entry["method"], entry["path"], json.loads(entry["body"])) == ("POST", HOOK, order(rerun))
    assert "authorization" not in entry["headers"]
    assert (now_is(rerun).status, now_is(rerun).execution_id) == ("triggered", None)


def test_its_run_is_registered_with_the_seed_before_make_com_is_told(make, v2):
    rerun = ask(v2)
    row = one("select client_id, seed_data, status from v2_runs where run_id = :r", r=rerun.run_id)
    assert tuple(row.values()) == (NORTHWIND, SEED, "pending")
    assert (now_is(rerun).status, make.seen) == ("requested", [])


def test_published_under_its_run_id_it_replaces_the_dossier_without_being_asked(make, v2):
    rerun = started(v2)
    newer = play_pipeline(rerun)
    assert newer.supersedes_dossier_id == v2
    assert (dossier("R1").status, dossier("R1").superseded_by_dossier_id) == ("superseded", newer.id)
    found = now_is(rerun)
    assert (found.status, found.done, found.ok, found.error) == ("published", True, True, None)
    list(drain())
    assert job_of(rerun).state == "done"
    assert len(make.to(RUN)) == 1


def test_published_it_replaces_the_newest_of_the_chain(make, v2):
    rerun = started(v2)
    register("R2")
    assert publish("R2", supersedes_run_id="R1").state == "done"
    assert play_pipeline(rerun).supersedes_dossier_id == dossier("R2").id


def test_a_v1_dossier_is_run_again_from_its_company_and_replaced(make):
    v1 = add_v1("acme.example")
    rerun = started(v1)
    wanted = order(rerun, seed={"company_name": "Acme of V1", "domain": "acme.example"}, supersedes_run_id=None)
    assert json.loads(make.to(RUN)[0]["body"])["data"] == wanted
    newer = play_pipeline(rerun)
    assert newer.supersedes_dossier_id == v1
    assert read_by(NORTHWIND)[newer.id] == "ready"


def test_a_v1_dossier_whose_client_has_no_v2_client_is_refused(make):
    v1 = add_v1("acme.example")
    execute("update v2_clients set production_client_id = null, slug = null")
    before = everything()
    with pytest.raises(ClientUnmapped):
        ask(v1)
    assert everything() == before


def test_a_v1_dossier_whose_client_has_several_v2_clients_is_run_for_the_one_that_is_named(make):
    v1 = add_v1("acme.example")
    execute("update v2_clients set production_client_id = :id", id=PRODUCTION[NORTHWIND])
    before = everything()
    with pytest.raises(ClientAmbiguous, match=f"{LAKESHORE}, {NORTHWIND}"):
        ask(v1)
    assert everything() == before
    started(v1, client_id=LAKESHORE)
    assert json.loads(make.to(RUN)[0]["body"])["data"]["client_id"] == LAKESHORE


@pytest.mark.parametrize("client_id", ["CLT_NOBODY", LAKESHORE, "CLT_UNMAPPED_001"])
def test_a_client_that_does_not_lead_to_the_dossiers_is_refused(make, v2, client_id):
    before = everything()
    with pytest.raises(ColumnlineError) as refused:
        ask(v2, client_id=client_id)
    assert refused.value.field == "client_id"
    assert everything() == before


def test_a_client_nobody_knows_is_not_found_over_http(make, v2, http):
    answer = http.post(f"/columnline/rerun/{v2}", json={"client_id": "CLT_NOBODY"})
    assert (answer.status_code, answer.json()["code"]) == (404, ClientNotFound.code)


def test_a_second_press_answers_the_open_one(make, v2, http):
    first = http.post(f"/columnline/rerun/{v2}")
    list(drain())
    second = http.post(f"/columnline/rerun/{v2}", json={"agents": "copy"})
    assert (first.status_code, second.status_code) == (202, 202)
    kept = ("rerun_id", "run_id", "dossier_id")
    assert [second.json()[name] for name in kept] == [first.json()[name] for name in kept]
    assert (first.json()["duplicate"], second.json()["duplicate"]) == (False, True)
    list(drain())
    assert len(make.to(RUN)) == 1
    looked = http.get(first.headers["Location"]).json()
    assert looked.keys() == first.json().keys()
    assert (looked["status"], looked["execution_id"]) == ("triggered", "exec-1")


def test_eight_presses_at_once_are_one_rerun_and_one_request(make, v2):
    found = at_once(lambda _: ask(v2).id, range(8))
    assert len(set(found)) == 1
    assert isinstance(found[0], UUID)
    list(drain())
    assert len(make.to(RUN)) == len(query("select 1 from reruns")) == 1


def test_one_that_ended_while_another_was_asked_for_does_not_stand_in_its_way(make, v2, monkeypatch):
    first, look, times = ask(v2), reruns._open, []

    def ends_meanwhile(session, dossier_id):
        times.append(look(session, dossier_id))
        if len(times) == 1:
            return None  # a second press, which looked just before the first
        execute("update reruns set state = 'failed', ended_at = now() where id = :id", id=first.id)
        return look(session, dossier_id)

    monkeypatch.setattr(reruns, "_open", ends_meanwhile)
    second = ask(v2)
    assert (times[0].id, second.state) == (first.id, "requested")
    assert second.id != first.id


def lead_elsewhere():
    """Map the v2 client of the runs to another client of the app."""
    to = "update v2_clients set production_client_id = :p where client_id = :c"
    execute(to, p=PRODUCTION[LAKESHORE], c=NORTHWIND)


def test_it_runs_for_a_client_that_leads_to_the_dossiers_and_not_for_one_that_led_there_once(make, v2):
    lead_elsewhere()
    with pytest.raises(ClientUnmapped):
        ask(v2)


def test_a_rerun_whose_client_was_mapped_elsewhere_meanwhile_replaces_nothing_of_the_others(make, v2):
    rerun = started(v2)
    lead_elsewhere()
    job = publish(register(rerun.run_id))
    assert (job.state, job.error["code"]) == ("error", "supersede_other_client")
    assert dossier("R1").superseded_by_dossier_id is None


def test_a_rerun_replaces_its_dossier_also_where_the_scenario_always_says_auto(make, v2):
    rerun = started(v2)
    job = publish(register(rerun.run_id, "another-name.example"), supersede="auto")
    assert job.state == "done", job.error
    assert dossier(rerun.run_id).supersedes_dossier_id == v2
    assert dossier("R1").status == "superseded"


def test_after_its_end_another_may_be_asked_for(make, v2):
    make.fault(RUN, "status", status=400)
    failed = started(v2)
    another = started(v2)
    assert another.id != failed.id
    assert now_is(another).status == "triggered"


def test_the_command_line_asks_and_says_that_one_is_open(make, v2):
    asked = told(columnline("rerun", "R1", "--agent", "copy", "--json"))
    assert (asked["status"], asked["agents"], asked["dossier_id"]) == ("requested", ["copy"], str(v2))
    assert f"open already. Its run is {asked['run_id']}" in " ".join(shown(columnline("rerun", v2)).split())


@pytest.mark.parametrize("rest", [{}, {"make_url": "", "make_token": "", "make_scenario_id": ""}])
def test_not_set_up_it_is_unavailable_and_nothing_is_written(v2, setting, rest):
    setting(make_mode="api", **rest)
    before = everything()
    with pytest.raises(RerunUnavailable, match="COLUMNLINE_MAKE_URL, COLUMNLINE_MAKE_TOKEN"):
        ask(v2)
    assert code_of(columnline("rerun", "R1", "--json")) == "rerun_unavailable"
    assert everything() == before
    assert query("select 1 from reruns") == []


def test_a_dossier_nobody_knows_is_not_found(make, http):
    assert http.post(f"/columnline/rerun/{uuid4()}").json()["code"] == "dossier_not_found"
    assert http.get(f"/columnline/reruns/{uuid4()}").json()["code"] == "rerun_not_found"
