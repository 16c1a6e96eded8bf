"""What a recipe comes to before anything runs: which toolchain, which model, which runtime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kit.choice import choose_toolchain
from kit.modelfile import ModelFile, read_model_file
from kit.pins import Lock
from kit.recipe import Recipe
from kit.samples import read_labels
from kit.toolchain import Toolchain, find_runtime


@dataclass(frozen=True)
class Plan:
    """What a recipe comes to, before anything runs."""

    recipe: Recipe
    toolchain: Toolchain
    reason: str  # why that toolchain: half a sentence
    source: ModelFile
    runtime_lock: Lock
    labels: Mapping[str, int]
    key: str


def make_plan(recipe: Recipe, key: str) -> Plan:
    """Resolve a recipe's toolchain, model and runtime. key is the build's, from kit.key."""
    source = read_model_file(recipe.file(recipe.model.path))
    choice = choose_toolchain(recipe.toolchain.tensorflow, source)
    pictures = any(tensor.kind == "image" for tensor in recipe.inputs)
    runtime_lock = find_runtime(recipe.android.runtime).lock(pictures=pictures)
    labels = {o.name: len(read_labels(recipe.file(o.labels))) for o in recipe.outputs if o.labels}
    return Plan(recipe, choice.toolchain, choice.reason, source, runtime_lock, labels, key)
