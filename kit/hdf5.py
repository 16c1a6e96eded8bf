"""What an HDF5 file says of itself: its root's attributes. Knows nothing of Keras.

Read by a process of its own, which runs this same file: the HDF5 library can crash, or never end, on a damaged one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS = 60.0


@dataclass(frozen=True)
class Hdf5:
    """The root of a file: its attributes that are text, and the names of all of them and of its groups."""

    texts: dict[str, str]
    names: frozenset[str]


def read_hdf5(path: Path) -> Hdf5:
    """Read a file's root. Raises ValueError, with the library's own words, for one that is not whole."""
    # -P: the folder of this file is no place to import from.
    argv = [sys.executable, "-P", __file__, str(path)]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise ValueError("the HDF5 library does not get to its end") from None
    if done.returncode < 0:
        raise ValueError("the HDF5 library crashes on it")
    if done.returncode > 0:
        raise ValueError((done.stderr.strip().splitlines() or ["the HDF5 library cannot read it"])[-1])
    answer = json.loads(done.stdout)
    return Hdf5(answer["texts"], frozenset(answer["names"]))


def _read(path: str) -> dict[str, Any]:
    import h5py

    with h5py.File(path, "r") as file:
        values = {name: file.attrs[name] for name in file.attrs}
        names = [*values, *file]
    decoded = {name: value.decode() if isinstance(value, bytes) else value for name, value in values.items()}
    return {"texts": {name: value for name, value in decoded.items() if isinstance(value, str)}, "names": names}


if __name__ == "__main__":
    try:
        sys.stdout.write(json.dumps(_read(sys.argv[1])))
    except Exception as error:  # noqa: BLE001 - whatever the library raises is the answer
        sys.stderr.write(" ".join(str(error).split()) or type(error).__name__)
        raise SystemExit(1) from None
