"""Jobs as the command line shows them."""

from rich.markup import escape
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.jobs import DUE, Job, JobState
from worker.answers import JobAnswer, JobDetail
from worker.cli.output import out, painted, print_json, table, when


def print_answers(answered: list[JobAnswer], *, as_json: bool = False) -> None:
    """Jobs, one a line: what became of each, and why."""
    if as_json:
        print_json(answered)
        return
    shown = table("run", "status", "released or why")
    shown.columns[0].no_wrap = True
    for answer in answered:
        shown.add_row(escape(answer.run_id or "-"), painted(answer.status or "refused"), escape(_gist(answer)))
    out.print(shown)


def _gist(answer: JobAnswer) -> str:
    if answer.error:
        return f"{answer.error.code}: {answer.error.detail}"
    if answer.released_at:
        return when(answer.released_at)
    return f"to be released on {answer.release_date}" if answer.release_date else "-"


def print_detail(shown: JobDetail) -> None:
    """One job in full: where it stands, every attempt, every warning."""
    facts = table("", "")
    facts.show_header = False
    for name, value in (
        ("run", escape(shown.run_id or "-")),
        ("job", shown.job_id),
        ("status", painted(shown.status or "-")),
        ("attempts", f"{shown.attempt} of {shown.max_attempts}"),
        ("dossier", shown.dossier_id),
        ("batch", escape(shown.batch_number or "-")),
        ("contacts", shown.contacts_created or None),
        ("release or why", escape(_gist(shown))),
    ):
        facts.add_row(name, str(value or "-"))
    out.print(facts)
    tries = table("began", "outcome", "step", "ms", "code", title="\nattempts")
    for attempt in shown.attempts:
        took = sum((attempt.timings or {}).values())
        code = attempt.error.code if attempt.error else "-"
        tries.add_row(
            when(attempt.started_at), attempt.outcome or "running", attempt.step or "-", f"{took:.1f}", code
        )
    out.print(tries)
    if shown.warnings:
        out.print("\nwarnings", style="bold")
    for warning in shown.warnings:
        where = " ".join(filter(None, (warning.get("step"), warning.get("field"))))
        out.print(f"{where}: {warning.get('detail')}", markup=False)


def print_overview(session: Session, *, as_json: bool) -> None:
    """How many jobs are in which state, and how long the oldest has been due."""
    by_state = session.execute(select(Job.state, func.count()).group_by(Job.state))
    counts = {row.state: row[1] for row in by_state}
    oldest = session.scalar(select(func.min(Job.run_at)).where(Job.state.in_(DUE), Job.run_at <= func.now()))
    if as_json:
        print_json({"jobs": {state.value: counts.get(state, 0) for state in JobState}, "oldest_due": oldest})
        return
    shown = table("state", "jobs")
    for state in JobState:
        shown.add_row(painted(state), str(counts.get(state, 0)))
    out.print(shown)
    out.print(f"Oldest due since {when(oldest)}." if oldest else "Nothing is due.")
