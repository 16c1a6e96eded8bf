"""Run a bundle's harness on a pinned runtime. Knows processes and venvs; the harness knows the model.

A bundle is data: of a bundle that did not just come from a build, the kit's own harness runs on its data.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from kit.bundle.agreement import refuse_disagreement
from kit.bundle.arrays import made_arrays
from kit.bundle.layout import HARNESS, Bundle, only_bundle
from kit.bundle.manifest import read_intact, read_manifest
from kit.bundle.manifest_entries import Manifest
from kit.bundle.replay_report import PASS, ReplayReport
from kit.bundle.signature import read_signature
from kit.emulation.bare import bare_bundle, newest_runtime, refuse_golden
from kit.emulation.harness import own_harness, write_harness
from kit.emulation.scripts import Scripts, alone, last_line
from kit.errors import CheckError, EngineError, RecipeError
from kit.files import temporary_folder
from kit.lifetime.tied import tied
from kit.packages.heic import heic_site
from kit.toolchains.lockfile import Lock, read_lock
from kit.toolchains.toolchain import Runtime, find_runtime
from kit.toolchains.venv import runtime_venv

if TYPE_CHECKING:
    import numpy as np


class Files(Protocol):
    """A job on disk: kit.engine has it."""

    @property
    def inputs(self) -> Path:
        """Return the folder with job.json and the data."""

    @property
    def out(self) -> Path:
        """Return the folder with what the worker wrote."""


@dataclass(frozen=True)
class Asked:
    """What a model file is run on: all samples; with seeded, drawn inputs, with edges, those of kit.shared.edges, too.

    sha256: of the file that is there.
    """

    sha256: str
    seeded: bool = False
    edges: bool = False


RUN_SAMPLES = Path(__file__).with_name("runtime_outputs.py")
CRASH_ON_VARIABLES = ("litert:1.0.1",)  # on some: it runs a head that is read and assigned, and not training
_OTHER = "name another runtime: [android] runtime; or another [quantize] scheme, or another [toolchain] tensorflow"
PACKAGES = {"litert": "ai-edge-litert", "tflite": "tflite-runtime"}  # by the runtime's id


def harness_argv(bundle: Path, runtime: Runtime, arguments: Sequence[str], notify: Callable[[str], None]) -> list[str]:
    """Return the command that runs a bundle's harness, after making the runtime's venv where it is missing."""
    python = runtime_venv(runtime, lock_of(bundle, runtime), notify)
    return [str(python), str(bundle / HARNESS), *arguments]


def lock_of(bundle: Path, runtime: Runtime) -> Lock:
    """Return the packages that run a bundle's harness: its own where they are of that runtime, else the kit's."""
    own = read_lock(bundle / "emulate" / "requirements.txt")
    versions = {pin.name: pin.version for pin in own.pins}
    if versions.get(PACKAGES[runtime.id]) == runtime.version:
        return own
    return runtime.lock(images="pillow" in versions)


def run_harness(
    bundle: Path,
    runtime: str,
    arguments: Sequence[str],
    notify: Callable[[str], None],
    *,
    allow_code: bool = False,
    stdout: BinaryIO | None = None,
) -> int:
    """Run the kit's own harness on a bundle's data, with this process's own streams; return its exit code.

    bundle: or a model file alone. With allow_code the bundle's harness and packages instead, whatever they are. stdout:
    where its output goes instead. Raises CheckError where a file of the bundle is not as it was built, EngineError
    where the interpreter crashed.
    """
    if bundle.is_file():
        refuse_golden(bundle, arguments)
    with runnable(bundle, runtime, notify, allow_code=allow_code) as (folder, chosen):
        argv = harness_argv(folder, chosen, arguments, notify)
        site = heic_site(arguments, notify)
        env = alone() | ({"PYTHONPATH": str(site)} if site else {})
        code = subprocess.run(tied(argv), check=False, env=env, stdout=stdout).returncode
        if code < 0:
            raise crashed(folder, chosen.name, code)
    return code


@contextmanager
def runnable(
    bundle: Path, runtime: str, notify: Callable[[str], None], *, allow_code: bool
) -> Iterator[tuple[Path, Runtime]]:
    """Give a folder with a harness that may run, and the runtime that it runs on, for a block.

    Raises CheckError where a file of the bundle is not as it was built.
    """
    if bundle.is_file():
        chosen = find_runtime(runtime) if runtime else newest_runtime()
        with bare_bundle(bundle, chosen, notify) as folder:
            yield folder, chosen
    elif allow_code:
        yield bundle, find_runtime(runtime or read_manifest(bundle).runtime)
    else:
        manifest = read_intact(bundle)
        with with_own_harness(bundle, manifest) as folder:
            yield folder, find_runtime(runtime or manifest.runtime)


def runtime_outputs(
    bundle: Path, runtime: str, job: Files, asked: Asked, notify: Callable[[str], None], scripts: Scripts | None = None
) -> dict[str, np.ndarray]:
    """Return the outputs of a bundle's model on a pinned runtime: <prefix>output/<name> [N, ...], raw.

    Of seeded inputs as RUN_SAMPLES says. bundle needs its assets and its harness alone. job: what was converted, and
    what came of it: evaluated.npz and golden.npz. Raises CheckError where the runtime cannot run the model, EngineError
    where it crashed.
    """
    python = runtime_venv(find_runtime(runtime), lock_of(bundle, find_runtime(runtime)), notify)
    with temporary_folder("dropkit-") as folder:
        out = folder / "outputs.npz"
        scripts = scripts or Scripts()
        words: list[str | Path] = [RUN_SAMPLES, bundle.resolve(), job.inputs, job.out, out, asked.sha256]
        words += [str(scripts.cores), *(["seeded"] if asked.seeded else []), *(["edges"] if asked.edges else [])]
        done = scripts.run(python, words)
        if done.returncode < 0:
            raise crashed(bundle, runtime, done.returncode)
        if done.returncode == 0:
            return made_arrays(out)
    try:
        why = json.loads(done.stdout)["error"]
    except (ValueError, KeyError, TypeError) as error:
        last = last_line(done.stderr)
        raise EngineError(f"{runtime} gave no result: {last or 'without a word'}", "run `kit doctor`") from error
    raise CheckError(f"{runtime} cannot run the converted model: {why}", _OTHER)


@contextmanager
def with_own_harness(bundle: Path, manifest: Manifest) -> Iterator[Path]:
    """Give a folder with a bundle's data and the kit's own harness beside it, for a block.

    Raises CheckError where its files contradict each other, and as lay_harness.
    """
    refuse_disagreement(Bundle(bundle, manifest.id))
    with temporary_folder("dropkit-emulate-") as folder:
        lay_harness(folder, bundle, manifest)
        (folder / "src").symlink_to(bundle.resolve() / "src")
        yield folder


def lay_harness(folder: Path, bundle: Path, manifest: Manifest) -> None:
    """Write the kit's own harness into folder/emulate, with a bundle's golden vectors and packages beside it.

    Raises RecipeError where the packages are not a runtime's.
    """
    emulate = folder / HARNESS.parent
    write_harness(emulate, own_harness(manifest))
    for name in ("golden.npz", "requirements.txt"):
        shutil.copyfile(bundle / HARNESS.parent / name, emulate / name)
    known = {pin.name for pin in find_runtime(manifest.runtime).lock(images=True).pins}
    check_packages(read_lock(emulate / "requirements.txt"), known, bundle)


def check_packages(lock: Lock, known: Collection[str], bundle: Path) -> None:
    """Refuse a bundle's lock with packages that the kit's own locks have not. Raises RecipeError."""
    if strange := sorted({pin.name for pin in lock.pins} - set(known)):
        raise RecipeError(
            f"{bundle}: {lock.path.name} asks for packages that are not of its toolchain or runtime: "
            f"{', '.join(strange[:3])}",
            "a package runs code: look at it, and allow it with --allow-code",
        )


def replay_golden(
    bundle: Path, runtime: str, notify: Callable[[str], None], scripts: Scripts | None = None
) -> ReplayReport:
    """Replay the golden vectors and return the harness's own report. Raises CheckError where they do not hold."""
    python, *words = harness_argv(bundle, find_runtime(runtime), ["--golden", "--json"], notify)
    done = (scripts or Scripts()).run(Path(python), words)
    if done.returncode < 0:
        raise crashed(bundle, runtime, done.returncode)
    try:
        report = ReplayReport.from_json(json.loads(done.stdout))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        why, hint = _said(done.stderr.strip()[-1000:])
        raise EngineError(f"the harness gave no result on {runtime}: {why}", hint or "run `kit doctor`") from error
    if done.returncode != 0 or report.verdict != PASS:
        raise CheckError(
            f"on {runtime} the bundle does not do what it did when it was built: {'; '.join(report.faults())}", _OTHER
        )
    return report


def _said(text: str) -> tuple[str, str]:
    """Return what a harness that ended says, and its next step: "" where it is another program's word, or none."""
    if text.startswith("emulate: ") and "; " in text:
        why, _, hint = text.removeprefix("emulate: ").rpartition("; ")
        return why, hint
    return text or "without a word", ""


def crashed(bundle: Path, runtime: str, code: int) -> EngineError:
    """Return the error for an interpreter that took the process down with it, as LiteRT 1 does on a bad size."""
    ended = f"the interpreter of {runtime} ended with {signal.Signals(-code).name}"
    if runtime in CRASH_ON_VARIABLES and _has_variables(bundle):
        return EngineError(
            f"{ended}: this bundle has variables, which it may crash on",
            "name a newer runtime: --runtime litert:1.1.2, or [android] runtime in the recipe",
        )
    return EngineError(
        ended,
        "give inputs of another size, or run it on a newer runtime: --runtime, or [android] runtime in the recipe",
    )


def _has_variables(bundle: Path) -> bool:
    return read_signature(only_bundle(bundle).signature).variables is not None
