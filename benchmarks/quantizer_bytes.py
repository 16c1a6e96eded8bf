"""LiteRT's quantizer under one changed circumstance after another: the same bytes of the same float32 file?

A part of `inv bench --reproducibility`. That the float32 file is the same is the other table's; here it is made once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kit.build.convert import Data, convert
from kit.build.plan import make_plan
from kit.build.samples import representative
from kit.engine.base import Engine, JobFolder, Limits
from kit.files import sha256_file
from kit.progress import Reporter
from kit.quantizer.run import QuantizerPlace, run_quantizer
from kit.recipe.load import load_recipe
from kit.shared.quantization import Quantization, QuantizerJob
from kit.toolchains.toolchain import quantizer

REQUESTS = {
    "float16": Quantization("float16"),
    "weight8": Quantization("weight8"),
    "dynamic": Quantization("dynamic"),
    "int4": Quantization("int4", rounding="octav"),
    "int4, min-max": Quantization("int4"),
    "int4, oscar": Quantization("int4", rounding="oscar"),
    "int8": Quantization("int8"),
    "int16x8": Quantization("int16x8"),
    "int4, bias correction": Quantization("int4", rounding="octav", bias_correction=True),
    "int8, bias correction": Quantization("int8", bias_correction=True),
}
# Of MobileNetV2's 53 convolutions each runs on all samples again, which takes an emulator many hours.
DEEP = ("mobilenet",)
SLOW = Limits(seconds=7200)


@dataclass(frozen=True)
class Circumstance:
    """What is changed: where the quantizer runs. missing: what this machine lacks for it."""

    name: str
    engine: Engine
    missing: str = ""


def quantizer_rows(
    recipes: Mapping[str, Path], engine: Engine, circumstances: Sequence[Circumstance], folder: Path
) -> Iterator[str]:
    """Yield the table's lines, in Markdown. recipes: of each model one of scheme int8, which names samples."""
    name = quantizer().id
    yield f"| {name} | {' | '.join(recipes)} |"
    yield "|---|" + "---|" * len(recipes)
    cells: dict[str, list[str]] = {each.name: [] for each in circumstances}
    for model, recipe in recipes.items():
        requests = [request for request in REQUESTS.values() if model not in DEEP or not request.bias_correction]
        for circumstance, same in _compared(recipe, requests, engine, circumstances, folder / model):
            cells[circumstance].append(same)
            print(f"{name}, {model}, {circumstance}: {same}", flush=True)
    for circumstance, counts in cells.items():
        yield f"| {circumstance} | {' | '.join(counts)} |"


def _compared(
    recipe: Path, requests: Sequence[Quantization], engine: Engine, changed: Sequence[Circumstance], folder: Path
) -> Iterator[tuple[str, str]]:
    """Yield of each circumstance how many files are the same as without it."""
    asked = load_recipe(recipe)
    floating = asked.quantize.model_copy(update={"scheme": "float32", "quantizer": "tensorflow"})
    plan = make_plan(asked, "")
    plan = replace(plan, recipe=asked.model_copy(update={"quantize": floating}))
    folder.mkdir(parents=True)
    data = Data(representative(asked, plan.sources[0], folder), None)
    with convert(plan, engine, data, SLOW, Reporter(quiet=True)) as (result, job):
        order = QuantizerJob(tuple(requests), result.layers)
        first = _files(engine, order, job, folder / "first")
        for number, circumstance in enumerate(changed):
            if circumstance.missing:
                yield circumstance.name, f"not run here: needs {circumstance.missing}"
                continue
            again = _files(circumstance.engine, order, job, folder / f"{number}")
            yield circumstance.name, f"{sum(a == b for a, b in zip(first, again, strict=True))} of {len(first)}"


def _files(engine: Engine, order: QuantizerJob, job: JobFolder, folder: Path) -> list[str]:
    """Return the sha256 of each file that is asked for, what is said instead where the quantizer made none."""
    results = folder / "results"
    results.mkdir(parents=True)
    place = QuantizerPlace(engine, quantizer(), SLOW, print)
    place.prepare()
    made = run_quantizer(place, job, order, results)
    return [sha256_file(each.path) if each.path else each.said.error for each in made]
