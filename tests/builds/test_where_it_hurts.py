"""A file that quantization ruins is refused with the layer named; a candidate that dies costs that one alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from worlds import ROOT, run_kit

from kit.build.layer_table import worst_layers, worst_words
from kit.shared.quantization import LayerError


def write(folder: Path, quantized_models: Path, name: str, quantize: str) -> Path:
    """Write a recipe of a model with that [quantize]; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recipe.toml"
    path.write_text(
        f"[model]\npath = '{quantized_models}/{name}.keras'\nid = '{name}'\n[toolchain]\ntensorflow = '2.19.1'\n"
        f"[quantize]\n{quantize}\nrepresentative = '{quantized_models}/{name}.npz'\n"
        f"[[outputs]]\nname = 'kind'\nkind = 'classes'\n[checks]\ndata = '{quantized_models}/{name}.npz'\n",
        "utf-8",
    )
    return path


def build(recipe: Path, *options: str, code: int) -> subprocess.CompletedProcess[str]:
    """Build a recipe beside it; return what was said."""
    done = run_kit("build", str(recipe), "--engine", "local", "--out", str(recipe.parent / "dist"), *options)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def error(layer: str, added: float, reason: str = "") -> LayerError:
    """Return what is measured of a layer that adds so much error."""
    return LayerError(f"net/{layer}/MatMul", (layer,), "FULLY_CONNECTED", 12.345, -1.0, 2.0, added=added, reason=reason)


@pytest.mark.slow
def test_auto_finds_a_file_for_a_model_that_int8_ruins(tmp_path: Path, quantized_models: Path) -> None:
    done = build(write(tmp_path, quantized_models, "uneven", "scheme = 'auto'"), code=0)
    rows = {row["name"]: row for row in candidates(tmp_path / "dist/uneven.search.json")}
    chosen = next(row for row in rows.values() if row["verdict"] == "chosen")
    assert chosen["bytes"] <= 0.6 * rows["float32"]["bytes"]
    assert "max_drop of accuracy (kind) 0." in rows["int8"]["verdict"]
    shown = done.stdout.partition("layers that add most error: ")[2]
    assert "wide" in shown and "FULLY_CONNECTED" in shown


@pytest.mark.slow
def test_a_concatenation_of_different_ranges_is_the_reason(tmp_path: Path, quantized_models: Path) -> None:
    done = build(write(tmp_path, quantized_models, "joined", "scheme = 'int8'"), "--json", code=4)
    reasons = {error["layers"][0]: error["reason"] for error in json.loads(done.stdout)["layers"] if error["layers"]}
    assert reasons["both"].startswith("concat of different ranges: one is "), reasons
    assert reasons["small"].startswith("shares the scale of larger tensors: its steps cover "), reasons
    assert "layer 'small' adds most of the error (shares the scale of larger tensors" in done.stderr


@pytest.mark.slow
def test_a_candidate_whose_process_dies_is_a_row(tmp_path: Path, quantized_models: Path) -> None:
    recipe = write(tmp_path, quantized_models, "narrow", "scheme = 'auto'")
    argv = [sys.executable, "-m", "kit", "build", str(recipe), "--engine", "local", "--out", str(tmp_path / "dist")]
    folder = tmp_path / "temporary"
    folder.mkdir()
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        kill_one(process, "kit.quantizer.quantize_file", folder)  # while it imports: it has made nothing yet
        kill_one(process, "runtime_outputs.py", folder)
        assert process.stdout is not None
        said = process.stdout.read().decode()
    assert process.returncode == 0, said
    rows = candidates(tmp_path / "dist/narrow.search.json")
    dead = [row["verdict"] for row in rows if "SIGSEGV" in row["verdict"]]
    assert sorted(dead) == ["it ended with SIGSEGV", "the interpreter of litert:2.3.0 ended with SIGSEGV"], said
    assert sum(row["verdict"] == "chosen" for row in rows) == 1
    assert len(rows) > 9


def candidates(place: Path) -> list[dict[str, Any]]:
    """Return the rows of a search's record."""
    rows: list[dict[str, Any]] = json.loads(place.read_text("utf-8"))["candidates"]
    return rows


def kill_one(parent: subprocess.Popen[bytes], script: str, folder: Path) -> None:
    """Send SIGSEGV to the first process that runs a script on files below folder."""
    while parent.poll() is None:
        for place in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = place.read_text("utf-8").split("\0")[:-1]
            except OSError:
                continue  # it has ended
            if any(word.endswith(script) for word in words) and str(folder) in words[-2]:
                os.kill(int(place.parent.name), signal.SIGSEGV)
                return
        time.sleep(0.005)


def test_layers_are_shown_by_what_they_add_and_those_that_add_nothing_are_not() -> None:
    errors = [error("a", 0.1), error("b", 0.7), error("c", 0.0)]
    assert [each.layers[0] for each in worst_layers(errors)] == ["b", "a"]
    assert worst_words(errors) == "layer 'b' adds most of the error (signal to noise 12.3 dB)"
    assert worst_words([error("d", 0.2, "tiny weights")]) == "layer 'd' adds most of the error (tiny weights)"
    assert worst_words([error("c", 0.0)]) == ""
