"""The outputs of all calls as arrays in a file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .entries import Result
from .errors import EmulateError, one_line
from .files import Arrays, whole


def save_outputs(path: Path, results: Sequence[Result], raw: Sequence[Arrays]) -> None:
    """Write output/<name> [calls, *shape of one call's output] in its dtype, input str [calls], index int64 [calls].

    raw: of each result, [*shape] of each output in its tensor's dtype. index is -1 where the INPUT is one call. The
    file is whole, or as it was. Raises EmulateError.
    """
    try:
        arrays: Arrays = {f"output/{name}": np.stack([call[name] for call in raw]) for name in (raw[0] if raw else ())}
    except ValueError as error:
        raise EmulateError(f"--save-outputs: the outputs have several shapes: {one_line(error)}", _ONE_SIZE) from error
    arrays["input"] = np.array([result.input for result in results], np.str_)
    arrays["index"] = np.array([-1 if result.index is None else result.index for result in results], np.int64)
    try:
        with whole(path) as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # its stubs take an option for each name
    except OSError as error:
        hint = "name a file that can be written: --save-outputs FILE.npz"
        raise EmulateError(f"{path}: outputs cannot be written: {one_line(error)}", hint) from error


_ONE_SIZE = "give INPUTs of one size"
