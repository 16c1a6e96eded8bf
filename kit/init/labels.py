"""Labels that lie beside a model or its data: text files with one a line, and folders that are named by them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.errors import RecipeError
from kit.recipe.labels import read_labels

_NAMES = ("labels.txt", "label.txt", "classes.txt", "class_names.txt", "classnames.txt", "categories.txt")


@dataclass(frozen=True)
class Labels:
    """A list of labels. path: its file; None where it is of folders' names, and is to be written."""

    texts: tuple[str, ...]
    path: Path | None
    source: str  # where it was found, for the user


def find_labels(model: Path, data: Path | None) -> list[Labels]:
    """Return the files of labels beside the model and its data, each once; what is none is passed over."""
    found: dict[Path, Labels] = {}
    for path in _candidates(model, data):
        if path.resolve() in found or not path.is_file():
            continue
        try:
            found[path.resolve()] = Labels(tuple(read_labels(path)), path, str(path))
        except RecipeError:
            continue
    return list(found.values())


def of_folders(data: Path, names: Sequence[str]) -> Labels:
    """Return the labels that folders of data are named by, in the order of their names."""
    return Labels(tuple(sorted(names)), None, f"the folders of {data}")


def _candidates(model: Path, data: Path | None) -> Iterator[Path]:
    folders = [model.parent, *([model / "assets", model] if model.is_dir() else [])]
    if data is not None:
        folders += [data, data.parent] if data.is_dir() else [data.parent]
    stem = model.name if model.is_dir() else model.stem
    for folder in folders:
        for name in (f"{stem}.labels.txt", f"{stem}-labels.txt", f"{stem}_labels.txt", f"{stem}.txt", *_NAMES):
            yield folder / name
