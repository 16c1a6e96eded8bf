"""What `kit --help` prints: how a command line reads, each command with what it does, and where there is more."""

from __future__ import annotations

import textwrap

from kit.commands import COMMANDS

_WIDTH = 100


def overview() -> str:
    """Return the text: what a command does is the first sentence of its docstring."""
    column = 4 + max(len(command.__name__) for command in COMMANDS)
    lines = [
        textwrap.fill(
            (command.__doc__ or "").partition("\n")[0].partition(". ")[0].removesuffix("."),
            _WIDTH,
            initial_indent=f"  {command.__name__}".ljust(column),
            subsequent_indent=" " * column,
        )
        for command in COMMANDS
    ]
    return "\n".join([_HEAD, *lines, _END])


_HEAD = """\
usage: kit COMMAND [WORDS] [OPTIONS]

From a trained Keras model to a tested Android bundle: `kit build RECIPE`, then `kit drop BUNDLE --into APP`.

commands:"""
_END = """
  kit COMMAND --help   what a command takes, does, and its exit codes
  kit --version        the version of dropkit
  kit --list           the commands alone
"""
