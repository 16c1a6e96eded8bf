"""Build a bundle's model again from the bundle's own lock and samples, and say which of five checks still hold.

The checks: files (as bundle.json has them), source (the model files are the ones), bytes, structure, numbers. Needs
the bundle and the source model, nothing else that a user wrote.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from kit.build.anchors import Anchors
from kit.build.bundle_signature import Labels
from kit.build.convert import Data, convert
from kit.build.golden import golden_vectors, is_of_worker
from kit.build.plan import Plan, raw_inputs_of, read_sources
from kit.build.samples import from_raw, read_arrays
from kit.build.write_bundle import Parts
from kit.bundle.arrays import made_arrays
from kit.bundle.labels import bundle_labels
from kit.bundle.layout import (
    MAIN_ASSETS,
    PROVENANCE,
    PROVENANCE_CODE,
    PROVENANCE_STRUCTURE,
    QUANTIZER_LOCK,
    SAMPLES,
    Bundle,
)
from kit.bundle.manifest import faults, read_manifest, read_record
from kit.bundle.manifest_entries import Manifest
from kit.bundle.tensor_table import read_named, with_names
from kit.bundle.whole import MANIFEST
from kit.emulation.run import Asked, check_packages, lay_harness, runtime_outputs
from kit.engine import Engine, JobFolder, Limits
from kit.errors import CheckError, RecipeError
from kit.files import sha256_bytes, sha256_file, sha256_tree, temporary_folder
from kit.progress import Reporter
from kit.recipe.schema import Recipe
from kit.shared.job import GOLDEN, MODEL, Result
from kit.tflite.diff import compare
from kit.tflite.reader import read_tflite
from kit.toolchains.lockfile import Lock, read_lock
from kit.toolchains.toolchain import Toolchain, find_runtime, quantizer, toolchains

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class VerifyCheck:
    """One check. `promised` is false for bytes that may be others on another CPU."""

    name: str
    holds: bool
    lines: tuple[str, ...]
    promised: bool = True

    @property
    def hint(self) -> str:
        """Return the next step where this check fails."""
        return {
            "files": "restore the bundle and move other files out of it, or build it again into another folder",
            "source": "name the model that the bundle was made of: --model PATH, once for each of several",
        }.get(self.name, "build it anew and look at what changed: kit diff A B")


@dataclass(frozen=True)
class VerifyReport:
    """The checks that were made, in the order of what they ask for."""

    checks: tuple[VerifyCheck, ...]

    @property
    def broken(self) -> VerifyCheck | None:
        """Return the first check that fails, None where the bundle holds."""
        return next((check for check in self.checks if check.promised and not check.holds), None)


def verify(
    bundle: Path,
    models: Sequence[Path],
    engine: Engine,
    limits: Limits,
    reporter: Reporter,
    *,
    allow_code: bool = False,
) -> VerifyReport:
    """Make every check, up to the first that stops the rest.

    Raises RecipeError where the folder is no bundle, and what a build raises.

    allow_code is the command line's word: what a bundle's own recipe says of it counts for nothing.
    """
    manifest = read_manifest(bundle)
    checks = [_files(bundle, manifest), _source(models, manifest)]
    if not all(check.holds for check in checks):
        return VerifyReport(tuple(checks))
    plan = _plan(bundle, models, manifest, allow_code=allow_code)
    with convert(plan, engine, _data(bundle, plan), limits, reporter) as (result, folder):
        there = Bundle(bundle, manifest.id)
        parts = Parts.of(plan, result, folder, {})  # with metadata, as a build writes it
        again = parts.model
        here = there.model
        same = here.read_bytes() == again
        checks.append(_bytes(here, again, _unpromised(manifest, plan, result)))
        if not same:
            named = with_names(read_tflite(again), [tensor.name for tensor in parts.tensors])
            difference = compare(read_named(here), named)
            checks.append(VerifyCheck("structure", difference.same_structure, tuple(difference.lines())))
        try:
            worker = is_of_worker(plan.recipe, result)
            made = made_arrays(folder.out / GOLDEN)
            vectors = made if worker else _outputs(bundle, manifest, again, folder, reporter)
            own = vectors if same or worker else _outputs(bundle, manifest, here.read_bytes(), folder, reporter)
        except CheckError as error:
            checks.append(VerifyCheck("numbers", False, (error.message,)))
        else:
            # Another architecture has other kernels, which may round an int8 output the other way.
            exact = same and read_record(bundle).machine == result.machine
            numbers = _numbers(there.golden_npz, golden_vectors(result, made, vectors), exact=exact)
            if own is not vectors:
                numbers = _with_own(numbers, _numbers(there.golden_npz, golden_vectors(result, made, own), exact=False))
            checks.append(numbers)
    return VerifyReport(tuple(checks))


def verify_files(bundle: Path) -> VerifyReport:
    """Make the first check alone, which needs neither the model nor an engine. Raises RecipeError as verify."""
    return VerifyReport((_files(bundle, read_manifest(bundle)),))


def find_models(bundle: Path, named: Sequence[str]) -> list[Path]:
    """Return the source model's files, in their order: the named ones, else those of its names near the bundle or here.

    Raises RecipeError where one is not at hand, or where not as many are named as the bundle was made of.
    """
    names = [source.file for source in read_manifest(bundle).source.files]
    if named and len(named) != len(names):
        raise RecipeError(
            f"{bundle}: it was made of {len(names)} models, and {len(named)} are named",
            "name each in its order: " + " ".join(f"--model path/to/{name}" for name in names),
        )
    if named:
        return [Path(name) for name in named]
    recorded = _recorded(bundle)
    found = []
    for i, name in enumerate(names):
        places = [*recorded[i : i + 1], bundle.parent / name, Path(name)]
        path = next((place for place in places if place.exists()), None)
        if path is None:
            raise RecipeError(
                f"{bundle}: its source model {name} is not at hand",
                "name it: " + " ".join(f"--model path/to/{each}" for each in names),
            )
        found.append(path)
    return found


def _recorded(bundle: Path) -> list[Path]:
    """Return where the build record beside the bundle says that the models were."""
    return [Path(name) for name in read_record(bundle).models]


def _files(bundle: Path, manifest: Manifest) -> VerifyCheck:
    lines = faults(bundle, manifest)
    locks = {} if lines else {machine: lock.sha256 for machine, lock in _toolchain(bundle, manifest).locks().items()}
    if not lines and locks != manifest.toolchain.locks:
        lines = [f"the locks in {PROVENANCE} are not those that {MANIFEST} names"]
    lock = _quantizer_lock(bundle, manifest)
    if not lines and lock and lock.sha256 != manifest.toolchain.quantizer_lock_sha256:
        lines = [f"{QUANTIZER_LOCK} is not the one that {MANIFEST} names"]
    return VerifyCheck("files", not lines, tuple(lines) or (f"{len(manifest.files)} files are as {MANIFEST} has them",))


def _source(models: Sequence[Path], manifest: Manifest) -> VerifyCheck:
    same, others = [], []
    for model, made_of in zip(models, manifest.source.files, strict=True):
        wanted = made_of.sha256
        try:
            model.stat()
            found = sha256_tree(model)
        except OSError as error:
            raise RecipeError(
                f"{model}: the source model cannot be read: {error.strerror}", "name it with --model"
            ) from error
        if found == wanted:
            same.append(f"{model} is the model that it was made of")
        else:
            others.append(f"{model} is another model: sha256 {found[:16]}..., the bundle's is {wanted[:16]}...")
    return VerifyCheck("source", not others, (*others, *same))


def _recipe(bundle: Path, manifest: Manifest, *, allow_code: bool) -> Recipe:
    try:
        recipe = Recipe.model_validate_json(manifest.recipe.text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RecipeError(f"{bundle}: its recipe is none: {place}: {first['msg']}", "build it again") from error
    return recipe.model_copy(update={"model": recipe.model.model_copy(update={"allow_code": allow_code})})


def _check_locks(bundle: Path, manifest: Manifest) -> None:
    """Refuse packages that no toolchain or runtime of the kit has, whatever the bundle's locks say."""
    pinned = [lock for toolchain in toolchains().values() for lock in toolchain.locks().values()]
    for lock in _toolchain(bundle, manifest).locks().values():
        check_packages(lock, {pin.name for other in pinned for pin in other.pins}, bundle)
    if own := _quantizer_lock(bundle, manifest):
        check_packages(own, {pin.name for pin in quantizer().lock.pins}, bundle)


def _quantizer_lock(bundle: Path, manifest: Manifest) -> Lock | None:
    """Return the lock of LiteRT's quantizer that the bundle carries, None where it made no part of the file."""
    return read_lock(bundle / QUANTIZER_LOCK) if manifest.toolchain.quantizer else None


def _plan(bundle: Path, models: Sequence[Path], manifest: Manifest, *, allow_code: bool) -> Plan:
    recipe = _recipe(bundle, manifest, allow_code=allow_code)
    if not allow_code:
        _check_locks(bundle, manifest)
    toolchain = _toolchain(bundle, manifest)
    there = Bundle(bundle, manifest.id)
    labels = _labels(there, manifest)
    runtime_lock = read_lock(there.requirements)
    code = bundle / PROVENANCE_CODE if recipe.model.code else None
    structure = bundle / PROVENANCE_STRUCTURE if recipe.model.structure else None
    sources = read_sources(models, code, structure)
    made = Plan(recipe, toolchain, "the bundle's own", sources, code, structure, runtime_lock, labels, manifest.key)
    return replace(
        made,
        trust="--allow-code",
        anchors=_anchors(there, manifest),
        raw_inputs=raw_inputs_of(recipe, sources, structure),
        quantizer=quantizer(_quantizer_lock(bundle, manifest)),
        unsure=manifest.model.unsure,
    )


def _toolchain(bundle: Path, manifest: Manifest) -> Toolchain:
    """Return the toolchain that the bundle carries: its own locks, whatever this kit pins."""
    made = manifest.toolchain
    return Toolchain(
        made.tensorflow,
        made.python,
        made.keras,
        made.legacy_keras,
        cutoff="",
        loads={},
        cannot=(),
        folder=bundle / PROVENANCE,
    )


def _data(bundle: Path, plan: Plan) -> Data:
    arrays = read_arrays(bundle / SAMPLES, "the bundle's samples")

    def part(prefix: str) -> dict[str, np.ndarray]:
        """Return the arrays below a prefix by input name: [N, ...], uint8 pixels, or values in their own dtype."""
        return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}

    return Data(*(from_raw(plan.recipe, plan.raw_inputs, part(prefix)) for prefix in ("calibration/", "golden/")))


def _labels(bundle: Bundle, manifest: Manifest) -> dict[str, Labels]:
    """Return the labels by output name, as the bundle has them."""
    texts = bundle_labels(bundle, manifest.signature)
    return {
        output.name: Labels(output.labels, texts[output.name]) for output in manifest.signature.outputs if output.labels
    }


def _anchors(bundle: Bundle, manifest: Manifest) -> dict[str, Anchors]:
    """Return the anchors by output name, as the bundle has them. Raises RecipeError."""
    forms = {output.name: output.boxes for output in manifest.signature.outputs if output.boxes}
    files = {name: form.anchors for name, form in forms.items() if form.anchors}
    try:
        return {name: Anchors(file, (bundle.assets / file).read_bytes()) for name, file in files.items()}
    except OSError as error:
        raise RecipeError(f"{bundle.folder}: its anchors cannot be read: {error}", "build it again") from error


def _unpromised(manifest: Manifest, plan: Plan, result: Result) -> str:
    """Return why the bytes may be others on another CPU than the one that built the bundle, "" where they may not."""
    # Ranges that another CPU might round otherwise are taken from the bundle's own record of them.
    if not (manifest.toolchain.any_cpu or manifest.model.unsure):
        return f"{MANIFEST} says so (toolchain.any_cpu)"
    if not result.portable:
        return "float sums could not be given one order on this CPU"
    return "bias_correction takes means of float sums" if plan.recipe.quantize.bias_correction else ""


def _bytes(here: Path, theirs: bytes, unpromised: str) -> VerifyCheck:
    ours = here.read_bytes()
    if ours == theirs:
        return VerifyCheck(
            "bytes", True, (f"{MODEL}: sha256 {sha256_file(here)}, {len(ours):,} bytes, built again the same",)
        )
    differing = sum(a != b for a, b in zip(ours, theirs, strict=False)) + abs(len(ours) - len(theirs))
    lines = [f"{MODEL}: {len(ours):,} bytes here, {len(theirs):,} built again; {differing:,} of them differ"]
    if unpromised:
        lines.append(f"the same bytes are not promised on every CPU: {unpromised}")
    return VerifyCheck("bytes", False, tuple(lines), promised=not unpromised)


def _outputs(
    bundle: Path, manifest: Manifest, again: bytes, job: JobFolder, reporter: Reporter
) -> dict[str, np.ndarray]:
    """Return the new file's outputs on the bundle's runtime, through the kit's own harness.

    <prefix>output/<name> [N, ...], raw.
    """
    with temporary_folder("dropkit-") as folder:
        copy, runtime = folder / "bundle", find_runtime(manifest.runtime).name
        lay_harness(copy, bundle, manifest)
        shutil.copytree(bundle / MAIN_ASSETS, copy / MAIN_ASSETS)
        Bundle(copy, manifest.id).model.write_bytes(again)
        reporter.stage(f"run it on {runtime}")
        return runtime_outputs(copy, runtime, job, Asked(sha256_bytes(again)), reporter.note)


def _with_own(again: VerifyCheck, own: VerifyCheck) -> VerifyCheck:
    """Return both checks as one: of the file that was built again, and of the bundle's own, which is another one."""
    lines = [*(f"of the bundle's own file: {line}" for line in own.lines), *again.lines]
    return VerifyCheck(again.name, again.holds and own.holds, tuple(lines))


def _numbers(here: Path, theirs: Mapping[str, np.ndarray], *, exact: bool) -> VerifyCheck:
    """Compare the golden outputs of both files on the app's runtime, of the same inputs.

    Exact for the whole numbers of files that are the same bytes; float kernels differ in the last bits by CPU type.

    theirs: output/<name> [N, ...] of the new file, raw.
    """
    import numpy as np

    lines: list[str] = []
    holds = True
    ours = read_arrays(here, "golden vectors")
    for key in sorted(name for name in ours if name.startswith("output/")):
        name = key.removeprefix("output/")
        if key not in theirs or ours[key].shape != theirs[key].shape or f"tolerance/{name}" not in ours:
            lines, holds = [*lines, f"{name}: golden outputs of another shape"], False
            continue
        worst = float(np.max(np.abs(ours[key].astype(np.float64) - theirs[key].astype(np.float64))))
        whole = ours[key].dtype.kind in "iu"
        allowed = 0.0 if exact and whole else float(ours[f"tolerance/{name}"])
        unit = " steps" if whole else ""
        holds = holds and worst <= allowed
        lines.append(f"{name}: golden outputs differ by {worst:.3g}{unit}, {allowed:g} allowed")
    return VerifyCheck("numbers", holds, tuple(lines))
