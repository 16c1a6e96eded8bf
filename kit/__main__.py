"""The installed `kit` command: Invoke's own program over the same collection as `inv` in a checkout."""

from __future__ import annotations

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


def main() -> None:
    """Run the command line."""
    try:
        try:
            _Program(name="dropkit", binary="kit", namespace=namespace, version=__version__).run()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        end_quietly()


if __name__ == "__main__":
    main()
