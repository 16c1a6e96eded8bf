"""The kept variables: assign them, read them, load them from a file and save them."""

import zipfile
from pathlib import Path

import numpy as np

from .errors import EmulateError
from .files import Array, Arrays, read_npz, whole
from .interpreter import Runner, ask
from .signature import Variables


def assign(kept: Variables | None, runner: Runner, values: Arrays) -> None:
    """Give every kept variable its value, where the model keeps any. Raises EmulateError.

    values: by name one array of each variable's shape and dtype.
    """
    if kept is not None:
        ask(runner, kept.assign, values)


def unlike(kept: Variables, runner: Runner, wanted: Arrays) -> tuple[str, ...]:
    """Return the names of the variables that are not bit for bit as wanted. Raises EmulateError.

    wanted: by name one array of each variable's shape and dtype.
    """
    found = ask(runner, kept.read, {})
    return tuple(name for name, values in wanted.items() if found[name].tobytes() != values.tobytes())


def other_than(values: Array) -> Array:
    """Return an array of values' shape and dtype whose every value is another: one more, or zero where that is none."""
    if values.dtype.kind == "b":
        return np.asarray(~values)
    with np.errstate(all="ignore"):
        more = np.asarray(values + values.dtype.type(1))
    return np.where(np.isfinite(more) & (more != values), more, 0).astype(values.dtype)


def read_state(path: Path, kept: Variables) -> Arrays:
    """Return the values of STATE, by name one array of each variable's shape and dtype. Raises EmulateError."""
    if not path.exists():
        raise EmulateError(f"{path}: there is no such file", "check the name")
    arrays, tensors = read_npz(path, _unfitting), kept.tensors
    for what, names in (("lacks", set(tensors) - set(arrays)), ("has no use for", set(arrays) - set(tensors))):
        if names:
            listed = ", ".join(sorted(names)[:8]) + (" ..." if len(names) > 8 else "")
            raise _unfitting(path, f"the variables are {len(tensors)}, and it {what} {listed}")
    for name, tensor in tensors.items():
        array = arrays[name]
        if (array.dtype.name, array.shape) != (tensor.dtype, tensor.shape):
            found = f"{array.dtype.name} {list(array.shape)}"
            raise _unfitting(path, f"{name} is {found} in it, and the variable is {tensor}")
    return {name: arrays[name].astype(tensor.dtype) for name, tensor in tensors.items()}


def save_state(path: Path, kept: Variables, runner: Runner) -> None:
    """Write the variables as they are now as an .npz, whole or not at all. Raises EmulateError."""
    arrays = ask(runner, kept.read, {})
    try:
        with whole(path) as written, zipfile.ZipFile(written, "w") as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, array, allow_pickle=False)
    except OSError as error:
        raise EmulateError(f"{path}: it cannot be written: {error.strerror}", "name another place") from error


def _unfitting(path: Path, why: str) -> EmulateError:
    return EmulateError(f"{path}: {why}", "--save writes such a file, --variables lists what is in it")
