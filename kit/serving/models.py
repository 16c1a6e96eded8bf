"""The bundles that a page shows side by side, and a process for each runtime and kind of kernels that was asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kit.bundle.manifest import read_intact, read_manifest
from kit.emulation.resident import Ready, Resident
from kit.emulation.run import runnable
from kit.errors import CheckError
from kit.toolchains.toolchain import find_runtime

KERNELS = ("default", "reference")
MOST_PROCESSES = 4  # of models that are loaded; the one that was asked longest ago ends for another


@dataclass(frozen=True)
class Settings:
    """What is the same for all questions of a page. runtime: "" for each bundle's own."""

    runtime: str = ""
    signature: str = ""
    top: int = 5
    threads: int = 1
    kernels: str = "default"


@dataclass(frozen=True)
class Shown:
    """A bundle, or a model file alone. folder: its data beside the kit's own harness; key: the build's, or ""."""

    path: Path
    title: str
    folder: Path
    runtime: str
    key: str


@dataclass
class Models:
    """The bundles of a page, the first of which it is about, and their processes."""

    shown: tuple[Shown, ...]
    settings: Settings
    notify: Callable[[str], None]
    _processes: dict[tuple[int, str, str], Resident] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def resident(self, number: int, runtime: str, kernels: str) -> Resident:
        """Return the process of a bundle, by its place, on a runtime ("" for its own).

        Raises CheckError where another build has taken the bundle's place.
        """
        shown = self.shown[number]
        key = (number, runtime or shown.runtime, kernels)
        with self._lock:
            found = self._processes.pop(key, None) or self._new(shown, *key[1:])
            self._processes[key] = found  # the last one that was asked
            spare = [self._processes.pop(old) for old in list(self._processes)[:-MOST_PROCESSES]]
        for resident in spare:
            resident.close()
        return found

    def ready(self) -> Ready:
        """Return what the first bundle's model takes, after loading all of them. Raises as Resident.ready."""
        first, *_ = [self.resident(at, "", self.settings.kernels).ready() for at in range(len(self.shown))]
        return first

    def close(self) -> None:
        """End all processes."""
        for resident in self._processes.values():
            resident.close()

    def _new(self, shown: Shown, runtime: str, kernels: str) -> Resident:
        if shown.key and read_manifest(shown.path).key != shown.key:
            raise CheckError(f"{shown.path}: another build has taken this bundle's place", "start the page again")
        asked = self.settings
        words = (asked.signature, str(asked.top), str(asked.threads), kernels)
        return Resident(shown.folder, find_runtime(runtime), words, self.notify)


@contextmanager
def loaded_models(paths: Sequence[Path], settings: Settings, notify: Callable[[str], None]) -> Iterator[Models]:
    """Give the bundles and model files at paths, ready to be asked, for a block; their processes end with it.

    Raises CheckError where a file of a bundle is not as it was built, RecipeError or ModelError where it is none.
    """
    with ExitStack() as stack:
        shown = []
        for path in paths:
            folder, runtime = stack.enter_context(runnable(path, settings.runtime, notify, allow_code=False))
            manifest = None if path.is_file() else read_intact(path)
            title = path.name if manifest is None else f"{manifest.id} {manifest.version}"
            shown.append(Shown(path, title, folder, runtime.name, manifest.key if manifest else ""))
        models = Models(tuple(shown), settings, notify)
        stack.callback(models.close)
        yield models
