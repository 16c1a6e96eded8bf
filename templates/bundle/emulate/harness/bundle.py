"""Where a bundle's files are, and what its build knew. Reads none of them."""

from pathlib import Path
from typing import NamedTuple


class Bundle(NamedTuple):
    """A bundle on this machine."""

    id: str
    runtime: str  # what the app links: "litert:2.3.0"
    kit: str  # the version of dropkit that made it
    assets: Path  # the folder of the model, its labels and signature.json
    emulate: Path  # the folder of golden.npz

    @property
    def signature(self) -> Path:
        return self.assets / "signature.json"

    @property
    def golden(self) -> Path:
        return self.emulate / "golden.npz"
