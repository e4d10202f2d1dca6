"""Whether a dossier can be made of what is there; if not, the error that says what to do."""

from typing import Any, Never
from urllib.parse import quote

from models.clean import index_of
from models.values import RunInput
from tasks.assemble.notes import Code, Notes, finding
from tasks.assemble.outputs import Outputs
from tasks.assemble.roster import name_of
from tasks.assemble.steps import COMPOSER, CONTACTS, INDIVIDUAL, INTRO, OPPORTUNITY, WRITERS
from worker.errors import OutputsInvalid, OutputsMissing


def settle(run: RunInput, outputs: Outputs, company_name: str | None, notes: Notes) -> str:
    """Return the company's name if all that a dossier needs is there and usable.

    What else is unusable becomes a notice.

    Needed are the contacts, which may be an empty list, and either the composer or all five writers. With
    a usable composer, a writer that is missing or unusable is worth a notice only. With five usable
    writers, so is a composer.

    Raises:
        OutputsInvalid: a needed output is there and cannot be used, or nothing that is there names the
            company. Raised even if others are still missing: waiting would not mend it. Where neither
            the composer nor all writers can be used, a composer that is there counts as needed: it is
            the pipeline's last step, so no writer will follow it.
        OutputsMissing: a needed step has no completed output, or fewer people were enriched than the
            scenario announced.
    """
    composed = outputs.has(COMPOSER)
    written = all(outputs.has(step) for step in WRITERS)
    needed = [CONTACTS] if composed else [*WRITERS, CONTACTS]
    blamed = needed if composed or written else [*needed, COMPOSER]
    findings = [fault for step in blamed for fault in outputs.faults.get(step, [])]
    if company_name is None and (composed or (outputs.has(INTRO) and outputs.has(OPPORTUNITY))):
        detail = "no step and no seed names the company"
        findings.append(finding(COMPOSER if composed else INTRO, "company_name", "nothing", detail))
    if findings:
        _refuse(findings)
    missing = [_missing(run, step) for step in needed if not outputs.came(step)] + _unenriched(run, outputs)
    if missing:
        _wait(run, missing)
    _report(outputs, notes, composed=composed)
    assert company_name is not None, "everything that could name the company is there"
    return company_name


def _refuse(findings: list[dict[str, Any]]) -> Never:
    told = "; ".join(f"{each['step']}: {each['detail']} (found: {each['found']})" for each in findings)
    raise OutputsInvalid(
        f"{told}. Send the step's output again, or run the scenario again, then retry the job.",
        step=findings[0]["step"],
        field=findings[0]["field"],
        findings=tuple(findings),
    )


def _wait(run: RunInput, findings: list[dict[str, Any]]) -> Never:
    told = ", ".join(f"{each['step']} ({each['found']})" for each in findings)
    one_each = any(each["step"] == INDIVIDUAL for each in findings)
    raise OutputsMissing(
        f"Run {run.run_id!r} is not complete: {told}. Send what is missing to "
        f"PUT /columnline/runs/{quote(run.run_id, safe='')}/outputs/{{step_name}}"
        f"{f', each {INDIVIDUAL} with a ?step_id= of its own' if one_each else ''}, or let the scenario finish.",
        step=findings[0]["step"],
        findings=tuple(findings),
    )


def _missing(run: RunInput, step: str) -> dict[str, Any]:
    state = run.unfinished.get(step, "never started")
    instead = f"; {COMPOSER} would do instead" if step in WRITERS else ""
    if step in WRITERS and COMPOSER in run.unfinished:
        instead = f"; {COMPOSER}, which would do instead, is {run.unfinished[COMPOSER]}"
    return finding(step, None, state, f"no completed output{instead}")


def _unenriched(run: RunInput, outputs: Outputs) -> list[dict[str, Any]]:
    """A finding where fewer people were enriched than announced; the same person twice is one."""
    announced = run.expected_contacts or 0
    people = {_person(content, number) for number, content in enumerate(outputs.all(INDIVIDUAL))}
    came = len(people) + len(outputs.faults.get(INDIVIDUAL, []))
    if came >= announced:
        return []
    state = run.unfinished.get(INDIVIDUAL)
    found = f"{came} of {announced}" + (f", {state}" if state else "")
    return [finding(INDIVIDUAL, None, found, "fewer outputs than expected_contacts")]


def _person(content: dict[str, Any], number: int) -> object:
    index = index_of(content)
    return index if index is not None else name_of(content) or f"#{number}"


def _report(outputs: Outputs, notes: Notes, *, composed: bool) -> None:
    """Notices of what could not be used and is not needed."""
    for step, faults in outputs.faults.items():
        for fault in faults:
            notes.at(step).add(Code.STEP_UNUSABLE, f"{fault['detail']} (found: {fault['found']})", fault["field"])
    missing = [step for step in WRITERS if not outputs.has(step)]
    if composed and missing and len(missing) < len(WRITERS):
        notes.at(COMPOSER).add(Code.COMPOSER_STANDS_IN, f"stands in for {', '.join(missing)}")
