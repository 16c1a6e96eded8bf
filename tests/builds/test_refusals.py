"""Bad input, one test each: the documented exit code, one clear message, nothing half-written, never a traceback."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from models import keras3_model
from worlds import DIGITS, ROOT, run_kit, workers_below, write_recipe

from kit.files import tree_digests

LOCAL = ("--engine", "local")


def check_refused(recipe: Path, code: int, *words: str, options: tuple[str, ...] = LOCAL) -> str:
    """Build into an empty folder beside the recipe, and check how it was refused; return the message."""
    out = recipe.parent / "out"
    built = run_kit("build", str(recipe), "--out", str(out), *options)
    assert built.returncode == code, built.stdout + built.stderr
    for word in (*words, "next:"):
        assert word in built.stderr
    assert "Traceback" not in built.stderr
    assert not out.exists() or list(out.iterdir()) == []
    return built.stderr


def test_a_truncated_keras_file(tmp_path: Path) -> None:
    content = (DIGITS / "digits.keras").read_bytes()
    (tmp_path / "cut.keras").write_bytes(content[: len(content) // 2])
    check_refused(write_recipe(tmp_path, model_path="'cut.keras'"), 3, "cut.keras", "cut short")


def test_a_text_file_named_h5(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("not a model\n")
    check_refused(write_recipe(tmp_path, model_path="'text.h5'"), 3, "text.h5", "not a Keras model")


def test_a_lambda_layer_in_the_local_engine_without_allow_code(tmp_path: Path, toolchain_python: Path) -> None:
    keras3_model(toolchain_python, tmp_path / "l.keras", "lambda")
    check_refused(write_recipe(tmp_path, model_path="'l.keras'"), 3, "Python code", "allow_code")


def test_a_recipe_with_a_typo(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path)
    recipe.write_text(recipe.read_text().replace("scheme", "sceme"))
    check_refused(recipe, 2, "line", "did you mean 'scheme'?")


def test_a_wrong_number_of_labels(tmp_path: Path) -> None:
    (tmp_path / "nine.txt").write_text("".join(f"{i}\n" for i in range(9)))
    check_refused(write_recipe(tmp_path, outputs_labels="'nine.txt'"), 2, "9 labels for 10 classes")


def test_calibration_data_with_a_misnamed_input(tmp_path: Path) -> None:
    with np.load(DIGITS / "samples.npz") as samples:
        np.savez(tmp_path / "s.npz", imgae=samples["image"].astype(np.float32) / 255)
    check_refused(
        write_recipe(tmp_path, quantize_representative="'s.npz'"), 2, "'imgae' is no input", "did you mean 'image'?"
    )


def test_calibration_data_with_a_missing_input(tmp_path: Path, toolchain_python: Path) -> None:
    keras3_model(toolchain_python, tmp_path / "m.keras", "two_in_three_out")
    np.savez(tmp_path / "s.npz", context=np.zeros((5, 4), np.float32))
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("[model]\npath='m.keras'\nid='m'\n[quantize]\nscheme='int8'\nrepresentative='s.npz'\n")
    check_refused(recipe, 2, "input 'image' is missing")


def test_calibration_data_that_was_not_normalized(tmp_path: Path) -> None:
    with np.load(DIGITS / "samples.npz") as samples:
        np.savez(tmp_path / "s.npz", image=samples["image"].astype(np.float32))
    check_refused(write_recipe(tmp_path, quantize_representative="'s.npz'"), 2, "0..255", "0..1")


def test_samples_of_another_shape(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", image=np.zeros((5, 9, 9, 1), np.uint8))
    check_refused(write_recipe(tmp_path, quantize_representative="'s.npz'"), 2, "[9, 9, 1]", "[8, 8, 1]")


def test_an_output_that_the_model_does_not_have(tmp_path: Path) -> None:
    check_refused(write_recipe(tmp_path, outputs_name="'digits'"), 2, "did you mean 'digit'?")


def test_an_output_folder_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    built = run_kit("build", str(write_recipe(tmp_path)), *LOCAL, "--out", str(tmp_path / "file" / "out"))
    assert built.returncode == 2
    assert "cannot write" in built.stderr
    assert "Traceback" not in built.stderr


def in_tmpfs(options: str, recipe: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """Build into a tmpfs of its own kind, in a mount namespace of its own; list what is left there."""
    out.mkdir()
    script = (
        'mount -t tmpfs -o "$1" tmpfs "$2" || exit 99; "$3" -m kit build "$4" --engine local --out "$2"; '
        'code=$?; echo "left: [$(ls -A "$2")]"; exit $code'
    )
    argv = ["unshare", "-rm", "sh", "-c", script, "sh", options, str(out), sys.executable, str(recipe)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"no mount namespace can be made here: {done.stderr.strip()}")
    return done


def test_an_output_folder_that_is_not_writable(tmp_path: Path) -> None:
    built = in_tmpfs("ro", write_recipe(tmp_path), tmp_path / "out")
    assert built.returncode == 2, built.stderr
    assert "read-only" in built.stderr
    assert "left: []" in built.stdout
    assert "Traceback" not in built.stderr


def test_an_output_folder_without_permission(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere; the read-only test stands for it")
    (tmp_path / "out").mkdir(mode=0o555)
    check_refused(write_recipe(tmp_path), 2, "no permission")


def test_a_full_disk(tmp_path: Path) -> None:
    built = in_tmpfs("size=16k", write_recipe(tmp_path), tmp_path / "out")
    assert built.returncode == 2, built.stderr
    assert "the disk is full" in built.stderr
    assert "left: []" in built.stdout
    assert "Traceback" not in built.stderr


def test_a_model_that_crashes_its_process_names_the_cause_and_the_log(tmp_path: Path, toolchain_python: Path) -> None:
    keras3_model(toolchain_python, tmp_path / "c.keras", "crash")
    recipe = write_recipe(tmp_path, model_path="'c.keras'", model_allow_code="true")
    message = check_refused(recipe, 3, "died", "SIGABRT", "whole log:")
    assert "  | " in message, "the last lines of the log are quoted"
    assert "replace layer 'code' (Lambda) in the model, and save it again" in message
    keras3_model(toolchain_python, tmp_path / "c.keras", "lambda")
    recipe = write_recipe(tmp_path, model_path="'c.keras'", model_allow_code="true", checks_gate="false")
    check_built(recipe)


def check_built(recipe: Path, *options: str) -> None:
    """Build beside the recipe, as check_refused does, and check that it is built."""
    built = run_kit("build", str(recipe), "--out", str(recipe.parent / "built"), *LOCAL, *options)
    assert built.returncode == 0, built.stdout + built.stderr


@pytest.mark.parametrize("memory", ["10m", "33m", "60m"])
def test_a_job_with_too_little_memory_is_given_more(tmp_path: Path, memory: str) -> None:
    """Python says so, or a library that ends the process: which of them is not certain."""
    message = check_refused(write_recipe(tmp_path), 3, options=(*LOCAL, "--memory", memory))
    assert any(
        step in message
        for step in (
            "give it more, as in --memory 16g; or fewer samples, whose outputs lie in memory: [checks] data",
            "give it more memory, as in --memory 16g",
        )
    )
    check_built(write_recipe(tmp_path), "--memory", "16g")


def test_a_conversion_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    message = check_refused(write_recipe(tmp_path), 3, "out of time", options=(*LOCAL, "--timeout", "1"))
    assert "give it more time, as in --timeout 7200" in message
    check_built(write_recipe(tmp_path), "--timeout", "7200")


def test_an_unknown_engine_and_an_unpinned_tensorflow(tmp_path: Path) -> None:
    check_refused(write_recipe(tmp_path), 2, "podman", options=("--engine", "podman"))
    check_refused(write_recipe(tmp_path), 2, "2.19.1", options=(*LOCAL, "--tensorflow", "2.19.0"))


def test_docker_asked_for_where_no_engine_responds(tmp_path: Path) -> None:
    env = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    built = run_kit("build", str(write_recipe(tmp_path)), "--engine", "docker", "--out", str(tmp_path / "out"), env=env)
    assert built.returncode == 5
    assert "none.sock" in built.stderr
    assert "--engine local" in built.stderr


def test_auto_takes_the_local_engine_where_none_responds_and_says_why_in_a_line(tmp_path: Path) -> None:
    env = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    built = run_kit("build", str(write_recipe(tmp_path)), "--out", str(tmp_path / "out"), env=env)
    assert built.returncode == 0, built.stderr
    assert "engine: local, because no container engine is here" in built.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_keeps_the_old_bundle_and_leaves_no_process(
    tmp_path: Path, digits_bundle: Path, number: signal.Signals
) -> None:
    out = tmp_path / "out"
    shutil.copytree(digits_bundle, out / "digits")
    before = tree_digests(out)
    recipe = write_recipe(tmp_path, quantize_count="199")
    process = subprocess.Popen(
        [sys.executable, "-m", "kit", "build", str(recipe), *LOCAL, "--out", str(out)],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
    )
    assert process.stderr is not None
    process.stderr.readline()  # the first stage has ended: the worker is at work
    process.send_signal(number)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 130, message
    assert "interrupted" in message
    assert "Traceback" not in message
    assert tree_digests(out) == before
    assert not workers_below(tmp_path), "the worker must not outlive its build"
    assert not list(tmp_path.glob("dropkit-*")), "nor its job folder"


def test_a_folder_that_is_no_bundle_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "out" / "digits").mkdir(parents=True)
    (tmp_path / "out" / "digits" / "thesis.tex").write_text("years of work")
    built = run_kit("build", str(write_recipe(tmp_path)), *LOCAL, "--out", str(tmp_path / "out"))
    assert built.returncode == 2, built.stderr
    assert "in the way" in built.stderr
    assert (tmp_path / "out" / "digits" / "thesis.tex").read_text() == "years of work"
