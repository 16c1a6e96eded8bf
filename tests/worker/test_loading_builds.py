"""From recipe to bundle and back for the kinds of model files that are more than one file: SavedModels, code, joins."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from source_models import written
from worlds import DIGITS, run_kit

LOCAL = ("--engine", "local")


def recipe(folder: Path, **model: str) -> Path:
    """Write a recipe of a [model] table alone, its values as TOML."""
    lines = "".join(f"{key} = {value}\n" for key, value in {"id": "'m'", **model}.items())
    (folder / "recipe.toml").write_text(f"[model]\n{lines}[toolchain]\ntensorflow = '2.19.1'\n", "utf-8")
    return folder / "recipe.toml"


def built(path: Path, engine: tuple[str, ...] = LOCAL) -> dict[str, Any]:
    """Build into dist beside the recipe, and return the manifest."""
    done = run_kit("build", str(path), "--out", str(path.parent / "dist"), "--json", *engine)
    assert done.returncode == 0, done.stderr
    manifest: dict[str, Any] = json.loads(done.stdout)
    return manifest


def verified(bundle: Path, *models: Path, engine: tuple[str, ...] = LOCAL, code: bool = False) -> list[str]:
    """Verify a bundle and return the lines of its source check; code: let code that it carries run."""
    named = [word for model in models for word in ("--model", str(model))] + ["--allow-code"] * code
    done = run_kit("verify", str(bundle), "--json", *named, *engine)
    assert done.returncode == 0, done.stdout + done.stderr
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["bytes"]["holds"]
    lines: list[str] = checks["source"]["lines"]
    return lines


def test_a_saved_model_becomes_a_bundle_that_is_verified_with_its_folder(
    tmp_path: Path, toolchain_python: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    written(toolchain_python, "saved", here)
    manifest = built(recipe(here, path="'exported'"))
    (made_of,) = manifest["source"]["files"]
    assert (made_of["file"], made_of["format"], made_of["tensorflow"]) == ("exported", "SavedModel", "2.19.1")
    assert manifest["toolchain"]["loader"] == "SavedModel of TensorFlow 2.19.1"
    shutil.copytree(here / "dist" / "m", there / "m")
    shutil.copytree(here / "exported", there / "exported")
    assert verified(there / "m") == [f"{there / 'exported'} is the model that it was made of"]
    (there / "exported" / "variables" / "variables.index").write_bytes(b"")
    done = run_kit("verify", str(there / "m"), *LOCAL)
    assert (done.returncode, "is another model" in done.stderr) == (6, True)


@pytest.mark.parametrize("structure", [True, False])
def test_weights_with_code_and_structure_are_verified_from_the_bundle_alone(
    tmp_path: Path, toolchain_python: Path, structure: bool
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    written(toolchain_python, "weights", here)
    (here / "custom.py").rename(here / "layers.py")
    more = {"structure": "'structure.json'"} if structure else {}
    built(recipe(here, path="'model.weights.h5'", code="'layers.py'", allow_code="true", **more))
    kept = here / "dist" / "m" / "provenance"
    assert (kept / "custom.py").read_bytes() == (here / "layers.py").read_bytes()
    assert (kept / "structure.json").exists() == structure
    shutil.copytree(here / "dist" / "m", there / "m")
    (here / "model.weights.h5").rename(there / "w.h5")
    shutil.rmtree(here)
    verified(there / "m", there / "w.h5", code=True)


def test_code_runs_in_the_local_engine_only_where_the_recipe_says_so(tmp_path: Path, toolchain_python: Path) -> None:
    written(toolchain_python, "custom_layers", tmp_path)
    (tmp_path / "custom.py").write_text("raise RuntimeError('it ran')\n", "utf-8")
    path = recipe(tmp_path, path="'model.keras'", code="'custom.py'")
    done = run_kit("build", str(path), "--out", str(tmp_path / "dist"), *LOCAL)
    assert done.returncode == 3
    assert "custom.py: [model] code runs while the model is loaded" in done.stderr
    assert "build it in a container (--engine docker), or trust it: [model] allow_code = true" in done.stderr
    assert "it ran" not in done.stderr
    path = recipe(tmp_path, path="'model.keras'", code="'custom.py'", allow_code="true")
    done = run_kit("build", str(path), "--out", str(tmp_path / "dist"), *LOCAL)
    assert "custom.py, line 1: RuntimeError: it ran" in done.stderr


def test_code_that_ends_the_process_is_corrected_at_its_line(tmp_path: Path, toolchain_python: Path) -> None:
    written(toolchain_python, "custom_layers", tmp_path)
    right = (tmp_path / "custom.py").read_text("utf-8")
    wrong = right.replace("return x * self.factor", "return (__import__('os').abort(), x)[1]")
    (tmp_path / "custom.py").write_text(wrong, "utf-8")
    path = recipe(tmp_path, path="'model.keras'", code="'custom.py'", allow_code="true")
    done = run_kit("build", str(path), "--out", str(tmp_path / "dist"), *LOCAL)
    line = wrong[: wrong.index("abort")].count("\n") + 1
    assert f"next: correct custom.py, line {line}: the process ends there" in done.stderr
    (tmp_path / "custom.py").write_text(right, "utf-8")
    assert built(path)


def test_an_error_in_the_code_is_shown_with_its_line(tmp_path: Path, toolchain_python: Path) -> None:
    written(toolchain_python, "custom_layers", tmp_path)
    (tmp_path / "custom.py").write_text("import keras\n\nCUSTOM_OBJECTS = {'Scale': Scale}\n", "utf-8")
    path = recipe(tmp_path, path="'model.keras'", code="'custom.py'", allow_code="true")
    done = run_kit("build", str(path), "--out", str(tmp_path / "dist"), *LOCAL)
    assert done.returncode == 3
    assert "custom.py, line 3: NameError: name 'Scale' is not defined" in done.stderr


@pytest.mark.slow
def test_joined_models_are_verified_with_each_of_their_files(tmp_path: Path, toolchain_python: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    written(toolchain_python, "parts", here)
    manifest = built(recipe(here, path="['pre.keras', 'net.keras']"))
    assert [each["file"] for each in manifest["source"]["files"]] == ["pre.keras", "net.keras"]
    shutil.copytree(here / "dist" / "m", there / "m")
    for old, new in (("pre.keras", "a"), ("net.keras", "b")):
        (here / old).rename(there / new)
    assert len(verified(there / "m", there / "a", there / "b")) == 2
    done = run_kit("verify", str(there / "m"), *LOCAL, "--model", str(there / "a"))
    assert (done.returncode, "made of 2 models, and 1 are named" in done.stderr) == (2, True)
    done = run_kit("verify", str(there / "m"), *LOCAL, "--model", str(there / "b"), "--model", str(there / "a"))
    assert (done.returncode, "is another model" in done.stderr) == (6, True)


def test_models_of_both_keras_join(tmp_path: Path, toolchain_python: Path) -> None:
    """Keras 2 before Keras 3, in one process."""
    written(toolchain_python, "2:parts", tmp_path / "old")
    written(toolchain_python, "parts", tmp_path)
    shutil.copyfile(tmp_path / "old" / "pre.keras", tmp_path / "pre.keras")
    manifest = built(recipe(tmp_path, path="['pre.keras', 'net.keras']"))
    assert manifest["toolchain"]["loader"] == "tf_keras 2.19.0 + keras 3.15.1"
    assert manifest["emulation"]["verdict"] == "pass"


def test_a_structure_for_a_whole_model_is_refused(tmp_path: Path, toolchain_python: Path) -> None:
    written(toolchain_python, "weights", tmp_path)
    path = recipe(tmp_path, path=f"'{DIGITS / 'digits.keras'}'", structure="'structure.json'")
    done = run_kit("build", str(path), "--out", str(tmp_path / "dist"), *LOCAL)
    assert (done.returncode, "which holds its own" in done.stderr) == (2, True)


def test_weights_alone_without_either_say_how_to_give_their_structure(tmp_path: Path, toolchain_python: Path) -> None:
    written(toolchain_python, "weights", tmp_path)
    done = run_kit("build", str(recipe(tmp_path, path="'model.weights.h5'")), "--out", str(tmp_path / "dist"), *LOCAL)
    assert done.returncode == 3
    for words in ("it holds weights only", "[model] structure", "build_model()"):
        assert words in done.stderr


@pytest.mark.container
@pytest.mark.usefixtures("docker_client")
def test_a_container_takes_folders_and_runs_the_models_code(tmp_path: Path, toolchain_python: Path) -> None:
    docker = ("--engine", "docker")
    written(toolchain_python, "saved", tmp_path / "a")
    built(recipe(tmp_path / "a", path="'exported'"), docker)
    assert verified(tmp_path / "a" / "dist" / "m", engine=LOCAL), "the same bytes in both engines"
    written(toolchain_python, "custom_layers", tmp_path / "b")
    built(recipe(tmp_path / "b", path="'model.keras'", code="'custom.py'"), docker)
