"""int8 files in which the size of a tensor is computed while they run: LiteRT 2 gives other outputs now and then.

Measured (docs/quantization.md): an int8 language model with an open length gave, on LiteRT 2.3.0 with XNNPACK, another
output from the second call on in one of two hundred interpreters. It is not known which kernel does it.
"""

from __future__ import annotations

from collections.abc import Iterator

from kit.errors import CheckError
from kit.recipe.schema import Recipe
from kit.shared.job import DYNAMIC, Result, TensorSpec
from kit.tflite.model import Subgraph, TfliteFile

# The inputs of an operator that say how large its output is. Resizing of images is not here: it was found right.
_SIZES = {
    "BROADCAST_TO": (1,),
    "FILL": (0,),
    "MIRROR_PAD": (1,),
    "PAD": (1,),
    "PADV2": (1,),
    "RESHAPE": (1,),
    "SLICE": (1, 2),
    "STRIDED_SLICE": (1, 2),
    "TILE": (1,),
    "TRANSPOSE_CONV": (0,),
}


def refuse_computed_sizes(recipe: Recipe, result: Result, file: TfliteFile, runtime: str) -> None:
    """Refuse an int8 file for LiteRT 2 with an open axis and an int8 tensor whose size is computed while it runs.

    Raises CheckError, which names the input, the tensor and what to do.
    """
    opened = next((spec for spec in result.signature.inputs if DYNAMIC in _sample(spec)), None)
    if recipe.quantize.scheme != "int8" or opened is None or not runtime.startswith("litert:2."):
        return
    computed = next((name for graph in file.subgraphs for name in computed_sizes(graph)), None)
    if computed is not None:
        shape = ", ".join("any" if size == DYNAMIC else str(size) for size in _sample(opened))
        raise CheckError(
            f"input '{opened.name}' leaves an axis open, [{shape}], and the size of '{computed}', an int8 tensor "
            f"inside, is computed while the model runs: in some processes {runtime} gives other outputs then",
            f'give the axis a size: [[inputs]] name = "{opened.name}" and shape; or use scheme = "dynamic"; '
            'or [android] runtime = "litert:1.4.0"',
        )


def computed_sizes(graph: Subgraph) -> Iterator[str]:
    """Yield the names of the int8 tensors that an operator makes in a size which another operator computes."""
    constant = {at for at, tensor in enumerate(graph.tensors) if tensor.sha256 is not None}
    for operator in graph.operators:
        sizes = [operator.inputs[at] for at in _SIZES.get(operator.name, ()) if at < len(operator.inputs)]
        if any(at >= 0 and at not in constant for at in sizes):
            yield from (graph.tensors[at].name for at in operator.outputs if graph.tensors[at].dtype == "int8")


def _sample(spec: TensorSpec) -> tuple[int, ...]:
    return spec.shape[1:] if spec.batched else spec.shape
