"""Which production client a v2 client leads to: who waits until it leads to one, and how they go on."""

from datetime import timedelta
from uuid import UUID

import pytest

from models.jobs import JobState
from tests.database.publishing import (
    LAKESHORE,
    NORTHWIND,
    accept,
    complete,
    dossier,
    execute,
    job_of,
    one,
    query,
)
from worker import claims, db, inbox, mapping
from worker.choices import ClientMapping
from worker.doctor.work import LATE
from worker.drain import drain
from worker.errors import ClientAmbiguous, ClientNotFound, Validation
from worker.settings import settings
from worker.sweep import sweep

UNMAPPED = "CLT_UNMAPPED_001"
NOBODY = UUID(int=0)
BY_ID, BY_SLUG, BY_MAKING = {"production_client_id": LAKESHORE}, {"slug": "lakeshore-interiors"}, {"create": True}


pytestmark = pytest.mark.usefixtures("clients")


def accept_run(run_id, client=UNMAPPED):
    with db.transaction() as session:
        inbox.register_run(session, run_id, {"client_id": client})
        complete(run_id, session)
    return accept(run_id)


def work_off():
    """Work off what is due; returns the runs in the order they came in turn."""
    return [job.key for job in drain()]


def lead(client=UNMAPPED, **how):
    """Map the client; returns what was done."""
    with db.transaction() as session:
        return mapping.map_client(session, settings(), client, **how)[0]


def listed(kind=ClientMapping.SLUG, limit=100, **options):
    with db.transaction() as session:
        return mapping.clients(session, kind, limit=limit, **options)


def add_client(name="Gulf Conveyor Inc", slug=None):
    return one("insert into clients (name, slug) values (:n, :s) returning id", n=name, s=slug).id


def add_v2(client_id, name="Gulf", slug=None, leads_to=None, status="active"):
    execute(
        "insert into v2_clients (client_id, client_name, slug, production_client_id, status) "
        "values (:c, :n, :s, :p, :t)",
        c=client_id,
        n=name,
        s=slug,
        p=leads_to,
        t=status,
    )


def everything():
    tables = ("clients", "v2_clients", "jobs", "dossiers", "job_attempts")
    return {table: query(f"select * from {table} order by {table}::text") for table in tables}


def make_ambiguous():
    """A second production client has Lakeshore's slug."""
    execute("alter table clients drop constraint clients_slug_key")
    return add_client("Lakeshore Two", "lakeshore-interiors")


@pytest.mark.parametrize("how", [BY_ID, BY_SLUG, BY_MAKING], ids=["id", "slug", "made"])
def test_runs_of_an_unmapped_client_are_held_and_all_go_on_in_the_order_they_came_once_it_is_mapped(how):
    add_v2("CLT_OTHER")
    accept_run("OTHER", "CLT_OTHER")
    runs = [f"RUN_{number}" for number in (7, 3, 9, 1)]
    for run_id in runs:
        accept_run(run_id)
    work_off()
    for run_id in (*runs, "OTHER"):
        held = job_of(run_id)
        assert (held.state, held.held_reason) == (JobState.HELD, "client_unmapped")
        assert f"columnline clients map {held.client_id}" in held.error["detail"]
    assert work_off() == []
    execute("update v2_clients set production_client_id = :p where client_id = 'CLT_OTHER'", p=NORTHWIND)
    mapped = lead(**how)
    assert (mapped.released_jobs, mapped.created, mapped.changed) == (4, "create" in how, True)
    assert work_off() == runs
    assert {dossier(run_id).client_id for run_id in runs} == {mapped.production_client_id}
    assert all(dossier(run_id).released_at for run_id in runs)
    assert job_of("OTHER").state == JobState.HELD


def test_a_client_that_is_made_has_the_v2_clients_name_and_slug():
    add_v2("CLT_NEW", "Nový & Sons", "novy")
    made = lead("CLT_NEW", create=True)
    assert (made.created, made.warnings) == (True, [])
    row = one("select name, slug, timezone from clients where id = :i", i=made.production_client_id)
    assert tuple(row.values()) == ("Nový & Sons", "novy", "UTC")


def test_a_slug_is_found_in_other_letters_and_the_exact_one_is_preferred():
    exact = add_client("Exact", "Lakeshore-INTERIORS")
    assert lead(slug="Lakeshore-INTERIORS").production_client_id == exact
    assert lead(slug="lakeshore-interiors").production_client_id == LAKESHORE
    assert lead(slug="NORTHWIND-steel").production_client_id == NORTHWIND


def test_a_mapping_by_plain_sql_is_noticed_by_the_sweep():
    for run_id in ("B", "A"):
        accept_run(run_id)
    work_off()
    sweep()
    assert job_of("A").state == JobState.HELD
    execute("update v2_clients set production_client_id = :p where client_id = :c", p=LAKESHORE, c=UNMAPPED)
    sweep()
    assert work_off() == ["B", "A"]


def test_a_run_that_is_held_for_a_client_goes_on_once_it_turns_out_to_be_anothers():
    accept_run("A")
    work_off()
    sweep()
    assert job_of("A").state == JobState.HELD
    with db.transaction() as session:
        inbox.register_run(session, "A", {"client_id": "CLT_LAKESHORE_001"})
    sweep()
    assert work_off() == ["A"]
    assert dossier("A").client_id == LAKESHORE


def test_a_run_whose_client_turns_out_to_be_an_unmapped_one_is_held_for_that_one_and_not_looked_at_again():
    accept_run("A", client="CLT_LAKESHORE_001")
    with db.transaction() as session:
        inbox.register_run(session, "A", {"client_id": UNMAPPED})
    work_off()
    for _ in range(2):
        sweep()
    assert work_off() == []
    assert (job_of("A").state, job_of("A").client_id) == (JobState.HELD, UNMAPPED)


def test_a_production_client_that_gets_the_slug_is_noticed_by_the_sweep_where_slugs_count(setting):
    add_v2("CLT_SLUG", slug="late")
    accept_run("RUN", "CLT_SLUG")
    work_off()
    add_client("Late", "late")
    setting(client_mapping="explicit")
    sweep()
    assert job_of("RUN").state == JobState.HELD
    setting(client_mapping="slug")
    sweep()
    assert work_off() == ["RUN"]


def test_slugs_do_not_count_where_only_mappings_do(setting):
    setting(client_mapping="explicit")
    accept_run("RUN", "CLT_LAKESHORE_001")
    work_off()
    assert job_of("RUN").held_reason == "client_unmapped"
    assert {row.v2_client_id for row in listed(ClientMapping.EXPLICIT, unmapped=True)} == {
        UNMAPPED,
        "CLT_LAKESHORE_001",
    }


def test_a_job_that_was_held_for_days_is_not_at_its_deadline_and_keeps_its_place():
    accept_run("OLD")
    work_off()
    for name in ("created_at", "deadline_at"):
        execute(f"update jobs set {name} = {name} - interval '9 days'")
    accept_run("NEW", "CLT_NORTHWIND_001")
    lead(**BY_ID)
    job = job_of("OLD")
    assert job.deadline_at - one("select now() as now").now > timedelta(hours=23)
    assert (job.state, job.held_reason, job.error) == (JobState.QUEUED, None, None)
    assert work_off() == ["OLD", "NEW"]


@pytest.mark.parametrize("by_hand", [True, False])
def test_jobs_that_were_held_for_days_are_due_since_they_go_on_and_in_the_order_they_came(by_hand):
    runs = [f"RUN_{number}" for number in (7, 3, 9, 1)]
    for run_id in runs:
        accept_run(run_id)
    work_off()
    for days, run_id in enumerate(reversed(runs[:3]), 1):
        execute(f"update jobs set created_at = created_at - interval '{days} days' where key = :r", r=run_id)
    if by_hand:
        lead(**BY_ID)
    else:
        execute("update v2_clients set production_client_id = :p where client_id = :c", p=LAKESHORE, c=UNMAPPED)
        sweep()
    due = [job_of(run_id).run_at for run_id in runs]
    assert due == sorted(set(due))
    assert one("select now() as now").now - due[0] < timedelta(seconds=LATE / 2), "nothing was late"
    assert work_off() == runs


def test_a_mapping_that_comes_while_a_run_is_being_held_is_noticed_by_the_next_sweep(monkeypatch):
    settle = claims.settle

    def mapped_meanwhile(*args, **kwargs):
        monkeypatch.setattr(claims, "settle", settle)
        lead(**BY_ID)
        settle(*args, **kwargs)

    accept_run("RUN")
    monkeypatch.setattr(claims, "settle", mapped_meanwhile)
    work_off()
    sweep()
    work_off()
    assert job_of("RUN").state == JobState.DONE


def test_a_slug_that_fits_two_clients_holds_the_run_until_it_is_mapped_by_id():
    other = make_ambiguous()
    accept_run("RUN", "CLT_LAKESHORE_001")
    work_off()
    job = job_of("RUN")
    assert (job.state, job.held_reason) == (JobState.HELD, "client_ambiguous")
    (row,) = (row for row in listed(unmapped=True) if row.v2_client_id == "CLT_LAKESHORE_001")
    assert (row.production_client_id, row.mapped_by, row.held_runs) == (None, None, 1)
    assert {who.client_id for who in row.candidates} == {other, LAKESHORE}
    assert lead("CLT_LAKESHORE_001", production_client_id=other).released_jobs == 1
    work_off()
    assert dossier("RUN").client_id == other


def test_the_sweep_leaves_a_run_held_whose_slug_still_fits_two_clients():
    make_ambiguous()
    accept_run("RUN", "CLT_LAKESHORE_001")
    work_off()
    before = everything()
    sweep()
    assert everything() == before


BAD = {
    "no such client": (UNMAPPED, {"production_client_id": NOBODY}, ClientNotFound, "production_client_id"),
    "no such v2 client": ("CLT_NOBODY", BY_ID, ClientNotFound, "client_id"),
    "no such slug": (UNMAPPED, {"slug": "nobody"}, ClientNotFound, "slug"),
    "a slug of two": (UNMAPPED, BY_SLUG, ClientAmbiguous, "slug"),
    "a slug of two in other letters": (UNMAPPED, {"slug": "LAKESHORE-interiors"}, ClientAmbiguous, "slug"),
    "no way": (UNMAPPED, {}, Validation, "production_client_id"),
    "two ways": (UNMAPPED, BY_ID | BY_SLUG, Validation, "production_client_id"),
    "three ways": (UNMAPPED, BY_ID | BY_SLUG | BY_MAKING, Validation, "production_client_id"),
    "a wildcard": (UNMAPPED, {"slug": "%"}, ClientNotFound, "slug"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_mapping_that_will_not_do_is_refused_and_changes_nothing(name):
    client, how, error, field = BAD[name]
    make_ambiguous()
    accept_run("RUN")
    work_off()
    before = everything()
    with pytest.raises(error) as raised:
        lead(client, **how)
    assert raised.value.field == field
    assert len(raised.value.detail) > 30
    assert everything() == before


def test_no_client_is_made_whose_slug_another_has():
    before = everything()
    with pytest.raises(Validation, match="'lakeshore-interiors' already"):
        lead("CLT_LAKESHORE_001", create=True)
    assert everything() == before


def test_what_is_odd_about_a_mapping_is_told_and_does_not_keep_it_from_being_made():
    add_v2("CLT_IDLE", status="inactive")
    lead("CLT_IDLE", production_client_id=NORTHWIND)
    shared, idle = lead("CLT_IDLE", **BY_ID).warnings[::-1], lead(UNMAPPED, **BY_ID).warnings
    assert [str(NORTHWIND) in shared[0], "is inactive" in shared[1]] == [True, True]
    assert len(shared) == 2
    assert idle == ["CLT_IDLE led to this client already: they share its dossiers and its config."]
    again = lead(UNMAPPED, **BY_ID)
    assert (again.changed, again.released_jobs) == (False, 0)


def test_who_waits_is_listed_with_how_many_and_since_when_and_who_may_be_meant():
    by_slug, by_name = add_client("Other Name", "GULF"), add_client("gulf conveyer co")
    add_client("Entirely Different")
    add_v2("CLT_TAKEN", leads_to=add_client("Gulf Conveyor"))
    execute("update v2_clients set slug = 'gulf' where client_id = :c", c=UNMAPPED)
    for run_id in ("FIRST", "SECOND"):
        accept_run(run_id)
    work_off()
    (row,) = listed(unmapped=True)
    assert (row.v2_client_id, row.held_runs, row.held_since) == (UNMAPPED, 2, job_of("FIRST").created_at)
    assert [(who.client_id, who.why) for who in row.candidates] == [
        (by_slug, "same slug"),
        (by_name, "name alike"),
    ]


def test_every_client_is_listed_with_where_it_leads_and_by_what():
    rows = {row.v2_client_id: row for row in listed()}
    assert [(rows[name].production_client_id, rows[name].mapped_by) for name in sorted(rows)] == [
        (LAKESHORE, "slug"),
        (NORTHWIND, "mapping"),
        (None, None),
    ]
    assert all(row.candidates == [] and row.held_since is None for row in rows.values() if row.mapped_by)


@pytest.mark.parametrize("unmapped", [True, False])
def test_pages_show_every_client_once(unmapped):
    for number in range(5):
        add_v2(f"CLT_{number}", leads_to=None if number % 2 else NORTHWIND)
    wanted = [row.v2_client_id for row in listed(unmapped=unmapped)]
    found, after = [], None
    while page := listed(unmapped=unmapped, after=after, limit=2):
        found += [row.v2_client_id for row in page]
        after = found[-1]
    assert found == wanted == sorted(set(wanted))
    assert len(found) == (3 if unmapped else 8)
