"""bundle.json as values: what made the bundle, what was measured and judged, and the SHA-256 of its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Any

from kit.bundle.replay_report import ReplayReport
from kit.bundle.signature import BundleSignature
from kit.metrics.scorer import MetricMeasure
from kit.shared.job import VariableStatus
from kit.shared.values import from_json
from kit.tflite.weight_types import WeightTypes

FORMAT = 4


@dataclass(frozen=True)
class SourceFile:
    """A model file or folder that the bundle was made of. keras, tensorflow: who wrote it, "" where it does not say."""

    file: str
    sha256: str
    format: str = ""
    bytes: int = 0
    keras: str = ""
    tensorflow: str = ""


@dataclass(frozen=True)
class Source:
    """All of them, and how many weights they have."""

    files: tuple[SourceFile, ...]
    parameters: int = 0


@dataclass(frozen=True)
class ToolchainEntry:
    """The toolchain that converted it. any_cpu: the bytes depend neither on the type of CPU nor on its architecture.

    locks: SHA-256 of its lock for each machine that it is pinned for ("x86_64"). On which of them it ran is in the
    record beside the bundle: the bytes are the same.
    """

    tensorflow: str
    python: str
    keras: str
    legacy_keras: str
    locks: Mapping[str, str] = field(default_factory=dict, hash=False)
    loader: str = ""  # "keras 3.15.1"
    any_cpu: bool = False
    quantizer: str = ""  # "litert-quantizer 0.11.0", where it made the file
    quantizer_lock_sha256: str = ""


@dataclass(frozen=True)
class ModelEntry:
    """model.tflite.

    unsure: ends of measured ranges that lie as near to a boundary of their grid as the noise of float sums, as they
    were rounded: kit.shared.range_grid. `verify` takes the same; a new build on another CPU may not.
    """

    sha256: str
    bytes: int
    scheme: str
    io: str
    weights: WeightTypes | None = None
    unsure: Mapping[str, float] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class OutputEntry:
    """What was measured of one output against the float model: kit.build.metrics.OutputMeasure, flat.

    float_accuracy, accuracy and majority are None without y.
    """

    name: str
    worst_error: float
    mean_error: float
    worst_steps: float | None = None
    spread: float | None = None
    worst_share: float | None = None
    relative_error: float | None = None
    correlation: float | None = None
    lost: int = 0
    constant: bool = False
    agreement: float | None = None
    changed: tuple[int, ...] | None = None
    float_accuracy: float | None = None
    accuracy: float | None = None
    majority: float | None = None
    metrics: tuple[MetricMeasure, ...] = ()


@dataclass(frozen=True)
class Measures:
    """What was measured, on which samples, and by which interpreter."""

    on: str  # checks, representative, random
    samples: int
    interpreter: str
    outputs: tuple[OutputEntry, ...]


@dataclass(frozen=True)
class CheckEntry:
    """One check and how it ended, its numbers as text."""

    name: str
    limit: str
    value: str
    passed: bool
    enforced: bool


@dataclass(frozen=True)
class RecipeEntry:
    """The recipe, as JSON that kit.recipe.schema reads, and what is taken from it without that."""

    text: str
    runtime: str  # "litert:2.3.0"
    package: str | None = None
    header: str = ""  # the comment at the top of the Kotlin
    update_version: int = 0  # of the model, where the class has a key and takes updates
    also: tuple[str, ...] = ()  # runtimes that it works on, beside the app's

    @staticmethod
    def from_json(raw: Mapping[str, Any]) -> RecipeEntry:
        """Return the recipe of bundle.json. Raises KeyError where it names no runtime."""
        android = raw["android"]
        return RecipeEntry(
            json.dumps(raw),
            str(android["runtime"]),
            android.get("package"),
            str(android.get("header") or ""),
            int(android.get("update_version") or 1) if android.get("update_key") else 0,
            tuple(android.get("also") or ()),
        )


@dataclass(frozen=True)
class Manifest:
    """bundle.json."""

    id: str
    version: str
    kit: str
    key: str
    recipe: RecipeEntry
    source: Source
    toolchain: ToolchainEntry
    model: ModelEntry
    signature: BundleSignature
    files: Mapping[str, str]  # SHA-256 by path
    variables: tuple[VariableStatus, ...] = ()
    notes: tuple[str, ...] = ()
    measures: Measures | None = None
    gate: bool = True
    checks: tuple[CheckEntry, ...] = ()
    emulation: ReplayReport = field(default_factory=ReplayReport)

    @property
    def runtime(self) -> str:
        """Return the runtime that the app links: "litert:2.3.0"."""
        return self.recipe.runtime

    def to_json(self) -> dict[str, Any]:
        """Return bundle.json."""
        own = {"recipe": json.loads(self.recipe.text), "signature": self.signature.to_json()}
        own["emulation"] = self.emulation.to_json()
        rest = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in own}
        return {"format": FORMAT} | own | {name: _plain(value) for name, value in rest.items()}

    @staticmethod
    def from_json(raw: Mapping[str, Any]) -> Manifest:
        """Return the manifest of bundle.json. Raises TypeError or KeyError where it is none."""
        return from_json(Manifest, {each.name: raw[each.name] for each in fields(Manifest) if each.name in raw})


def _plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
