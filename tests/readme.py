"""The README as its tests read it: code blocks and tables, each under its heading."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()


@dataclass(frozen=True)
class Block:
    """A fenced code block: the heading above it, its language, and the text."""

    heading: str
    language: str
    text: str

    def __str__(self):
        return f"{self.heading}: {self.text.splitlines()[0]}"


def blocks(language=None):
    """The code blocks, in order; those of one language if it is given."""
    found = [
        Block(heading, fence[1], fence[2])
        for heading, body in sections().items()
        for fence in re.finditer(r"^```(\w*)\n(.*?)^```$", body, re.MULTILINE | re.DOTALL)
    ]
    return [block for block in found if language in {None, block.language}]


def sections():
    """The text under each heading, down to the next one of any level."""
    found, heading, fenced = {}, "", False
    for line in TEXT.splitlines(keepends=True):
        fenced ^= line.startswith("```")
        if line.startswith("#") and not fenced:
            heading = line.strip("# \n")
        found[heading] = found.get(heading, "") + line
    return found


def rows(first):
    """The rows, as tuples of cells, of the table whose first column has this title."""
    lines = iter(TEXT.splitlines())
    for line in lines:
        if line.startswith(f"| {first} |"):
            assert re.fullmatch(r"[|\s-]+", next(lines))
            found = []
            for row in lines:
                if not row.startswith("|"):
                    return found
                found.append(tuple(cell.strip() for cell in row.strip("|").split(" | ")))
    raise AssertionError(f"no table with a column {first!r}")


def code(text):
    """What stands between single backticks, in order."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))
