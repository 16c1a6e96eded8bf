"""Builds whose product is wrong beyond doubt, without a word in the recipe: refused, with a way out that works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from worlds import DIGITS, ROOT, SUPPORT, bare_result, run_kit

from kit.bundle.manifest import faults, read_manifest
from kit.emulation.run import RUN_SAMPLES, Asked, runtime_outputs
from kit.emulation.scripts import Scripts
from kit.engine import JobFolder
from kit.errors import CheckError
from kit.shared.job import SignatureSpec, dump
from kit.shared.npz import save_npz

IMAGE = '[[inputs]]\nname = "image"\nkind = "image"\nmean = [127.5]\nstd = [127.5]\n'


@dataclass(frozen=True)
class World:
    """A folder with the models of ruined_models.py and their data."""

    folder: Path

    def recipe(self, kind: str, scheme: str, more: str = "", checks: str = "") -> Path:
        """Write a recipe; int8 is calibrated, and other schemes are measured, on the kind's data."""
        data = f"representative = '{kind}.npz'\n" if scheme == "int8" else ""
        checks += f"data = '{kind}.npz'\n" if scheme != "int8" else ""
        path = self.folder / f"{kind}.toml"
        path.write_text(
            f"[model]\npath = '{kind}.keras'\nid = '{kind}'\n[toolchain]\ntensorflow = '2.19.1'\n"
            f"[quantize]\nscheme = '{scheme}'\n{data}{more}[checks]\n{checks}"
        )
        return path

    def build(self, recipe: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Build into dist."""
        out = str(self.folder / "dist")
        return run_kit("build", str(recipe), "--engine", "local", "--out", out, *arguments)

    def refused(self, recipe: Path, *words: str) -> str:
        """Build, and check that it is refused with 4 and these words, and that dist is as it was; return stderr."""
        before = sorted((self.folder / "dist").rglob("*"))
        done = self.build(recipe)
        assert done.returncode == 4, done.stdout + done.stderr
        for word in (*words, "\n  next: "):
            assert word in done.stderr
        assert "Traceback" not in done.stderr
        assert sorted((self.folder / "dist").rglob("*")) == before
        return done.stderr

    def built(self, recipe: Path) -> Path:
        """Build, and return the bundle."""
        done = self.build(recipe)
        assert done.returncode == 0, done.stdout + done.stderr
        return self.folder / "dist" / recipe.stem


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, toolchain_python: Path) -> World:
    """Give the models, made once."""
    folder = tmp_path_factory.mktemp("ruined")
    (folder / "dist").mkdir()
    argv = [str(toolchain_python), str(SUPPORT / "ruined_models.py"), str(folder)]
    subprocess.run(argv, check=True, capture_output=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    return World(folder)


def test_a_ruined_int8_file_is_refused_the_old_bundle_stays_and_the_remedy_works(world: World) -> None:
    old = world.built(world.recipe("outlier", "float16"))  # the remedy that the refusal prints
    message = world.refused(world.recipe("outlier", "int8"), "(score) is the same for all samples")
    assert 'then try scheme = "dynamic" or "float16"' in message
    assert faults(old, read_manifest(old)) == []


def test_without_the_gate_it_builds_and_four_places_say_so(world: World) -> None:
    done = world.build(world.recipe("outlier", "int8", checks="gate = false\n"))
    assert done.returncode == 0, done.stderr
    bundle = world.folder / "dist" / "outlier"
    manifest = json.loads((bundle / "bundle.json").read_text("utf-8"))
    assert manifest["gate"] is False
    assert [v["enforced"] for v in manifest["checks"] if not v["passed"]] == [False, False, False]
    assert "gate = false" in (bundle / "README.md").read_text("utf-8")
    assert "gate:   off" in done.stdout
    assert "beyond" in done.stdout
    assert any("gate = false" in note for note in manifest["notes"])


@pytest.mark.slow
def test_a_ruined_float16_file_is_refused(world: World) -> None:
    step = 'try scheme = "float32": a weight of the model is too large, too small or too exact for float16'
    world.refused(world.recipe("half", "float16"), "correlation with float (score)", step)
    assert world.built(world.recipe("half", "float32"))
    assert world.built(world.recipe("half", "float16", checks="gate = false\n"))


def test_a_second_normalization_is_refused_before_anything_is_converted(world: World) -> None:
    message = world.refused(world.recipe("rescaled", "float32", IMAGE), "'image' is normalized twice", "rescale")
    assert (
        "next: leave mean and std out of that [[inputs]]; or, where the model was trained so, write double_norm"
        in message
    )
    assert "double_normalization = true" in message
    world.built(world.recipe("rescaled", "float32", IMAGE.partition("mean")[0]))
    assert "run the converted model" not in message


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "more", "checks"),
    [
        ("rescaled", IMAGE.partition("mean")[0], ""),
        ("rescaled", IMAGE + "double_normalization = true\n", ""),
        ("rescaled", IMAGE, "gate = false\n"),
        ("doubled", IMAGE.replace("mean = [127.5]\nstd = [127.5]", "mean = [0.0]\nstd = [255.0]"), ""),
    ],
)
def test_one_normalization_or_a_second_that_is_meant_builds(world: World, kind: str, more: str, checks: str) -> None:
    bundle = world.built(world.recipe(kind, "float32", more, checks))
    notes = [note for note in read_manifest(bundle).notes if "normalized twice" in note]
    assert len(notes) == bool(checks)


def test_constants_that_float16_has_not_stay_float32(world: World) -> None:
    bundle = world.built(world.recipe("constants", "float16"))
    measures = read_manifest(bundle).measures
    assert measures is not None
    assert [output.name for output in measures.outputs] == ["level", "weather"]
    assert all((output.worst_share or 1) < 0.01 for output in measures.outputs), measures


def test_int8_names_an_output_that_its_data_does_not_move(world: World) -> None:
    done = world.build(world.recipe("dead", "int8"))
    assert done.returncode == 3
    assert "'dead' is always 0" in done.stderr
    assert "leave that output out: [model] outputs; or use" in done.stderr
    kept = world.recipe("dead", "int8")
    kept.write_text(kept.read_text().replace("id = 'dead'", "id = 'dead'\noutputs = ['good']"))
    assert world.built(kept)


def test_the_runtime_runs_the_file_that_was_converted_and_no_other(
    world: World, digits_bundle: Path, tmp_path: Path
) -> None:
    golden = digits_bundle / "emulate" / "golden.npz"
    for name in ("golden.npz", "evaluated.npz"):
        (tmp_path / name).write_bytes(golden.read_bytes())
    sha256, job = read_manifest(digits_bundle).model.sha256, JobFolder(tmp_path, tmp_path, tmp_path / "log")
    predictions = runtime_outputs(digits_bundle, "litert:2.3.0", job, Asked(sha256), lambda _: None)
    with np.load(golden) as arrays:
        assert np.array_equal(predictions["output/digit"], arrays["output/digit"])
    with pytest.raises(CheckError, match="not the one that was converted"):
        runtime_outputs(digits_bundle, "litert:2.3.0", job, Asked(sha256[::-1]), lambda _: None)


def test_samples_that_take_long_are_run_by_two_processes_with_the_same_numbers(
    digits_bundle: Path, runtime_python: Path, tmp_path: Path
) -> None:
    count = 200_000  # a fast machine runs 20,000 before a second process is worth its start
    pixels = np.random.default_rng(7).integers(0, 256, (count, 8, 8, 1), np.uint8)
    save_npz(tmp_path / "evaluated.npz", {"input/image": pixels})
    (tmp_path / "golden.npz").write_bytes((digits_bundle / "emulate" / "golden.npz").read_bytes())
    result = bare_result(SignatureSpec("serve", (), ()), count)
    (tmp_path / "result.json").write_text(dump(result), "utf-8")
    sha256 = read_manifest(digits_bundle).model.sha256
    found: dict[str, dict[str, bytes]] = {}
    processes: dict[str, set[int]] = {}
    for most in ("1", "2"):
        out = tmp_path / f"{most}.npz"
        words: list[str | Path] = [RUN_SAMPLES, digits_bundle, tmp_path, tmp_path, out, sha256, most]
        done = subprocess.run([runtime_python, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        said = [json.loads(line) for line in done.stdout.splitlines()]
        assert said[-1]["total"] == count and [line["done"] for line in said] == sorted(line["done"] for line in said)
        processes[most] = {line["processes"] for line in said}
        with np.load(out) as archive:
            found[most] = {name: archive[name].tobytes() for name in archive.files}
    assert processes == {"1": {1}, "2": {1, 2}}
    assert set(found["1"]) == {"output/digit", "again/digit"}
    assert found["1"] == found["2"]
    # Calls that draw random numbers are no two calls: they stay in one process, which tells nothing on the way.
    (tmp_path / "result.json").write_text(dump(replace(result, drawn=("digit",))), "utf-8")
    progress: list[int] = []
    scripts, job = (
        Scripts(advance=lambda done, _: progress.append(done)),
        JobFolder(tmp_path, tmp_path, tmp_path / "log"),
    )
    whole = runtime_outputs(digits_bundle, "litert:2.3.0", job, Asked(sha256), lambda _: None, scripts)
    assert {name: array.tobytes() for name, array in whole.items()} == found["1"]
    assert progress == []


# `kit`, with one byte of a weight turned over after the worker has written the model.
HARMED = """
import contextlib, sys
from kit.__main__ import main
from kit.build import convert
run_job = convert.run_job

@contextlib.contextmanager
def harmed(*arguments):
    with run_job(*arguments) as (result, folder):
        file = folder.out / "model.tflite"
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 0x40
        file.write_bytes(content)
        yield result, folder

convert.run_job = harmed
sys.argv = ["kit", *sys.argv[1:]]
main()
"""


def test_a_weight_that_is_changed_between_worker_and_runtime_is_refused(tmp_path: Path) -> None:
    words = ["build", str(DIGITS), "--engine", "local", "--out", str(tmp_path)]
    done = subprocess.run([sys.executable, "-c", HARMED, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert "model.tflite is not the file that the conversion wrote: it was changed since" in done.stderr
    assert "next: build it again" in done.stderr
    assert not (tmp_path / "digits").exists()
    again = run_kit(*words)
    assert again.returncode == 0, again.stderr
