"""What is told at the end: one table for people, the same as JSON for programs."""

from collections import Counter

from rich.table import Table

from tests.chaos.faults import FAULTS
from tests.chaos.plan import Manner
from tests.chaos.promise import endings
from tests.chaos.scenario import was_taken
from tests.chaos.world import UNMAPPED
from tests.makecom import CALLBACK


def figures(look, found, restarts, revived):
    """Everything that was counted.

    Args:
        look: the last snapshot, with the ledger.
        found: the violations.
        restarts: how often a process had ended and was started again.
        revived: how many jobs the client retried because their error said so.
    """
    accepted, rows = look.accepted, endings(look)
    ends = Counter(rows[entry.run_id].state for entry in accepted if entry.run_id in rows)
    expected = Counter(entry.expect for entry in accepted if entry.expect != "ready")
    errors = Counter(f"error:{row.code}" for row in rows.values() if row.state == "error")
    outcomes = look("select outcome, count(*) as n from job_attempts group by 1 order by 2 desc")
    doubled = sum(violation.code == "I3" for violation in found)
    waits = [
        (rows[entry.run_id].settled_at.timestamp() - entry.accepted_at, entry.run_id, rows[entry.run_id].rings)
        for entry in accepted
        if entry.run_id in rows
        and rows[entry.run_id].settled_at
        and not (entry.touched or entry.republished or entry.run.client_id == UNMAPPED)
    ]
    slowest = max(waits, default=(0.0, "", 0))
    return {
        "sent": len(look.ledger.entries),
        "accepted": len(accepted),
        "published": ends["done"],
        "cancelled_by_hand": ends["cancelled"],
        "errors_expected": dict(sorted(expected.items())),
        "errors_found": dict(sorted(errors.items())),
        "duplicates": doubled,
        "lost": len(accepted) - ends["done"] - ends["cancelled"] - ends["error"],
        "retried_because_the_error_said_so": revived,
        "superseded": look("select count(*) as n from dossiers where status = 'superseded'")[0].n,
        "played_again": sum(entry.run.manner is Manner.RERUN for entry in accepted),
        "reruns": {row.state: row.n for row in look("select state, count(*) as n from reruns group by 1")},
        "callbacks_taken": sum(map(was_taken, look.ledger.make.to(CALLBACK))),
        "attempts": {row.outcome or "open": row.n for row in outcomes},
        "processes_started_again": restarts,
        "answers": {str(status or "none"): n for status, n in sorted(look.ledger.answers.items())},
        "longest_delay": round(slowest[0], 1),
        "slowest": {"run_id": slowest[1], "bells_of_the_sweep": slowest[2]},
        "violations": [str(violation) for violation in found],
    }


def failures(told):
    """Why the run did not pass, in sentences: what was violated, and which faults failed."""
    return [*told["violations"], *told["not_injected"]]


def table(told):
    """The figures as a table."""
    drawn = Table(
        title=f"seed {told['seed']}: {told['seconds']:g} s of faults, {told['runs']} runs planned",
        title_justify="left",
        box=None,
    )
    drawn.add_column("", no_wrap=True)
    drawn.add_column("", justify="right")
    rows = {
        "runs sent": told["sent"],
        "runs accepted": told["accepted"],
        "published": told["published"],
        "cancelled by hand": told["cancelled_by_hand"],
        "errors expected (of their data)": _list(told["errors_expected"]),
        "errors found": _list(told["errors_found"]),
        "duplicates": told["duplicates"],
        "lost": told["lost"],
        "retried because the error said so": told["retried_because_the_error_said_so"],
        "superseded by another": told["superseded"],
        "reruns by their end": _list(told["reruns"]),
        "callbacks taken": told["callbacks_taken"],
        "attempts": _list(told["attempts"]),
        "processes started again": told["processes_started_again"],
        "answers by status": _list(told["answers"]),
        "longest delay, accepted to ended": f"{told['longest_delay']:.1f} s",
        "bells that the sweep rang for that one": told["slowest"]["bells_of_the_sweep"],
        "from the last fault to quiet": f"{told['quiet_after']:.1f} s",
        "looks under way": told["looks"],
        "replies of COMMIT cut": told["cuts"],
        "fenced attempts": told["fenced"],
        "violations": len(told["violations"]),
        "faults that failed": len(told["not_injected"]),
    }
    for name, value in rows.items():
        drawn.add_row(name, str(value))
    drawn.add_section()
    for name, kind in sorted(told["faults"].items(), key=lambda item: (FAULTS[item[0]].lane, item[0])):
        drawn.add_row(f"{FAULTS[name].code:>4} {name}", _times(kind))
    return drawn


def _times(kind):
    """How often a kind of fault was done, and why not more often."""
    left_out = [f"{count} skipped, {reason}" for reason, count in kind["skipped"].items()]
    return "; ".join([str(kind["done"] or "never"), *left_out])


def _list(counted):
    return ", ".join(f"{name} {count}" for name, count in counted.items()) or "none"
