"""Six kinds of model files from `kit init --yes` to the stub app, and no line of a recipe is written by hand."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import drawn_models
import pytest
import source_models
import text_models
import vision_models
from source_models import written
from worlds import ROOT, run_kit


@dataclass(frozen=True)
class Model:
    """A model that a module of tests/support makes. made: its path among what that writes; name: the user's own."""

    maker: str
    kind: str
    made: str
    name: str


MODELS = {
    "h5": Model(source_models.__file__, "functional", "model.h5", "Faces (v2).hdf5"),
    "saved model": Model(source_models.__file__, "saved", "exported", "flowers/1"),
    "lstm": Model(source_models.__file__, "sequential", "model.keras", "steps.keras"),
    "text": Model(text_models.__file__, "topics", "model.keras", "topics.keras"),
    "two towers": Model(vision_models.__file__, "towers", "model.keras", "pair.keras"),
    "detector": Model(drawn_models.__file__, "boxes", "model.keras", "lights.keras"),
}
BUNDLES = ("faces_v2", "flowers", "steps", "topics", "pair", "lights")
QUICK = "lstm"  # the others, and what `android` compiles, take their time


def through(tmp_path: Path, python: Path, kind: str, bundle: str, *, proved: bool) -> None:
    """Run every command on a model, in a folder with nothing else in it."""
    model = MODELS[kind]
    written(python, model.kind, tmp_path / "made", Path(model.maker))
    folder = tmp_path / "my models"
    (folder / model.name).parent.mkdir(parents=True)
    shutil.move(tmp_path / "made" / model.made, folder / model.name)
    shutil.copytree(ROOT / "android_stub", folder / "android_stub")
    commands = [
        ("init", model.name, "--yes", "--engine", "local"),
        ("build", "recipe.toml", "--engine", "local"),
        ("emulate", f"dist/{bundle}"),
        *([("android", f"dist/{bundle}")] if proved else []),
        ("drop", f"dist/{bundle}", "--write"),
    ]
    for words in commands:
        done = run_kit(*words, cwd=folder)
        assert done.returncode == 0, (words, done.stdout[-3000:], done.stderr[-3000:])
    assets = folder / "android_stub" / "app" / "src" / "main" / "assets" / bundle
    assert (assets / "model.tflite").stat().st_size > 1000
    again = run_kit("drop", f"dist/{bundle}", "--remove", cwd=folder)
    assert (again.returncode, assets.exists()) == (0, False), again.stderr


def test_an_lstm_goes_from_its_file_into_the_stub_app(tmp_path: Path, toolchain_python: Path) -> None:
    through(tmp_path, toolchain_python, QUICK, "steps", proved=False)


@pytest.mark.slow
@pytest.mark.usefixtures("android_tools")
@pytest.mark.parametrize(("kind", "bundle"), [*zip(MODELS, BUNDLES, strict=True)], ids=BUNDLES)
def test_each_of_six_kinds_goes_from_its_file_into_the_stub_app(
    tmp_path: Path, toolchain_python: Path, kind: str, bundle: str
) -> None:
    through(tmp_path, toolchain_python, kind, bundle, proved=True)
