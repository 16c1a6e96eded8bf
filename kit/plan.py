"""What a recipe comes to before anything runs: which toolchain, which model, which runtime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kit.modelfile import ModelFile, read_model_file
from kit.pins import Lock
from kit.recipe import Recipe
from kit.samples import read_labels
from kit.toolchain import Toolchain, find_runtime, find_toolchain


@dataclass(frozen=True)
class Plan:
    """What a recipe comes to, before anything runs."""

    recipe: Recipe
    toolchain: Toolchain
    source: ModelFile
    runtime_lock: Lock
    labels: Mapping[str, int]
    key: str


def make_plan(recipe: Recipe, key: str) -> Plan:
    """Resolve a recipe's toolchain, model and runtime. key is the build's, from kit.key."""
    toolchain = find_toolchain(recipe.toolchain.tensorflow)
    source = read_model_file(recipe.file(recipe.model.path))
    pictures = any(tensor.kind == "image" for tensor in recipe.inputs)
    runtime_lock = find_runtime(recipe.android.runtime).lock(pictures=pictures)
    labels = {o.name: len(read_labels(recipe.file(o.labels))) for o in recipe.outputs if o.labels}
    return Plan(recipe, toolchain, source, runtime_lock, labels, key)
