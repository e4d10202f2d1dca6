"""Callbacks: whoever asked is told of the end of a publish, once for each end, signed, however hard it is."""

import json
from datetime import timedelta

import httpcore2
import pytest
from standardwebhooks.webhooks import Webhook

from models.jobs import JobKind
from tasks.publish import publish_run
from tests.database.command import code_of, columnline, shown, told
from tests.database.companies import NORTHWIND, accept, execute, job_of, publish, query, register, retry
from tests.makecom import SECRET, standing_in
from worker import answers, attempt, db, inbox, jobs, outgoing
from worker.callbacks import POLICY
from worker.drain import drain
from worker.heard import JobFailed
from worker.settings import settings

pytestmark = pytest.mark.usefixtures("clients")


@pytest.fixture
def make(setting):
    """Make.com, to which callbacks may go, signed."""
    with standing_in() as server:
        setting(callback_hosts="127.0.0.1", callback_secret=SECRET)
        yield server


@pytest.fixture
def url(make):
    return f"{make.url}/callback"


def callbacks():
    return query("select * from jobs where kind = :kind order by created_at", kind=JobKind.CALLBACK)


def try_again():
    """Have every callback that waits for its next try be due, and work it off."""
    execute("update jobs set run_at = now() where kind = :kind and state = 'waiting'", kind=JobKind.CALLBACK)
    list(drain())


def told_of(make):
    return [json.loads(entry["body"]) for entry in make.to("/callback")]


def ids(make):
    return [entry["headers"]["webhook-id"] for entry in make.to("/callback")]


def states():
    return [job.state for job in callbacks()]


def test_the_end_of_a_publish_is_told_once_with_its_job_answer_and_a_good_signature(make, url):
    job = publish(register("R1"), callback_url=url)
    (entry,) = make.to("/callback")
    assert (job.state, entry["method"], entry["headers"]["content-type"]) == ("done", "POST", "application/json")
    with db.transaction() as session:
        assert json.loads(entry["body"]) == answers.answer(session, job).model_dump(mode="json")
    assert Webhook(SECRET).verify(entry["body"], entry["headers"]) == json.loads(entry["body"])
    (callback,) = callbacks()
    assert (callback.state, callback.result) == ("done", {"http_status": 200})
    assert entry["headers"]["webhook-id"] == f"msg_{callback.id.hex}"
    list(drain())
    assert len(make.to("/callback")) == 1


def test_a_publish_that_ends_in_an_error_is_told_too(make, url, setting):
    setting(outputs_deadline=0)
    assert publish(register("R1", without=["10_WRITER_STRATEGY"]), callback_url=url).state == "error"
    (message,) = told_of(make)
    assert (message["ok"], message["done"], message["status"]) == (False, True, "error")
    assert message["error"]["code"] == "outputs_missing"


def test_a_publish_whose_client_is_gone_is_told_too(make, url):
    accept(register("R1"), callback_url=url)
    execute("update v2_runs set client_id = null")
    list(drain())
    assert job_of("R1").state == "error"
    assert [message["error"]["code"] for message in told_of(make)] == ["client_not_found"]


def test_a_publish_that_is_held_is_told_nothing_until_it_ends(make, url):
    accept(register("R1", client="CLT_UNMAPPED_001"), callback_url=url)
    list(drain())
    assert (job_of("R1").state, make.to("/callback")) == ("held", [])


@pytest.mark.parametrize("asked_by", ["request", "client"])
def test_a_publish_that_is_called_off_is_told_too(make, url, asked_by):
    options = {"callback_url": url} if asked_by == "request" else {}
    execute("update v2_clients set callback_url = :url", url=url if asked_by == "client" else None)
    accept(register("R1"), **options)
    for changed in (True, False):
        with db.transaction() as session:
            assert inbox.cancel(session, settings(), job_of("R1").id)[1] is changed
    list(drain())
    assert [(message["run_id"], message["done"], message["status"]) for message in told_of(make)] == [
        ("R1", True, "cancelled")
    ]


def test_a_publish_that_asks_for_no_callback_owes_none(make):
    publish(register("R1"))
    assert callbacks() == []


def test_a_client_may_have_one_address_for_all_its_publishes(make, url):
    execute("update v2_clients set callback_url = :url where client_id = :client", url=url, client=NORTHWIND)
    publish(register("R1"))
    assert [message["run_id"] for message in told_of(make)] == ["R1"]


def test_the_address_of_the_request_wins_over_the_clients(make, url):
    execute("update v2_clients set callback_url = :url", url=f"{make.url}/hook/usual")
    publish(register("R1"), callback_url=url)
    assert [entry["path"] for entry in make.seen] == ["/callback"]


def test_without_a_secret_it_bears_no_signature(make, url, monkeypatch):
    monkeypatch.delenv("COLUMNLINE_CALLBACK_SECRET")
    settings.cache_clear()
    publish(register("R1"), callback_url=url)
    (entry,) = make.to("/callback")
    assert [name for name in entry["headers"] if name.startswith("webhook-")] == []


def test_of_several_secrets_the_first_signs(make, url, setting):
    setting(callback_secret=f"{SECRET},whsec_YW5vdGhlciBzZWNyZXQgb2YgdGhlIHRlc3Rz")
    publish(register("R1"), callback_url=url)
    assert [entry["verified"] for entry in make.to("/callback")] == [True]


@pytest.mark.parametrize(
    "fault",
    [
        {"do": "status", "status": 500},
        {"do": "status", "status": 429},
        {"do": "status", "status": 400},
        {"do": "slow"},
        {"do": "drop"},
        {"do": "drop_unread"},
    ],
    ids=lambda fault: f"{fault['do']}{fault.get('status', '')}",
)
def test_what_was_not_taken_is_sent_again_under_the_same_id(make, url, fault, monkeypatch):
    make.fault("/callback", **fault)
    with monkeypatch.context() as patch:
        patch.setattr(outgoing, "READ_TIME", 0.2)
        publish(register("R1"), callback_url=url)
    (callback,) = callbacks()
    assert (callback.state, callback.error["code"]) == ("waiting", "callback_failed")
    try_again()
    assert states() == ["done"]
    known = {f"msg_{callback.id.hex}"}
    assert set(ids(make)) == known
    assert make.to("/callback")[-1]["verified"]


def test_a_refused_connection_is_tried_again(make, url):
    with standing_in() as other:
        closed = f"{other.url}/callback"
    publish(register("R1"), callback_url=closed)
    (callback,) = callbacks()
    assert (callback.state, callback.error["code"]) == ("waiting", "callback_failed")


def test_it_is_tried_for_about_half_a_day():
    longest = sum((POLICY.ceiling(n) for n in range(1, jobs.CALLBACK_ATTEMPTS)), timedelta())
    assert timedelta(hours=11) < longest / 2 < timedelta(hours=13), "each pause is half as long as its longest"


def test_its_attempts_end_and_it_says_that_it_was_not_taken(make, url):
    make.fault("/callback", "status", status=500, times=99)
    publish(register("R1"), callback_url=url)
    for _ in range(jobs.CALLBACK_ATTEMPTS + 2):
        try_again()
    (callback,) = callbacks()
    assert (callback.state, callback.error["code"]) == ("error", "callback_failed")
    assert "500" in callback.error["detail"]
    assert len(ids(make)) == callback.attempt == jobs.CALLBACK_ATTEMPTS
    assert job_of("R1").state == "done"


def test_the_secret_part_of_its_address_is_not_in_its_error(make):
    make.fault("/hook", "status", status=500)
    publish(register("R1"), callback_url=f"{make.url}/hook/password")
    assert "password" not in json.dumps(callbacks()[0].error)


def test_an_address_that_is_gone_gets_no_more_until_one_is_replayed(make, url):
    make.fault("/callback", "status", status=410)
    publish(register("R1"), callback_url=url)
    (callback,) = callbacks()
    assert (callback.state, callback.error["code"]) == ("error", "callback_gone")
    publish(register("R2"), callback_url=url)
    assert len(callbacks()) == len(make.to("/callback")) == 1
    (row,) = told(columnline("callbacks", "list", "--json"), status=1)
    assert (row["run_id"], row["state"], row["gone"], row["url"]) == ("R1", "error", True, url)
    assert told(columnline("callbacks", "replay", callback.id, "--json"))["job_ids"] == [str(callback.id)]
    list(drain())
    publish(register("R3"), callback_url=url)
    assert [message["run_id"] for message in told_of(make)] == ["R1", "R1", "R3"]
    assert told(columnline("callbacks", "list", "--json"))[0]["gone"] is False


def test_a_callback_that_was_taken_is_sent_again_by_its_runs_id_under_its_own_id(make, url):
    publish(register("R1"), callback_url=url)
    assert "1 sent again" in shown(columnline("callbacks", "replay", "R1"))
    list(drain())
    first, second = ids(make)
    assert first == second
    assert "R1" in shown(columnline("callbacks", "list"))


@pytest.mark.parametrize("name", ["no-run", "00000000-0000-4000-8000-000000000000"])
def test_only_callbacks_are_replayed(make, url, name):
    assert code_of(columnline("callbacks", "replay", name, "--json"), 3) == "job_not_found"


def test_a_publish_is_not_replayed_as_a_callback(make, url):
    job = publish(register("R1"), callback_url=url)
    assert code_of(columnline("callbacks", "replay", job.id, "--json"), 3) == "job_not_found"
    assert len(make.to("/callback")) == 1


def test_a_publish_restarted_before_its_callback_went_out_gets_one_for_its_new_end(make, url, setting):
    setting(outputs_deadline=0)
    accept(register("R1", without=["10_WRITER_STRATEGY"]), callback_url=url)
    (failed,) = _only(JobKind.PUBLISH)
    with pytest.raises(JobFailed):
        publish_run(job_id=str(failed.id))
    register("R1")
    assert retry("R1").state == "done"
    assert [message["status"] for message in told_of(make)] == ["done"]
    assert states() == ["done", "done"]


def test_a_callback_that_waits_for_its_next_try_does_not_tell_of_the_next_end_as_well(make, url):
    make.fault("/callback", "status", status=500)
    publish(register("R1"), callback_url=url)
    publish("R1", callback_url=url, republish=True)
    try_again()
    assert len(set(ids(make)[1:])) == 1
    assert states() == ["done", "done"]


def test_whoever_was_not_told_of_an_error_is_told_of_the_next_end_though_the_run_is_sent_without_them(
    make, url, setting
):
    setting(outputs_deadline=0)
    make.fault("/callback", "status", status=500)
    assert publish(register("R1", without=["10_WRITER_STRATEGY"]), callback_url=url).state == "error"
    assert publish(register("R1")).state == "done"
    try_again()
    assert told_of(make)[-1]["status"] == "done"


def test_whoever_was_not_told_yet_is_told_of_the_next_end_although_its_publish_does_not_name_them(make, url):
    make.fault("/callback", "status", status=500)
    publish(register("R1"), callback_url=url)
    publish("R1", republish=True)
    try_again()
    assert len(set(ids(make)[1:])) == 1
    assert told_of(make)[-1]["status"] == "done"


@pytest.mark.parametrize("point", ["step.complete", "work.commit"])
def test_publish_and_callback_are_kept_together_or_not_at_all(make, url, point, monkeypatch):
    def break_at(name):
        if name == point:
            raise ConnectionError

    monkeypatch.setattr(attempt, "failpoint", break_at)
    publish(register("R1"), callback_url=url)
    assert query("select 1 from dossiers") == callbacks() == []
    monkeypatch.undo()
    execute("update jobs set run_at = now()")
    list(drain())
    assert len(query("select 1 from dossiers")) == len(callbacks()) == 1


def test_no_transaction_is_open_while_a_receiver_takes_its_time(make, url, monkeypatch):
    busy = []
    real = outgoing.post

    def watched(*args):
        found = query(
            "select 1 from pg_stat_activity "
            "where state like 'idle in transaction%' and datname = current_database()"
        )
        busy.append(len(found))
        return real(*args)

    monkeypatch.setattr("tasks.callback.post", watched)
    publish(register("R1"), callback_url=url)
    assert busy == [0]


def test_a_redirect_ends_it_and_is_not_followed(make, url):
    make.fault("/callback", "status", status=302, location=f"{make.url}/hook/inside")
    publish(register("R1"), callback_url=url)
    (callback,) = callbacks()
    assert (callback.state, callback.error["code"]) == ("error", "callback_refused")
    assert make.to("/hook") == []


def test_a_hosts_leave_that_was_taken_back_counts_at_the_sending(make, url, setting):
    accept(register("R1"), callback_url=url)
    setting(callback_hosts="*.make.com")
    list(drain())
    assert [job.error["code"] for job in callbacks()] == ["callback_refused"]
    assert make.seen == []


@pytest.mark.parametrize(
    "hostile",
    ["https://hook.make.com/ü", f"https://{'a' * 64}.make.com/", "https://hook..make.com/"],
    ids=["not ascii", "label too long", "empty label"],
)
def test_an_address_that_cannot_be_called_ends_as_a_fault_of_the_callback(hostile, setting, monkeypatch):
    setting(callback_hosts="*.make.com")
    monkeypatch.setattr(httpcore2.SyncBackend, "connect_tcp", _no_network)
    execute("update v2_clients set callback_url = :url", url=hostile)
    assert publish(register("R1")).state == "done"
    assert callbacks()[0].error["code"] in {"callback_refused", "callback_failed"}


def _no_network(*args, **kwargs):
    raise httpcore2.ConnectError


def _only(kind):
    return query("select * from jobs where kind = :kind", kind=kind)
