"""The toolchains and runtimes that dropkit pins: which there are, and what each needs. Runs none of them."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from kit.errors import RecipeError
from kit.pins import Lock, compile_lock, read_lock

TOOLCHAINS = Path(__file__).parent / "toolchains"
RUNTIMES = Path(__file__).parent / "runtimes"


@dataclass(frozen=True)
class Toolchain:
    """A TensorFlow with everything that it needs to convert a model, each file by its hash."""

    tensorflow: str
    python: str
    keras: str
    legacy_keras: str
    cutoff: str
    folder: Path

    @property
    def id(self) -> str:
        """Return its name in tables, paths and tags: "tensorflow-2.19.1"."""
        return f"tensorflow-{self.tensorflow}"

    @cached_property
    def lock(self) -> Lock:
        """Return its hashed lock."""
        return read_lock(self.folder / "requirements.lock")


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

    def lock(self, *, pictures: bool) -> Lock:
        """Return the lock of the interpreter and numpy, and of Pillow where pictures are read."""
        return read_lock(self.folder / ("pictures.lock" if pictures else "requirements.lock"))


def toolchains() -> dict[str, Toolchain]:
    """Return every pinned toolchain by its TensorFlow version, oldest first."""
    found = [_read(path) for path in TOOLCHAINS.glob("*/toolchain.toml")]
    return {t.tensorflow: t for t in sorted(found, key=lambda t: _version(t.tensorflow))}


def runtimes() -> dict[str, Runtime]:
    """Return every pinned runtime by its name in a recipe, oldest first."""
    folders = (path.parent for path in RUNTIMES.glob("*/requirements.in"))
    found = [Runtime(folder.name.rpartition("-")[0], folder.name.rpartition("-")[2], folder) for folder in folders]
    return {r.name: r for r in sorted(found, key=lambda r: (r.id, _version(r.version)))}


def find_toolchain(version: str) -> Toolchain:
    """Return the toolchain of a TensorFlow version; "auto" is the newest. Raises RecipeError for one not pinned."""
    known = toolchains()
    if version == "auto":
        return list(known.values())[-1]
    if version not in known:
        raise RecipeError(f"TensorFlow {version} is not pinned", _one_of(version, list(known)))
    return known[version]


def find_runtime(name: str) -> Runtime:
    """Return the runtime of a name such as "litert:2.3.0". Raises RecipeError for one that is not pinned."""
    known = runtimes()
    if name not in known:
        raise RecipeError(f"the runtime {name!r} is not pinned", _one_of(name, list(known)))
    return known[name]


def relock() -> list[Path]:
    """Regenerate every lock from its .in file and cut-off date. Needs a package index. Return what was written."""
    written = []
    for toolchain in toolchains().values():
        target = toolchain.folder / "requirements.lock"
        arguments = [
            "--python-version",
            toolchain.python,
            "--python-platform",
            "x86_64-manylinux_2_36",
            "--override",
            str(TOOLCHAINS / "overrides.txt"),
        ]
        compile_lock(toolchain.folder / "requirements.in", target, arguments, toolchain.cutoff)
        written.append(target)
    cutoff = max(t.cutoff for t in toolchains().values())
    for runtime in runtimes().values():
        for source in sorted(runtime.folder.glob("*.in")):
            # The harness runs on the Python that a person has, so its lock covers them all.
            compile_lock(source, source.with_suffix(".lock"), ["--universal", "--python-version", "3.11"], cutoff)
            written.append(source.with_suffix(".lock"))
    return written


def _read(path: Path) -> Toolchain:
    return Toolchain(folder=path.parent, **tomllib.loads(path.read_text("utf-8")))


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _one_of(wanted: str, known: list[str]) -> str:
    near = difflib.get_close_matches(wanted, known, n=1)
    return (f"did you mean {near[0]!r}? " if near else "") + f"there is: {', '.join(known)}"
