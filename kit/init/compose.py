"""The tables of a first recipe, with their comments, out of what was found. Writes no file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.init.data import DataPlan
from kit.init.description import Description
from kit.init.guess_inputs import CHECK, InputGuess
from kit.init.guess_outputs import OutputGuess
from kit.init.toml import Key, Table


@dataclass(frozen=True)
class Found:
    """All that a recipe is made of. path: the model's, from the recipe; place: the folder of data that init writes."""

    identity: str
    path: str
    description: Description
    toolchain: str
    inputs: tuple[InputGuess, ...]
    outputs: tuple[OutputGuess, ...]
    data: DataPlan | None
    given: Path | None  # what --data named
    place: Path


def tables_of(found: Found) -> tuple[list[str], list[Table]]:
    """Return the comment at the head of a recipe, and its tables."""
    head = [
        f"Written by kit init from {found.path}: {found.description.source.what}. Every key is in docs/recipe.md.",
        f"Guesses have their reason beside them; what no file can say is marked {CHECK} look at these lines first.",
    ]
    return head, [
        _model(found),
        Table("[toolchain]", [found.toolchain], [Key("tensorflow", "auto", 'a version such as "2.19.1" pins it')]),
        _quantize(found),
        *(_input(guess) for guess in found.inputs if guess.said),
        *(_output(guess) for guess in found.outputs if guess.table),
        *_checks(found),
        Table(
            "[android]",
            [],
            [Key("package", f"com.example.{found.identity}", "the package of the generated Kotlin: your app's")],
        ),
    ]


def _model(found: Found) -> Table:
    description = found.description
    keys = [
        Key("path", found.path),
        Key("id", found.identity, "names the bundle, its assets and its class"),
    ]
    comments = []
    if description.others:
        keys.append(Key("signatures", [description.signature]))
        comments.append(
            f"signatures: it has these, too, which would go into the same file: {', '.join(description.others)}"
        )
    if description.source.code:
        layers = ", ".join(description.source.code[:5])
        comments.append(
            f"{CHECK} it carries Python code (in {layers}): it runs in a container, and elsewhere only if you trust it"
        )
        keys.append(Key("allow_code", True, off=True))
    return Table("[model]", comments, keys)


def _quantize(found: Found) -> Table:
    data, source = found.data, found.description.source
    if data is not None and data.calibration is not None:
        why = [
            f"auto: the smallest file that keeps the checks below. {data.samples:,} samples in {found.given}",
            *_honest(found),
        ]
        keys = [Key("scheme", "auto"), Key("representative", _of_data(found, data.calibration), "calibration data")]
        return Table("[quantize]", why, keys)
    if source.trained_int8:
        why = ["int8 without data: quantization-aware training has left its ranges in the model"]
        return Table("[quantize]", why, [Key("scheme", "int8")])
    why = [
        "dynamic: 8-bit weights, and no data needed. With 100 samples or more, kit init --data FOLDER asks for auto,",
        "the smallest file that keeps the checks.",
    ]
    return Table("[quantize]", why, [Key("scheme", "dynamic", "float32: unchanged numbers")])


def _honest(found: Found) -> Iterator[str]:
    data = found.data
    assert data is not None
    if data.writes:
        yield f"were split with a fixed seed into {found.place.name}: one part calibrates, and the other checks."
    yield f"{CHECK} the checks are honest only on samples that training never saw."


def _of_data(found: Found, path: str) -> str:
    """Return a part of the data as the recipe names it."""
    import os

    folder = found.place.parent
    whole = Path(path) if Path(path).is_absolute() else found.place / path
    return os.path.relpath(whole, folder).replace(os.sep, "/")


def _input(guess: InputGuess) -> Table:
    return _tensor("[[inputs]]", guess)


def _output(guess: OutputGuess) -> Table:
    return _tensor("[[outputs]]", guess)


def _tensor(head: str, guess: InputGuess | OutputGuess) -> Table:
    comments = [*guess.reasons, *(f"{CHECK} {doubt}" for doubt in guess.doubts)]
    keys = [Key("name", guess.tensor.name), Key("kind", guess.kind)]
    if isinstance(guess, OutputGuess) and guess.kind == "classes" and "labels" not in guess.keys:
        keys.append(Key("labels", "labels.txt", f"{guess.classes} lines, in the order of the scores", off=True))
    return Table(head, comments, [*keys, *(Key(name, given) for name, given in guess.keys.items())])


def _checks(found: Found) -> list[Table]:
    data = found.data
    if data is None or data.checks is None:
        comments = [
            "Without data the build compares with the float model on random inputs, which says little. With data:"
        ]
        keys: list[Key] = [Key("data", "held-out.npz", "or a folder; samples that training never saw")]
        if any(guess.kind == "classes" for guess in found.outputs):
            keys.append(Key("min_agreement", 0.98, "share of samples with the float model's class"))
        return [Table("[checks]", comments, keys, off=True)]
    keys = [Key("data", _of_data(found, data.checks))]
    first = next((guess for guess in found.outputs if guess.kind == "classes"), None)
    if first is not None and data.truth:
        keys.append(Key("max_drop", 0.01, "accuracy may fall by one point"))
    elif first is not None:
        keys.append(Key("min_agreement", 0.98, "share of samples with the float model's class"))
    comments = [
        *(f"{CHECK} {note}" for note in data.notes),
        "A file that does not reach these is refused (exit code 4).",
    ]
    return [
        Table("[checks]", comments, keys),
        *(_metric(guess, data) for guess in found.outputs if guess.kind != "classes" and guess.table),
    ]


def _metric(guess: OutputGuess, data: DataPlan) -> Table:
    keys: Sequence[tuple[str, Any, str]]
    if guess.tensor.name in data.truths and guess.kind == "tensor":
        keys = [("metric", "r2", ""), ("max_drop", 0.01, "by so much it may explain less")]
    elif guess.tensor.name in data.truths and guess.kind == "boxes":
        keys = [("metric", "map", "mAP@[.5:.95]"), ("max_drop", 0.01, "by so much it may find less")]
    elif guess.kind == "embedding":
        keys = [("metric", "cosine", ""), ("min", 0.98, "with the float model's vector, in the mean")]
    else:
        keys = [("metric", "snr", ""), ("min", 20.0, "decibels: errors of a tenth of the values")]
    return Table("[[checks.metrics]]", [], [Key("output", guess.tensor.name), *(Key(*key) for key in keys)])
