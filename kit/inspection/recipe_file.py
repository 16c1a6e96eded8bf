"""A recipe: its keys as they are read, and what its model file says of itself. Builds nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kit.bounded import printable
from kit.inspection.keras_file import carried
from kit.inspection.shown import Shown, rows
from kit.recipe.load import load_recipe
from kit.source_model.model_file import ModelFile, read_model_file


def show_recipe(path: Path) -> Shown:
    """Return a recipe's own keys, defaults left out, and a word on each model. Raises RecipeError or ModelError."""
    recipe = load_recipe(path)
    written = recipe.model_dump(mode="json", exclude_unset=True)
    structure = recipe.file(recipe.model.structure) if recipe.model.structure else None
    built = bool(recipe.model.code)
    models = [read_model_file(recipe.file(name), structure, built=built) for name in recipe.model.paths]
    lines = rows([("path", path), ("format", "recipe"), *_models(models)])
    lines += [line for name, value in written.items() for line in _lines(name, value)]
    document = {
        "path": str(path),
        "format": "recipe",
        "recipe": recipe.model_dump(mode="json", exclude_none=True),
        "models": [
            {"path": str(model.path), "what": model.what, "code": list(model.code), "asks": list(model.asks)}
            for model in models
        ],
    }
    return Shown(tuple(map(printable, lines)), document)


def _models(models: list[ModelFile]) -> Iterator[tuple[str, object]]:
    for model in models:
        yield "model", f"{model.path}: {model.what}"
        yield from (("input", f"'{name}' [-1,{','.join(str(n or -1) for n in s)}]") for name, s in model.inputs.items())
        yield from carried(model)


def _lines(name: str, value: Any) -> Iterator[str]:
    """Yield a table of the recipe as TOML has it, its keys as they are used."""
    if isinstance(value, Mapping):
        nested = {key: each for key, each in value.items() if _is_table(each)}
        yield from (
            "",
            f"[{name}]",
            *(f"{key} = {json.dumps(each)}" for key, each in value.items() if key not in nested),
        )
        for key, each in nested.items():
            yield from _lines(f"{name}.{key}", each)
    elif _is_table(value):
        for each in value:
            first, *rest = _lines(name, each)
            yield from (first, f"[{rest[0]}]", *rest[1:])
    else:
        yield f"{name} = {json.dumps(value)}"


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and bool(value) and isinstance(value[0], Mapping))
