"""What every command is made of: its errors as one message and an exit code, and how its options read."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, TextIO

from kit.bounded import printable
from kit.errors import INTERRUPTED, KitError, RecipeError
from kit.lifetime.scratch import run_folder


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Make a command of a function: our errors are one message and their exit code instead of a traceback.

    Its signature is the command's options, its first parameter the context in which Invoke calls it.
    """

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            with _terminating(), _swept(), contextlib.redirect_stdout(_Plain(sys.stdout)) as stdout:
                try:
                    function(*args, **kwargs)
                finally:
                    stdout.flush()
        except KitError as error:
            if kwargs.get("debug"):
                raise
            _end(printable(f"{error.title}: {error}"), error.code)
        except KeyboardInterrupt:
            end_interrupted()
        except (SystemExit, BrokenPipeError):
            raise
        except OSError as error:
            if kwargs.get("debug"):
                raise
            what = printable(f"{error.filename or 'a file'}: {error.strerror or error}")
            _end(f"output: {what}\n  next: check that place's permissions and free space", 2)
        except Exception as error:
            if kwargs.get("debug"):
                raise
            what = printable(f"{type(error).__name__}: {error}")
            _end(f"bug: {what}\n  next: please report it with the output of --debug", 1)

    return wrapped


def _end(message: str, code: int) -> NoReturn:
    sys.stderr.write(f"{message}\n")
    raise SystemExit(code) from None


@contextlib.contextmanager
def _swept() -> Iterator[None]:
    """Sweep what dead runs left, containers too; give this run a temporary folder."""
    with run_folder() as container_left:
        if container_left:
            from kit.container.client import probe, sweep

            client = probe(timeout=5)
            if not isinstance(client, str):
                sweep(client)
                client.close()
        yield


class _Plain(io.TextIOBase):
    """Stdout without what steers a terminal: names and notes of a model or a bundle come from anyone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with _quiet():
            self._stream.write(printable(text, colours=True))
        return len(text)

    def flush(self) -> None:
        with _quiet():
            self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """End quietly where stdout's reader is gone: libraries that print have ends of their own for it."""
    try:
        yield
    except BrokenPipeError:
        end_quietly()


class _terminating:  # noqa: N801 - reads as a word in `with`
    """While it holds, SIGTERM ends like Ctrl-C: with containers and partial files cleared away."""

    def __enter__(self) -> None:
        self._old = signal.signal(signal.SIGTERM, _interrupt)

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGTERM, self._old)


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def end_interrupted() -> NoReturn:
    """End after Ctrl-C or SIGTERM."""
    _end("interrupted: nothing was left half-written", INTERRUPTED)


def end_quietly() -> NoReturn:
    """End as a program does whose reader is gone (`kit inspect FILE | head`): without a word, with 141."""
    # What is still in the buffer would be written at the end, and fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(128 + signal.SIGPIPE)


def words_behind_dashes() -> list[str]:
    """Return what is behind `--` on this process's command line, each word as the shell gave it.

    Invoke's context has these words joined by spaces: that says no longer where a name ends.
    """
    return sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []


def recipe_file(name: str) -> Path:
    """Return the recipe's file; a folder stands for the recipe.toml in it."""
    return Path(name) / "recipe.toml" if Path(name).is_dir() else Path(name)


def memory_bytes(text: str) -> int:
    """Return the bytes of --memory: "512m", "8g". Raises RecipeError."""
    units = {"k": 10, "m": 20, "g": 30}
    number, unit = (text[:-1], text[-1].lower()) if text[-1:].lower() in units else (text, "")
    if not number.isdigit() or int(number) == 0:
        raise RecipeError(f"--memory {text!r} is not a size", "write 512m or 8g")
    return int(number) << units.get(unit, 0)


def seconds(timeout: int) -> float:
    """Return --timeout in seconds. Raises RecipeError for one that is not above 0."""
    if timeout <= 0:
        raise RecipeError(f"--timeout {timeout} is not a time", "give a number of seconds above 0")
    return float(timeout)


def print_json(value: Any) -> None:
    """Write a value to stdout as JSON, the same text for the same value."""
    from kit.files import json_text

    sys.stdout.write(json_text(value))
