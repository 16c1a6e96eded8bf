"""The toolchains and runtimes that dropkit pins: which there are, and what each needs. Runs none of them."""

from __future__ import annotations

import difflib
import platform
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, Self

from kit.errors import EngineError, RecipeError
from kit.toolchains.lockfile import Lock, compile_lock, read_lock

TOOLCHAINS = Path(__file__).parent
RUNTIMES = TOOLCHAINS.parent / "runtimes"
MEDIAPIPE = TOOLCHAINS.parent / "android" / "mediapipe_tasks"
QUANTIZERS = TOOLCHAINS.parent / "quantizer"
# numpy's results may be others in another version, and the quantizer's lock has one for each Python.
QUANTIZER_PYTHON = "3.11"
_QUANTIZER = "litert-quantizer"
# Google Play services update their runtime on the phone: no version of it is known here, and pip has none of it.
PLAY_STAND_IN = "litert:1.4.0"

# The lock of each machine. They differ in TensorFlow's own wheel: tensorflow-cpu has none for aarch64.
LOCKS = {"x86_64": "requirements.lock", "aarch64": "requirements-aarch64.lock"}
_ALIASES = {"amd64": "x86_64", "arm64": "aarch64"}


class Packages(Protocol):
    """Locked packages on a Python of their own, which an engine runs jobs on: a toolchain, or the quantizer."""

    @property
    def id(self) -> str:
        """Return its name and version in tables, paths and tags: "tensorflow-2.19.1"."""

    @property
    def asked_as(self) -> str:
        """Return what a user calls it in `kit image NAME`: "2.19.1"."""

    @property
    def python(self) -> str:
        """Return the version of its Python: "3.11"."""

    @property
    def folder(self) -> Path:
        """Return where its lock is, and the digests of its image."""

    @property
    def kit_folder(self) -> Path:
        """Return where the kit's own lock of this name and version is, or would be."""

    @property
    def lock(self) -> Lock:
        """Return its hashed lock for its machine."""

    @property
    def universal(self) -> bool:
        """Say whether one lock is for all machines, by its markers."""

    def on(self, machine: str) -> Self:
        """Return the same packages for another machine."""


@dataclass(frozen=True)
class Toolchain:
    """A TensorFlow with everything that it needs to convert a model, each file by its hash."""

    tensorflow: str
    python: str
    keras: str
    legacy_keras: str  # tf-keras, where `keras` is Keras 3; "" where `keras` itself is Keras 2
    cutoff: str
    # By format (".h5", "SavedModel", "weights"), which Keras' files: "<3", ">=2.15,<3", ">=3", or two: "<3 | >=3".
    loads: Mapping[str, str]
    cannot: tuple[str, ...]  # what else it cannot do, in sentences
    folder: Path
    machine: str = field(default_factory=platform.machine)

    @property
    def id(self) -> str:
        """Return its name in tables, paths and tags: "tensorflow-2.19.1"."""
        return f"tensorflow-{self.tensorflow}"

    @property
    def asked_as(self) -> str:
        """Return what a user calls it in `kit image NAME`."""
        return self.tensorflow

    @property
    def kit_folder(self) -> Path:
        """Return where the kit's own lock of this version is, or would be."""
        return TOOLCHAINS / self.id

    @property
    def universal(self) -> bool:
        """Say that there is a lock for each machine."""
        return False

    @property
    def lock(self) -> Lock:
        """Return its hashed lock for its machine. Raises EngineError for a machine that has none."""
        machine = _ALIASES.get(self.machine.lower(), self.machine)
        if machine not in LOCKS:
            raise EngineError(
                f"{self.id} is not pinned for {self.machine}",
                f"it runs on {' and '.join(LOCKS)}: use a container there",
            )
        return read_lock(self.folder / LOCKS[machine])

    def locks(self) -> dict[str, Lock]:
        """Return its lock for each machine that it is pinned for."""
        return {machine: read_lock(self.folder / name) for machine, name in LOCKS.items() if self.is_pinned(machine)}

    def is_pinned(self, machine: str) -> bool:
        """Say whether it has a lock for a machine."""
        name = LOCKS.get(_ALIASES.get(machine.lower(), machine))
        return name is not None and (self.folder / name).is_file()

    def on(self, machine: str) -> Toolchain:
        """Return the same toolchain for another machine, such as the one that a container engine runs on."""
        return replace(self, machine=machine)

    def can_load(self, suffix: str, keras: str) -> bool:
        """Say whether it loads a file of that format (".h5") that this version of Keras wrote; "" is any."""
        spans = [span for span in self.loads.get(suffix, "").split("|") if span.strip()]
        return any(not keras or _within(keras, span) for span in spans)


@dataclass(frozen=True)
class Quantizer:
    """LiteRT's quantizer with everything that it needs, each file by its hash. own: the lock of a bundle."""

    version: str
    own: Lock | None = None

    @property
    def id(self) -> str:
        """Return its name in tables, paths and tags: "litert-quantizer-0.11.0"."""
        return f"{_QUANTIZER}-{self.version}"

    @property
    def asked_as(self) -> str:
        """Return what a user calls it in `kit image NAME`."""
        return "quantizer"

    @property
    def python(self) -> str:
        """Return the version of its Python."""
        return QUANTIZER_PYTHON

    @property
    def universal(self) -> bool:
        """Say that one lock is for all machines."""
        return True

    @property
    def kit_folder(self) -> Path:
        """Return where the kit's own lock of this version is, or would be."""
        return QUANTIZERS / self.id

    @property
    def folder(self) -> Path:
        """Return where its lock is."""
        return self.own.path.parent if self.own else self.kit_folder

    @property
    def lock(self) -> Lock:
        """Return its hashed lock, one for all machines."""
        return self.own or read_lock(self.kit_folder / "requirements.lock")

    def on(self, machine: str) -> Quantizer:  # noqa: ARG002  one lock is for all
        """Return the same."""
        return self


@dataclass(frozen=True)
class Runtime:
    """An interpreter for .tflite files as an app would link it: the bundle's harness runs on it."""

    id: str
    version: str
    folder: Path

    @property
    def name(self) -> str:
        """Return the name that a recipe uses: "litert:2.3.0"."""
        return f"{self.id}:{self.version}"

    def lock(self, *, images: bool) -> Lock:
        """Return the lock of the interpreter and numpy, and of Pillow where images are read."""
        return read_lock(self.folder / ("images.lock" if images else "requirements.lock"))


def toolchains() -> dict[str, Toolchain]:
    """Return every pinned toolchain by its TensorFlow version, oldest first."""
    found = [_read(path) for path in TOOLCHAINS.glob("*/toolchain.toml")]
    return {t.tensorflow: t for t in sorted(found, key=lambda t: _version(t.tensorflow))}


def runtimes() -> dict[str, Runtime]:
    """Return every pinned runtime by its name in a recipe, oldest first."""
    folders = (path.parent for path in RUNTIMES.glob("*/requirements.in"))
    found = [Runtime(folder.name.rpartition("-")[0], folder.name.rpartition("-")[2], folder) for folder in folders]
    return {r.name: r for r in sorted(found, key=lambda r: (r.id, _version(r.version)))}


def quantizer(own: Lock | None = None) -> Quantizer:
    """Return LiteRT's quantizer, by the kit's lock or by a bundle's own."""
    (folder,) = (path.parent for path in QUANTIZERS.glob("*/requirements.in"))
    version = folder.name.rpartition("-")[2]
    return Quantizer(
        next((pin.version for pin in own.pins if pin.name == _QUANTIZER), version) if own else version, own
    )


def newest_toolchain() -> Toolchain:
    """Return the toolchain of the newest pinned TensorFlow."""
    return list(toolchains().values())[-1]


def find_toolchain(version: str) -> Toolchain:
    """Return the toolchain of a TensorFlow version; "auto" is the newest. Raises RecipeError for one not pinned."""
    if version == "auto":
        return newest_toolchain()
    known = toolchains()
    if version not in known:
        near = [pinned for pinned in known if _version(pinned)[:2] == _version(version)[:2]]
        hint = (f"did you mean '{near[0]}'? " if near else "") + f"there is: {', '.join(known)}"
        raise RecipeError(f"TensorFlow {version} is not pinned", hint)
    return known[version]


def newer(version: str, than: str) -> bool:
    """Say whether a version such as "3.16.0" is newer than another in its first two numbers."""
    return _version(version)[:2] > _version(than)[:2]


def find_runtime(name: str) -> Runtime:
    """Return the runtime of a name such as "litert:2.3.0"; of "play:16.5.0" the one that stands for it here.

    Raises RecipeError for one that is not pinned.
    """
    known = runtimes()
    if name.startswith("play:"):
        return known[PLAY_STAND_IN]
    if name not in known:
        raise RecipeError(f"the runtime {name!r} is not pinned", _one_of(name, list(known)))
    return known[name]


def relock() -> list[Path]:
    """Regenerate every lock from its .in file and cut-off date. Needs a package index. Return what was written."""
    written = []
    for toolchain in toolchains().values():
        for machine, name in LOCKS.items():
            compile_lock(
                toolchain.folder / "requirements.in",
                toolchain.folder / name,
                lock_arguments(toolchain.python, machine),
                toolchain.cutoff,
            )
            written.append(toolchain.folder / name)
    cutoff = max(t.cutoff for t in toolchains().values())
    for folder in (*(runtime.folder for runtime in runtimes().values()), MEDIAPIPE, quantizer().folder):
        overrides = ["--override", "overrides.txt"] if (folder / "overrides.txt").exists() else []
        for source in sorted(folder.glob("*.in")):
            # What runs there runs on the Python that a user has, so its lock covers them all.
            arguments = ["--universal", "--python-version", "3.11", *overrides]
            compile_lock(source, source.with_suffix(".lock"), arguments, cutoff)
            written.append(source.with_suffix(".lock"))
    return written


def lock_arguments(python: str, machine: str) -> list[str]:
    """Return uv's arguments that resolve for a machine, without what conversion never imports."""
    overrides = [TOOLCHAINS / "overrides.txt", TOOLCHAINS / f"overrides-{machine}.txt"]
    return [
        "--python-version",
        python,
        "--python-platform",
        f"{machine}-manylinux_2_36",
        *(word for path in overrides if path.exists() for word in ("--override", str(path))),
    ]


def _read(path: Path) -> Toolchain:
    raw = tomllib.loads(path.read_text("utf-8"))
    return Toolchain(folder=path.parent, cannot=tuple(raw.pop("cannot", ())), **raw)


def _within(keras: str, span: str) -> bool:
    """Say whether a version such as "2.2.4-tf" lies in a span such as ">=2.13,<3"."""
    version = _version(keras)
    for bound in span.split(","):
        limit = _version(bound)
        below = version[: len(limit)] < limit
        if below != bound.strip().startswith("<"):
            return False
    return True


def _version(text: str) -> tuple[int, ...]:
    """Return the numbers that a version begins with: (2, 2, 4) of "2.2.4-tf"."""
    found = re.search(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def _one_of(wanted: str, known: list[str]) -> str:
    near = difflib.get_close_matches(wanted, known, n=1)
    return (f"did you mean {near[0]!r}? " if near else "") + f"there is: {', '.join(known)}"
