"""Long, broken, repetitive texts and huge numbers end well too; a child that hangs is killed, and has failed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.assemble import assemble
from tasks.assemble.steps import STEPS
from tests.builders import run_of
from worker.errors import OutputsInvalid, OutputsMissing

LONGEST = 20_000
PATIENCE = 300
"""Seconds after which a child hangs: what it does takes a few."""

MOTIFS = st.text(alphabet="{}[]\":,'\\/*#ab1 \n“”‘’-.tN\x00\ud800$%", min_size=1, max_size=8)  # noqa: RUF001
LONG = st.builds(
    lambda head, motif, times, tail: (head + motif * times + tail)[:LONGEST],
    MOTIFS | st.sampled_from(['{"result": "', "{{1.output}}", "${a}{% for a in a %}"]),
    MOTIFS,
    st.integers(1, 4_000),
    MOTIFS,
)
DIGITS = st.integers(1, LONGEST).map(lambda count: "9" * count)
NUMBERS = DIGITS | DIGITS.map(lambda digits: f"-{digits}") | DIGITS.map(lambda digits: f"1e{digits[:6]}")
FORMS = st.sampled_from(['{"score": %s}', '{"lead_score": [%s,]}', "{a: '%s'", '```json\n{"a": %s}'])
TEXTS = LONG | st.builds(lambda form, number: form % number, FORMS, NUMBERS)


@settings(max_examples=8, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(sorted(STEPS)), TEXTS)
def ends_well(step, text):
    """Assembly of such a text is a draft or one of two errors, both short enough to store and to read."""
    try:
        assemble(run_of({step: text}))
    except (OutputsMissing, OutputsInvalid) as error:
        told = error.as_dict()
    else:
        return
    assert told["findings"]
    assert len(json.dumps(told)) < 10 * LONGEST


def test_any_long_text_ends_well():
    root = Path(__file__).parents[3]
    try:
        done = subprocess.run(
            [sys.executable, __file__],
            cwd=root,
            env={"PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.fail("a text kept assembly busy until it was killed")
    assert done.returncode == 0, done.stderr[-4000:]


if __name__ == "__main__":
    ends_well()
