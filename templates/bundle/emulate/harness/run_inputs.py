"""Run every INPUT: the outputs of those that can be used, one error for each that cannot."""

import contextlib
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from .errors import USAGE, EmulateError, one_line
from .input_files import input_files
from .report import InputError, Result
from .results import Run, run_input

Ran = tuple[tuple[Result, ...], tuple[InputError, ...]]


def run_inputs(inputs: Sequence[Path], run: Run) -> Ran:
    """Return the results of INPUTs, one for each call, and the errors of those that cannot be used.

    Raises EmulateError for what is no fault of an INPUT: a package that is missing.
    """
    results: list[Result] = []
    errors: list[InputError] = []
    for given in inputs:
        with _collected(errors, given):
            for path in input_files(given, run.signature):
                with _collected(errors, path):
                    results += run_input(path, run)
    return tuple(results), tuple(errors)


@contextlib.contextmanager
def _collected(errors: list[InputError], path: Path) -> Iterator[None]:
    """Add to errors what is wrong with an INPUT. Raises EmulateError for what is wrong with something else."""
    try:
        yield
    except EmulateError as error:
        if error.code != USAGE:
            raise
        why = one_line(str(error).removeprefix(f"{path}: "))
        errors.append(InputError(str(path), why, error.hint, traceback.format_exc()))
