"""What the members of a .keras file ask for: weights in a form that runs code while they are read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from kit.trust.allowed import Ask

_WEIGHTS = "model.weights"


def asks_of_archive(names: Iterable[str]) -> list[Ask]:
    """Return the weights among the members of these names that are not HDF5: Keras 2 unpickles what an .npz holds.

    No public function of any Keras writes them so.
    """
    return [
        Ask("symbol", f"the weights in {name}", "are read with pickle, which runs code")
        for name in names
        if PurePosixPath(name).name.startswith(_WEIGHTS) and not name.endswith((".h5", "/"))
    ]
