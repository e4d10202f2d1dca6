"""`python -m tests.golden` writes what now becomes of each sample."""

import orjson

from tests.builders import sample, samples
from tests.golden import golden, outcome

for name in samples():
    golden(name).write_bytes(orjson.dumps(outcome(sample(name)), option=orjson.OPT_INDENT_2) + b"\n")
