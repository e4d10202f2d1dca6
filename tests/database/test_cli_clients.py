"""The command line about clients: what it shows, what it does, and its exit statuses."""

import getpass
import json

import pytest

from tests.database.command import code_of, columnline, shown, told
from tests.database.publishing import LAKESHORE, NORTHWIND, dossier, execute, job_of, one, publish, query
from tests.database.sides import SECOND, V2, A, B, both, put
from worker import db, ring
from worker.drain import drain

UNMAPPED = "CLT_UNMAPPED_001"
ODD = "[bold]Odd[/] [link=x]Ñame"


@pytest.fixture(autouse=True)
def _no_config(clients):
    execute("update v2_clients set icp_config = null")


@pytest.fixture
def held(sample):
    """The run of the unmapped client, whose publish is held."""
    run_id = sample("run_unmapped_client")["run"]["run_id"]
    assert publish(run_id).held_reason == "client_unmapped"
    return run_id


def clients(*words):
    return columnline("clients", *words)


def everything():
    tables = ("clients", "v2_clients", "config_sync_state", "config_sync_history", "jobs", "pg_trigger")
    return {table: query(f"select * from {table} order by {table}::text") for table in tables}


def test_clients_are_listed_with_where_they_lead_and_who_waits(held):
    execute("insert into clients (name) values ('Gulf Conveyors')")
    text = shown(clients("list"))
    lines = {line.split()[0]: line for line in text.splitlines()[1:]}
    assert f"{NORTHWIND} (mapping)" in lines[V2]
    assert f"{LAKESHORE} (slug)" in lines[SECOND]
    assert "Gulf Conveyors (name alike)" in lines[UNMAPPED]
    since = job_of(held).created_at
    assert f"1     {since:%Y-%m-%d %H:%M:%S}Z" in lines[UNMAPPED]
    (row,) = told(clients("list", "--unmapped", "--json"))
    assert (row["v2_client_id"], row["held_runs"], row["mapped_by"]) == (UNMAPPED, 1, None)
    assert [who["why"] for who in row["candidates"]] == ["name alike"]
    assert [line.split()[0] for line in shown(clients("list", "--unmapped")).splitlines()] == ["client", UNMAPPED]
    assert len(told(clients("list", "--json", "--limit", "2"))) == 2


def test_names_with_markup_are_shown_as_they_are():
    execute("insert into clients (name, slug) values (:n, 'odd')", n=ODD)
    with db.transaction() as session:
        session.connection().exec_driver_sql(
            "insert into v2_clients (client_id, client_name, slug, status) values (%(c)s, %(c)s, 'Odd', %(c)s)",
            {"c": ODD},
        )
    text = shown(clients("list", "--unmapped"))
    assert text.count(ODD) == 4, "id, name, status, candidate"
    put("v2", {ODD: ODD}, client=ODD)
    assert ODD in shown(clients("map", ODD, "--slug", "odd"))
    assert ODD in shown(clients("show", ODD))
    assert shown(clients("set", ODD, f"default_list={ODD}")).count(ODD) >= 3
    put("production", {ODD: f"{ODD}!"}, client=one("select id from clients where slug = 'odd'").id)
    text = shown(clients("sync", "--dry-run"), status=1)
    assert text.count("[bold]Odd[/]") >= 3
    assert ODD in clients("unify").stderr


@pytest.mark.parametrize("how", [[str(LAKESHORE)], ["--slug", "lakeshore-interiors"], ["--create"]], ids=str)
def test_a_client_is_mapped_and_its_held_runs_go_on_at_once(held, how, monkeypatch):
    rung = []
    monkeypatch.setattr(ring, "breaker", ring.Breaker())
    monkeypatch.setattr(ring.app, "send_task", lambda kind, kwargs: rung.append((kind, kwargs["run_id"])))
    text = shown(clients("map", UNMAPPED, *how))
    leads_to = one("select production_client_id as p from v2_clients where client_id = :c", c=UNMAPPED).p
    made = " (made)" if how == ["--create"] else ""
    assert text.splitlines() == [f"{UNMAPPED} leads to {leads_to}{made}.", "1 held jobs go on."]
    assert rung == [("publish.run", held)]
    list(drain())
    assert dossier(held).client_id == leads_to


def test_a_mapping_is_told_as_json_with_its_warnings(held):
    answer = told(clients("map", UNMAPPED, str(NORTHWIND), "--json"))
    assert answer == {
        "ok": True,
        "v2_client_id": UNMAPPED,
        "production_client_id": str(NORTHWIND),
        "created": False,
        "changed": True,
        "released_jobs": 1,
        "warnings": [f"{V2} led to this client already: they share its dossiers and its config."],
    }
    text = shown(clients("map", UNMAPPED, str(LAKESHORE)))
    assert f"It led to {NORTHWIND} before: what was published there stays there." in text


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        ([UNMAPPED, "00000000-0000-4000-8000-000000000000"], 3, "client_not_found"),
        (["CLT_NOBODY", "--create"], 3, "client_not_found"),
        ([UNMAPPED, "--slug", "nobody"], 3, "client_not_found"),
        ([UNMAPPED], 2, "validation"),
        ([UNMAPPED, str(LAKESHORE), "--create"], 2, "validation"),
        ([SECOND, "--create"], 1, "validation"),
    ],
    ids=str,
)
def test_a_mapping_that_will_not_do_has_its_code_and_exit_status(words, status, code):
    before = everything()
    assert code_of(clients("map", *words, "--json"), status) == code
    result = clients("map", *words)
    assert (result.exit_code, result.stdout) == (status, "")
    assert code in result.stderr
    assert everything() == before


def test_an_id_that_is_none_is_wrong_usage():
    assert clients("map", UNMAPPED, "LAKESHORE").exit_code == 2
    assert clients("list", "--limit", "0").exit_code == 2


def test_what_counts_for_a_client_is_shown_and_set(setting):
    setting(supersede="auto")
    rows = {line.split()[0]: line.split()[1:] for line in shown(clients("show", V2)).splitlines()[3:]}
    assert rows["supersede"] == ["auto", "environment"]
    assert rows["release_hour"] == ["7", "client"]
    text = shown(clients("set", V2, "release_hour=9", 'drip_schedule={"days": ["tue"], "time": "09:00"}'))
    assert '{"days": ["tue"], "time": "09:00"}' in text
    answer = told(clients("set", V2, "supersede=explicit", "default_list=a=b", "--json"))
    found = {row["name"]: (row["value"], row["source"]) for row in answer["settings"]}
    assert (found["supersede"], found["default_list"]) == (("explicit", "client"), ("a=b", "client"))
    assert found["release_hour"] == (9, "client")
    assert told(clients("show", V2, "--json")) == answer
    assert "leads to nobody: its runs are held" in shown(clients("show", UNMAPPED))


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        ((V2, "release_hour"), 2, "validation"),
        ((V2, "supersede=auto", "release_hour=24"), 2, "validation"),
        ((V2, "supersede=auto", "colour=red"), 2, "validation"),
        ((UNMAPPED, "supersede=auto", "release_hour=7"), 1, "client_unmapped"),
        (("CLT_NOBODY", "supersede=auto"), 3, "client_not_found"),
    ],
    ids=str,
)
def test_a_wish_that_will_not_do_has_its_code_and_exit_status_and_sets_none(words, status, code):
    before = everything()
    assert code_of(clients("set", *words, "--json"), status) == code
    assert clients("set", *words).exit_code == status
    assert everything() == before


def test_a_client_that_is_not_there_is_exit_status_three():
    assert code_of(clients("show", "CLT_NOBODY", "--json"), 3) == "client_not_found"


def test_a_dry_run_shows_only_the_keys_that_differ_and_changes_nothing():
    same = {"services": ["steel"], "long": "x" * 500}
    put("v2", same | {"size": 5, "region": "[red]Ontario"})
    put("production", same | {"size": 7, "budget": 3})
    put("v2", [1, "zwölf"], field="research_context")
    before = everything()
    text = shown(clients("sync", "--dry-run"), status=1)
    assert text.startswith("6 fields compared, 1 would be copied, 1 conflicts. Owner: v2.")
    lines = [" ".join(line.split()) for line in text.splitlines()]
    for wanted in ("budget: - budget: 3", "region: [red]Ontario region: -", "size: 5 size: 7"):
        assert any(line.endswith(wanted) for line in lines), wanted
    assert 'to_production only one side has a value [1, "zwölf"] -' in " ".join(lines)
    assert "steel" not in text
    assert "xxx" not in text
    assert everything() == before


def test_a_key_that_only_one_side_has_is_shown_although_its_value_is_null():
    put("v2", {"size": 5})
    put("production", {"size": 5, "budget": None})
    assert "budget" in shown(clients("sync", "--dry-run"), status=1)


def test_a_sync_copies_and_ends_as_failed_only_where_there_are_conflicts():
    put("v2", A)
    assert "1 copied, 0 conflicts" in shown(clients("sync"))
    assert both() == (A, A)
    put("production", B)
    answer = told(clients("sync", "--json"), status=1)
    assert (answer["ok"], answer["copied"], answer["conflicts"]) == (True, 0, 1)
    (row,) = answer["differences"]
    assert (row["action"], row["reason"], row["v2"], row["production"]) == (
        "conflict",
        "only production changed",
        A,
        B,
    )
    assert "1 copied, 0 conflicts" in shown(clients("sync", V2, "--field", "icp_config", "--take", "production"))
    assert both() == (B, B)
    rows = query("select asked_by, action from config_sync_history order by id")
    assert {row.asked_by for row in rows} == {f"command line, {getpass.getuser()}"}
    assert [row.action for row in rows] == ["to_production", "conflict", "to_v2"]


def test_a_sync_that_looks_at_nothing_says_why(setting):
    setting(config_owner="separate")
    assert "COLUMNLINE_CONFIG_OWNER" in shown(clients("sync"))
    for words in (("--take", "both"), ("--take", "v2")):
        assert code_of(clients("sync", *words, "--json"), 2) == "validation"


def test_the_tables_are_unified_and_go_their_own_ways_again():
    put("v2", A)
    put("production", B)
    before = everything()
    result = clients("unify")
    assert (result.exit_code, result.stdout) == (1, "")
    for wanted in (str(NORTHWIND), "icp_config", json.dumps(A), json.dumps(B), "--take v2"):
        assert wanted in result.stderr
    answer = told(clients("unify", "--json"), status=1)
    assert (answer["ok"], answer["in_the_way"][0]["values"]) == (False, {V2: A, "clients": B})
    assert everything() == before
    put("production", None)
    assert "would be the app's: 1 filled, 1 mapped by slug" in shown(clients("unify", "--dry-run"))
    assert "are the app's: 1 filled, 1 mapped by slug" in shown(clients("unify"))
    put("v2", B)
    assert both() == (B, B)
    assert told(clients("unify", "--json"))["done"] is True
    assert "go their own ways again" in shown(clients("unify", "--undo"))
    assert told(clients("unify", "--undo", "--json")) == {"ok": True, "done": False, "changed": False}
    assert "not unified" in shown(clients("unify", "--undo"))


def test_a_dry_run_of_going_their_own_ways_again_is_wrong_usage_and_undoes_nothing():
    told(clients("unify", "--json"))
    before = everything()
    assert clients("unify", "--undo", "--dry-run").exit_code == 2
    assert everything() == before
