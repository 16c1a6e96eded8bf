"""Run a product on the app's runtime before it becomes a bundle: golden vectors, measures and verdicts of what it does.

What no runtime from pip can run (TensorFlow's own operators) is measured in TensorFlow's interpreter, by the worker.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from kit.build.box_readings import refuse_units
from kit.build.checks import judge, notes, refuse_other_runtime
from kit.build.expected import expected_sections, is_verified
from kit.build.golden import float_outputs, golden_vectors, has_edges, is_of_worker, raw_of_vectors
from kit.build.metrics import measure, real
from kit.build.output_metrics import with_metrics
from kit.build.write_bundle import Judged, Parts, write_runnable
from kit.bundle.arrays import made_arrays
from kit.emulation.run import Asked, runtime_outputs
from kit.emulation.scripts import Scripts
from kit.errors import CheckError
from kit.files import sha256_bytes, temporary_folder
from kit.shared.job import EVALUATED, GOLDEN, TensorSpec
from kit.tflite.reader import read_tflite
from kit.tflite.weight_types import weight_types
from kit.toolchains.toolchain import find_runtime

if TYPE_CHECKING:
    import numpy as np

    Arrays = Mapping[str, np.ndarray]


def run_trial(parts: Parts, notify: Callable[[str], None], scripts: Scripts) -> tuple[Judged, Arrays]:
    """Run all evaluation samples; return what that comes to, and output/<name> [N, ...] of the main signature, raw.

    Raises RecipeError where y does not fit, CheckError where the runtime cannot run the model or computes something
    else from it than TensorFlow does.
    """
    recipe, result, truths = parts.recipe, parts.result, parts.truths
    evaluated, made = made_arrays(parts.job.out / EVALUATED, without="input/"), made_arrays(parts.job.out / GOLDEN)
    here = measure(recipe, result.signature, evaluated, evaluated, result.drawn, truths)
    refuse_units(parts, evaluated)
    runtime = find_runtime(recipe.android.runtime).name
    seeded = is_verified(recipe, result, parts.signature)
    if is_of_worker(recipe, result):
        there, predictions, vectors = here, evaluated, made
        runtime = f"TensorFlow {result.tensorflow}"
    else:
        asked = Asked(sha256_bytes(parts.model), seeded, has_edges(result, parts.model))
        predictions = vectors = outputs_there(parts, runtime, notify, scripts, asked)
        if not result.kept:
            steady = [spec for spec in result.signature.outputs if spec.name not in result.drawn]
            refuse_state(runtime, steady, predictions)
        there = measure(recipe, result.signature, evaluated, predictions, result.drawn, truths)
        if not recipe.quantize.by_litert:  # else TensorFlow's interpreter has seen the float32 file alone
            refuse_other_runtime(recipe.quantize.scheme, runtime, there, here)
    there = with_metrics(parts, evaluated, predictions, there)
    verdicts = judge(recipe, result, there, len(parts.model))
    remarks = [*result.notes, *parts.notes, *notes(recipe, result, there, verdicts)]
    weights = weight_types(read_tflite(parts.model))
    golden = golden_vectors(result, made, vectors)
    golden |= raw_of_vectors(result, made, parts.samples, parts.plan.raw_inputs)
    expected = expected_sections(parts.signature, vectors, golden) if seeded else {}
    if seeded and not expected:
        remarks.append(f"the app does not verify accelerators: {runtime} refuses inputs that are drawn at random")
    floats = float_outputs(result, made)
    return Judged(runtime, golden, there, verdicts, tuple(remarks), weights, floats, expected), predictions


def refuse_state(runtime: str, outputs: Sequence[TensorSpec], predictions: Arrays) -> None:
    """Refuse a file whose first call gives other bytes when it is asked again at the end. Raises CheckError.

    predictions: output/<name> [N, ...] of all samples, and again/<name> of the shape of one call, raw. Exact, in every
    scheme: the harness runs on one thread, where the same numbers are added in the same order.
    """
    import numpy as np

    for spec in outputs:
        raw, repeated = (predictions[f"{kind}/{spec.name}"] for kind in ("output", "again"))
        once = raw[: len(repeated)] if spec.batched else raw[0]
        if once.tobytes() == repeated.tobytes():
            continue
        every, first, again = (real(array, spec) for array in (raw, once, repeated))
        off = float(np.abs(first - again)[np.isfinite(first) & np.isfinite(again)].max(initial=0.0))
        raise CheckError(
            f"on {runtime} the converted model gives another output '{spec.name}' to the same sample when it is "
            f"asked again: it differs by {off:.4g}, where all of them lie within {float(np.ptp(every)):.4g}",
            "give open axes a size ([[inputs]] shape), or use another [quantize] scheme or [android] runtime",
        )


def outputs_there(
    parts: Parts, runtime: str, notify: Callable[[str], None], scripts: Scripts, asked: Asked | None = None
) -> dict[str, np.ndarray]:
    """Return the outputs of these parts' model on a pinned runtime, as kit.emulation.run.runtime_outputs has them.

    <prefix>output/<name> [N, ...], raw. asked: what else it is run on; None for nothing.
    """
    with temporary_folder("dropkit-") as folder:
        write_runnable(folder, parts)
        asked = asked or Asked(sha256_bytes(parts.model))
        return runtime_outputs(folder, runtime, parts.job, asked, notify, scripts)
