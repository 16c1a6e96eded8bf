"""Limits of the recipe that the digits do not reach: refused, and built after the next step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from worlds import DIGITS, run_kit, write_recipe


def build(folder: Path, code: int = 0, /, **changes: str) -> str:
    """Build the digits with a recipe that is changed so; return what was said."""
    done = run_kit("build", str(write_recipe(folder, **changes)), "--engine", "local", "--out", str(folder / "dist"))
    assert done.returncode == code, done.stdout + done.stderr
    return done.stderr


def scheme(name: str) -> dict[str, str]:
    """Return the changes for another scheme, without what belongs to int8."""
    return {"quantize_scheme": f"'{name}'", "quantize_io": "", "quantize_representative": ""}


@pytest.mark.slow
def test_a_file_that_is_too_large_is_made_smaller_or_allowed(tmp_path: Path) -> None:
    message = build(tmp_path, 4, **scheme("float16"), checks_max_bytes="40_000")
    assert 'next: try [quantize] scheme = "dynamic" or "int8"' in message
    build(tmp_path, checks_max_bytes="40_000")
    message = build(tmp_path / "int8", 4, checks_max_bytes="1_000")
    assert "next: train a smaller model, or allow more bytes: [checks] max_bytes" in message
    build(tmp_path / "int8", checks_max_bytes="40_000")


@pytest.mark.slow
def test_weights_of_8_bits_that_lose_too_much_are_float16_after_the_next_step(tmp_path: Path) -> None:
    assert 'next: try scheme = "float16"' in build(tmp_path, 4, **scheme("dynamic"), checks_max_relative_error="0.001")
    build(tmp_path, **scheme("float16"), checks_max_relative_error="0.001")


@pytest.mark.slow
def test_what_float32_kernels_differ_by_is_allowed(tmp_path: Path) -> None:
    message = build(tmp_path, 4, **scheme("float32"), checks_max_relative_error="1e-12")
    step = "allow what float32 kernels differ by, in [checks]; or take another TensorFlow version, by --tensorflow"
    assert f"next: {step}" in message
    build(tmp_path, **scheme("float32"), checks_max_relative_error="1e-5")


@pytest.mark.slow
def test_labels_in_another_order_are_put_right_or_the_gate_is_left_out(tmp_path: Path) -> None:
    with np.load(DIGITS / "test.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    np.savez(tmp_path / "t.npz", **(arrays | {"y": (arrays["y"] + 1) % 10}))
    message = build(tmp_path, 4, checks_data="'t.npz'")
    assert "next: look, the likeliest first: (1) the order of the labels, and of y, is not that of training" in message
    assert "Or, if that is as it should be: [checks] gate = false" in message
    build(tmp_path, checks_data="'t.npz'", checks_gate="false")
    np.savez(tmp_path / "t.npz", **arrays)
    build(tmp_path, checks_data="'t.npz'")
