"""`python -m tests.generator --seed 7 --count 3 --damage fence --out DIR` writes run files."""

import sys
from argparse import ArgumentParser
from pathlib import Path

from tests.generator import CLIENT, Damage, Size, generate
from tests.generator.jsontext import dumped


def main(arguments: list[str] | None = None) -> None:
    """Write a run file for each seed and name it on standard output."""
    parser = ArgumentParser(prog="python -m tests.generator", description="Writes plausible runs as run files.")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--count", type=int, default=1, help="how many seeds from there on")
    parser.add_argument("--size", type=Size, default=Size.NORMAL, help=", ".join(Size))
    parser.add_argument("--contacts", type=int, help="people among the contacts")
    parser.add_argument("--damage", type=Damage, nargs="+", action="extend", default=[], help=", ".join(Damage))
    parser.add_argument("--client", default=CLIENT, help="the v2 client's id")
    parser.add_argument("--out", type=Path, required=True, help="the folder, made if it is missing")
    asked = parser.parse_args(arguments)
    asked.out.mkdir(parents=True, exist_ok=True)
    for seed in range(asked.seed, asked.seed + asked.count):
        run = generate(seed, size=asked.size, contacts=asked.contacts, damage=asked.damage, client_id=asked.client)
        path = asked.out / f"{run['run']['run_id'].lower()}.json"
        path.write_text(dumped(run, indent=1) + "\n", encoding="utf-8")
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
