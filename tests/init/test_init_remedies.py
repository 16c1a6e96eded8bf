"""What `kit init` refuses, followed by what its next step says."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from worlds import DIGITS

from kit.errors import KitError
from kit.init import data
from kit.init.make import Request, make
from kit.init.question import take_default
from kit.progress import Reporter

Write = Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """What is refused, and what is done about it. image: of a model of images, else one of four numbers."""

    step: str
    before: Write
    after: Write
    data: str = "d"
    then: str = ""  # the data as the next step has it, where that is another
    out: str = "recipe.toml"
    image: bool = False
    model: str = "m.keras"
    changes: dict[str, int] = field(default_factory=dict)


def image(name: str, count: int = 1) -> Write:
    """Return what writes a folder of gray images."""

    def write(folder: Path) -> None:
        (folder / name).mkdir(exist_ok=True)
        for number in range(count):
            Image.fromarray(np.full((8, 8), number, np.uint8)).save(folder / name / f"{number}.png")

    return write


def text(name: str, content: str, encoding: str = "utf-8") -> Write:
    """Return what writes a file of text."""
    return lambda folder: (folder / name).write_bytes(content.encode(encoding))


def arrays(name: str, **values: tuple[int, ...]) -> Write:
    """Return what writes an .npz of zeros of these shapes."""
    return lambda folder: np.savez(folder / name, **{key: np.zeros(shape, np.float32) for key, shape in values.items()})  # type: ignore[arg-type]


def nothing(folder: Path) -> None:
    """Do nothing."""


TABLE = "a,b,c,d\n1,2,3,4\n5,6,7,8\n"
CASES = [
    Case("name another folder", lambda folder: (folder / "d").mkdir(), image("e"), then="e", image=True),
    Case("give an .npz with one array for each input", image("d"), arrays("d.npz", x=(3, 4)), then="d.npz"),
    Case(
        "name a folder with some of them", image("d", 3), image("e", 1), then="e", image=True, changes={"MOST_FILES": 2}
    ),
    Case("name a folder, an .npz, a .csv or a .txt", nothing, image("e"), then="e", image=True),
    Case(
        "give another file with --out",
        text("recipe.toml", "mine"),
        lambda f: (f / "recipe.toml").rename(f / "old"),
        data="",
    ),
    Case(
        "make it first, or give another --out", nothing, lambda f: (f / "new").mkdir(), data="", out="new/recipe.toml"
    ),
    Case(
        "rename it",
        nothing,
        lambda f: (f / "bad").symlink_to(f / "m.keras"),
        data="",
        model=os.fsdecode(b"m\xff.keras"),
    ),
    Case("give a folder of images or .wav files", text("d.bin", "?"), text("d.csv", TABLE), data="d.bin", then="d.csv"),
    Case("one row for each sample", arrays("d.npz", x=(3, 4), y=(2,)), arrays("d.npz", x=(3, 4), y=(3,)), data="d.npz"),
    Case("save it as UTF-8", text("d.csv", "\u00e4" + TABLE, "latin-1"), text("d.csv", "\u00e4" + TABLE), data="d.csv"),
    Case("correct it", text("d.csv", TABLE + "9\n"), text("d.csv", TABLE), data="d.csv"),
    Case("leave such rows out", text("d.csv", TABLE + "1,2,3,many\n"), text("d.csv", TABLE), data="d.csv"),
    Case("name the arrays by the model's inputs", arrays("d.npz", y=(3, 4)), arrays("d.npz", x=(3, 4)), data="d.npz"),
]


def numbers(path: Path) -> None:
    """Write a .keras description of an input `x` of four numbers and an output `z`: what the host reads of a file."""
    entry = {"class_name": "InputLayer", "config": {"name": "x", "dtype": "float32", "batch_shape": [None, 4]}}
    dense = {"class_name": "Dense", "config": {"name": "z", "units": 10}, "inbound_nodes": [[["x", 0, 0, {}]]]}
    body = {"layers": [entry, dense], "input_layers": [["x", 0, 0]], "output_layers": [["z", 0, 0]]}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Functional", "config": body}))
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.step)
def test_what_init_refuses_works_as_its_next_step_says(
    tmp_path: Path, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in case.changes.items():
        monkeypatch.setattr(data, name, value)
    model = tmp_path / case.model
    shutil.copy(DIGITS / "digits.keras", model) if case.image else numbers(model)
    out = tmp_path / case.out

    def run(name: str, path: Path) -> None:
        make(Request(path, out, tmp_path / name if name else None), take_default, Reporter(quiet=True))

    case.before(tmp_path)
    with pytest.raises(KitError) as refused:
        run(case.data, model)
    assert refused.value.hint.startswith(case.step)
    assert refused.value.code == 2
    if case.model != "m.keras":
        model = model.rename(tmp_path / "m.keras")
    case.after(tmp_path)
    run(case.then or case.data, model)
    assert out.is_file()
