"""The outputs of a run of the harness, and which sample came of which file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kit.build.metrics import real
from kit.bundle.arrays import made_arrays
from kit.bundle.signature import SignatureEntry

if TYPE_CHECKING:
    import numpy as np

_ARRAYS = {".npz", ".npy", ".csv", ".raw", ".bin", ".txt", ".wav"}


@dataclass(frozen=True)
class Run:
    """What came of files. outputs: real values, float32 [N, ...] by output; inputs: the file of each call, as named.

    alone: whether each file is one call. images: whether all of them are image files. errors: whether some files could
    not be used.
    """

    outputs: Mapping[str, np.ndarray]
    inputs: tuple[str, ...]
    alone: bool
    images: bool
    errors: bool

    @property
    def count(self) -> int:
        """Return how many samples there are."""
        return len(next(iter(self.outputs.values()), ()))


def read_run(saved: Path, signature: SignatureEntry, *, errors: bool) -> Run:
    """Return what the harness's --save-outputs wrote. Raises ModelError where it is none."""
    arrays = made_arrays(saved)
    outputs = {}
    for entry in signature.outputs:
        if f"output/{entry.name}" in arrays:
            calls = arrays[f"output/{entry.name}"]
            rows = calls.reshape(-1, *calls.shape[2:]) if entry.batched else calls
            outputs[entry.name] = real(rows, entry)
    inputs = tuple(arrays["input"].tolist())
    images = all(Path(name).suffix.lower() not in _ARRAYS and name != "-" for name in inputs)
    return Run(outputs, inputs, bool((arrays["index"] < 0).all()), images, errors)
