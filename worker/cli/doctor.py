"""`columnline doctor`: what may be wrong, and what to type about it."""

import typer
from rich.markup import escape

from worker.cli.output import AsJson, Exit, out, print_json, reporting_errors
from worker.doctor.findings import Finding, Severity
from worker.doctor.run import examine

_MARKS = {
    Severity.OK: "[green]ok     [/]",
    Severity.WARNING: "[yellow]warning[/]",
    Severity.PROBLEM: "[red]problem[/]",
}


def doctor(as_json: AsJson = False) -> None:
    """Look for what may be wrong, and say what to type about it. Exit status 1 if there is a problem."""
    with reporting_errors(as_json=as_json):
        findings: list[Finding] = []
        for finding in examine():
            findings.append(finding)
            if not as_json:
                _show(finding)
    counts = {severity: sum(f.severity is severity for f in findings) for severity in Severity}
    is_well = counts[Severity.PROBLEM] == 0
    if as_json:
        print_json({"ok": is_well, "findings": findings})
    else:
        out.print(f"\n{counts[Severity.PROBLEM]} problems, {counts[Severity.WARNING]} warnings")
    if not is_well:
        raise typer.Exit(Exit.FAILED)


def _show(finding: Finding) -> None:
    out.print(f"{_MARKS[finding.severity]} {finding.check:<18} {escape(finding.found)}", soft_wrap=True)
    if finding.cure is not None:
        out.print(f"{'':26} [dim]→ {escape(finding.cure)}[/]", soft_wrap=True)
