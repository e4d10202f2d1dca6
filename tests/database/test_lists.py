"""The list that a dossier is put on: the client's usual one, made on demand, or the one that was asked for."""

from uuid import uuid4

import pytest

from models.orders import PublishOrder
from tasks.publish import publish_run
from tests.database.publishing import (
    LAKESHORE,
    NORTHWIND,
    accept,
    at_once,
    complete,
    everything,
    execute,
    job_of,
    one,
    publish,
    published,
    query,
    register,
)
from worker import db, inbox, jobs
from worker.drain import drain
from worker.errors import ListNotFound, ListOfOtherClient
from worker.settings import settings

pytestmark = pytest.mark.usefixtures("clients")


def make_list(name, client=NORTHWIND):
    return one("insert into lists (client_id, name) values (:c, :n) returning id", c=client, n=name).id


def lists_of(run_id):
    """The names of the lists that the run's dossier is on."""
    rows = query(
        "select l.name from dossier_lists dl join dossiers d on d.id = dl.dossier_id "
        "join lists l on l.id = dl.list_id and l.client_id = d.client_id where d.run_id = :r order by 1",
        r=run_id,
    )
    return [row.name for row in rows]


def names(client=NORTHWIND):
    return [row.name for row in query("select name from lists where client_id = :c order by 1", c=client)]


def want(client_list):
    execute("update v2_clients set default_list = :name", name=client_list)


def test_the_inbox_is_made_with_the_first_dossier_and_serves_the_next():
    assert names() == []
    published("R1")
    published("R2")
    assert names() == ["Inbox"]
    assert lists_of("R1") == lists_of("R2") == ["Inbox"]


def test_each_client_has_an_inbox_of_its_own():
    published("R1")
    published("R2", LAKESHORE)
    assert names(NORTHWIND) == names(LAKESHORE) == ["Inbox"]
    assert lists_of("R1") == lists_of("R2") == ["Inbox"]


def test_an_inbox_that_the_client_has_is_taken():
    list_id = make_list("Inbox")
    published("R1")
    assert one("select list_id from dossier_lists").list_id == list_id
    assert names() == ["Inbox"]


def test_the_usual_list_is_the_one_the_setting_names(setting):
    setting(default_list="New leads")
    published("R1")
    assert lists_of("R1") == ["New leads"]


def test_with_an_empty_setting_there_is_no_list(setting):
    setting(default_list="")
    published("R1")
    assert (lists_of("R1"), names()) == ([], [])


def test_a_clients_own_usual_list_comes_before_the_setting(setting):
    want("Leads")
    published("R1")
    assert lists_of("R1") == ["Leads"]
    want("")
    published("R2")
    assert lists_of("R2") == []
    setting(default_list="")
    want("Leads")
    published("R3")
    assert lists_of("R3") == ["Leads"]


def test_a_list_asked_for_by_name_is_instead_of_the_usual_one():
    make_list("Hot")
    published("R1", list="Hot")
    assert lists_of("R1") == ["Hot"]
    assert names() == ["Hot"]


def test_a_name_is_taken_as_written_before_one_that_differs_in_case():
    make_list("Hot")
    published("R1", list="hOT")
    assert lists_of("R1") == ["Hot"]
    make_list("hot")
    published("R2", list="hot")
    assert lists_of("R2") == ["hot"]
    published("R3", list="Hot")
    assert lists_of("R3") == ["Hot"]


def test_a_name_that_fits_two_lists_but_for_its_case_is_refused():
    make_list("Hot")
    make_list("hot")
    register("R1")
    before = everything()
    with pytest.raises(ListNotFound, match="'HOT'") as refused:
        accept("R1", list="HOT")
    assert refused.value.code == "list_not_found"
    assert everything() == before


@pytest.mark.parametrize("name", ["Inbox", "inbox", "INBOX"])
def test_the_usual_list_asked_for_by_name_is_made_on_demand(name):
    published("R1", list=name)
    assert lists_of("R1") == ["Inbox"]


def test_a_list_asked_for_by_id_is_instead_of_the_usual_one():
    published("R1", default_list_id=make_list("Hot"))
    assert lists_of("R1") == ["Hot"]
    assert names() == ["Hot"]


@pytest.mark.parametrize(
    ("error", "code", "field", "options"),
    [
        (ListNotFound, "list_not_found", "default_list_id", {"default_list_id": uuid4()}),
        (ListNotFound, "list_not_found", "list", {"list": "Nowhere"}),
        (ListNotFound, "list_not_found", "list", {"list": "Theirs"}),
        (ListOfOtherClient, "list_of_other_client", "default_list_id", {"default_list_id": "theirs"}),
    ],
)
def test_a_list_that_is_not_there_or_anothers_is_refused_at_the_door_and_nothing_changes(
    error, code, field, options
):
    make_list("Hot")
    theirs = make_list("Theirs", LAKESHORE)
    register("R1")
    before = everything()
    with pytest.raises(error) as refused:
        accept("R1", **{name: theirs if value == "theirs" else value for name, value in options.items()})
    assert (refused.value.code, refused.value.field) == (code, field)
    assert "Its lists: Hot." in refused.value.detail
    assert "Theirs." not in refused.value.detail
    assert everything() == before


def test_a_list_that_went_after_the_door_ends_the_publish_and_no_dossier_is_half_there():
    list_id = make_list("Hot")
    job_id = accept(register("R1"), default_list_id=list_id)
    execute("delete from lists")
    list(drain())
    job = job_of("R1")
    assert (job.id, job.state, job.error["code"]) == (job_id, "error", "list_not_found")
    assert one("select status from dossiers").status == "error"
    assert (names(), query("select 1 from dossier_lists")) == ([], [])


def test_a_dossier_in_error_is_on_no_list_until_a_retry_revives_it(setting):
    setting(outputs_deadline=0)
    job = publish(register("R1", outputs=False))
    assert (job.state, lists_of("R1"), names()) == ("error", [], [])
    with db.transaction() as session:
        complete("R1", session)
        jobs.retry(session, settings(), job.id)
    publish("R1")
    assert lists_of("R1") == ["Inbox"]


def test_a_republish_keeps_what_users_did_by_hand():
    published("R1")
    hot = make_list("Hot")
    execute("update dossier_lists set list_id = :hot", hot=hot)
    publish("R1", republish=True)
    assert lists_of("R1") == ["Hot"]
    execute("delete from dossier_lists")
    publish("R1", republish=True)
    assert lists_of("R1") == []


def test_a_republish_that_names_a_list_puts_the_dossier_there_too():
    published("R1")
    make_list("Hot")
    publish("R1", republish=True, list="Hot")
    assert lists_of("R1") == ["Hot", "Inbox"]
    publish("R1", republish=True, list="Hot")
    assert lists_of("R1") == ["Hot", "Inbox"]


def test_first_publishes_at_the_same_time_make_one_inbox():
    job_ids = [accept(register(f"R{number}")) for number in range(8)]
    at_once(lambda job_id: publish_run(job_id=str(job_id)), job_ids)
    assert [job_of(f"R{number}").state for number in range(8)] == ["done"] * 8
    assert names() == ["Inbox"]
    assert [lists_of(f"R{number}") for number in range(8)] == [["Inbox"]] * 8


def test_a_preview_makes_no_list():
    register("R1")
    with db.transaction() as session:
        inbox.accept_preview(session, settings(), PublishOrder(run_id="R1"))
    assert [job.kind for job in drain()] == ["publish.preview"]
    assert (names(), query("select 1 from dossier_lists")) == ([], [])
