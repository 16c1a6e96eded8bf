"""What an architecture of the table is, and the list of all. Imports numpy alone: host and toolchains read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Arrays = Mapping[str, np.ndarray]
SCHEMES = ("float32", "float16", "dynamic", "int8")
TEST = 24  # the last samples of an example: nothing is fitted to them and nothing is calibrated on them
SEED = 7
# A family takes the whole module, Keras 2's or Keras 3's: what is the same in both is written once.
Keras = Any


@dataclass(frozen=True)
class Remedy:
    """A second recipe, which does what the message of a refusal says."""

    text: str  # what it does, for the page
    schemes: tuple[str, ...] = SCHEMES
    scheme: str = ""  # another scheme than the refused one
    keys: str = ""  # lines of [model]
    tables: str = ""  # further tables of the recipe
    samples: Arrays | None = None  # by the names of this recipe's inputs; None: those of the first recipe


@dataclass(frozen=True)
class Example:
    """A model with fitted weights and the samples [N, ...] by input name; the last TEST of them are the test data."""

    model: Any
    samples: Arrays
    classes: tuple[str, ...] = ()  # outputs that are scores of classes
    keys: str = ""  # lines of [model]
    tables: str = ""  # further tables of the recipe
    code: str = ""  # the Python of the model's own layers
    outputs: tuple[str, ...] = ()  # names of the outputs, where the file gives others than the model
    picked: tuple[str, ...] = ()  # the outputs that the recipe picks; all where it picks none
    exact: Any = None  # the same weights in a model that computes in float32, where `model` has fewer bits
    remedy: Remedy | None = None


@dataclass(frozen=True)
class Architecture:
    """A row of the table: one architecture, written by one Keras in one format."""

    id: str
    title: str
    family: str
    keras: int  # 2 or 3
    stored: str  # ".keras", ".h5", or "SavedModel"
    make: Callable[[Keras], Example] = field(compare=False)
    recurrent: bool = False


_ALL: list[Architecture] = []


def architecture(
    title: str, *, keras: tuple[int, ...] = (3,), stored: str = "", recurrent: bool = False
) -> Callable[[Callable[[Keras], Example]], Callable[[Keras], Example]]:
    """Add a function's architecture to the table, with a row for each Keras; its id is the function's name."""

    def add(make: Callable[[Keras], Example]) -> Callable[[Keras], Example]:
        family = make.__module__.rpartition(".")[2]
        for version in keras:
            identity = f"{make.__name__}_k{version}"
            where = stored or {2: ".h5", 3: ".keras"}[version]
            _ALL.append(Architecture(identity, title, family, version, where, make, recurrent))
        return make

    return add


def architectures() -> dict[str, Architecture]:
    """Return every row by its id, in the order of the page."""
    # The families add themselves when they are imported.
    from benchmarks.models import applications, audio, generative, sequence, structure, tabular, text, vision

    order = [
        module.__name__.rpartition(".")[2]
        for module in (applications, vision, generative, sequence, audio, text, tabular, structure)
    ]
    return {row.id: row for row in sorted(_ALL, key=lambda row: order.index(row.family))}
