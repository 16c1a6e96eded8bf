"""Bundles of every kind through the whole Android proof, for both APIs: no step is left out, and none fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from android_world import quiet
from models import keras3_model
from third_party import fetch
from worlds import DIGITS, run_kit

from kit.android.codegen.runtime_api import APIS, Api
from kit.android.proof.run import prove
from kit.bundle.manifest import read_manifest

# Words of Kotlin, signs of its strings and comments, names that meet after cleaning, and none that is a name at all.
HOSTILE = ("class", '1st "in$put" */', "naïve 🎉\\n")
LABELS = ("fun", "Fun", "0", "${x}", 'a "b"', "a-b", "a b", "🎉", "值", "*/")


def _images(count: int = 20) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (count, 8, 8, 1), dtype=np.uint8)


def _digits(folder: Path, _python: Path) -> str:
    return f"""[model]
path = '{DIGITS / "digits.keras"}'
id = 'digits'
[quantize]
scheme = 'int8'
representative = '{DIGITS / "samples.npz"}'
[[inputs]]
name = 'image'
kind = 'image'
mean = [0.0]
std = [255.0]
[[outputs]]
name = 'digit'
kind = 'classes'
labels = '{DIGITS / "labels.txt"}'
"""


def _mixed(folder: Path, python: Path) -> str:
    """An image and numbers in; classes behind a softmax, a box and an embedding out."""
    model = keras3_model(python, folder / "mixed.keras", "two_in_three_out")
    context = np.random.default_rng(8).normal(size=(20, 4)).astype(np.float32)
    np.savez(folder / "samples.npz", image=_images(), context=context)
    (folder / "labels.txt").write_text("".join(f"digit {n}\n" for n in range(10)))
    return f"""[model]
path = '{model}'
id = 'mixed_up2'
[quantize]
scheme = 'int8'
representative = 'samples.npz'
[[inputs]]
name = 'image'
kind = 'image'
mean = [127.5]
std = [127.5]
resize = 'crop'
[[inputs]]
name = 'context'
[[outputs]]
name = 'digit'
kind = 'classes'
labels = 'labels.txt'
activation = 'softmax'
threshold = 0.1
[[outputs]]
name = 'box'
[[outputs]]
name = 'embedding'
"""


def _kept(folder: Path, python: Path) -> str:
    model = keras3_model(python, folder / "head.keras", "head")
    return f"""[model]
path = '{model}'
id = 'kept'
[quantize]
scheme = 'dynamic'
[[inputs]]
name = 'image'
kind = 'image'
mean = [0.0]
std = [255.0]
[[outputs]]
name = 'digit'
kind = 'classes'
[variables]
keep = ['digit/*']
"""


def _trained(folder: Path, python: Path) -> str:
    train = "[variables.train]\nloss = 'categorical_crossentropy'\n"
    return _kept(folder, python).replace("'dynamic'", "'float32'").replace("id = 'kept'", "id = 'trained'") + train


def _hostile(folder: Path, python: Path) -> str:
    model = keras3_model(python, folder / "hostile.keras", "two_in_three_out")
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS), "utf-8")
    return f"""[model]
path = '{model}'
id = 'string'
version = '1.0.0-rc.1+x'
[[inputs]]
name = '{HOSTILE[0]}'
source = 'image'
kind = 'image'
mean = [0.0]
std = [255.0]
[[inputs]]
name = '{HOSTILE[1]}'
source = 'context'
[[outputs]]
name = '{HOSTILE[2]}'
source = 'digit'
kind = 'classes'
labels = 'labels.txt'
[[outputs]]
name = '0 0'
source = 'box'
[[outputs]]
name = '0-0'
source = 'embedding'
[android]
package = 'com.example.fun.object'
"""


def _emotion(folder: Path, _python: Path) -> str:
    faces = np.random.default_rng(7).integers(0, 256, (20, 64, 64, 1), dtype=np.uint8)
    np.savez(folder / "faces.npz", input_1=faces)
    (folder / "labels.txt").write_text("angry\ndisgust\nfear\nhappy\nsad\nsurprise\nneutral\n")
    return f"""[model]
path = '{fetch("fer")}'
id = 'emotion'
[quantize]
scheme = 'int8'
representative = 'faces.npz'
[[inputs]]
name = 'input_1'
kind = 'image'
mean = [127.5]
std = [127.5]
[[outputs]]
name = 'predictions'
kind = 'classes'
labels = 'labels.txt'
"""


def _colored(folder: Path, python: Path) -> str:
    """Digits in red, green and blue."""
    model = keras3_model(python, folder / "digits.keras", "digits_rgb")
    np.savez(folder / "samples.npz", image=_images().repeat(3, axis=-1))
    return (
        _digits(folder, python)
        .replace(f"{DIGITS / 'digits.keras'}", str(model))
        .replace(f"{DIGITS / 'samples.npz'}", "samples.npz")
        .replace("'digit'", "'digit_of_rgb'")
    )


def _open(folder: Path, python: Path) -> str:
    """Any number of images in one call."""
    return _digits(folder, python).replace("[model]\n", "[model]\nbatch = -1\n")


RECIPES: dict[str, Callable[[Path, Path], str]] = {
    "digits": _digits,
    "mixed": _mixed,
    "kept": _kept,
    "trained": _trained,
    "hostile": _hostile,
    "emotion": _emotion,
    "colored": _colored,
    "open": _open,
}
OPEN = ("open", "compiled-model")  # LiteRT's CompiledModel has no function to change a size from Kotlin
# In CI's time (test_android_proof has the digits on CompiledModel); the rest with `inv test --all`.
QUICK = {("kept", "interpreter")}  # test_android_play.py has one for Play services


@pytest.fixture(scope="module")
def built(toolchain_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give the bundle of a recipe, built once."""
    bundles: dict[str, Path] = {}

    def of(kind: str) -> Path:
        if kind not in bundles:
            folder = tmp_path_factory.mktemp(kind)
            recipe = folder / "recipe.toml"
            recipe.write_text(RECIPES[kind](folder, toolchain_python), "utf-8")
            done = run_kit(
                "build", str(recipe), "--engine", "local", "--tensorflow", "2.19.1", "--out", str(folder / "dist")
            )
            assert done.returncode == 0, done.stderr
            (bundles[kind],) = (path for path in (folder / "dist").iterdir() if path.is_dir())
        return bundles[kind]

    return of


@pytest.mark.parametrize(
    ("kind", "api"),
    [
        pytest.param(kind, api, marks=() if (kind, api) in QUICK else pytest.mark.slow)
        for kind in RECIPES
        for api in APIS
        if (kind, api) != OPEN
    ],
)
def test_every_step_runs_and_passes(built: Callable[[str], Path], kind: str, api: Api, android_tools: None) -> None:
    proof = prove(built(kind), quiet, api=api)
    assert {step.name: (step.verdict, step.detail) for step in proof.steps if step.verdict != "pass"} == {}
    assert len(proof.steps) >= 7


def test_hostile_names_stay_as_they_are_in_what_the_app_reads(built: Callable[[str], Path]) -> None:
    signature = read_manifest(built("hostile")).signature
    assert tuple(tensor.name for tensor in signature.inputs) == HOSTILE[:2]
    assert signature.outputs[0].name == HOSTILE[2]
