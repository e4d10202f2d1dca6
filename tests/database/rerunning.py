"""What tests of reruns share: a dossier to run again, asking, looking, passing time, the pipeline's part."""

import json

from models.jobs import JobKind
from tests.database.companies import dossier, execute, publish, register
from worker import db, jobs, reruns
from worker.drain import drain
from worker.settings import settings

SEED = {"company_name": "Acme", "domain": "acme.example", "from": "a list"}
HOOK = "/hook/pipeline"


def add_v2():
    """A published dossier of the run R1, by its id."""
    register("R1")
    execute("update v2_runs set seed_data = :seed", seed=json.dumps(SEED))
    assert publish("R1").state == "done"
    return dossier("R1").id


def ask(dossier_id, **options):
    with db.transaction() as session:
        return reruns.ask(session, settings(), dossier_id, "tests", **options)[0]


def started(dossier_id, **options):
    """Ask for a rerun, and have Make.com be told."""
    rerun = ask(dossier_id, **options)
    list(drain())
    return rerun


def now_is(rerun):
    """The rerun's answer as it stands."""
    with db.transaction() as session:
        return reruns.answer(reruns.get(session, rerun.id))


def job_of(rerun):
    with db.transaction() as session:
        return jobs.find(session, JobKind.RERUN, str(rerun.id))


def look_again():
    """Have every rerun be due that waits for its next look or try, and work it off."""
    execute("update jobs set run_at = now() where kind = :kind and state = 'waiting'", kind=JobKind.RERUN)
    list(drain())


def time_passes():
    """As if Make.com had had more time than it may take."""
    execute("update jobs set waiting_since = waiting_since - interval '1 day' where kind = :k", k=JobKind.RERUN)
    look_again()


def play_pipeline(rerun):
    """What Make.com does in the end: outputs under the new run's id, and a publish that asks for nothing."""
    job = publish(register(rerun.run_id))
    assert job.state == "done", job.error
    return dossier(rerun.run_id)
