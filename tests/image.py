"""The image and its services as Dockerfile and docker-compose.yml describe them, for a machine without Docker."""

import fnmatch
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import click
import yaml
from celery.bin.celery import celery as celery_cli
from flower import options as _flower_options  # noqa: F401 - defines them
from tornado.options import options as tornado_options
from typer.main import get_command
from uvicorn.main import main as uvicorn_cli

from worker.cli import app as columnline
from worker.cli.lazy import LazyCommand

ROOT = Path(__file__).parents[1]
SECRETS = {"POSTGRES_PASSWORD": "some:p@ss/word", "FLOWER_BASIC_AUTH": "ops:secret"}

_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")
_HEREDOC = re.compile(r"<<'?(\w+)'?")


class MissingVariable(Exception):
    """Compose would stop here: a variable without a default is not set."""


def compose(**variables):
    """The compose file's document, with variables filled in as Compose does it."""
    document = _interpolated(yaml.safe_load((ROOT / "docker-compose.yml").read_text()), variables)
    for service in document["services"].values():
        environment = service.get("environment", {})
        for name in [name for name, value in environment.items() if value is None]:
            environment[name] = variables.get(name)  # passed through by its name alone
            if environment[name] is None:
                del environment[name]
    return document


def _interpolated(value, variables):
    def fill(match):
        name, kind, rest = match["name"], match["kind"], match["rest"]
        if variables.get(name):
            return variables[name]
        if kind == "?":
            raise MissingVariable(f"{name}: {rest}")
        return rest or ""

    match value:
        case str():
            return _VARIABLE.sub(fill, value)
        case dict():
            return {key: _interpolated(item, variables) for key, item in value.items()}
        case list():
            return [_interpolated(item, variables) for item in value]
        case _:
            return value


def seconds(duration):
    """The seconds of a duration such as `60s`."""
    assert duration.endswith("s"), duration
    return float(duration.removesuffix("s"))


@dataclass
class Instruction:
    """One instruction of the Dockerfile: its stage counted from 0, its word, what follows, its here-document."""

    stage: int
    word: str
    text: str
    document: str = ""

    @property
    def words(self):
        return shlex.split(self.text)


def dockerfile():
    """The Dockerfile's instructions, in order."""
    lines = iter((ROOT / "Dockerfile").read_text().splitlines())
    found, stage = [], -1
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        text = line
        while text.endswith("\\"):
            text = text[:-1] + next(lines)
        word, _, rest = text.partition(" ")
        stage += word == "FROM"
        document = ""
        if here := _HEREDOC.search(rest):
            while (line := next(lines)) != here[1]:
                document += line + "\n"
        found.append(Instruction(stage, word, rest.strip(), document))
    return found


def final_stage():
    """The instructions of the image itself."""
    found = dockerfile()
    return [instruction for instruction in found if instruction.stage == found[-1].stage]


def image_environment():
    """The variables that the image sets."""
    return dict(
        pair.split("=", 1)
        for instruction in final_stage()
        if instruction.word == "ENV"
        for pair in instruction.words
    )


def from_the_context():
    """What the image takes from the build context: pairs of source and target."""
    return [
        tuple(instruction.words)
        for instruction in final_stage()
        if instruction.word == "COPY" and not instruction.text.startswith("--from")
    ]


def scripts():
    """The programs that the Dockerfile writes itself: text by path."""
    return {instruction.words[-1]: instruction.document for instruction in dockerfile() if instruction.document}


def sent_to_the_builder(path):
    """Whether .dockerignore lets this path through; of several rules that match, the last one counts."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        rule = line.removeprefix("!").removeprefix("**/")
        parts = PurePosixPath(path).parts
        heads = ["/".join(parts[: count + 1]) for count in range(len(parts))]
        names = [*heads, *parts] if "**/" in line else heads
        if any(fnmatch.fnmatch(name, rule) for name in names):
            sent = line.startswith("!")
    return sent


def lay_out(target):
    """Put under `target` what the image has under its root, but for the installed packages; nothing writable."""
    for source, destination in from_the_context():
        for path in (ROOT / source).rglob("*"):
            relative = path.relative_to(ROOT)
            if path.is_file() and sent_to_the_builder(relative):
                copy = Path(f"{target}{destination}") / path.relative_to(ROOT / source)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
                copy.chmod(0o444)
    for path, text in scripts().items():
        script = Path(f"{target}{path}")
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(text)
        script.chmod(0o555)


def parse_command(program, arguments):
    """Parse as the program itself would; a wrong option or subcommand is an error, and nothing is run."""
    match program, arguments:
        case "columnline", _:
            command = get_command(columnline)
            while isinstance(command, click.Group) or hasattr(command, "commands"):
                command, arguments = command.commands[arguments[0]], arguments[1:]
                command = command.load() if isinstance(command, LazyCommand) else command
        case "celery", ["-A", "worker", "flower", *options]:
            known = {name.replace("-", "_") for name in tornado_options}
            assert {option.removeprefix("--").partition("=")[0] for option in options} <= known
            return
        case "celery", ["-A", "worker", subcommand, *arguments]:
            command = celery_cli.commands[subcommand]
        case "uvicorn", ["worker.bridge:app", *_]:
            command = uvicorn_cli
        case _:
            raise AssertionError(f"{program} {arguments}: no such program in the image")
    context = command.context_class(command, info_name=program)
    command.make_parser(context).parse_args(list(arguments))
