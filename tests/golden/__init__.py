"""What becomes of each sample: its whole draft, or its error, as JSON beside this file.

`python -m tests.golden` writes them anew. Read the difference before you commit it: it is what readers
of the app will see differently.
"""

from pathlib import Path
from typing import Any

import orjson

from tasks.assemble import assemble
from tests.builders import run_input
from worker.errors import OutputsInvalid, OutputsMissing

FOLDER = Path(__file__).parent


def outcome(run_file: dict[str, Any]) -> dict[str, Any]:
    """The draft of a run file, or the error in its place, as JSON values."""
    try:
        made: Any = assemble(run_input(run_file))
    except (OutputsMissing, OutputsInvalid) as error:
        made = {"error": error.as_dict()}
    loaded: dict[str, Any] = orjson.loads(orjson.dumps(made))
    return loaded


def golden(name: str) -> Path:
    """The file with what is expected of the sample of that name."""
    return FOLDER / f"{name}.json"
