"""Read a recipe from its TOML file, and see that the files it names are there."""

from __future__ import annotations

import difflib
import json
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kit.bounded import MOST_TEXT, read_bounded
from kit.errors import RecipeError
from kit.recipe.schema import TABLES, Recipe
from kit.recipe.validation_messages import Loc, explain, place, spot


def load_recipe(path: Path) -> Recipe:
    """Read a recipe. Raises RecipeError, which names the place and the nearest word where one is unknown."""
    text, raw = _read(path)
    return _checked(text, raw, path)


def parse_recipe(text: str, path: Path) -> Recipe:
    """Return the recipe of a text that is yet to be written to path. Raises RecipeError as load_recipe."""
    return _checked(text, _parsed(text, path), path)


def _checked(text: str, raw: dict[str, Any], path: Path) -> Recipe:
    try:
        # Through JSON: there, and only there, pydantic's strict mode takes what TOML can write. A date has no place
        # in a recipe: a list of lists is refused wherever a date could stand, where its text might be taken for a name.
        recipe = Recipe.model_validate_json(json.dumps(raw, default=lambda date: [[str(date)]]))
    except ValidationError as error:
        raise explain(error, TABLES, path, text) from error
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"{path}: {_TOO_LARGE}", "correct that place; docs/recipe.md has every key") from error
    recipe._path = path
    _check_files(recipe, text)
    return recipe


_TOO_LARGE = "a number in it is too long, or its tables are nested too deep"


def _read(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = read_bounded(path, MOST_TEXT).decode("utf-8-sig")
    except OSError as error:
        raise RecipeError(
            f"{path}: no recipe can be read there: {error.strerror}", "name a recipe.toml file"
        ) from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: not a text file in UTF-8", "name a recipe.toml file") from error
    return text, _parsed(text, path)


def _parsed(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path}: not TOML: {error}", "correct that place; https://toml.io has the rules") from error
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"{path}: {_TOO_LARGE}", "correct that place; docs/recipe.md has every key") from error


def _check_files(recipe: Recipe, text: str) -> None:
    paths = recipe.model.paths
    named: list[tuple[Loc, str | None]] = [(("model", "path"), name) for name in paths]
    named += [
        (("model", "code"), recipe.model.code),
        (("model", "structure"), recipe.model.structure),
        (("quantize", "representative"), recipe.quantize.representative),
        (("checks", "data"), recipe.checks.data),
        (("android", "update_key"), recipe.android.update_key),
        (("checks", "code"), recipe.checks.code),
    ]
    for i, output in enumerate(recipe.outputs):
        named += [(("outputs", i, "labels"), output.labels), (("outputs", i, "anchors"), output.anchors)]
    named += [(("checks", "truth", output), name) for output, name in recipe.checks.truth.items()]
    for loc, name in named:
        if name and not _exists(recipe.file(name)):
            raise RecipeError(
                f"{recipe.path}{place(loc, text)}:{spot(loc)} = {name!r}: there is no such file",
                _near_file(recipe.file(name)),
            )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long, a folder that we may not enter
        return False


def _near_file(path: Path) -> str:
    try:
        there = [p.name for p in path.parent.iterdir()]
    except (OSError, ValueError):
        there = []
    near = difflib.get_close_matches(path.name, there, n=1)
    return f"did you mean {near[0]!r}?" if near else f"paths are relative to the recipe; looked for {path}"
