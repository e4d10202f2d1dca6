"""The worker with a defence removed, for a test: each function takes one away, by patch or in the database."""

from uuid import uuid4

from sqlalchemy import bindparam

from models.jobs import Job, JobState
from tasks import load, publish, store
from tests.database.publishing import execute
from worker import claims, db, reruns, sweep
from worker.attempt import Ending, holding
from worker.calendar import chain
from worker.celery import app
from worker.settings import settings


def guarded_by(patch, *conditions):
    """Put these conditions in the place of those that say whose a job is."""
    patch.setattr(claims, "_guard", lambda: (Job.id == bindparam("held_job"), *conditions))
    patch.setattr(claims, "_FENCE", claims._fencing())
    patch.setattr(claims, "_COMPLETE", claims._completing())


def without_fence(patch):
    """Whoever once held a claim may work, complete and settle."""
    guarded_by(patch)


def without_fence_and_keys(patch):
    """The fence gone, and what stands behind it: ids made from the run, and the unique key on it."""
    without_fence(patch)
    patch.setattr(load, "dossier_id_of", lambda run_id: uuid4())
    execute("drop index dossiers_run_id_key")


def without_epoch(patch):
    """Fence and guards look at the state alone."""
    guarded_by(patch, Job.state == JobState.RUNNING)


def without_claim_guard(patch):
    """A bell is enough to get the job, whatever its state, and the schema does not object either."""
    execute("alter table jobs drop constraint jobs_settled_check")
    patch.setattr(claims, "DUE", tuple(JobState))
    patch.setattr(claims, "_CLAIM", claims._claim_statement())


def without_epoch_at_rescue(patch):
    """The sweep puts a job back without telling its worker."""
    _each_update("new.epoch := old.epoch", "old.state = 'running' and new.state = 'queued'")


def without_epoch_at_cancel(patch):
    _each_update("new.epoch := old.epoch", "new.state = 'cancelled'")


def without_rescue(patch):
    """The sweep leaves a job with a worker that is gone."""
    patch.setattr(sweep, "rescue", lambda session: 0)


def without_counting_losses(patch):
    """A worker that dies costs its job nothing."""
    _each_update("new.lost := old.lost; new.attempt := 0", "old.state = 'running' and new.state = 'queued'")


def _each_update(assignment, condition, table="jobs"):
    execute(
        f"create function mutant() returns trigger language plpgsql as $$ begin {assignment}; return new; end $$"
    )
    execute(
        f"create trigger a_mutant before update on {table} for each row when ({condition}) "
        "execute function mutant()"
    )


def without_key_of_jobs(patch):
    """Accepting twice makes two jobs."""
    execute("alter table jobs drop constraint jobs_kind_key_key")


def with_work_in_two_transactions(patch):
    """The dossier is committed first, the job's end afterwards."""

    def publish_in_two(*, job_id, run_id=""):
        with holding(job_id, "publish.run", on_error=store.store_error) as held:
            if held is None:
                return
            order = publish.PublishOrder.model_validate(held.payload)

            def effects(session):
                run = load.load_run(session, order.run_id, settings().client_mapping)
                draft = publish.assemble(run.input)
                batch = store.choose_batch(session, run, order)
                placed, due = store.upsert_dossier(session, run, draft, order, batch)
                store.replace_contacts(session, run, draft.contacts)
                store.link(session, run, placed, due=due)
                store.close_run(session, run, batch)
                return store.result_of(run, batch)

            result = held.work(effects)
            with db.transaction() as session:
                held.complete(session, result)

    patch.setattr(app.tasks["publish.run"], "run", publish_in_two)
    patch.setattr(type(app.tasks["publish.run"]), "__call__", lambda task, **given: publish_in_two(**given))


def without_error_dossier(patch):
    """A run that cannot be published leaves no dossier that says so."""
    patch.setattr(publish, "store_error", lambda session, claim, error: Ending())


def without_looking_for_a_successor(patch):
    """What has a successor may be given another, and the schema does not object either."""
    execute("drop index dossiers_supersedes_dossier_id_key")
    patch.setattr(chain, "successor_of", lambda session, dossier_id, but=None: None)


def without_taking_effect(patch):
    """What is released replaces nothing."""
    kept = "new.status := old.status; new.superseded_by_dossier_id := null"
    _each_update(kept, "new.status = 'superseded'", table="dossiers")


def without_owing_callbacks(patch):
    patch.setattr(store, "_callback", lambda session, claim, url: ())


def without_ending_reruns(patch):
    """Nobody hears that what a rerun was asked for is there."""
    patch.setattr(reruns, "published", lambda session, run_id: None)


def without_replacing_by_reruns(patch):
    """A rerun becomes a dossier like any other."""
    patch.setattr(chain, "newest_after", lambda session, newer, dossier_id, lock=True: None)


def without_counting_batches(patch):
    patch.setattr(store, "_count", lambda session, run, batch: None)
