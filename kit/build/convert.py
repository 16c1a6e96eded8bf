"""Give a plan and its data to an engine. What to convert is the plan's; where it runs, the engine's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from kit.build.audio_input import AudioInput
from kit.build.plan import Plan
from kit.build.quantize import quantized
from kit.build.samples import Samples
from kit.engine import Engine, JobFolder, Limits, Order, run_job
from kit.errors import ModelError
from kit.files import sha256_file
from kit.progress import Reporter
from kit.quantizer.run import QuantizerPlace
from kit.recipe.schema import Input
from kit.shared.job import (
    CALIBRATION,
    CODE,
    EVALUATION,
    MODEL,
    STRUCTURE,
    InputSpec,
    Job,
    ModelPart,
    OutputSpec,
    Result,
    TrainSpec,
)
from kit.source_model.model_file import NEW_WEIGHTS, SAVED_MODEL, WEIGHTS

if TYPE_CHECKING:
    import numpy as np

GOLDEN_VECTORS = 8


@dataclass(frozen=True)
class Data:
    """The samples that a conversion uses: to calibrate, and to measure on. None where the recipe has none."""

    calibration: Samples | None
    evaluation: Samples | None

    def raw(self) -> dict[str, np.ndarray]:
        """Return what a later conversion needs to give the same file and golden vectors, as a user gave it.

        calibration/<name> and golden/<name> [N, ...], as Samples.raw has them.
        """
        arrays: dict[str, np.ndarray] = {}
        if self.calibration:
            arrays |= {f"calibration/{name}": array for name, array in self.calibration.raw().items()}
        if self.evaluation:
            rows = range(min(GOLDEN_VECTORS, len(self.evaluation)))
            arrays |= {f"golden/{name}": array for name, array in self.evaluation.take(rows).raw().items()}
        return arrays


@contextmanager
def convert(
    plan: Plan,
    engine: Engine,
    data: Data,
    limits: Limits,
    reporter: Reporter,
    *,
    freeze: bool = False,
) -> Iterator[tuple[Result, JobFolder]]:
    """Make the toolchain ready, run the job, and give its result with the folder of its files for this block.

    freeze asks for the formats beside .tflite instead of one. Raises a KitError where the engine, the model or the data
    refuses, or where model.tflite is not the file that the worker wrote.
    """
    refuse_asks(plan)
    _refuse_code(plan, engine)
    engine.prepare(plan.toolchain, reporter.note)
    by_litert = plan.recipe.quantize.by_litert and not freeze
    place = QuantizerPlace(engine, plan.quantizer, limits, reporter.note)
    if by_litert:
        place.prepare()
    job = replace(_job(plan, engine, data), freeze=freeze)
    extra = {CODE: plan.code, STRUCTURE: plan.structure}
    files = {part.file: source.path for part, source in zip(job.parts, plan.sources, strict=True)}
    files |= {name: path for name, path in extra.items() if path is not None}
    order = Order(plan.recipe.model.id, plan.toolchain, job, files, _arrays(data))
    with run_job(engine, order, limits, reporter) as (result, folder):
        if not freeze and sha256_file(folder.out / MODEL) != result.sha256:
            raise ModelError(
                f"{MODEL} is not the file that the conversion wrote: it was changed since", "build it again"
            )
        if by_litert:
            reporter.stage(f"quantize to {plan.recipe.quantize.scheme}")
            yield quantized(plan, result, folder, place), folder
        else:
            yield result, folder


def refuse_asks(plan: Plan) -> None:
    """Refuse a model file that asks for more than computing, on every engine, where the recipe does not allow it."""
    for source in plan.sources:
        if source.asks and not plan.recipe.model.allow_code:
            more = f", and {len(source.asks) - 3} more" if len(source.asks) > 3 else ""
            raise ModelError(
                f"{source.path}: it asks for more than computing: {'; '.join(source.asks[:3])}{more}",
                f"save the model without that; or trust it with what this user may do: {plan.trust}",
            )


def _refuse_code(plan: Plan, engine: Engine) -> None:
    """Refuse Python code that came with the model where neither a sandbox nor the recipe allows it."""
    if engine.isolated or plan.recipe.model.allow_code:
        return
    hint = f"build it in a container (--engine docker), or trust it: {plan.trust}"
    if plan.code is not None:
        raise ModelError(
            f"{plan.code}: [model] code runs while the model is loaded, and the local engine is no sandbox", hint
        )
    for source in plan.sources:
        if source.code:
            raise ModelError(
                f"{source.path}: it carries Python code that runs when it is loaded (in {', '.join(source.code[:5])}), "
                "and the local engine is no sandbox",
                hint,
            )


def _job(plan: Plan, engine: Engine, data: Data) -> Job:
    recipe, model, train = plan.recipe, plan.recipe.model, plan.recipe.variables.train
    counts = {t.name: len(plan.labels[t.name].texts) for t in recipe.outputs if t.kind == "classes" and t.labels}
    return Job(
        parts=_parts(plan),
        allow_code=engine.isolated or model.allow_code,
        trusted=model.allow_code,
        scheme="float32" if recipe.quantize.by_litert else recipe.quantize.scheme,
        io=recipe.io,
        fused_lstm=recipe.quantize.fused_lstm,
        inputs=tuple(_input(tensor, plan.raw_inputs.audio.get(tensor.name)) for tensor in recipe.inputs),
        outputs=tuple(
            OutputSpec(t.name, t.source or "", t.kind == "classes", counts.get(t.name), t.activation or "none")
            for t in recipe.outputs
        ),
        calibrate=data.calibration is not None,
        evaluate=data.evaluation is not None,
        golden=GOLDEN_VECTORS,
        code=plan.code is not None,
        structure=plan.structure is not None,
        allow_flex=model.allow_flex,
        signatures=tuple(model.signatures),
        input_order=tuple(model.inputs),
        output_order=tuple(model.outputs),
        batch=model.batch,
        keep=tuple(recipe.variables.keep),
        gate=recipe.checks.gate,
        train=TrainSpec(train.loss, train.optimizer, train.learning_rate, train.batch) if train else None,
        streaming=model.streaming,
        unsure=plan.unsure,
    )


_ENDINGS = {SAVED_MODEL: "", WEIGHTS: ".weights.h5"}


def _parts(plan: Plan) -> tuple[ModelPart, ...]:
    """Return the model files as the job has them: under names of ours, with the recipe's for what is shown."""
    return tuple(
        ModelPart(
            f"model{i or ''}{_ENDINGS.get(source.suffix, source.suffix)}",
            WEIGHTS if source.suffix == NEW_WEIGHTS else source.suffix,
            # A file of weights may not say which Keras wrote it: then it is the toolchain's own.
            source.legacy or (not source.keras and not plan.toolchain.legacy_keras),
            PurePath(name).name,
        )
        for i, (name, source) in enumerate(zip(plan.recipe.model.paths, plan.sources, strict=True))
    )


def _input(tensor: Input, audio: AudioInput | None) -> InputSpec:
    """Return what the worker has to know of an input. audio: of its kind, which is between -1 and 1."""
    ends = tensor.range or (None if audio is None else [-1.0, 1.0])
    shape = tensor.shape if audio is None else audio.shape
    return InputSpec(
        tensor.name,
        tensor.source or "",
        tensor.kind == "image",
        None if shape is None else tuple(shape),
        tensor.dtype or "",
        (ends[0], ends[1]) if ends else None,
        any(tensor.mean) or any(value != 1 for value in tensor.std) if not tensor.double_normalization else False,
        tuple(float(mean) for mean in tensor.mean or [0.0]),
        tuple(float(std) for std in tensor.std or [1.0]),
        tuple(tuple(size) for size in tensor.sizes),
    )


def _arrays(data: Data) -> dict[str, dict[str, np.ndarray]]:
    """Return the arrays of the job's files by file and name, [N, ...] in their own dtype, see Samples.arrays."""
    named = ((CALIBRATION, data.calibration), (EVALUATION, data.evaluation))
    return {name: samples.arrays() for name, samples in named if samples is not None}
