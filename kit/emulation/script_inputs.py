"""What a script's words name, as the harness reads it: the signature that files go through, and what the files hold.

Imported by scripts of the runtime's venv, once the bundle's harness can be.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.files import Arrays
    from harness.model import Model
    from harness.signature import Signature


def chosen_signature(model: Model, key: str) -> Signature:
    """Return the signature of a key, the main one for "". Raises EmulateError where files go through none of it."""
    from harness.errors import EmulateError

    for signature in model.runnable:
        if key in {"", signature.key}:
            return signature
    known = ", ".join(signature.key for signature in model.runnable)
    raise EmulateError(f"--signature {key}: the model takes no INPUT by that name", f"there is: {known}")


def samples(signature: Signature, files: list[str], errors: list[dict[str, str]]) -> Iterator[tuple[str, Arrays]]:
    """Yield the name of each sample in files and folders, and its inputs: [rows, *sample] in the tensor's dtype.

    errors: gets {"input", "error", "hint"} of each file that cannot be used; the others go on.
    """
    from harness.errors import USAGE, EmulateError, one_line
    from harness.input_files import input_files
    from harness.inputs import read_input

    for given in map(Path, files):
        try:
            paths = input_files(given, signature)
        except EmulateError as error:
            paths = []
            errors.append({"input": str(given), "error": one_line(error), "hint": error.hint})
        for path in paths:
            try:
                for sample in read_input(path, signature):
                    name = sample.source if sample.index is None else f"{sample.source}[{sample.index}]"
                    yield name, sample.feed
            except EmulateError as error:
                if error.code != USAGE or isinstance(error.__cause__, RuntimeError):
                    raise
                errors.append({"input": str(path), "error": one_line(error), "hint": error.hint})
