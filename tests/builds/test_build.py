"""A build as a user sees it: what is on the disk, what is printed, what a second build does."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from models import keras3_model
from worlds import DIGITS, ROOT, run_kit, write_recipe

from kit import __version__
from kit.files import sha256_file, tree_digests


def test_the_bundle_has_the_layout_of_a_gradle_source_set(digits_bundle: Path) -> None:
    assert {"bundle.json", "README.md", "report.html"} < set(tree_digests(digits_bundle))
    assert set(tree_digests(digits_bundle / "src" / "main" / "assets")) == {
        "digits/expected.bin",
        "digits/labels.txt",
        "digits/model.tflite",
        "digits/signature.json",
    }
    code = tree_digests(ROOT / "templates" / "bundle" / "emulate") | tree_digests(ROOT / "tests" / "beside_harness")
    assert set(tree_digests(digits_bundle / "emulate")) == (
        {name for name in code if name.endswith(".py")} | {"requirements.txt", "golden.npz"}
    )


def test_the_harness_is_copied_as_it_is_and_only_its_constants_are_rendered(digits_bundle: Path) -> None:
    emulate = digits_bundle / "emulate"
    harness = tree_digests(ROOT / "templates" / "bundle" / "emulate")
    assert harness.pop("constants.py.j2")
    assert harness.items() <= tree_digests(emulate).items()
    assert (emulate / "preprocess.py").read_bytes() == (ROOT / "kit" / "shared" / "preprocess.py").read_bytes()
    lines = (emulate / "constants.py").read_text("utf-8").splitlines()
    assert [line.partition("  #")[0] for line in lines if " = " in line] == [
        "BUNDLE = 'digits'",
        "ASSETS = '../src/main/assets/digits'",
        "RUNTIME = 'litert:2.3.0'",
        f"KIT_VERSION = {__version__!r}",
    ]


def test_the_manifest_names_every_other_file_by_its_digest(digits_bundle: Path) -> None:
    manifest = json.loads((digits_bundle / "bundle.json").read_text("utf-8"))
    there = {name: sha for name, sha in tree_digests(digits_bundle).items() if name != "bundle.json"}
    assert manifest["files"] == there
    assert manifest["source"]["files"][0]["sha256"] == sha256_file(DIGITS / "digits.keras")


def test_int8_digits_stay_within_one_point_of_float(digits_bundle: Path) -> None:
    measured = json.loads((digits_bundle / "bundle.json").read_text("utf-8"))["measures"]
    (digit,) = measured["outputs"]
    assert measured["samples"] == 360
    assert digit["float_accuracy"] > 0.98
    assert digit["accuracy"] >= digit["float_accuracy"] - 0.01


def test_the_signature_keeps_the_model_s_names_and_types(digits_bundle: Path) -> None:
    signature = json.loads((digits_bundle / "src/main/assets/digits/signature.json").read_text("utf-8"))
    (image,), (digit,) = signature["inputs"], signature["outputs"]
    assert (image["name"], image["shape"], image["dtype"], image["color"]) == (
        "image",
        [1, 8, 8, 1],
        "uint8",
        "grayscale",
    )
    assert (digit["name"], digit["shape"], digit["dtype"], digit["labels"]) == ("digit", [1, 10], "uint8", "labels.txt")


def test_a_build_prints_sizes_accuracies_gates_and_where_to_go_on(tmp_path: Path) -> None:
    built = run_kit("build", str(DIGITS / "recipe.toml"), "--engine", "local", "--out", str(tmp_path))
    assert built.returncode == 0, built.stderr
    for word in (
        "before",
        "after",
        "agreement",
        "quantization steps",
        "TensorFlow 2.19.1",
        "max_bytes",
        "pass",
        "emulate.py",
        "kit android",
        "kit drop",
    ):
        assert word in built.stdout
    assert "convert to int8" in built.stderr, "progress goes to stderr"


def test_an_unchanged_recipe_is_not_built_again(digits_bundle: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in digits_bundle.rglob("*")}
    again = run_kit("build", str(DIGITS), "--engine", "local", "--out", str(digits_bundle.parent))
    assert again.returncode == 0
    assert "up to date" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in digits_bundle.rglob("*")} == before


def test_a_changed_bundle_is_built_again_to_the_same_bytes(digits_bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(digits_bundle, tmp_path / "digits")
    (tmp_path / "digits" / "emulate" / "emulate.py").write_text("broken")
    built = run_kit("build", str(DIGITS), "--engine", "local", "--out", str(tmp_path))
    assert built.returncode == 0, built.stderr
    assert tree_digests(tmp_path / "digits") == tree_digests(digits_bundle)


@pytest.mark.parametrize(
    ("scheme", "io"),
    [("float32", "float32"), ("float16", "float32"), ("dynamic", "float32"), ("int8", "float32"), ("int8", "int8")],
)
def test_every_scheme_and_border_type_runs_and_agrees(tmp_path: Path, scheme: str, io: str) -> None:
    recipe = write_recipe(tmp_path, quantize_scheme=f"'{scheme}'", quantize_io=f"'{io}'")
    built = run_kit("build", str(recipe), "--engine", "local", "--out", str(tmp_path / "out"), "--json")
    assert built.returncode == 0, built.stderr
    manifest = json.loads(built.stdout)
    assert manifest["signature"]["inputs"][0]["dtype"] == io
    assert manifest["signature"]["outputs"][0]["dtype"] == io
    assert manifest["measures"]["outputs"][0]["agreement"] >= 0.99
    assert manifest["emulation"]["verdict"] == "pass"
    if scheme == "int8" and io == "float32":
        with np.load(tmp_path / "out" / "digits" / "emulate" / "golden.npz") as golden:
            assert float(golden["tolerance/digit"]) < 0.005, "one step of 1/256, not a whole probability"
    if scheme == "float32":
        assert manifest["measures"]["outputs"][0]["worst_error"] < 1e-5


def test_several_inputs_and_outputs_keep_their_names_and_order(tmp_path: Path, toolchain_python: Path) -> None:
    keras3_model(toolchain_python, tmp_path / "m.keras", "two_in_three_out")
    rng = np.random.default_rng(7)
    shapes = {"image": (8, 8, 1), "context": (4,)}
    samples = {name: rng.random((20, *shape), dtype=np.float32) for name, shape in reversed(shapes.items())}
    np.savez(tmp_path / "s.npz", **samples)  # type: ignore[arg-type]
    (tmp_path / "recipe.toml").write_text(
        "[model]\npath = 'm.keras'\nid = 'many'\n[quantize]\nscheme = 'int8'\nrepresentative = 's.npz'\n", "utf-8"
    )
    built = run_kit("build", str(tmp_path), "--engine", "local", "--out", str(tmp_path / "out"), "--json")
    assert built.returncode == 0, built.stderr
    signature = json.loads(built.stdout)["signature"]
    assert [tensor["name"] for tensor in signature["inputs"]] == ["image", "context"]
    assert [tensor["name"] for tensor in signature["outputs"]] == ["digit", "box", "embedding"]


def test_a_model_without_data_is_measured_on_random_inputs_and_says_so(tmp_path: Path) -> None:
    recipe = write_recipe(
        tmp_path, quantize_scheme="'float32'", quantize_io="", quantize_representative="", checks_data=""
    )
    built = run_kit("build", str(recipe), "--engine", "local", "--out", str(tmp_path / "out"))
    assert built.returncode == 0, built.stderr
    assert "random inputs" in built.stdout


def test_a_failed_gate_refuses_with_a_table_the_reason_and_the_next_step(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, checks_max_bytes="1000", checks_min_agreement="0.5")
    built = run_kit("build", str(recipe), "--engine", "local", "--out", str(tmp_path / "out"))
    assert built.returncode == 4
    assert "FAIL" in built.stdout
    assert "max_bytes" in built.stderr
    assert "next:" in built.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_a_model_that_predicts_by_chance_after_conversion_is_refused(tmp_path: Path) -> None:
    """Calibrated on black images alone, int8 clips every real one: it converts cleanly and outputs nonsense."""
    np.savez(tmp_path / "black.npz", image=np.zeros((50, 8, 8, 1), np.uint8))
    recipe = write_recipe(
        tmp_path, quantize_representative="'black.npz'", checks_max_drop="0.01", checks_min_agreement="0.98"
    )
    built = run_kit("build", str(recipe), "--engine", "local", "--out", str(tmp_path / "out"))
    assert built.returncode == 4, built.stderr
    assert "representative data" in built.stderr


def test_the_harness_stands_alone_in_a_new_venv_with_its_requirements_only(
    digits_bundle: Path, runtime_python: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(digits_bundle, copy)
    golden = subprocess.run(
        [str(runtime_python), "-s", str(copy / "emulate/emulate.py")], capture_output=True, text=True, check=False
    )
    assert golden.returncode == 0, golden.stdout + golden.stderr
    seven = [str(runtime_python), str(copy / "emulate/emulate.py"), str(DIGITS / "seven.png"), "--json"]
    labelled = subprocess.run(seven, capture_output=True, text=True, check=False)
    assert labelled.returncode == 0, labelled.stderr
    assert '"7"' in labelled.stdout
    listing = subprocess.run([str(runtime_python), "-c", "import kit"], capture_output=True, cwd=tmp_path, check=False)
    assert listing.returncode != 0, "the runtime's venv must not see the kit"


def test_emulate_runs_a_bundle_on_files_given_after_two_dashes(digits_bundle: Path) -> None:
    ran = run_kit("emulate", str(digits_bundle), "--", str(DIGITS / "seven.png"))
    assert ran.returncode == 0, ran.stderr
    assert "7" in ran.stdout


def test_importing_the_kit_leaves_tensorflow_out() -> None:
    code = "import sys, kit.build.pipeline, kit.commands; assert not {'tensorflow', 'keras'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
