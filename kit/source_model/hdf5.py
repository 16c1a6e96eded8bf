"""What an HDF5 file says of itself: its root's attributes, and its arrays. Knows nothing of Keras.

Read by a process of its own, which runs this same file: the HDF5 library can crash, or never end, on a damaged one.
"""

from __future__ import annotations

import json
import math
import re
import resource
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS = 60.0
MOST_MEMORY = 4 << 30  # bytes of the process that reads a description; four times that for arrays


@dataclass(frozen=True)
class StoredArray:
    """An array of numbers in a file, without its numbers. dtype as numpy names it: "float32"."""

    path: str  # "model_weights/dense/dense/kernel:0"
    shape: tuple[int, ...]
    dtype: str
    bytes: int


@dataclass(frozen=True)
class Hdf5:
    """The root of a file: its attributes that are text, and the names of all of them and of its groups."""

    texts: dict[str, str]
    names: frozenset[str]
    asks: tuple[str, ...] = ()  # what of it lies in other files
    arrays: tuple[StoredArray, ...] = ()  # but an optimizer's; none where something of it lies in other files

    @property
    def weights(self) -> int:
        """Return the bytes of all arrays, but an optimizer's."""
        return sum(array.bytes for array in self.arrays)


def read_hdf5(path: Path, member: str = "") -> Hdf5:
    """Read a file's root, or that of a member of a zip file.

    Raises ValueError, with the library's own words, for one that is not whole.
    """
    description = json.loads(_apart(str(path), *(["--member", member] if member else [])))
    arrays = tuple(StoredArray(path, tuple(shape), *rest) for path, shape, *rest in description["arrays"])
    return Hdf5(description["texts"], frozenset(description["names"]), tuple(description["asks"]), arrays)


def copy_arrays(path: Path, target: Path) -> None:
    """Write every array of numbers in a file to an .npz, by its path in the file. Raises ValueError as read_hdf5."""
    _apart(str(path), str(target))


def _apart(*arguments: str) -> str:
    """Run this file in a process of its own; return what it prints. Raises ValueError."""
    from kit.lifetime.tied import tied

    # -P: the folder of this file is no place to import from.
    argv = [sys.executable, "-P", __file__, *arguments]
    try:
        done = subprocess.run(
            tied(argv), capture_output=True, text=True, errors="replace", check=False, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        raise ValueError("the HDF5 library does not get to its end") from None
    if done.returncode < 0:
        raise ValueError("the HDF5 library crashes on it")
    if done.returncode > 0:
        raise ValueError(_plain((done.stderr.strip().splitlines() or ["the HDF5 library cannot read it"])[-1]))
    return done.stdout


def _plain(text: str) -> str:
    """Return the library's words without its names for what it was at; a file that is cut short in numbers of bytes."""
    cut = re.search(r"truncated file: eof = (\d+), .*stored_eof = (\d+)", text)
    if cut:
        return f"it is cut short: {int(cut[1]):,} of {int(cut[2]):,} bytes"
    return re.sub(r"^Unable to (?:synchronously )?\w+ \w+ \((.*)\)$", r"\1", text)


def _copy(path: str, target: str) -> None:
    import h5py
    import numpy as np

    arrays: dict[str, Any] = {}

    def visit(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset) and node.dtype.kind in "fiub":
            arrays["/".join([*reported(node.parent, name.split("/")[:-1]), name.rpartition("/")[2]])] = node[()]

    def reported(group: Any, parts: list[str]) -> list[str]:
        """Return a group's path. Keras 3 numbers layers by their class, and has their names beside their `vars`."""
        if not parts:
            return []
        if parts[-1] == "vars" and isinstance(group.attrs.get("name"), str):
            return [*reported(group.parent.parent, parts[:-2]), str(group.attrs["name"])]
        return [*reported(group.parent, parts[:-1]), parts[-1]]

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    np.savez(target, **arrays)


def _read(path: str, member: str = "") -> dict[str, Any]:
    import h5py

    from kit.shared.stored_member import open_member
    from kit.trust.hdf5 import asks_of_hdf5

    with ExitStack() as stack:
        inner = stack.enter_context(open_member(Path(path), member)) if member else path
        file = stack.enter_context(h5py.File(inner, "r"))
        # Of a member only its asks count: an attribute that cannot be read must not hide them.
        values = {} if member else {name: file.attrs[name] for name in file.attrs}
        names = [*values, *file]
        asks = [str(ask) for ask in asks_of_hdf5(file)]
        arrays = [] if asks else _arrays(file)
    decoded = {name: value.decode() if isinstance(value, bytes) else value for name, value in values.items()}
    return {
        "texts": {name: value for name, value in decoded.items() if isinstance(value, str)},
        "names": names,
        "asks": asks,
        "arrays": arrays,
    }


def _arrays(file: Any) -> list[tuple[str, tuple[int, ...], str, int]]:
    """Return a file's arrays of numbers as StoredArray has them, but an optimizer's."""
    import h5py

    found = []

    def visit(name: str, node: Any) -> None:
        own = not name.startswith("optimizer")
        if own and isinstance(node, h5py.Dataset) and node.dtype.kind in "fiu":
            shape = tuple(node.shape or ())
            found.append((name, shape, str(node.dtype.name), math.prod(shape) * node.dtype.itemsize))

    file.visititems(visit)
    return found


if __name__ == "__main__":
    try:
        most = MOST_MEMORY if len(sys.argv) < 3 or sys.argv[2] == "--member" else 4 * MOST_MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        if sys.argv[2:3] == ["--member"]:
            sys.stdout.write(json.dumps(_read(sys.argv[1], sys.argv[3])))
        elif len(sys.argv) > 2:
            _copy(sys.argv[1], sys.argv[2])
        else:
            sys.stdout.write(json.dumps(_read(sys.argv[1])))
    except Exception as error:  # noqa: BLE001 - whatever the library raises is the reason
        sys.stderr.write(" ".join(str(error).split()) or type(error).__name__)
        raise SystemExit(1) from None
