"""Where a bundle has its files. Reads none of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kit.bundle.whole import MANIFEST
from kit.shared.job import GOLDEN, MODEL

SIGNATURE = "signature.json"
GOLDEN_BIN = "golden.bin"
EXPECTED_BIN = "expected.bin"
HARNESS = Path("emulate") / "emulate.py"
MAIN_ASSETS, DEBUG_ASSETS = Path("src") / "main" / "assets", Path("src") / "debug" / "assets"
KOTLIN, KOTLIN_TESTS = Path("src") / "main" / "kotlin", Path("src") / "androidTest" / "kotlin"
RULES = "consumer-rules.pro"
README = "README.md"
REPORT = "report.html"
# What `verify` needs to build the same model again.
PROVENANCE = Path("provenance")
SAMPLES = PROVENANCE / "samples.npz"
FLOATS = PROVENANCE / "float.npz"  # the float model's outputs of the golden vectors: their last bits follow the CPU
TENSORS = PROVENANCE / "tensors.json"  # their names, by index
QUANTIZER_LOCK = PROVENANCE / "quantizer.lock"
UPDATE_KEY = PROVENANCE / "update_key.pem"  # of the class: it checks what comes over the air
PROVENANCE_METRICS = PROVENANCE / "metrics.py"  # the user's own, which `verify` runs nothing of
PROVENANCE_CODE, PROVENANCE_STRUCTURE = PROVENANCE / "custom.py", PROVENANCE / "structure.json"


def assets_of(id: str) -> str:  # noqa: A002
    """Return where the files that an app gets are in a bundle: "src/main/assets/flowers"."""
    return (MAIN_ASSETS / id).as_posix()


@dataclass(frozen=True)
class Bundle:
    """A bundle's folder and its id, and from them the place of each file."""

    folder: Path
    id: str

    @property
    def manifest(self) -> Path:
        """Return the place of bundle.json."""
        return self.folder / MANIFEST

    @property
    def assets(self) -> Path:
        """Return the folder of the files that an app gets: the model, signature.json, labels."""
        return self.folder / MAIN_ASSETS / self.id

    @property
    def model(self) -> Path:
        """Return the place of model.tflite."""
        return self.assets / MODEL

    @property
    def signature(self) -> Path:
        """Return the place of signature.json."""
        return self.assets / SIGNATURE

    @property
    def golden_bin(self) -> Path:
        """Return the golden vectors as an app reads them."""
        return self.folder / DEBUG_ASSETS / self.id / GOLDEN_BIN

    @property
    def expected_bin(self) -> Path:
        """Return what an app verifies an accelerator with, see kit.build.expected."""
        return self.assets / EXPECTED_BIN

    @property
    def harness(self) -> Path:
        """Return the Python program that runs the model on a desktop."""
        return self.folder / HARNESS

    @property
    def golden_npz(self) -> Path:
        """Return the golden vectors as the harness reads them."""
        return self.harness.parent / GOLDEN

    @property
    def requirements(self) -> Path:
        """Return the lock of the packages that the harness runs with."""
        return self.harness.parent / "requirements.txt"

    @property
    def rules(self) -> Path:
        """Return the rules for R8, the shrinker of Android builds."""
        return self.folder / RULES

    def labels(self, file: str) -> Path:
        """Return a labels file, by the name that signature.json has for it."""
        return self.assets / file


def only_bundle(folder: Path) -> Bundle:
    """Return the bundle of a folder by the model in it. Raises StopIteration where there is none."""
    return Bundle(folder, next(path.parent.name for path in sorted((folder / MAIN_ASSETS).glob(f"*/{MODEL}"))))
