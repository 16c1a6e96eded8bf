"""Which kind of file or folder a path is, and what that kind's reader shows of it."""

from __future__ import annotations

from pathlib import Path

from kit.build.head_guess import guesses, source_shapes, tflite_shapes
from kit.bundle.tensor_table import read_named
from kit.bundle.whole import MANIFEST
from kit.errors import ModelError
from kit.inspection.bundle_folder import show_bundle
from kit.inspection.keras_file import show_keras
from kit.inspection.saved_model import show_saved_model
from kit.inspection.shown import Shown
from kit.inspection.tflite_file import show_tflite
from kit.source_model.model_file import SAVED_MODEL, read_model_file
from kit.source_model.saved_model import PROTOBUF
from kit.tflite.reader import is_tflite

_RECIPE = "recipe.toml"


def show(path: Path) -> Shown:
    """Return what a file or folder says of itself: a bundle, a recipe, a .tflite file or a source model.

    Raises ModelError where it is no whole model, RecipeError where a recipe or a bundle cannot be read.
    """
    if (path / MANIFEST).is_file():
        return show_bundle(path)
    if path.suffix == ".toml" or (path / _RECIPE).is_file():
        from kit.inspection.recipe_file import show_recipe

        return show_recipe(path / _RECIPE if path.is_dir() else path)
    if path.is_dir() and not (path / PROTOBUF).exists():
        raise ModelError(
            f"{path}: a folder without a {PROTOBUF}, a {MANIFEST} or a {_RECIPE}",
            "name a model file, a SavedModel, a bundle or a recipe",
        )
    if is_tflite(path):
        file = read_named(path)
        return show_tflite(file, guesses(tflite_shapes(file)))
    source = read_model_file(path)
    guessed = guesses(source_shapes(source))
    return show_saved_model(source, guessed) if source.suffix == SAVED_MODEL else show_keras(source, guessed)
