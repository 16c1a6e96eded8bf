"""The installed `kit` command: Invoke's own program over the same collection as `inv` in a checkout."""

from __future__ import annotations

import codecs
import io
import locale
import os
import sys

from invoke.exceptions import ParseError
from invoke.program import Program

from kit import __version__
from kit.commands import namespace
from kit.commands.command import end_quietly


class _Program(Program):
    def parse_tasks(self) -> None:
        """Exit with 2, not Invoke's 1, for a command line that does not parse."""
        try:
            super().parse_tasks()
        except ParseError as error:
            sys.stderr.write(f"usage: {error}\n  next: kit --list, or kit --help COMMAND\n")
            raise SystemExit(2) from None


def _use_utf8() -> None:
    """Start again in Python's UTF-8 mode where the locale has another encoding: paths, files and output are UTF-8.

    What is no UTF-8 in a path is printed as an escape.
    """
    if not sys.flags.utf8_mode and codecs.lookup(locale.getpreferredencoding(False)).name != "utf-8":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - the same program
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def main() -> None:
    """Run the command line."""
    _use_utf8()
    try:
        try:
            _Program(name="dropkit", binary="kit", namespace=namespace, version=__version__).run()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        end_quietly()


if __name__ == "__main__":
    main()
