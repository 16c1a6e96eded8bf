"""LiteRT's quantizer as a step behind the conversion: what the recipe asks of it, and what its refusals mean."""

from __future__ import annotations

from dataclasses import replace

from kit.build.plan import Plan
from kit.engine import JobFolder
from kit.errors import ModelError, RecipeError
from kit.files import sha256_file, temporary_folder
from kit.process import Exit
from kit.quantizer.run import QuantizedFile, QuantizerPlace, run_quantizer
from kit.recipe.quantize import Quantize
from kit.shared.job import MODEL, Result
from kit.shared.quantization import LayerScheme, Quantization, QuantizerJob

FLOAT32 = "float32.tflite"  # what a job's float file is called once the quantized one has its place
_SHOWN = 8  # names of layers in a message
_NEXT = {  # what can do more models than a scheme, in the words of a recipe
    "int8": 'scheme = "int8" with quantizer = "tensorflow", or scheme = "dynamic"',
    "int16x8": 'scheme = "dynamic" or "float16"',
    "int4": 'scheme = "dynamic" or "float16"',
    "weight8": 'scheme = "float16"',
}


def quantization_of(quantize: Quantize) -> Quantization:
    """Return what a recipe asks of LiteRT's quantizer."""
    rounding = quantize.rounding or ("octav" if quantize.scheme == "int4" else "minmax")
    layers = tuple(LayerScheme(layer.match, layer.scheme) for layer in quantize.layers)
    return Quantization(quantize.scheme, layers, rounding, quantize.bias_correction)


def quantized(plan: Plan, result: Result, job: JobFolder, place: QuantizerPlace) -> Result:
    """Put the quantized file in the place of the job's float32 file, which stays beside it; return the result with its
    digest. place: made ready.

    Raises ModelError where the quantizer cannot, RecipeError for a pattern that no layer has.
    """
    refuse_unquantizable(plan, result)
    wanted = quantization_of(plan.recipe.quantize)
    order = QuantizerJob((wanted,), result.layers, unsure=plan.unsure)
    with temporary_folder("dropkit-quantize-") as root:
        (root / "files").mkdir()
        (made,) = run_quantizer(place, job, order, root / "files")
        if made.path is None:
            _refuse(plan, result, made)
        else:
            (job.out / MODEL).replace(job.out / FLOAT32)
            made.path.replace(job.out / MODEL)
    return replace(result, sha256=sha256_file(job.out / MODEL), unsure=made.said.unsure)


def refuse_unquantizable(plan: Plan, result: Result) -> None:
    """Refuse a file that LiteRT's quantizer cannot take. Raises RecipeError."""
    if result.flex:
        raise RecipeError(
            f"{plan.recipe.path}: LiteRT's quantizer knows no TensorFlow operators, and the file needs "
            f"{', '.join(result.flex[:3])}",
            'use scheme = "float16" or "dynamic" with quantizer = "tensorflow"',
        )


def _refuse(plan: Plan, result: Result, made: QuantizedFile) -> None:
    """Raise what a request came to that gave no file."""
    if made.said.unmatched:
        names = ", ".join(made.said.unmatched)
        known = ", ".join(result.layers[:_SHOWN]) + (", ..." if len(result.layers) > _SHOWN else "")
        raise RecipeError(
            f"{plan.recipe.path}: [[quantize.layers]] match: no operator of the file belongs to a layer of {names}",
            f"there is: {known or 'no layer by name'}; a layer that was fused into another goes with that one",
        )
    scheme, rounding = plan.recipe.quantize.scheme, plan.recipe.quantize.rounding
    instead = 'rounding = "octav"' if rounding == "oscar" else _NEXT.get(scheme, "another [quantize] scheme")
    raise ModelError(
        f"{plan.recipe.model.paths[0]}: LiteRT's quantizer cannot make scheme '{scheme}' of it: "
        f"{made.said.error or 'it gave no file'}",
        _next(made.ended, instead),
    )


def _next(ended: Exit | None, instead: str) -> str:
    """Return the next step. ended: how the quantizer died; instead: what another recipe would ask for."""
    if ended and ended.timed_out:
        return f"give it more time, as in --timeout 7200; or use {instead}"
    if ended and ended.out_of_memory:
        return f"give it more memory, as in --memory 16g; or use {instead}"
    return f"use {instead}"
