"""Small makers of what tests need, each with keyword overrides: a run of samples or of contents."""

import json
from pathlib import Path
from typing import Any

from models.values import RunInput, StepOutput, dossier_id_of

SAMPLES = Path(__file__).with_name("samples")


def sample(name: str) -> dict[str, Any]:
    """A run file of `tests/samples`: `sample("run_clean")`."""
    loaded: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def samples() -> list[str]:
    """The names of all run files there."""
    return sorted(path.stem for path in SAMPLES.glob("run_*.json"))


def run_input(run_file: dict[str, Any], **overrides: Any) -> RunInput:
    """A run file as the worker reads it once every step is stored; one `step_id` again replaces."""
    run = run_file["run"]
    rows = {step["step_id"]: step for step in run_file["steps"]}.values()
    completed = [step for step in rows if step["status"] == "completed"]
    names = {step["step_name"] for step in completed}
    given: dict[str, Any] = {
        "run_id": run["run_id"],
        "dossier_id": dossier_id_of(run["run_id"]),
        "seed_data": run.get("seed_data") or {},
        "outputs": tuple(
            StepOutput(step_id=step["step_id"], step_name=step["step_name"], output=step["output"])
            for step in completed
        ),
        "unfinished": {step["step_name"]: step["status"] for step in rows if step["step_name"] not in names},
        "expected_contacts": run.get("expected_contacts"),
    }
    return RunInput(**given | overrides)


def step(name: str, output: Any, step_id: str = "") -> StepOutput:
    """A completed step with this output."""
    return StepOutput(step_id=step_id or name, step_name=name, output=output)


CONTENTS: dict[str, Any] = {
    "10_WRITER_INTRO": {
        "company_name": "Acme Works",
        "one_liner": "Ground was broken",
        "the_angle": "They build",
        "lead_score": 70,
        "timing_urgency": "HIGH",
    },
    "10_WRITER_SIGNALS": {"primary_buying_signal": {"description": "Ground was broken"}, "timing_urgency": "HIGH"},
    "10_WRITER_LEAD_INTELLIGENCE": {
        "company_deep_dive": {"description": "Makes works"},
        "network_intelligence": {"warm_paths": []},
    },
    "10_WRITER_OPPORTUNITY": {
        "company_snapshot": {"domain": "acme.example"},
        "opportunity_intelligence": {"headline": "A works"},
    },
    "10_WRITER_STRATEGY": {
        "the_math": {"bottom_line": "It pays"},
        "deal_strategy": {"how_they_buy": "By tender"},
        "competitive_positioning": {"landmines_to_avoid": []},
        "decision_making_process": {"company_type": "Private"},
    },
    "6_ENRICH_CONTACTS": {"contacts": []},
}
"""The least that makes a dossier without a warning."""


def run_of(outputs: dict[str, Any] | None = None, *, without: tuple[str, ...] = (), **overrides: Any) -> RunInput:
    """A run whose required steps say `CONTENTS`, but for `outputs`.

    Args:
        outputs: by step name, the raw output; a tuple is several outputs of that step.
        without: steps that have no output.
        **overrides: of `RunInput`.
    """
    wanted = {name: output for name, output in (CONTENTS | (outputs or {})).items() if name not in without}
    steps = [
        step(name, output, f"{name}/{number}")
        for name, given in wanted.items()
        for number, output in enumerate(given if isinstance(given, tuple) else (given,))
    ]
    given: dict[str, Any] = {"run_id": "RUN_1", "dossier_id": dossier_id_of("RUN_1"), "outputs": tuple(steps)}
    return RunInput(**given | overrides)


def contacts_of(*names: str, **fields: Any) -> dict[str, Any]:
    """Content of `6_ENRICH_CONTACTS` that lists these people, each with `fields`."""
    entries = [
        {"contact_index": place, "name": name, "title": "Engineer"} | fields for place, name in enumerate(names)
    ]
    return {"contacts": entries}
