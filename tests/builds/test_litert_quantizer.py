"""LiteRT's quantizer as users meet it: its schemes, mixes by layer, refusals, verify."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from models import keras3_model
from worlds import DIGITS, run_kit, write_recipe

from kit.bundle.layout import QUANTIZER_LOCK
from kit.files import sha256_file
from kit.tflite.reader import read_tflite
from kit.tflite.weight_types import weight_types
from kit.toolchains.toolchain import quantizer

FLOAT32_BYTES = 103_000  # of the digits' weights
PLAIN = {"quantize_io": "", "quantize_representative": ""}


def build(folder: Path, code: int = 0, /, layers: str = "", **changes: str) -> str:
    """Build the digits with a recipe that is changed so; return what was said."""
    path = write_recipe(folder, **changes)
    path.write_text(path.read_text("utf-8") + layers, "utf-8")
    done = run_kit("build", str(path), "--engine", "local", "--out", str(folder / "dist"))
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def model_of(folder: Path) -> Path:
    """Return the built model.tflite."""
    return folder / "dist/digits/src/main/assets/digits/model.tflite"


def manifest_of(folder: Path) -> Any:
    """Return bundle.json."""
    return json.loads((folder / "dist/digits/bundle.json").read_text("utf-8"))


@pytest.mark.parametrize(
    ("scheme", "dtype", "share", "data"),
    [
        ("int4", "int4", 0.19, False),
        pytest.param("weight8", "int8", 0.33, False, marks=pytest.mark.slow),
        pytest.param("int16x8", "int8", 0.33, True, marks=pytest.mark.slow),
    ],
)
def test_a_scheme_of_litert_s_quantizer_keeps_the_digits(
    tmp_path: Path, scheme: str, dtype: str, share: float, data: bool
) -> None:
    changes = {"quantize_io": ""} if data else PLAIN
    build(tmp_path, quantize_scheme=f"'{scheme}'", **changes)
    assert model_of(tmp_path).stat().st_size < share * FLOAT32_BYTES
    assert weight_types(read_tflite(model_of(tmp_path))).shares[dtype] > 0.95
    (digit,) = manifest_of(tmp_path)["measures"]["outputs"]
    assert digit["accuracy"] >= digit["float_accuracy"] - 0.01


def test_layers_have_schemes_of_their_own_and_verify_builds_the_same_bytes(tmp_path: Path) -> None:
    layers = "".join(
        f"\n[[quantize.layers]]\nmatch = '{match}'\nscheme = '{scheme}'\n"
        # digit has a softmax, too, which no dynamic scheme has
        for match, scheme in (("conv*", "int4"), ("conv1", "float32"), ("digit", "dynamic"))
    )
    build(tmp_path, layers=layers, quantize_io="", quantize_bias_correction="true")
    shares = weight_types(read_tflite(model_of(tmp_path))).shares
    assert shares["int4"] > 0.8  # conv2 and conv3
    assert 0.005 < shares["float32"] < 0.02  # conv1: the last entry counts
    assert shares["int8"] > 0.05  # digit
    bundle = tmp_path / "dist" / "digits"
    toolchain = manifest_of(tmp_path)["toolchain"]
    assert toolchain["quantizer"] == "litert-quantizer 0.11.0"
    assert toolchain["quantizer_lock_sha256"] == quantizer().lock.sha256 == sha256_file(bundle / QUANTIZER_LOCK)
    verified = run_kit("verify", str(bundle), "--engine", "local", "--model", str(DIGITS / "digits.keras"))
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "bytes      holds" in verified.stdout


@pytest.mark.slow
def test_a_lock_of_other_packages_in_a_bundle_is_refused(tmp_path: Path) -> None:
    build(tmp_path, quantize_scheme="'int4'", **PLAIN)
    bundle = tmp_path / "dist" / "digits"
    lock = (bundle / QUANTIZER_LOCK).read_text("utf-8") + "evil==1.0 --hash=sha256:" + "0" * 64 + "\n"
    (bundle / QUANTIZER_LOCK).write_text(lock, "utf-8")
    manifest = manifest_of(tmp_path)
    digest = sha256_file(bundle / QUANTIZER_LOCK)
    manifest["files"][QUANTIZER_LOCK.as_posix()] = manifest["toolchain"]["quantizer_lock_sha256"] = digest
    (bundle / "bundle.json").write_text(json.dumps(manifest), "utf-8")
    verified = run_kit("verify", str(bundle), "--engine", "local", "--model", str(DIGITS / "digits.keras"))
    assert verified.returncode == 2
    assert "packages that are not of its toolchain or runtime: evil" in verified.stderr


KERNELS = """
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

images = np.load(sys.argv[2])["image"][:50].astype(np.float32) / 255
outputs = []
for kernels in (OpResolverType.AUTO, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES):
    runner = Interpreter(sys.argv[1], num_threads=1, experimental_op_resolver_type=kernels).get_signature_runner()
    outputs.append(np.concatenate([runner(image=image[None])["digit"] for image in images]))
print(float(np.abs(outputs[0] - outputs[1]).max()))
"""


def test_four_bits_are_the_same_numbers_without_xnnpack(tmp_path: Path, runtime_python: Path) -> None:
    build(tmp_path, quantize_scheme="'int4'", quantize_rounding="'octav'", **PLAIN)
    argv = [str(runtime_python), "-c", KERNELS, str(model_of(tmp_path)), str(DIGITS / "test.npz")]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert float(done.stdout.split()[-1]) < 0.05


@pytest.mark.slow
def test_bias_correction_takes_out_the_mean_error(tmp_path: Path) -> None:
    plain, mended = tmp_path / "plain", tmp_path / "mended"
    for folder, more in ((plain, {}), (mended, {"quantize_bias_correction": "true"})):
        build(folder, quantize_scheme="'int4'", quantize_rounding="'minmax'", quantize_io="", **more)
    errors = [manifest_of(folder)["measures"]["outputs"][0]["relative_error"] for folder in (plain, mended)]
    assert errors[1] < errors[0]


def test_a_pattern_without_a_layer_is_refused_with_those_there_are(tmp_path: Path) -> None:
    layers = "\n[[quantize.layers]]\nmatch = 'konv*'\nscheme = 'float32'\n"
    said = build(tmp_path, 2, layers=layers, quantize_scheme="'int4'", **PLAIN)
    assert "no operator of the file belongs to a layer of konv*" in said
    assert "next: there is: conv1, norm1, relu1, conv2" in said
    assert "; a layer that was fused into another goes with that one" in said
    assert not (tmp_path / "dist" / "digits").exists()
    build(tmp_path, layers=layers.replace("konv*", "conv1"), quantize_scheme="'int4'", **PLAIN)


@pytest.mark.slow
def test_four_bits_that_lose_too_much_are_mixed_after_the_next_step(tmp_path: Path) -> None:
    said = build(tmp_path, 4, quantize_scheme="'int4'", checks_max_relative_error="0.02", **PLAIN)
    assert 'next: try scheme = "dynamic"; or scheme = "auto", which finds the layers that four bits hurt' in said
    build(tmp_path, quantize_scheme="'dynamic'", checks_max_relative_error="0.02", **PLAIN)
    build(tmp_path / "auto", quantize_scheme="'auto'", checks_max_relative_error="0.02", **PLAIN)
    assert (tmp_path / "auto/dist/digits.search.json").exists()


@pytest.mark.slow
def test_speed_is_preferred_to_size_where_the_recipe_says_so(tmp_path: Path) -> None:
    build(tmp_path, quantize_scheme="'auto'", quantize_prefer="'speed'", quantize_io="")
    rows = json.loads((tmp_path / "dist/digits.search.json").read_text("utf-8"))["candidates"]
    kept = [row for row in rows if row["verdict"] in {"keeps", "chosen"}]
    (chosen,) = [row for row in kept if row["verdict"] == "chosen"]
    assert chosen["cost"] == min(row["cost"] for row in kept)
    smallest = min(kept, key=lambda row: int(row["bytes"]))
    assert smallest["bytes"] < chosen["bytes"] and smallest["cost"] > chosen["cost"], "float between four-bit weights"
    assert "prefer" not in chosen["recipe"]
    verified = run_kit(
        "verify", str(tmp_path / "dist/digits"), "--engine", "local", "--model", str(DIGITS / "digits.keras")
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr


def run_recipe(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Build a recipe of this text in folder."""
    recipe = folder / "recipe.toml"
    recipe.write_text(text, "utf-8")
    return run_kit("build", str(recipe), "--engine", "local", "--out", str(folder / "dist"))


@pytest.mark.slow
def test_operators_of_tensorflow_stay_with_its_converter(tmp_path: Path, toolchain_python: Path) -> None:
    keras3_model(toolchain_python, tmp_path / "erf.keras", "erf")
    model = "[model]\npath = 'erf.keras'\nid = 'erf'\nallow_code = true\nallow_flex = true\n"
    text = f"{model}[toolchain]\ntensorflow = '2.18.1'\n[quantize]\n"
    refused = run_recipe(tmp_path, text + "scheme = 'weight8'\n")
    assert refused.returncode == 2, refused.stderr
    assert "LiteRT's quantizer knows no TensorFlow operators, and the file needs FlexErf" in refused.stderr
    assert 'next: use scheme = "float16" or "dynamic" with quantizer = "tensorflow"' in refused.stderr
    assert run_recipe(tmp_path, text + "scheme = 'dynamic'\nquantizer = 'tensorflow'\n").returncode == 0


@pytest.mark.slow
def test_ranges_need_data(tmp_path: Path) -> None:
    said = build(tmp_path, 2, quantize_scheme="'int16x8'", **PLAIN)
    assert "[quantize] needs representative data" in said
    assert "next: give calibration data: representative = 'samples.npz', or a folder of images" in said
    build(tmp_path, quantize_scheme="'int16x8'", quantize_io="")


@pytest.mark.slow
def test_a_loop_in_whole_numbers_is_refused_and_built_after_the_next_step(
    tmp_path: Path, quantized_models: Path
) -> None:
    def made(quantize: str) -> subprocess.CompletedProcess[str]:
        return run_recipe(
            tmp_path,
            f"[model]\npath = '{quantized_models}/recurrent.keras'\nid = 'steps'\n[toolchain]\ntensorflow = '2.19.1'\n"
            f"[quantize]\n{quantize}\nrepresentative = '{quantized_models}/recurrent.npz'\n"
            "[[outputs]]\nname = 'label'\nkind = 'classes'\n"
            f"[checks]\ndata = '{quantized_models}/recurrent.npz'\n",
        )

    refused = made("scheme = 'int8'\nquantizer = 'litert'")
    assert refused.returncode == 3, refused.stderr
    assert "LiteRT's quantizer cannot make scheme 'int8' of it" in refused.stderr
    assert 'next: use scheme = "int8" with quantizer = "tensorflow", or scheme = "dynamic"' in refused.stderr
    assert not (tmp_path / "dist" / "steps").exists()
    assert made("scheme = 'int8'\nquantizer = 'tensorflow'").returncode == 0
    assert made("scheme = 'dynamic'\nquantizer = 'litert'").returncode == 0, "a loop's parts have names each"
