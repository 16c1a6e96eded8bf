"""A plain command line, read and done without Invoke: importing that takes longer than what a light command does.

Plain are a command, what it must have, and options by their full name, each once. All else is Invoke's to read, or to
refuse. Names and defaults are those of the command's own signature, as Invoke reads them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from kit import __version__
from kit.commands import COMMANDS

Values = dict[str, str | int | bool]  # what a command gets, by parameter


def run_plain(words: Sequence[str]) -> bool:
    """Do what a command line says, and say whether it was plain: if not, nothing was done."""
    if any(name.startswith("INVOKE_") for name in os.environ):  # Invoke's own settings
        return False
    if not words or words in (["--help"], ["-h"]):
        from kit.commands.overview import overview

        sys.stdout.write(overview())
    elif words in (["--version"], ["-V"]):
        sys.stdout.write(f"dropkit {__version__}\n")
    else:
        try:
            command, values = _read(words)
        except _NotPlainError:
            return False
        command(None, **values)  # no command reads Invoke's context
    return True


class _NotPlainError(Exception):
    """A command line that is Invoke's to read."""


def _read(words: Sequence[str]) -> tuple[Callable[..., None], Values]:
    """Return the command and what its parameters get. Raises _NotPlainError."""
    commands = {command.__name__: command for command in COMMANDS}
    if words[0] not in commands:
        raise _NotPlainError
    needed, options = signature(commands[words[0]])
    values: Values = {}
    left = iter(words[1:])
    for word in left:
        if word.startswith("-"):
            flag, equals, value = word.partition("=")
            name, default = options.pop(flag, ("", None))  # no option comes twice
            values[name] = _value(default, [value] if equals else [], left)
        elif needed and word and word not in commands:
            values[needed.pop(0)] = word
        else:
            raise _NotPlainError
    if needed:
        raise _NotPlainError
    return commands[words[0]], values


def signature(command: Callable[..., None]) -> tuple[list[str], dict[str, tuple[str, Any]]]:
    """Return the parameters that have no default, and by option ("--allow-code") the others with theirs.

    inspect would say the same, and takes long to import.
    """
    function: Any = getattr(command, "__wrapped__")  # noqa: B009 - the decorator's
    names = function.__code__.co_varnames[1 : function.__code__.co_argcount]  # but for the context
    defaults = function.__defaults__ or ()
    first = len(names) - len(defaults)
    options = {f"--{name.strip('_').replace('_', '-')}": name for name in names[first:]}
    return list(names[:first]), dict(zip(options, zip(options.values(), defaults, strict=True), strict=True))


def _value(default: Any, attached: list[str], left: Iterator[str]) -> str | int | bool:
    """Return an option's value, of the type of its default. Raises _NotPlainError."""
    if default is False and not attached:
        return True
    if type(default) not in {str, int}:
        raise _NotPlainError
    text = attached[0] if attached else next(left, "")
    if not text or text.startswith("-") or (isinstance(default, int) and not (text.isascii() and text.isdigit())):
        raise _NotPlainError
    return int(text) if isinstance(default, int) else text
