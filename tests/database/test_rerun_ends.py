"""What becomes of a rerun: told once whatever happens on the way, and each end with its reason."""

import httpx2
import pytest

from tasks.rerun import trigger_rerun
from tests.database.companies import dossier, execute, publish, register
from tests.database.rerunning import (
    HOOK,
    add_v2,
    ask,
    job_of,
    look_again,
    now_is,
    play_pipeline,
    started,
    time_passes,
)
from tests.makecom import RUN, SCENARIO, TOKEN, standing_in
from worker import db, inbox, jobs, makecom, reruns
from worker.drain import drain
from worker.settings import settings


@pytest.fixture
def v2(clients):
    """A published dossier of V2, by its id."""
    return add_v2()


def retry(rerun):
    with db.transaction() as session:
        jobs.retry(session, settings(), job_of(rerun).id)
    list(drain())


@pytest.mark.parametrize("fault", ["drop", "drop_unread", "slow", 500, 502])
@pytest.mark.parametrize("mode", ["api", "webhook"])
def test_where_the_answer_is_lost_make_com_is_not_told_again_and_the_end_says_so(
    make, v2, fault, mode, setting, monkeypatch
):
    setting(make_mode=mode, make_webhook_url=make.url + HOOK)
    monkeypatch.setattr(makecom, "TIMEOUT", httpx2.Timeout(0.3))
    path = RUN if mode == "api" else HOOK
    make.fault(path, "status" if isinstance(fault, int) else fault, status=fault, times=1)
    rerun = started(v2)
    heard = len(make.to(path))
    assert heard == (0 if fault == "drop_unread" else 1)
    assert now_is(rerun).status == "requested"
    look_again()
    time_passes()
    retry(rerun)
    found = now_is(rerun)
    assert (found.status, found.error.code, found.ok, found.done) == ("timed_out", "rerun_timed_out", False, True)
    assert "unclear whether Make.com started" in found.error.detail
    assert len(make.to(path)) == heard


def test_a_rerun_whose_answer_was_lost_is_published_like_any_other(make, v2):
    make.fault(RUN, "drop")
    rerun = started(v2)
    assert play_pipeline(rerun).supersedes_dossier_id == v2
    list(drain())
    assert (now_is(rerun).status, job_of(rerun).state) == ("published", "done")


def test_a_worker_killed_between_its_note_and_the_request_leaves_it_unclear(make, v2):
    rerun = ask(v2)
    with db.transaction() as session:
        assert reruns.sending(session, rerun.id)
    list(drain())
    time_passes()
    assert make.to(RUN) == []
    assert (now_is(rerun).status, "not told twice" in now_is(rerun).error.detail) == ("timed_out", True)


@pytest.mark.parametrize("status", [429, 503])
def test_what_make_com_did_not_take_is_tried_again_until_it_is_told(make, v2, status):
    make.fault(RUN, "status", status=status, times=2, text="Requests limit for organization exceeded")
    rerun = started(v2)
    assert now_is(rerun).status == "requested"
    assert (job_of(rerun).state, job_of(rerun).error["code"]) == ("waiting", "make_unreachable")
    assert "limit for organization exceeded" in job_of(rerun).error["detail"]
    look_again()
    look_again()
    look_again()
    assert (now_is(rerun).status, len(make.executions), len(make.to(RUN))) == ("triggered", 1, 3)


def test_a_refused_connection_is_tried_again_until_it_is_told(v2, setting):
    with standing_in() as server:
        port = server.server_address[1]
        setting(make_mode="api", make_url=server.url, make_token=TOKEN, make_scenario_id=SCENARIO)
    rerun = started(v2)
    assert (now_is(rerun).status, job_of(rerun).error["code"]) == ("requested", "make_unreachable")
    with standing_in(port) as server:
        look_again()
        look_again()
        assert (now_is(rerun).status, len(server.to(RUN))) == ("triggered", 1)


def test_where_a_proxy_lets_nothing_through_it_is_tried_again_until_it_is_told(make, v2, setting, monkeypatch):
    setting(make_mode="webhook", make_webhook_url="https://hook.example/x")
    monkeypatch.setenv("HTTPS_PROXY", make.url)  # which knows no CONNECT
    rerun = started(v2)
    assert (now_is(rerun).status, job_of(rerun).error["code"]) == ("requested", "make_unreachable")
    setting(make_webhook_url=make.url + HOOK)
    look_again()
    assert (now_is(rerun).status, len(make.to(HOOK))) == ("triggered", 1)


@pytest.mark.parametrize(
    "settings",
    [
        {"make_url": "https://make.example:port"},
        {"make_url": "https://make..example"},
        {"make_token": "töken"},
        {"make_mode": "webhook", "make_webhook_url": "https://make.example:port/hook"},
    ],
)
def test_where_no_request_can_be_made_of_the_settings_the_rerun_fails_at_once(make, v2, setting, settings):
    setting(**settings)
    found = now_is(started(v2))
    assert (found.status, found.error.code, found.done) == ("failed", "rerun_failed", True)
    assert "Make.com was not asked" in found.error.detail
    assert make.seen == []


def test_where_make_com_never_takes_it_the_rerun_fails(make, v2, setting):
    setting(max_attempts=2)
    make.fault(RUN, "status", status=503, times=9)
    rerun = started(v2)
    look_again()
    look_again()
    assert (now_is(rerun).status, now_is(rerun).error.code) == ("failed", "make_unreachable")
    assert len(make.to(RUN)) == 2


@pytest.mark.parametrize("prepare", ["refused", "never taken"])
def test_the_retry_of_a_failed_reruns_job_starts_no_pipeline_that_nobody_waits_for(make, v2, setting, prepare):
    setting(max_attempts=1)
    make.fault(RUN, "status", status=503 if prepare == "never taken" else 422)
    rerun = started(v2)
    assert now_is(rerun).status == "failed"
    another = started(v2)
    retry(rerun)
    assert len(make.executions) == 1
    assert now_is(another).status == "triggered"


def test_a_rerun_whose_job_is_cancelled_has_failed_and_another_may_be_asked_for(make, v2):
    rerun = started(v2)
    with db.transaction() as session:
        inbox.cancel(session, settings(), job_of(rerun).id)
    assert (now_is(rerun).status, now_is(rerun).error.code) == ("failed", "rerun_failed")
    another = started(v2)
    assert another.id != rerun.id
    play_pipeline(rerun)
    assert now_is(rerun).status == "published", "what Make.com publishes all the same counts"


@pytest.mark.parametrize(("status", "text"), [(400, "Validation failed"), (403, "No"), (404, "No such scenario")])
def test_what_make_com_refuses_fails_with_its_words(make, v2, status, text):
    make.fault(RUN, "status", status=status, text=text)
    rerun = started(v2)
    found = now_is(rerun)
    assert (found.status, found.error.code, found.done, found.ok) == ("failed", "rerun_failed", True, False)
    assert f"refused the rerun with {status}: {text}" in found.error.detail
    look_again()
    assert len(make.to(RUN)) == 1


def test_a_wrong_token_fails_and_is_not_repeated_in_the_error(make, v2, setting):
    setting(make_token="wrong-token")
    found = now_is(started(v2))
    assert (found.status, "Access denied" in found.error.detail) == ("failed", True)
    assert "wrong-token" not in found.error.detail


def test_a_redirect_is_not_followed_with_the_token(make, v2):
    make.fault(RUN, "status", status=302, location=f"{make.url}{HOOK}")
    rerun = started(v2)
    assert now_is(rerun).status == "failed"
    assert make.to(HOOK) == []


def test_an_execution_that_failed_is_a_failed_rerun_with_its_message(make, v2):
    rerun = started(v2)
    make.end_execution("exec-1", "ERROR", "The module Claude timed out")
    look_again()
    found = now_is(rerun)
    assert (found.status, found.error.code) == ("failed", "rerun_failed")
    assert "exec-1 failed: The module Claude timed out" in found.error.detail


@pytest.mark.parametrize("end", ["RUNNING", "SUCCESS", "unreadable", "away"])
def test_an_execution_that_tells_of_no_failure_is_waited_for(make, v2, end):
    rerun = started(v2)
    if end == "unreadable":
        make.fault("/api/v2/scenarios", "status", status=200, text="no JSON")
    elif end == "away":
        make.fault("/api/v2/scenarios", "status", status=503)
    else:
        make.end_execution("exec-1", end)
    look_again()
    assert (now_is(rerun).status, job_of(rerun).state) == ("triggered", "waiting")


def test_what_is_not_published_in_time_has_timed_out(make, v2):
    rerun = started(v2)
    assert job_of(rerun).error["title"] == "The rerun's run is not published", "which is no matter of time yet"
    time_passes()
    found = now_is(rerun)
    assert (found.status, found.error.code, found.execution_id) == ("timed_out", "rerun_timed_out", "exec-1")
    assert "unclear" not in found.error.detail
    assert dossier("R1").superseded_by_dossier_id is None


def test_a_late_publish_turns_one_that_timed_out_to_published(make, v2):
    rerun = started(v2)
    time_passes()
    newer = play_pipeline(rerun)
    found = now_is(rerun)
    assert (found.status, found.error, found.ok, found.done) == ("published", None, True, True)
    assert newer.supersedes_dossier_id == v2


def test_of_two_reruns_the_late_one_goes_on_top_of_the_other(make, v2):
    late = started(v2)
    time_passes()
    other = play_pipeline(started(v2))
    assert play_pipeline(late).supersedes_dossier_id == other.id


def test_a_publish_that_ends_in_an_error_is_a_failed_rerun_until_it_is_cured(make, v2, setting):
    setting(outputs_deadline=0)
    rerun = started(v2)
    assert publish(register(rerun.run_id, without=["10_WRITER_STRATEGY"])).state == "error"
    assert (now_is(rerun).status, now_is(rerun).error.code) == ("failed", "outputs_missing")
    look_again()
    assert job_of(rerun).state == "error"
    play_pipeline(rerun)
    assert (now_is(rerun).status, now_is(rerun).error) == ("published", None)


def test_a_publish_while_its_rerun_is_being_looked_at_is_not_overlooked(make, v2, monkeypatch):
    rerun = started(v2)
    real = makecom.failure

    def published_meanwhile(*args):
        play_pipeline(rerun)
        return real(*args)

    monkeypatch.setattr(makecom, "failure", published_meanwhile)
    execute("update jobs set waiting_since = waiting_since - interval '1 day', run_at = now()")
    job_id = str(job_of(rerun).id)
    with pytest.raises(Exception, match="rerun_timed_out"):
        trigger_rerun(job_id=job_id)
    assert (now_is(rerun).status, now_is(rerun).error) == ("published", None)
