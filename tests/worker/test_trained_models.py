"""What users train builds, and is right: each file is held against Keras's own outputs, on LiteRT and by names."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import trained_models
from source_models import written
from worlds import SUPPORT, run_kit

from kit.tflite.reader import tflite_path

MAKER = Path(trained_models.__file__)
CODE = "code = 'layers.py'\nallow_code = true\n"


@dataclass(frozen=True)
class World:
    """A folder with a model, and two Pythons: a toolchain's, and one that has LiteRT alone."""

    folder: Path
    toolchain: Path
    runtime: Path

    def made(self, kind: str) -> World:
        written(self.toolchain, kind, self.folder, MAKER)
        return self

    def build(
        self,
        tables: str = "",
        model: str = "",
        path: str = "",
        name: str = "m",
        code: int = 0,
        version: str = "2.19.1",
    ) -> str:
        """Write a recipe and build it; return what it says."""
        file = path or next(
            each.name for each in (self.folder / "model.keras", self.folder / "model.h5") if each.exists()
        )
        recipe = self.folder / f"{name}.toml"
        text = f"[model]\npath = '{file}'\nid = '{name}'\n{model}\n[toolchain]\ntensorflow = '{version}'\n{tables}\n"
        recipe.write_text(text, "utf-8")
        done = run_kit("build", str(recipe), "--engine", "local", "--out", str(self.folder / "dist"))
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr and (code == 0) == (self.folder / "dist" / name).exists()
        return done.stdout + done.stderr

    def notes(self, name: str = "m") -> list[str]:
        return list(json.loads((self.folder / "dist" / name / "bundle.json").read_text("utf-8"))["notes"])

    def off(self, name: str = "m", outputs: str = "") -> float:
        """Return the worst difference from Keras of any output, as a share of the output's range."""
        with np.load(self.folder / "expected.npz") as archive:
            arrays = {key: archive[key] for key in archive.files}
        fed = {key[6:]: value for key, value in arrays.items() if key.startswith("input/")}
        np.savez(self.folder / "asked.npz", **fed)
        script = SUPPORT / "ask_model.py"
        model = tflite_path(self.folder / "dist" / name)
        files = [str(model), str(self.folder / "asked.npz"), str(self.folder / "got.npz")]
        subprocess.run([str(self.runtime), str(script), *files], check=True, capture_output=True)
        worst = 0.0
        with np.load(self.folder / "got.npz") as got:
            for key in [outputs] if outputs else got.files:
                wanted = arrays[f"output/{key}"]
                worst = max(worst, float(np.abs(got[key].reshape(wanted.shape) - wanted).max() / np.ptp(wanted)))
        return worst


@pytest.fixture
def world(tmp_path: Path, toolchain_python: Path, runtime_python: Path) -> World:
    """Give an empty world."""
    return World(tmp_path, toolchain_python, runtime_python)


def int8(more: str = "") -> str:
    return f"[quantize]\nscheme = 'int8'\nrepresentative = 'calibration.npz'\n{more}"


@pytest.mark.parametrize("keras", ["", pytest.param("2:", marks=pytest.mark.slow)])
def test_swish_and_silu_build_in_float32_and_int8(world: World, keras: str) -> None:
    world.made(f"{keras}swish").build()
    assert world.off() < 1e-5
    world.build(int8(), name="q")
    assert world.off("q") < 0.08


@pytest.mark.parametrize(
    "policy",
    [
        "mixed_float16",
        *(
            pytest.param(p, marks=pytest.mark.slow)
            for p in ("mixed_bfloat16", "float64", "2:mixed_bfloat16", "2:mixed_float16", "2:float64")
        ),
    ],
)
def test_a_model_that_was_made_in_another_precision_is_the_same_in_float32(world: World, policy: str) -> None:
    world.made(policy).build()
    assert world.off() < 1e-5
    name = policy.removeprefix("2:")
    assert any(name in note and "float32" in note for note in world.notes()), world.notes()
    world.build(int8(), name="q")
    assert world.off("q") < 0.1


@pytest.mark.slow
def test_a_saved_model_in_half_precision_builds_in_float32(world: World) -> None:
    world.made("mixed_bfloat16").build(path="exported", tables="[[outputs]]\nname = 'scores'\nsource = 'output_0'")
    assert world.off() < 1e-5  # of the model in float32: nearer than bfloat16 could be


def test_ids_of_tables_with_unlike_lengths_are_distinguished(world: World) -> None:
    world.made("ids").build("[checks]\ndata = 'calibration.npz'")
    assert world.off() < 1e-5
    assert world.notes() == []
    # without data there are only random ids, within the range that the recipe gives
    world.build("\n".join(f"[[inputs]]\nname = '{n}'\nrange = [0, 9]" for n in ("user", "item", "hour")), name="r")
    assert world.notes("r") == []


@pytest.mark.slow
def test_ids_that_have_no_number_in_common_are_distinguished_too(world: World) -> None:
    world.made("apart").build("[checks]\ndata = 'calibration.npz'")
    assert world.off() < 1e-5
    assert world.notes() == []


def test_ids_beyond_a_table_are_the_datas_fault(world: World) -> None:
    said = world.made("ids").build("[checks]\ndata = 'beyond.npz'", code=2)
    assert re.search(r"cannot be run on the recipe's data: .* is not in \[0, 30\)", said), said
    said = world.build("[[inputs]]\nname = 'item'\nrange = [0, 99]", code=2)
    assert "random inputs" in said and "[[inputs]] range" in said


def test_text_is_refused_with_the_lines_that_build(world: World) -> None:
    said = world.made("text").build(code=3)
    assert "start the file behind that layer, and let the app feed what the layer gives. In the recipe:" in said
    assert "'review' is text" in said and "layer 'words' makes int64 [5] of it" in said
    lines = re.search(r"\[\[inputs\]\]\n.*\n.*", said)
    assert lines, said
    world.build(lines[0])
    assert world.off() < 1e-5
    assert any("'review' is left out" in note for note in world.notes())


def test_a_start_that_no_output_depends_on_is_refused(world: World) -> None:
    said = world.made("drawing").build(
        "[[inputs]]\nname = 'x'\nsource = 'spread'", model=CODE + "outputs = ['mean']", code=2
    )
    assert "source = 'spread': no output depends on it" in said


@pytest.mark.slow
@pytest.mark.parametrize("keras", ["", "2:"])
def test_a_multi_hot_code_builds_in_float32_and_int8(world: World, keras: str) -> None:
    world.made(f"{keras}flags").build(int8())
    assert world.off() < 0.02


def test_keys_of_a_table_are_looked_up_in_the_file(world: World) -> None:
    world.made("keys").build()
    assert world.off() < 1e-5


def test_a_seed_that_no_output_needs_blocks_nothing(world: World) -> None:
    world.made("drawing").build(model=CODE + "outputs = ['mean']")
    assert world.off(outputs="mean") < 1e-5


def test_a_drawn_output_builds_is_reported_and_is_drawn_again(world: World) -> None:
    world.made("drawing").build(model=CODE)
    assert world.off(outputs="mean") < 1e-5
    assert any("'again' is drawn at random" in note for note in world.notes()), world.notes()
    bundle = world.folder / "dist" / "m"
    first, golden = tflite_path(bundle).read_bytes(), (bundle / "emulate" / "golden.npz").read_bytes()
    shutil.rmtree(bundle)
    world.build(model=CODE)
    assert tflite_path(bundle).read_bytes() == first
    assert (bundle / "emulate" / "golden.npz").read_bytes() == golden


def test_a_state_that_an_output_needs_is_still_refused(world: World) -> None:
    said = world.made("counting").build(code=3)
    assert "changes from call to call" in said and "memory" in said


def test_open_sizes_are_ones_that_the_model_takes(world: World) -> None:
    photo = "[[inputs]]\nname = 'photo'\nshape = [-1, -1, 3]\n"
    world.made("mirrored").build(photo)
    assert world.off() < 1e-5
    said = world.build(photo + "sizes = [[40, 24], [4, 4]]", name="small", code=2)
    assert "photo [4, 4]" in said
    assert (
        'give sizes that it can take: [[inputs]] name = "photo" and sizes = [[...]], one number for each open' in said
    )
    world.build(photo + "sizes = [[40, 24], [9, 8]]", name="given")


@pytest.mark.slow
def test_a_u_net_of_open_size_builds_in_float32(world: World) -> None:
    world.made("unet").build("[[inputs]]\nname = 'photo'\nshape = [-1, -1, 3]")
    assert world.off() < 1e-5


@pytest.mark.slow
def test_an_open_length_is_tried_and_right(world: World) -> None:
    world.made("causal").build("[[inputs]]\nname = 'ids'\nshape = [-1]\nrange = [0, 49]")
    assert world.off() < 1e-5


def test_int8_with_open_axes_is_calibrated_at_several_sizes(world: World) -> None:
    photo = "[[inputs]]\nname = 'photo'\nshape = [-1, -1, 3]\n"
    world.made("summed").build(int8(photo + "sizes = [[32, 32], [96, 96]]"))
    assert world.off() < 0.05
    world.build(int8(photo + "sizes = [[32, 32]]"), name="one")
    assert world.off("one") > 0.2  # what a single size leaves


def test_a_model_that_looks_at_the_whole_batch_is_run_as_an_app_runs_it(world: World) -> None:
    world.made("loudest").build("[checks]\ndata = 'calibration.npz'")
    assert world.off() < 1e-5
    measures = json.loads((world.folder / "dist" / "m" / "bundle.json").read_text("utf-8"))["measures"]
    assert measures["outputs"][0]["worst_error"] < 1e-5


def test_a_transform_of_a_length_that_no_kernel_has_is_refused_with_ways_out_that_build(world: World) -> None:
    said = world.made("spectrum").build(model=CODE, code=3)
    assert "layer 'spectrum' has a Fourier transform of length 400" in said
    assert "build the model with fft_length = 512, which pads frames of 400; or let the app do that step" in said
    world.build("[[inputs]]\nname = 'spectrum'\nsource = 'spectrum'", model=CODE, name="behind")
    world.build(model=CODE.replace("layers", "padded"), name="padded")


@pytest.mark.parametrize(
    ("kind", "version"),
    [
        ("2:towers", "2.15.1"),
        *(pytest.param(kind, v, marks=pytest.mark.slow) for kind, v in (("2:towers", "2.14.1"), ("towers", "2.16.2"))),
    ],
)
def test_the_product_of_two_vectors_builds_where_the_converter_misplaces_its_axes(
    world: World, kind: str, version: str
) -> None:
    world.made(kind).build(version=version)
    assert world.off() < 1e-5
    world.build(int8(), name="small", version=version)
    assert world.off("small") < 0.05


def test_a_model_of_positive_numbers_alone_is_measured_on_such(world: World) -> None:
    world.made("levels").build("[quantize]\nscheme = 'float16'")
    assert world.off() < 0.01
    assert any("measured on inputs of 0 to 1" in note for note in world.notes())


@pytest.mark.parametrize(
    ("kind", "version"),
    [
        ("decoder", "2.19.1"),
        *(pytest.param("2:decoder", version, marks=pytest.mark.slow) for version in ("2.12.1", "2.21.0")),
    ],
)
def test_one_number_for_all_channels_behind_a_transposed_convolution(world: World, kind: str, version: str) -> None:
    world.made(kind).build(version=version)
    assert world.off() < 1e-5
    world.build(int8(), name="small", version=version)
    assert world.off("small") < 0.05


def test_a_log_mel_front_end_stays_in_float_in_int8(world: World) -> None:
    world.made("log_mel").build(int8(), model=CODE)
    assert world.off() < 0.06


def test_a_log_mel_front_end_stays_in_float_where_only_weights_have_eight_bits(world: World) -> None:
    world.made("log_mel").build("[quantize]\nscheme = 'dynamic'", model=CODE)
    assert world.off() < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("keras", ["", "2:"])
def test_softplus_and_selu_are_right_in_int8(world: World, keras: str) -> None:
    world.made(f"{keras}softplus").build(int8())
    assert world.off() < 0.05


def test_outputs_that_eight_bits_ruin_are_refused_and_reported_without_the_gate(world: World) -> None:
    said = world.made("unlike").build(int8(), code=4)
    assert "correlation with float (y) is 0.000" in said
    world.build(int8("[checks]\ngate = false"))
    assert any("'y' is far from the float model's" in note for note in world.notes())
    world.build("[quantize]\nscheme = 'float16'", name="half")
    assert world.notes("half") == []


@pytest.mark.slow
@pytest.mark.parametrize("version", ["2.12.1", "2.15.1", "2.21.0"])
@pytest.mark.parametrize("kind", ["2:swish", "2:mixed_float16", "2:flags"])
def test_other_toolchains_build_them_too(world: World, kind: str, version: str) -> None:
    world.made(kind).build(version=version)
    assert world.off() < 1e-5
