"""A bundle's outputs beside those of the float model: on files, or on the golden vectors, worst samples first."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.build.metrics import real
from kit.bundle.arrays import made_arrays
from kit.bundle.layout import FLOATS, Bundle
from kit.bundle.manifest import read_intact
from kit.bundle.signature import SignatureEntry, read_signature
from kit.emulation.run import run_harness
from kit.errors import RecipeError
from kit.files import temporary_folder
from kit.recipe.labels import read_labels
from kit.scoring.described import described
from kit.scoring.differences import Difference, Side, differences

if TYPE_CHECKING:
    import numpy as np

Notify = Callable[[str], None]
_SAME = "name the float32 bundle of the same model: kit build RECIPE --scheme float32 --out float"


@dataclass(frozen=True)
class CompareRequest:
    """What is asked for. exact: the float32 bundle or .tflite, None for the golden vectors' own float outputs."""

    exact: Path | None = None
    files: tuple[str, ...] = ()
    signature: str = ""
    runtime: str = ""


@dataclass(frozen=True)
class Sample:
    """One sample: the file that it is in, its index there, and its outputs."""

    input: str
    index: int | None
    differences: tuple[Difference, ...]

    @property
    def name(self) -> str:
        """Return the file, with the index where it has several samples."""
        return self.input if self.index is None else f"{self.input}[{self.index}]"

    @property
    def rank(self) -> tuple[int, float]:
        """Return what to sort by: outputs that changed for an app, and then the largest difference."""
        return sum(each.changed for each in self.differences), max((each.size for each in self.differences), default=0)


@dataclass(frozen=True)
class Compared:
    """What came of all samples, the worst first. errors: files that cannot be used; code: the harness's exit code."""

    model: str
    against: str
    samples: tuple[Sample, ...]
    errors: tuple[Mapping[str, Any], ...] = ()
    code: int = 0


@dataclass(frozen=True)
class _Run:
    """One side on files. names: of each sample its file and index; found: by sample and output what --json says."""

    names: tuple[tuple[str, int | None], ...]
    values: Mapping[str, np.ndarray]
    found: tuple[Mapping[str, Mapping[str, Any]], ...]
    errors: tuple[Mapping[str, Any], ...]
    code: int


def compare(bundle: Path, asked: CompareRequest, notify: Notify) -> Compared:
    """Return a bundle's outputs beside the float model's.

    Raises RecipeError where the two do not take or give the same, CheckError where a file of a bundle is not as it was
    built, EngineError where an interpreter crashed.
    """
    if asked.exact is None:
        return _golden(bundle, asked.signature)
    got = _run(bundle, asked, asked.files, notify)
    if not got.names:
        return Compared(bundle.name, str(asked.exact), (), got.errors, got.code)
    # Those that cannot be used were named once.
    exact = _run(asked.exact, asked, tuple(dict.fromkeys(name for name, _ in got.names)), notify)
    if exact.names != got.names:
        why = "; ".join(str(error["error"]) for error in exact.errors[:2]) or "it makes other samples of the files"
        raise RecipeError(f"--against {asked.exact} does not take what {bundle} takes: {why}", _SAME)
    with described(bundle) as (place, _):
        entry = _entry(place, asked.signature)
        found = _beside(place, entry, (exact, got), str(asked.exact))
    return Compared(bundle.name, str(asked.exact), found, got.errors, got.code)


def _golden(bundle: Path, key: str) -> Compared:
    """Return the golden vectors as built, beside the float outputs that are kept with them."""
    manifest = read_intact(bundle)
    place = Bundle(bundle, manifest.id)
    signatures = read_signature(place.signature)
    entry = _entry(place, key)
    prefix = "" if entry.key == signatures.main.key else f"signature/{entry.key}/"
    arrays = {**made_arrays(place.golden_npz), **made_arrays(bundle / FLOATS)}
    if any(f"{prefix}float/{output.name}" not in arrays for output in entry.outputs):
        raise RecipeError(f"{bundle}: {entry.key!r} has no golden vectors", "give files: --against FLOAT -- FILES")
    sides = [
        {each.name: arrays[f"{prefix}{kind}/{each.name}"] for each in entry.outputs} for kind in ("float", "output")
    ]
    values = {each.name: real(sides[1][each.name], each) for each in entry.outputs}
    count = len(next(iter(values.values())))
    names = tuple(("golden vector", index) for index in range(count))
    exact, got = (_Run(names, side, (), (), 0) for side in (sides[0], values))
    return Compared(manifest.id, f"the float outputs in {FLOATS}", _beside(place, entry, (exact, got), "golden.npz"))


def _beside(place: Bundle, entry: SignatureEntry, runs: tuple[_Run, _Run], against: str) -> tuple[Sample, ...]:
    """Return all samples, the worst first. runs: the float model's, and the bundle's. Raises RecipeError."""
    names = runs[1].names
    found: list[list[Difference]] = [[] for _ in names]
    for output in entry.outputs:
        sides = [Side(run.values[output.name], _found(run, output.name)) for run in runs if output.name in run.values]
        if len(sides) < 2 or sides[0].values.shape != sides[1].values.shape:
            raise RecipeError(f"--against {against} does not give {output.name!r} as the bundle does", _SAME)
        labels = read_labels(place.labels(output.labels)) if output.labels else ()
        for own, each in zip(found, differences(output, labels, *sides), strict=True):
            own.append(each)
    samples = [Sample(*name, tuple(own)) for name, own in zip(names, found, strict=True)]
    return tuple(sorted(samples, key=lambda sample: sample.rank, reverse=True))


def _found(run: _Run, output: str) -> Sequence[Mapping[str, Any]]:
    return [each[output] for each in run.found if output in each]


def _run(path: Path, asked: CompareRequest, files: Sequence[str], notify: Notify) -> _Run:
    """Run a bundle or a model file on files. Raises SystemExit with the harness's exit code where it ends otherwise."""
    words = [*(["--signature", asked.signature] if asked.signature else []), "--", *files]
    with temporary_folder("dropkit-compare-") as folder:
        saved, printed = folder / "outputs.npz", folder / "printed"
        with printed.open("wb") as stdout:
            code = run_harness(
                path, asked.runtime, ["--json", "--save-outputs", str(saved), *words], notify, stdout=stdout
            )
        if code not in {0, RecipeError.code}:
            raise SystemExit(code)
        document = json.loads(printed.read_text("utf-8") or "{}")
        arrays = made_arrays(saved) if saved.is_file() else {}
    results, errors = document.get("results") or [], tuple(document.get("errors") or ())
    with described(path) as (place, _):
        entry = _entry(place, asked.signature)
    names = tuple((str(result["input"]), result["index"]) for result in results)
    found = tuple(result["outputs"] for result in results)
    values = {}
    for output in entry.outputs:
        if f"output/{output.name}" in arrays:
            values[output.name] = real(arrays[f"output/{output.name}"], output)
    return _Run(names, {name: _each(array, len(names)) for name, array in values.items()}, found, errors, code)


def _each(array: np.ndarray, calls: int) -> np.ndarray:
    """Return float32 [calls, ...] of [calls, 1, ...]: outputs of one sample each, without their batch axis."""
    return array[:, 0] if array.ndim > 2 and array.shape[1] == 1 and len(array) == calls else array


def _entry(place: Bundle, key: str) -> SignatureEntry:
    signatures = read_signature(place.signature).all_signatures()
    return next((each for each in signatures if each.key == key), signatures[0])


def lines_of(compared: Compared, shown: int) -> Iterator[str]:
    """Yield the lines that a user reads: a summary of each output, then the worst samples."""
    yield f"{compared.model} beside {compared.against}, {len(compared.samples)} samples"
    first = compared.samples[0].differences if compared.samples else ()
    for place, output in enumerate(first):
        own = [sample.differences[place] for sample in compared.samples]
        changed = sum(each.changed for each in own)
        mean = sum(each.size for each in own) / len(own)
        sizes = f"up to {max(each.size for each in own):.3g}, in the mean {mean:.3g}"
        unit = _UNITS.get(output.kind, _UNITS["tensor"])
        yield f"  {output.output}: changed in {changed} of {len(own)}; difference {sizes} ({unit})"
    if compared.samples:
        more = f", the first {shown} of {len(compared.samples)}" if len(compared.samples) > shown else ""
        yield f"worst samples{more}"
    for sample in compared.samples[:shown]:
        yield f"  {sample.name}"
        for each in sample.differences:
            mark = "CHANGED " if each.changed else ""
            yield f"    {each.output}: {mark}{each.text}"


_UNITS = {
    "classes": "of a score",
    "boxes": "of a score, or of the overlap",
    "mask": "of the pixels",
    "embedding": "1 - cosine",
    "tensor": "in standard deviations of the float model's numbers",
}


def to_json(compared: Compared) -> dict[str, Any]:
    """Return what --json prints."""
    samples = [
        {
            "input": sample.input,
            "index": sample.index,
            "outputs": {
                each.output: {"kind": each.kind, "changed": each.changed, "difference": each.size, "text": each.text}
                for each in sample.differences
            },
        }
        for sample in compared.samples
    ]
    return {
        "bundle": compared.model,
        "against": compared.against,
        "samples": samples,
        "errors": [dict(error) for error in compared.errors],
    }
