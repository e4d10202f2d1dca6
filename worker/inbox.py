"""What the doors write: runs, writer outputs and the jobs that publish them.

Used by the bridge and the command line alike. Each function writes rows within the caller's transaction; the
caller rings after its commit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import and_, bindparam, exists, func, literal_column, null, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models.jobs import SETTLED, Job, JobKind
from models.make import Rerun, RerunState
from models.orders import PublishOrder
from models.pipeline import V2Client, V2PipelineLog, V2Run
from models.production import Dossier, DossierStatus
from models.values import dossier_id_of
from worker import batches, callbacks, jobs, reruns
from worker.errors import ClientNotFound, RunNotFound, Validation
from worker.make_errors import RerunFailed
from worker.options import check_options
from worker.settings import Settings, settings

_TO_BE_TOLD = ("callback_url",)
_STAY = (
    ("release_date",),
    ("default_list_id", "list"),
    ("supersede", "supersedes_run_id", "supersedes_dossier_id"),
    ("batch_number",),
    _TO_BE_TOLD,
)
"""What a republish keeps unless it is named, each with what says the same in another way (design §3)."""


@dataclass(frozen=True, slots=True)
class Output:
    """One raw writer output as it came in. Without a `step_id`, a run has one output per step name."""

    step_name: str
    output: Any
    step_id: str | None = None
    status: str = "completed"

    def id_in(self, run_id: str) -> str:
        """The `step_id` that it has in this run."""
        return self.step_id or f"{run_id}/{self.step_name}"


def register_run(session: Session, run_id: str, fields: dict[str, Any]) -> bool:
    """Insert the run, or update those of its columns that `fields` names.

    Returns:
        Whether the run is new.

    Raises:
        ClientNotFound: `client_id` is not in `v2_clients`.
    """
    client_id = fields.get("client_id")
    if client_id is not None and not session.scalar(select(exists().where(V2Client.client_id == client_id))):
        raise ClientNotFound(
            f"There is no client {client_id!r} in v2_clients. Check the id, or add the client first.",
            field="client_id",
        )
    if client_id is not None:
        # Before the run's row is: whoever publishes it locks them in this order.
        jobs.move(session, JobKind.PUBLISH, run_id, client_id)
    statement = insert(V2Run).values(run_id=run_id, triggered_by="make.com", **fields)
    if fields:
        statement = statement.on_conflict_do_update(index_elements=[V2Run.run_id], set_=fields)
    else:
        statement = statement.on_conflict_do_nothing()
    # A row that was updated rather than inserted bears the mark of who locked it; one left alone is not returned.
    is_new = bool(session.scalar(statement.returning(literal_column("xmax = 0"))))
    batches.open_for(session, run_id, settings())
    return is_new


def store_outputs(session: Session, run_id: str, outputs: Sequence[Output]) -> Job | None:
    """Store completed outputs of a run; the same `step_id` again replaces what that step held.

    Returns:
        The run's publish, if it waited for outputs: it is due now, and the caller rings for it.

    Raises:
        RunNotFound: the run is not registered.
        Validation: a `step_id` holds an output of another run or step, or comes twice with different ones.
    """
    if not session.scalar(select(exists().where(V2Run.run_id == run_id))):
        raise run_not_found(run_id)
    rows = _by_step_id(run_id, outputs)
    statement = insert(V2PipelineLog).values(
        [
            {
                "step_id": step_id,
                "run_id": run_id,
                "step_name": output.step_name,
                "status": output.status,
                "output": output.output,
                "completed_at": func.clock_timestamp() if output.status == "completed" else null(),
            }
            for step_id, output in sorted(rows.items())  # in one order, or two requests could lock each other out
        ]
    )
    same, replaced = ("run_id", "step_name"), ("status", "output", "completed_at")
    stored = session.scalars(
        statement.on_conflict_do_update(
            index_elements=[V2PipelineLog.step_id],
            set_={name: statement.excluded[name] for name in replaced} | {"error_message": null()},
            where=and_(*(getattr(V2PipelineLog, name) == statement.excluded[name] for name in same)),
        ).returning(V2PipelineLog.step_id)
    ).all()
    if len(stored) < len(rows):
        raise _taken(session, run_id, {step_id: rows[step_id] for step_id in rows.keys() - set(stored)})
    return jobs.wake(session, JobKind.PUBLISH, run_id)


def accept_publish(session: Session, config: Settings, order: PublishOrder) -> tuple[Job, bool]:
    """Accept a publish of a registered run.

    Returns:
        The job, and whether this request made it due: ring for it after the commit.

    Raises:
        RunNotFound: the run is not registered.
        ClientNotFound: the run names no client.
        ColumnlineError: an option cannot be met, as far as can be told by now.
        PublishConflict: it was accepted before, with other parameters.
    """
    client_id, batch_id = _run_of(session, order.run_id)
    # Of two that republish at a time, the second is to keep what the first has named.
    before = jobs.find(session, JobKind.PUBLISH, order.run_id, lock=order.republish)
    payload = order.model_dump(mode="json", exclude_none=True)
    if before is not None:
        # A job that once had to republish has its dossier: asked again, it must go on replacing that one.
        payload["republish"] = order.republish or before.payload["republish"]
        payload |= _still_asked(session, before, payload, all_of_it=order.republish)
    job, is_due = jobs.accept(
        session,
        config,
        kind=JobKind.PUBLISH,
        key=order.run_id,
        client_id=client_id,
        payload=payload,
        again=order.republish,
    )
    if is_due:  # else it was looked at before: the same request has the same answer
        check_options(session, config, order)
        batches.count(session, [batch_id])
    return job, is_due


def accept_preview(session: Session, config: Settings, order: PublishOrder) -> Job:
    """Accept a dry run of a publish. Each is a job of its own: what it would say changes with the outputs.

    Raises:
        RunNotFound, ClientNotFound, ColumnlineError: as for a publish.
    """
    client_id, _ = _run_of(session, order.run_id)
    check_options(session, config, order)
    job, _ = jobs.accept(
        session,
        config,
        kind=JobKind.PREVIEW,
        key=f"{order.run_id}/{uuid4()}",
        client_id=client_id,
        payload=order.model_dump(mode="json", exclude_none=True),
    )
    return job


def cancel(session: Session, config: Settings, job_id: UUID) -> tuple[Job, bool, list[Job]]:
    """Cancel a job that no worker has; a run whose publish is cancelled leaves the batch opened for it.

    Whoever waits for the end of a publish is told of this one too. A rerun whose job is cancelled has come to
    nothing, so that another may be asked for.

    Returns:
        As `jobs.cancel`, and the jobs to ring for after the commit.

    Raises: as `jobs.cancel`.
    """
    job, changed = jobs.cancel(session, job_id)
    bells = []
    if changed and job.kind == JobKind.PUBLISH:
        usual = select(V2Client.callback_url).where(V2Client.client_id == job.client_id)
        url = job.payload.get("callback_url") or session.scalar(usual)
        bells = [told] if (told := callbacks.order(session, config, job, url)) else []
        batches.count_of(session, job.key)
    if changed and job.kind == JobKind.RERUN:
        why = RerunFailed("Its job was cancelled. If Make.com publishes it all the same, that counts.")
        reruns.ended_badly(session, Rerun.id == UUID(job.key), why, RerunState.FAILED)
    return job, changed, bells


def restart(session: Session, config: Settings, job_ids: Iterable[UUID]) -> list[tuple[Job, bool]]:
    """Make jobs due again, as `jobs.retry` does each, and have their runs count in the batches opened for them.

    Returns, raises: as `jobs.retry`, for each.
    """
    tried = [jobs.retry(session, config, job_id) for job_id in job_ids]
    batches.count_of(session, *(job.key for job, changed in tried if changed and job.kind == JobKind.PUBLISH))
    return tried


def run_not_found(run_id: str) -> RunNotFound:
    """The error for a run id that is not in `v2_runs`."""
    return RunNotFound(
        f"There is no run {run_id!r}. Register it first: PUT /columnline/runs/{{run_id}}.", field="run_id"
    )


def _by_step_id(run_id: str, outputs: Sequence[Output]) -> dict[str, Output]:
    """The outputs by their ids; what came twice is there once.

    Raises:
        Validation: one id came with several outputs: all but one would be lost.
    """
    rows: dict[str, Output] = {}
    shared = {}
    for output in outputs:
        step_id = output.id_in(run_id)
        if rows.setdefault(step_id, output) != output:
            shared[step_id] = "comes with several outputs, and can hold one"
    if shared:
        raise _refused(run_id, rows, shared)
    return rows


def _taken(session: Session, run_id: str, rows: dict[str, Output]) -> Validation:
    """The error for ids that hold an output of another run or step."""
    held = select(V2PipelineLog.step_id, V2PipelineLog.run_id, V2PipelineLog.step_name)
    found = session.execute(held.where(V2PipelineLog.step_id.in_(rows)).order_by(V2PipelineLog.step_id))
    return _refused(run_id, rows, {row.step_id: f"holds {row.step_name!r} of run {row.run_id!r}" for row in found})


def _refused(run_id: str, rows: dict[str, Output], why: dict[str, str]) -> Validation:
    """The error for ids that cannot hold what was sent, each with its reason."""
    findings = tuple(
        {"step": rows[step_id].step_name, "field": "step_id", "found": step_id, "detail": f"{step_id!r} {reason}"}
        for step_id, reason in why.items()
    )
    step_name, more = findings[0]["step"], f" (and {len(why) - 1} more, see `errors`)" if len(why) > 1 else ""
    return Validation(
        f"{step_name}: step_id {findings[0]['detail']}{more}. Nothing was stored. Give each output its own: "
        f"the run id, the step's name, and for a step that occurs several times a number, as in "
        f"{run_id}/{step_name}/1.",
        step=step_name,
        field="step_id",
        findings=findings,
    )


def _still_asked(session: Session, before: Job, payload: dict[str, Any], *, all_of_it: bool) -> dict[str, Any]:
    """What was asked of a publish that no dossier has yet, so that a republish which is silent about it keeps it.

    Whoever is to be told of an end is told of this one, in any case: of the last they know nothing yet, perhaps.
    """
    groups = _STAY if all_of_it and not _is_in_a_dossier(session, before) else (_TO_BE_TOLD,)
    return {
        name: before.payload[name]
        for group in groups
        if payload.keys().isdisjoint(group)
        for name in group
        if name in before.payload
    }


def _is_in_a_dossier(session: Session, publish: Job) -> bool:
    """Whether the publish has ended and its run has a dossier, which is as it is to stay."""
    published = exists().where(Dossier.id == dossier_id_of(publish.key), Dossier.status != DossierStatus.ERROR)
    return publish.state in SETTLED and bool(session.scalar(select(published)))


def _run_of(session: Session, run_id: str) -> tuple[str, UUID | None]:
    """The run's client, which it must name, and the batch that was opened for it."""
    run = session.connection().execute(_RUN, {"of_run": run_id}).one_or_none()
    if run is None:
        raise run_not_found(run_id)
    if run.client_id is None:
        raise ClientNotFound(
            f"Run {run_id!r} names no client. Set it: PUT /columnline/runs/{{run_id}} with `client_id`.",
            field="client_id",
        )
    return run.client_id, run.batch_id


# Not the whole row: its JSON may be megabytes, and hold numbers that our reader of JSON refuses.
_RUN = select(V2Run.client_id, V2Run.batch_id).where(V2Run.run_id == bindparam("of_run"))
