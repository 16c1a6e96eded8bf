"""`init`: from a model file to a recipe beside which its data and labels lie. Each step lives elsewhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kit.build.convert import refuse_asks
from kit.build.plan import Plan, make_plan
from kit.errors import OutputError, RecipeError
from kit.files import replacing, write_whole
from kit.init.compose import Found, tables_of
from kit.init.data import DataPlan, plan_folder
from kit.init.description import describe
from kit.init.guess_inputs import InputGuess, guess_inputs, normalized
from kit.init.guess_outputs import OutputGuess, guess_outputs
from kit.init.identity import id_of
from kit.init.labels import Labels, find_labels
from kit.init.loaded import least_recipe, load
from kit.init.question import Ask, Question, take_default
from kit.init.tables import boxed_outputs, npz_arrays, plan_file
from kit.init.toml import recipe_text
from kit.progress import Reporter
from kit.recipe.load import parse_recipe
from kit.source_model.model_file import read_model_file
from kit.toolchains.selection import choose_toolchain

if TYPE_CHECKING:
    from kit.init.tables import Arrays


@dataclass(frozen=True)
class Request:
    """What the user asked for."""

    model: Path
    out: Path
    data: Path | None = None
    engine: str = "auto"


@dataclass(frozen=True)
class Made:
    """What was written: the recipe, files beside it, what was found, and what the user has to look at."""

    recipe: Path
    written: tuple[Path, ...]
    found: tuple[str, ...]
    doubts: tuple[str, ...]


def make(request: Request, ask: Ask, reporter: Reporter) -> Made:
    """Write a recipe for a model, and what it needs beside it; nothing where something is in the way.

    Raises OutputError for that, RecipeError for data that is not the model's, and of the model what a build raises.
    """
    _refuse_taken(request.out)
    source = read_model_file(request.model)
    choice = choose_toolchain("auto", [source])
    identity = id_of(request.model)
    description = describe(source)
    guesses = guess_inputs(description, take_default)
    if not description.known or any(not guess.kind for guess in guesses):
        shapes = {guess.tensor.name: guess.shape for guess in guesses if "shape" in guess.keys}
        recipe = least_recipe(description, shapes, request.out)
        refuse_asks(make_plan(recipe, ""))
        description = load(description, recipe, request.engine, reporter)
    data = request.data or _asked_data(ask)
    if data is not None and not data.exists():
        raise RecipeError(f"--data {data}: there is no such file or folder", "name a folder, an .npz, a .csv or a .txt")
    inputs = guess_inputs(description, ask)
    lists = find_labels(request.model, data)
    arrays = {} if data is None or data.is_dir() else npz_arrays(data)
    boxed = boxed_outputs(arrays, description.outputs)
    outputs = guess_outputs(description.outputs, inputs, [len(each.texts) for each in lists], ask, boxed)
    plan = None if data is None else _plan_data(data, arrays, inputs, outputs, lists)
    if plan is not None:
        for name, word in plan.normalization.items():
            why = f"the data has floats as pixels {word} give them, so the app makes the same"
            inputs = [
                normalized(replace(guess, doubts=()), word, why, sure=True) if guess.tensor.name == name else guess
                for guess in inputs
            ]
    folder = request.out.absolute().parent
    outputs, files = _labelled(outputs, lists, plan, folder / f"{identity}-labels.txt", ask)
    found = Found(
        identity,
        _relative(request.model, folder),
        description,
        f"TensorFlow {choice.toolchain.tensorflow}: {choice.reason}",
        tuple(inputs),
        tuple(outputs),
        plan,
        data,
        folder / f"{identity}-data",
    )
    comments, tables = tables_of(found)
    text = recipe_text(comments, tables)
    written = _write(request.out, text, files, found)
    return Made(request.out, tuple(written), _found(found), _doubts(found))


def _refuse_taken(path: Path) -> None:
    if os.path.lexists(path):
        raise OutputError(
            f"{path}: it is there already, and init never overwrites",
            "give another file with --out, as in --out other.toml; or move this one away",
        )
    if not path.absolute().parent.is_dir():
        raise OutputError(f"{path.parent}: there is no such folder", "make it first, or give another --out")


def _asked_data(ask: Ask) -> Path | None:
    reply = ask(
        Question(
            "data to calibrate and to check on (a folder of images or .wav files, an .npz, a .csv)",
            "",
            lambda text: "" if Path(text).expanduser().exists() else "there is no such file or folder",
        )
    )
    return Path(reply).expanduser() if reply else None


def _plan_data(
    data: Path,
    arrays: Arrays,
    inputs: Sequence[InputGuess],
    outputs: Sequence[OutputGuess],
    lists: Sequence[Labels],
) -> DataPlan:
    """Return what becomes of the data. arrays: an .npz's, [N, ...] in their own dtype."""
    if not data.is_dir():
        return plan_file(data, arrays, inputs, outputs, lists)
    classes = next((guess.classes for guess in outputs if guess.kind == "classes"), None)
    return plan_folder(data, inputs, classes, lists)


def _labelled(
    outputs: Sequence[OutputGuess], lists: Sequence[Labels], plan: DataPlan | None, place: Path, ask: Ask
) -> tuple[list[OutputGuess], dict[Path, bytes]]:
    """Return the outputs with their labels, and the file of labels to write where they are in none."""
    made: list[OutputGuess] = []
    files: dict[Path, bytes] = {}
    first = True
    for guess in outputs:
        fit = [each for each in lists if guess.classes is not None and len(each.texts) == guess.classes]
        if first and guess.kind == "classes":
            fit = [plan.labels, *fit] if plan is not None and plan.labels is not None else fit
            first = False
        if guess.classes is None or (not fit and guess.kind != "classes"):
            made.append(guess)
            continue
        if fit:
            labels = fit[0]
            if labels.path is None:
                files[place] = "".join(f"{text}\n" for text in labels.texts).encode()
            path = place if labels.path is None else labels.path
            reason = f"labels: {len(labels.texts)}, of {labels.source}"
            keys = guess.keys | {"labels": _relative(path, place.parent)}
            made.append(replace(guess, keys=keys, reasons=(*guess.reasons, reason)))
            continue
        reply = ask(
            Question(
                f"'{guess.tensor.name}' has {guess.classes} classes: a text file with one label a line", "", _is_file
            )
        )
        made.append(
            replace(guess, keys=guess.keys | {"labels": _relative(Path(reply), place.parent)}) if reply else guess
        )
    return made, files


def _is_file(reply: str) -> str:
    return "" if Path(reply).is_file() else "there is no such file"


def _relative(path: Path, folder: Path) -> str:
    """Return a path as a recipe in that folder names it. Raises OutputError where TOML cannot write it."""
    relative = os.path.relpath(path.absolute(), folder)
    try:
        relative.encode("utf-8")
    except UnicodeEncodeError as error:
        raise OutputError(f"{path}: a recipe is UTF-8, and this name is not", "rename it") from error
    return relative.replace(os.sep, "/")


def _write(out: Path, text: str, files: dict[Path, bytes], found: Found) -> list[Path]:
    """Write what the recipe names, see that it plans, and write the recipe last."""
    folder = out.absolute().parent
    for path in (*files, *([found.place] if found.data is not None and found.data.writes else [])):
        _refuse_taken(path)
    written: list[Path] = []
    try:
        for path, content in files.items():
            write_whole(path, content)
            written.append(path)
        if found.data is not None and found.data.writes:
            with replacing(found.place) as staging:
                _fill(staging, found.place, found.data)
            written.append(found.place)
        plan = _planned(text, folder / out.name)
        refuse_asks(plan)
        write_whole(out, text.encode())
    except BaseException:
        _take_back(written)
        raise
    return written


def _fill(staging: Path, place: Path, data: DataPlan) -> None:
    """Write the files of the data. Links are relative to where the folder will be, which is beside staging."""
    for name, write in data.writes.items():
        target = staging / name
        target.parent.mkdir(parents=True, exist_ok=True)
        write(target)
    assert staging.parent.resolve() == place.parent.resolve()


def _planned(text: str, path: Path) -> Plan:
    return make_plan(parse_recipe(text, path), "")


def _take_back(written: Sequence[Path]) -> None:
    import shutil

    for path in written:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _found(found: Found) -> tuple[str, ...]:
    def said(side: str, guesses: Sequence[InputGuess | OutputGuess]) -> list[str]:
        return [f"{side:8}{guess.tensor.name}: {guess.reasons[0]}" for guess in guesses if guess.reasons]

    return (*said("input", found.inputs), *said("output", found.outputs))


def _doubts(found: Found) -> tuple[str, ...]:
    guesses: list[InputGuess | OutputGuess] = [*found.inputs, *found.outputs]
    own = [f"{guess.tensor.name}: {doubt}" for guess in guesses for doubt in guess.doubts]
    return (*own, *(found.data.notes if found.data is not None else ()))
