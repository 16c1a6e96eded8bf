"""The installed `kit` command: the same commands as `inv` in a checkout, the plain ones without Invoke."""

from __future__ import annotations

import codecs
import io
import locale
import os
import sys


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


def _open_closed() -> None:
    """Give the process a stdout and a stderr where it was started with one that is closed (`kit doctor >&-`)."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - as long as the process


def main() -> None:
    """Run the command line. Importing takes most of a start, and may be interrupted, too."""
    try:
        _open_closed()
        _use_utf8()
        from kit.commands.quick import run_plain

        try:
            if not run_plain(sys.argv[1:]):
                from kit.commands.program import run_program

                run_program(sys.argv[1:])
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        from kit.commands.command import end_quietly

        end_quietly()
    except KeyboardInterrupt:  # before a command began
        from kit.commands.command import end_interrupted

        end_interrupted()


if __name__ == "__main__":
    main()
