"""A command that is imported when it is called; help and completion need no more than its name and a line."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand
from typer.main import get_group


class LazyCommand(TyperCommand):
    """Stands for a command, or a group of commands, until it is called."""

    def __init__(self, name: str, place: str, line: str) -> None:
        """Import nothing yet.

        Args:
            name: what it is called on the command line.
            place: where it is, as `module:name` of a function or a `typer.Typer`.
            line: what it does, as its own help begins; a test compares both.
        """
        super().__init__(name, help=line)
        self._name, self._place = name, place

    def load(self) -> Any:
        """The command itself, or the group."""
        module, _, name = self._place.partition(":")
        found = getattr(import_module(module), name)
        holder = typer.Typer()
        if isinstance(found, typer.Typer):
            holder.add_typer(found, name=self._name)
        else:
            holder.command(self._name)(found)
        return get_group(holder).commands[self._name]

    def make_context(self, *args: Any, **options: Any) -> Any:
        """Begin a call of the command itself: the context leads to it, for all that follows."""
        return self.load().make_context(*args, **options)
