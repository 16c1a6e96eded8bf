"""What the worker says of a model whose file does not say all: it is loaded in the toolchain, and nothing is built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kit.build.convert import Data, convert
from kit.build.plan import make_plan
from kit.engine import Limits, choose_engine
from kit.init.description import Description, Shape, Tensor
from kit.progress import Reporter
from kit.recipe.schema import Recipe
from kit.shared.job import TensorSpec


def load(description: Description, recipe: Recipe, engine: str, reporter: Reporter) -> Description:
    """Return the description with the names, shapes and types of the loaded model.

    recipe: the least one that loads it, with a size for each open axis. Raises what a build of it raises.
    """
    reporter.note(f"{description.source.path.name} does not say all of its outputs' shapes: it is loaded once")
    plan = make_plan(recipe, "")
    chosen = choose_engine(engine, reporter.note)
    with convert(plan, chosen, Data(None, None), Limits(), reporter, freeze=True) as (result, _):
        signature = result.signature
    endings = {tensor.name: tensor.ending for tensor in description.outputs}
    known = {tensor.name: tensor for tensor in description.inputs}
    return replace(
        description,
        inputs=tuple(_input(spec, known) for spec in signature.inputs),
        outputs=tuple(
            Tensor(spec.name, _inner(spec), spec.dtype, endings.get(spec.name, "")) for spec in signature.outputs
        ),
    )


def _input(spec: TensorSpec, known: Mapping[str, Tensor]) -> Tensor:
    """Return an input with the shape that the file says, where it does: the recipe has closed its open axes."""
    own = known.get(spec.name)
    return Tensor(spec.name, own.shape if own and own.shape is not None else _inner(spec), spec.dtype)


def _inner(spec: TensorSpec) -> Shape:
    shape: Sequence[int] = spec.shape[1:] if spec.batched else spec.shape
    return tuple(None if size < 1 else size for size in shape)


def least_recipe(description: Description, shapes: Mapping[str, Sequence[int]], path: Path) -> Recipe:
    """Return the recipe that does no more than to load a model. shapes: of inputs with open axes; path: its folder."""
    inputs = [{"name": name, "shape": list(shape)} for name, shape in shapes.items()]
    model: dict[str, Any] = {"path": str(description.source.path.absolute()), "id": "model"}
    if description.others:
        model |= {"signatures": [description.signature]}
    recipe = Recipe.model_validate({"model": model, "inputs": inputs})
    recipe._path = path
    return recipe
