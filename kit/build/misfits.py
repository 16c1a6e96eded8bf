"""What of a recipe and its data does not fit the model's own description: refused before TensorFlow starts.

The worker holds all of it against the loaded model, too; here is what the file's description is certain of.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kit.bounded import read_bounded
from kit.errors import ModelError, RecipeError
from kit.recipe.schema import Input, Recipe
from kit.recipe.table import DYNAMIC
from kit.source_model.file_names import FileNames, Shape
from kit.source_model.model_file import ModelFile
from kit.source_model.saved_model import MOST_GRAPH, PROTOBUF

MOST_FILE = 2 << 30  # bytes of a .tflite: FlatBuffers counts them in signed 32 bits

if TYPE_CHECKING:
    from kit.build.bundle_signature import Labels
    from kit.build.samples import Samples


def refuse_misfits(recipe: Recipe, sources: Sequence[ModelFile], labels: Mapping[str, Labels]) -> None:
    """Raise RecipeError for names, shapes, types and numbers of labels that the one model file says are wrong.

    labels: by the output's name. Joined models are for the worker: what is inside has other names there.
    """
    if len(sources) != 1 or sources[0].names is None:
        return
    names = sources[0].names
    for tensor in recipe.inputs:
        _known(recipe, sources[0], "inputs", tensor.name, tensor.source, list(names.inputs))
        _fits(recipe, tensor, names)
    for output in recipe.outputs:
        _known(recipe, sources[0], "outputs", output.name, output.source, list(names.outputs))
        classes = names.outputs.get(output.source or output.name)
        given = labels.get(output.name) if output.kind == "classes" else None
        if classes is not None and given is not None and len(given.texts) != classes:
            raise RecipeError(
                f"{recipe.file(str(output.labels))}: [[outputs]] {output.name}: {len(given.texts)} labels "
                f"for {classes} classes",
                "give one label a line, in the order of the model's classes",
            )


def refuse_too_large(recipe: Recipe, sources: Sequence[ModelFile]) -> None:
    """Raise ModelError where a float32 file of all the weights is beyond what a .tflite can be.

    The worker knows what is left where the recipe takes a part of the model.
    """
    model = recipe.model
    named = [*(tensor.source for tensor in recipe.inputs), *(tensor.source for tensor in recipe.outputs)]
    cut = model.outputs or model.signatures or any(named)
    weights = sum(source.weights for source in sources)
    if recipe.quantize.scheme == "float32" and weights > MOST_FILE and not cut:
        raise ModelError(
            f"{sources[0].path}: {weights / 1e9:.1f} GB of weights, and a .tflite file can be {MOST_FILE >> 30} GB",
            'use [quantize] scheme = "float16", "dynamic" or "int8"',
        )


def refuse_unfit_data(recipe: Recipe, sources: Sequence[ModelFile], samples: Samples | None, where: str) -> None:
    """Raise RecipeError for samples by other names than the model's inputs, or of other shapes. where: file and key."""
    if samples is None or len(sources) != 1 or sources[0].names is None:
        return
    wished = {tensor.source or tensor.name: tensor for tensor in recipe.inputs}
    own = sources[0].names.inputs
    if not set(wished) <= set(own) or any("/" in name for name in samples.inputs):
        return  # the file starts behind a layer, or has several signatures: the worker knows what is left
    wanted = {_product_name(name, wished): (wished.get(name), shape) for name, shape in own.items()}
    for name in samples.inputs:
        if name not in wanted:
            raise RecipeError(f"{where}: '{name}' is no input of the model", _nearest(name, list(wanted)))
    for name, (tensor, shape) in wanted.items():
        if name not in samples.inputs:
            raise RecipeError(
                f"{where}: the model's input '{name}' is missing",
                f"save an array of that name, too; there is: {', '.join(samples.inputs)}",
            )
        inner = tuple(tensor.shape) if tensor is not None and tensor.shape else shape
        given = samples.inputs[name].shape[1:]
        if inner is not None and not _takes(inner, given):
            raise RecipeError(
                f"{where}: '{name}' has samples of shape {list(given)}, the model takes {_shown(inner)}",
                "give an array of shape [N, ...] with one sample a row",
            )


def _product_name(name: str, wished: Mapping[str, Input]) -> str:
    return wished[name].name if name in wished else name


def _known(recipe: Recipe, source: ModelFile, table: str, name: str, wished: str | None, own: list[str]) -> None:
    """Refuse an input or output whose name the model has nowhere."""
    origin = wished or name
    layer = origin.rpartition(":")[0] or origin
    inner = source.names.inner if source.names is not None else None
    if origin in own or layer in own:
        return
    if inner is None and _mentioned(source.path, layer):
        return
    if inner is not None and (layer in inner or layer.partition("/")[0] in inner):
        return
    key = f"name = '{name}'" if wished is None else f"{name}: source = '{origin}'"
    raise RecipeError(
        f"{recipe.path}: [[{table}]] {key}: the model has none of that name",
        _nearest(origin, [*own, *(each for each in inner or () if table == "outputs" and each not in own)]),
    )


def _mentioned(path: Path, name: str) -> bool:
    """Say whether a SavedModel has that name anywhere, as an operation's or a part of one."""
    return name.encode() in read_bounded(path / PROTOBUF, MOST_GRAPH)


def _fits(recipe: Recipe, tensor: Input, names: FileNames) -> None:
    origin = tensor.source or tensor.name
    shape, kind = names.inputs.get(origin), names.types.get(origin, "float32")
    if shape is not None and tensor.shape is not None and not _may_be(shape, tensor.shape):
        raise RecipeError(
            f"{recipe.path}: [[inputs]] {tensor.name}: shape {tensor.shape} does not fit the model's {_shown(shape)}",
            "give the shape without the batch axis, or leave it out",
        )
    if tensor.kind == "image" and kind.startswith(("int", "uint", "bool", "string")):
        raise RecipeError(
            f"{recipe.path}: [[inputs]] {tensor.name}: kind 'image' is normalized to float, and the model takes {kind}",
            'use kind = "tensor": this model takes the values as they are',
        )


def _may_be(own: Shape, wished: Sequence[int]) -> bool:
    return len(own) == len(wished) and all(a in (None, DYNAMIC, b) for a, b in zip(own, wished, strict=True))


def _takes(inner: Sequence[int | None], given: Sequence[int]) -> bool:
    """Say whether samples have the shape; an axis of length 1 more or less is no difference, as for the worker."""
    if None in inner or DYNAMIC in inner:
        return len(inner) == len(given) and all(a in (None, DYNAMIC, b) for a, b in zip(inner, given, strict=True))
    return [n for n in inner if n != 1] == [n for n in given if n != 1]


def _shown(shape: Sequence[int | None]) -> str:
    return "[" + ", ".join("any" if n is None or n == DYNAMIC else str(n) for n in shape) + "]"


def _nearest(wanted: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(wanted, names, n=1, cutoff=0.4)
    more = f" and {len(names) - 60:,} more" if len(names) > 60 else ""
    return (f"did you mean '{near[0]}'? " if near else "") + "there is: " + ", ".join(names[:60]) + more
