"""A run's outputs, read: the content of each step that matters, or why it has none."""

from dataclasses import dataclass, field
from typing import Any

from models.values import RunInput, StepOutput
from tasks.assemble.envelope import unwrap
from tasks.assemble.notes import Notes, UnusableError, excerpt, finding, kind
from tasks.assemble.steps import CONTACTS, COPY, INDIVIDUAL, OVERRIDE, STEPS, Step

PRIVATE = frozenset({CONTACTS, INDIVIDUAL, COPY, OVERRIDE})
"""Steps whose outputs are about people: nothing of them is quoted."""


@dataclass(slots=True)
class Outputs:
    """What the steps said.

    Attributes:
        contents: by step, the content of each usable output, oldest first; steps in their fixed order.
        faults: by step, a finding for each output that is there and cannot be used.
        sources: by step, those of outputs with nothing else in them: all are collected.
    """

    contents: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    faults: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    sources: dict[str, list[Any]] = field(default_factory=dict)

    def of(self, step: str) -> dict[str, Any]:
        """The content of a step that counts once; empty where there is none."""
        contents = self.contents.get(step)
        return contents[-1] if contents else {}

    def all(self, step: str) -> list[dict[str, Any]]:
        """The contents of a step that counts each time."""
        return self.contents.get(step, [])

    def has(self, step: str) -> bool:
        """Whether the step has a usable output."""
        return step in self.contents

    def came(self, step: str) -> bool:
        """Whether the step has an output, usable or not."""
        return step in self.contents or step in self.faults


def read(run: RunInput, notes: Notes) -> Outputs:
    """Read the outputs that count: all of a step that runs per contact, the last of any other.

    Steps that do not matter to publishing are passed over.
    """
    given: dict[str, list[StepOutput]] = {name: [] for name in STEPS}
    for output in run.outputs:
        if output.step_name in given:
            given[output.step_name].append(output)
    outputs = Outputs()
    for name, step in STEPS.items():
        for output in given[name] if step.repeated else given[name][-1:]:
            _read_one(output, step, outputs, notes)
    return outputs


def _read_one(output: StepOutput, step: Step, outputs: Outputs, notes: Notes) -> None:
    try:
        content = unwrap(output.output, step, notes.at(step.name))
    except UnusableError as error:
        found = kind(error.value) if step.name in PRIVATE else excerpt(error.value)
        fault = finding(step.name, None, found, error.detail)
        outputs.faults.setdefault(step.name, []).append(fault)
        if isinstance(error.value, dict) and error.value.get("sources"):
            outputs.sources.setdefault(step.name, []).append(error.value["sources"])
    else:
        outputs.contents.setdefault(step.name, []).append(content)
