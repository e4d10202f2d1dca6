"""Feed the door and assembling what a fuzzer makes of real outputs, guided by the code that each one reaches.

    python -m tests.fuzz [--seconds 60] [--seed N] [--folder build/fuzz] [FILE]

Fails on an exception that is none of those a caller is promised, on an end that PostgreSQL would refuse, and on
whatever takes longer than `PATIENCE`; what led there is kept in the folder, and `FILE` runs one of those again.
What reached new code is kept there too, and the next run begins with it.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["json_repair", "models.clean", "tasks.assemble", "worker.bridge.body"]):
    from models.clean import storable
    from tasks.assemble.steps import STEPS
    from tests.builders import CONTENTS, run_of, sample, samples
    from tests.totality import ends_well
    from worker.bridge.body import parse
    from worker.errors import InvalidJson

NAMES = sorted(STEPS)
LONGEST = 4_000
"""Bytes of an output; longer ones are slow to run and rarely reach more."""
PATIENCE = 120
"""Seconds for one, however busy the machine; alone, the slowest take a tenth of one."""


def try_one(data):
    """Have a run of one output assembled: the first byte says of which step, and whether text came as text."""
    which, raw = data[0] if data else 0, data[1:]
    step = NAMES[which // 2 % len(NAMES)]
    try:
        output = parse(raw)
    except InvalidJson:
        output = raw.decode(errors="replace")
    if which % 2:
        output = raw.decode(errors="replace")
    ends_well(run_of({step: storable(output)[0]}))


def seeds():
    """Real outputs of every kind: what the samples hold, and the least that each step must say."""
    found = [(step, content) for step, content in CONTENTS.items() if step in STEPS]
    for name in samples():
        found += [(step["step_name"], step.get("output")) for step in sample(name)["steps"]]
    for step, output in found:
        if step in STEPS:
            raw = output if isinstance(output, str) else json.dumps(output)
            yield bytes([2 * NAMES.index(step) + isinstance(output, str)]) + raw.encode()


def main():
    """Fuzz for a while, or run one file again."""
    arguments = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    arguments.add_argument("--seconds", type=int, default=60, metavar="N")
    arguments.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3)), metavar="N")
    arguments.add_argument("--folder", type=Path, default=Path("build/fuzz"), metavar="FOLDER")
    arguments.add_argument("file", type=Path, nargs="?", metavar="FILE", help="one input, to run again")
    given = arguments.parse_args()
    corpus = given.folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        (corpus / f"seed-{number}").write_bytes(seed[:LONGEST])
    options = {
        "max_total_time": given.seconds,
        "seed": given.seed,
        "max_len": LONGEST,
        "timeout": PATIENCE,
        "artifact_prefix": f"{given.folder}/",
        "print_final_stats": 1,
    }
    words = [f"-{name}={value}" for name, value in options.items()]
    atheris.Setup([sys.argv[0], *words, str(given.file or corpus)], try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
