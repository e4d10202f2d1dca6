"""Plausible runs for tests and benchmarks: a lead drawn from a seed, told by a pipeline, damaged on the way.

`runs` is the way in: `generate` makes a run file, `truth` says what must come out of it. Reading order:
`facts` (the lead, from `world.json`), `writers`, `composer` and `outreach` (what each step says of it),
`plan` (which steps there are); then the damage, in the order it is done: `mishaps` (rows), `values`,
`shapes`, `forms`, `envelopes`. `damage` names the knobs.
"""

from tests.generator.damage import FATAL, REPAIRABLE, Damage
from tests.generator.request import Size
from tests.generator.runs import CLIENT, Contact, Generated, Truth, generate, generated, truth

__all__ = [
    "CLIENT",
    "FATAL",
    "REPAIRABLE",
    "Contact",
    "Damage",
    "Generated",
    "Size",
    "Truth",
    "generate",
    "generated",
    "truth",
]
