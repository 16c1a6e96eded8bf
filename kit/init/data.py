"""The user's data as a recipe names it: samples that calibrate, and others that check. Writes nothing yet.

A folder of images, sounds or texts, perhaps with a folder for each label; an .npz; a .csv; a .txt of texts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kit.errors import RecipeError
from kit.files import sha256_file
from kit.init.guess_inputs import InputGuess
from kit.init.labels import Labels, of_folders
from kit.init.split import FEWEST, split

SUFFIXES = {
    "image": frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif"}),
    "audio": frozenset({".wav"}),
    "text": frozenset({".txt"}),
}
_TRAIN = ("train", "training", "calibration", "representative")
_TEST = ("test", "testing", "held-out", "val", "valid", "validation", "eval")
_LIST = "give an .npz with one array for each input: numpy.savez('data.npz', name=values, y=classes)"
MOST_FILES = 100_000
Write = Callable[[Path], None]


@dataclass(frozen=True)
class DataPlan:
    """What of the data goes where. Paths are relative to the folder that the writes fill, or absolute."""

    samples: int
    calibration: str | None = None  # a path to write to, or one that is there already
    checks: str | None = None
    writes: Mapping[str, Write] = field(default_factory=dict)  # by the path in the folder of the data
    labels: Labels | None = None
    truth: bool = False  # the checks' samples say what is right
    truths: tuple[str, ...] = ()  # outputs whose own truth is there
    notes: tuple[str, ...] = ()
    normalization: Mapping[str, str] = field(default_factory=dict)  # by input, where the data shows it


def plan_folder(folder: Path, inputs: Sequence[InputGuess], classes: int | None, known: Sequence[Labels]) -> DataPlan:
    """Return what becomes of a folder. classes: how many the model has; known: the lists of labels that are there.

    Raises RecipeError where no file in it is what the model's one input takes.
    """
    kind = _kind(folder, inputs)
    train = _sub(folder, _TRAIN)
    test = _sub(folder, _TEST)
    root = folder if not (train and test) else test
    files = _files(root, SUFFIXES[kind])
    if not files:
        raise RecipeError(f"--data {root}: no {', '.join(sorted(SUFFIXES[kind]))} files in it", "name another folder")
    tops = [path.relative_to(root).parts[0] if len(path.relative_to(root).parts) > 1 else "" for path in files]
    labels, truth, note = _labels(folder, tops, classes, known)
    if train and test and truth != ("" not in tops and note is None):
        truth = False
    if train and test and note is None:
        return DataPlan(len(files), str(train.absolute()), str(test.absolute()), {}, labels, truth)
    calibration, checks = split([sha256_file(path) for path in files], tops)
    notes = [note] if note else []
    if len(files) < FEWEST:
        notes.append(_few(len(files)))
        calibration, checks = [], list(range(len(files)))
    writes = {f"checks/{name}": link for name, link in _links(root, [files[row] for row in checks], truth)}
    writes |= {f"calibration/{name}": link for name, link in _links(root, [files[row] for row in calibration], False)}
    return DataPlan(
        len(files), "calibration" if calibration else None, "checks", writes, labels, truth, notes=tuple(notes)
    )


def _few(count: int) -> str:
    return f"{count} samples are too few to calibrate on: they check, and nothing more; give 100 or more"


def _kind(folder: Path, inputs: Sequence[InputGuess]) -> str:
    kinds = [guess.kind for guess in inputs]
    if len(kinds) != 1 or kinds[0] not in SUFFIXES:
        listed = ", ".join(f"'{guess.tensor.name}' is of kind {guess.kind}" for guess in inputs)
        raise RecipeError(
            f"--data {folder}: a folder of files is for a model with one input of images, sound or text; {listed}",
            _LIST,
        )
    return kinds[0]


def _sub(folder: Path, names: Sequence[str]) -> Path | None:
    there = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_dir()}
    return next((there[name] for name in names if name in there), None)


def _files(root: Path, suffixes: frozenset[str]) -> list[Path]:
    found = []
    for path in root.rglob("*"):
        if path.suffix.lower() in suffixes and path.is_file() and path.name not in {"labels.txt", "classes.txt"}:
            found.append(path)
            if len(found) > MOST_FILES:
                raise RecipeError(f"--data {root}: more than {MOST_FILES:,} files", "name a folder with some of them")
    return sorted(found)


def _labels(
    folder: Path, tops: Sequence[str], classes: int | None, known: Sequence[Labels]
) -> tuple[Labels | None, bool, str | None]:
    """Return the labels that the folders of files give, whether they are the truth, and what is wrong with them."""
    names = set(tops)
    if names == {""} or classes is None:
        return None, False, None if names == {""} else "its folders are no labels: the model has no output of classes"
    if "" in names:
        return None, False, "files lie beside the folders, so folders are not taken for labels"
    for labels in known:
        if len(labels.texts) == classes and names <= set(labels.texts):
            return labels, True, None
    if len(names) == classes:
        return of_folders(folder, sorted(names)), True, None
    return None, False, f"{len(names)} folders for {classes} classes: they are not taken for labels"


def _links(root: Path, files: Sequence[Path], folders: bool) -> list[tuple[str, Write]]:
    """Return a link for each file, by its path; without folders all lie side by side."""

    def link(file: Path) -> Write:
        return lambda target: target.symlink_to(os.path.relpath(file.resolve(), target.parent.resolve()))

    names = [path.relative_to(root) for path in files]
    return [
        (name.as_posix() if folders else name.as_posix().replace("/", "__"), link(file))
        for name, file in zip(names, files, strict=True)
    ]
