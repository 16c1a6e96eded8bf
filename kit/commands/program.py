"""The commands as Invoke has them: its tasks, and its program for every command line that is not plain."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from invoke.collection import Collection
from invoke.exceptions import ParseError
from invoke.program import Program
from invoke.tasks import Task

from kit import __version__
from kit.bounded import printable
from kit.commands import COMMANDS
from kit.commands.quick import signature


class _Task(Task[Any]):
    def arg_opts(self, name: str, default: str, taken_names: set[str]) -> dict[str, Any]:
        """Give no option the short form -h: that is help; nor the dash that joins the words of its name."""
        return super().arg_opts(name, default, taken_names | {"h", "_", "-"})

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command; show its help instead where Invoke took `--help` for its first word: `inv build --help`."""
        if not {"-h", "--help"}.isdisjoint(map(str, kwargs.values())):
            return run_program([self.name, "--help"])
        return super().__call__(*args, **kwargs)


namespace = Collection(*map(_Task, COMMANDS))


class _Program(Program):
    def parse_tasks(self) -> None:
        """Exit with 2, not Invoke's 1 or a traceback, for a command line that does not parse."""
        try:
            super().parse_tasks()
        except (ParseError, ValueError) as error:  # a ValueError: Invoke makes a number of an option's value
            why = _no_number(self.argv[1:]) if isinstance(error, ValueError) else error
            sys.stderr.write(f"usage: {printable(str(why))}\n  next: kit --help, or kit COMMAND --help\n")
            raise SystemExit(2) from None


def _no_number(words: Sequence[str]) -> str:
    """Return which option is given what is no whole number."""
    options = [option for command in COMMANDS for option in signature(command)[1].items()]
    numbers = {flag for flag, (_, default) in options if type(default) is int}
    for word, following in pairwise([*words, ""]):
        name, equals, value = word.partition("=")
        value = value if equals else following
        if name in numbers and not value.lstrip("-").isdecimal():
            return f"{name} {value} is no whole number"
    return "an option that takes a number has none"


def run_program(words: Sequence[str]) -> None:
    """Run a command line. Its end is a SystemExit where it is not 0."""
    program = _Program(name="dropkit", binary="kit", namespace=namespace, version=__version__)
    program.run(["kit", *_help_first(words)])


def _help_first(words: Sequence[str]) -> Sequence[str]:
    """Return `COMMAND --help` as Invoke takes it, which has help before the command alone.

    What is behind `--` is no word of kit's.
    """
    own = words[: words.index("--")] if "--" in words else words
    if own and own[0] in namespace.task_names and not {"-h", "--help"}.isdisjoint(own):
        return ["--help", own[0]]
    return words
