"""The labels of an output: a text file, one label a line."""

from __future__ import annotations

from pathlib import Path

from kit.bounded import MOST_TEXT, read_bounded
from kit.errors import RecipeError


def read_labels(path: Path) -> list[str]:
    """Return the labels of a text file, one a line. Raises RecipeError for none or blank ones.

    A label may be there twice: ImageNet's own list has two cranes.
    """
    try:
        lines = read_bounded(path, MOST_TEXT).decode("utf-8-sig").rstrip().splitlines()
    except (OSError, ValueError) as error:
        raise RecipeError(
            f"{path}: labels cannot be read: {error}", "give a text file in UTF-8, one label a line"
        ) from error
    labels = [line.strip() for line in lines]
    if not labels or "" in labels:
        raise RecipeError(
            f"{path}: " + ("a blank line among the labels" if labels else "no labels"),
            "write one label a line, and none of them blank",
        )
    return labels
