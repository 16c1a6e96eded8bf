"""Where a refused product differs from the float file, layer by layer. It explains a refusal, and judges nothing."""

from __future__ import annotations

from dataclasses import replace

from kit.build.checks import concerns_scheme, failures
from kit.build.convert import Data, convert
from kit.build.plan import Plan
from kit.build.quantize import FLOAT32
from kit.build.write_bundle import Judged
from kit.engine import Engine, JobFolder, Limits
from kit.errors import KitError
from kit.files import temporary_folder
from kit.progress import Reporter
from kit.quantizer.run import QuantizerPlace, run_comparison
from kit.recipe.quantize import Quantize
from kit.shared.job import MODEL, RESULT, Result
from kit.shared.quantization import LayerError, Quantized, QuantizerJob

COMPARED = 32  # samples on which every tensor is compared with the float file's


def can_explain(plan: Plan, result: Result, judged: Judged) -> bool:
    """Say whether a refusal may come of quantization, and LiteRT's interpreter can run both files."""
    numbers = any(map(concerns_scheme, failures(judged.verdicts)))
    plain = not result.flex and not plan.recipe.model.streaming and result.measured_on != "random"
    return numbers and plain and plan.recipe.quantize.scheme != "float32"


def compare_layers(
    plan: Plan, engine: Engine, data: Data, limits: Limits, reporter: Reporter, made: tuple[Result, JobFolder]
) -> tuple[LayerError, ...]:
    """Return the error of each layer of what was made; none, and a note, where they cannot be compared.

    The float file of TensorFlow's quantizer takes a conversion of its own.
    """
    result, job = made
    order = QuantizerJob((), result.layers, COMPARED)
    reporter.stage("compare it with the float file, layer by layer")
    place = QuantizerPlace(engine, plan.quantizer, limits, reporter.note)
    try:
        place.prepare()
        if plan.recipe.quantize.by_litert:
            with temporary_folder("dropkit-float-") as folder:
                (folder / MODEL).symlink_to(job.out / FLOAT32)
                (folder / RESULT).symlink_to(job.out / RESULT)
                exact = replace(job, out=folder)
                said = run_comparison(place, exact, job.out, order)
        else:
            with convert(floating(plan), engine, data, limits, reporter) as (_, exact):
                said = run_comparison(place, exact, job.out, order)
    except KitError as error:
        said = Quantized(error.message)
    if said.error:
        reporter.note(f"layers were not compared with the float file's: {said.error}")
    return said.errors


def floating(plan: Plan) -> Plan:
    """Return the plan of the same model's float32 file."""
    asked = plan.recipe.quantize
    plain = Quantize(scheme="float32", quantizer="tensorflow", representative=asked.representative, count=asked.count)
    return replace(plan, recipe=plan.recipe.model_copy(update={"quantize": plain}))
