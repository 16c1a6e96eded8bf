"""Bundles of more than one signature: open axes, scalars, fixed batches, kept variables and training, on each runtime.

The model file is a real one; signature.json and golden.npz are written here, from what TensorFlow itself outputs.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from desk import Arrays, Desk, assert_one_clear_line
from PIL import Image
from signature_models import EDGES, MODEL, VECTORS, VECTORS_EACH, write_model
from worlds import on, run_kit

from kit.emulation.benchmark import BENCHMARK_SCRIPT
from kit.emulation.by_turns import FEWEST
from kit.emulation.harness import harness_files, write_harness
from kit.emulation.latency import Order, TimedFile, time_files
from kit.emulation.run import CRASH_ON_VARIABLES, replay_golden, run_harness
from kit.errors import CheckError, EngineError
from kit.toolchains.toolchain import find_runtime, runtimes
from kit.toolchains.venv import runtime_venv

NEWEST = "litert:2.3.0"
# tflite-runtime has no wheel for a newer Python.
RUNTIMES = [name for name in runtimes() if sys.version_info < (3, 12) or not name.startswith("tflite:")]

KEEPING = [name for name in RUNTIMES if name not in CRASH_ON_VARIABLES]


def tensor(name: str, *shape: int, dtype: str = "float32", **more: Any) -> dict[str, Any]:
    entry = {"name": name, "shape": list(shape), "dtype": dtype, "scale": None, "zero_point": None, "kind": "tensor"}
    return entry | more


def scalar(name: str) -> dict[str, Any]:
    return tensor(name, batched=False)


IMAGE_INPUT = tensor("image", -1, -1, -1, 3, kind="image", mean=[127.5], std=[127.5], color="rgb", resize="stretch")
SIGNATURES: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "classify": ([tensor("x", -1, 3), scalar("gain")], [tensor("y", -1, 2), scalar("total")]),
    "encode": ([tensor("steps", 1, -1, 3)], [tensor("code", 1, -1, 2), tensor("mean", 1, 3)]),
    "edges": ([IMAGE_INPUT], [tensor("map", -1, -1, -1, 2)]),
    "four": ([tensor("x", 4, 3)], [tensor("y", 4, 2)]),
    "count": ([tensor("x", 1)], [tensor("y", 1)]),
    "tell": ([tensor("x", 1)], [tensor("y", 1)]),
    "train": ([tensor("x", 4, 3), tensor("label", 4, dtype="int32")], [scalar("loss")]),
}
KEPT = [("dense/kernel", [3, 2], "float32"), ("bias", [2], "float32"), ("seen", [], "int32")]
VARIABLES = {
    "read": "read_variables",
    "assign": "assign_variables",
    "tensors": [{"name": name, "shape": shape, "dtype": dtype} for name, shape, dtype in KEPT],
}


def signature(key: str) -> dict[str, Any]:
    inputs, outputs = SIGNATURES[key]
    return {"signature": key, "inputs": inputs, "outputs": outputs}


@dataclass(frozen=True)
class Made:
    """Bundles by hand around one model file. `folder` has it, and what TensorFlow outputs."""

    folder: Path
    place: Path

    def bundle(
        self, main: str, *others: str, learns: bool = False, runtime: str = NEWEST, file: str = MODEL, **more: Any
    ) -> Desk:
        """Write a bundle with these signatures; learns: with its variables and training, too."""
        bundle = self.place / "bundle"
        shutil.rmtree(bundle, ignore_errors=True)
        assets, emulate, inputs = bundle / "src/main/assets/made", bundle / "emulate", self.place / "inputs"
        for folder in (assets, emulate, inputs):
            folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.folder / file, assets)
        document = {"format": 1, "version": "1.0.0", "model": file, **signature(main)}
        document |= {"others": [signature(key) for key in others]} if others else {}
        document |= {"variables": VARIABLES, "train": signature("train")} if learns else {}
        (assets / "signature.json").write_text(json.dumps(document | more), "utf-8")
        write_harness(emulate, harness_files("made", runtime, "0"))
        lock = find_runtime(runtime).lock(images=True)
        (emulate / "requirements.txt").write_text(lock.text, "utf-8")
        desk = Desk(runtime_venv(find_runtime(runtime), lock, lambda _: None), bundle, inputs)
        desk.write_golden(self.golden(main, others, learns=learns))
        return desk

    def golden(self, main: str, others: Iterable[str], *, learns: bool) -> Arrays:
        with np.load(self.folder / VECTORS) as file:
            arrays = dict(file)
        found = {name: array for name, array in arrays.items() if learns and name.startswith("variable/")}
        for key in (main, *others, *(["train"] if learns else [])):
            prefix = "" if key == main else f"signature/{key}/"
            for name, array in arrays.items():
                if not name.startswith(f"{key}/"):
                    continue
                kind, output = name.removeprefix(f"{key}/").split("/")
                found[f"{prefix}{kind}/{output}"] = array
                if kind == "output" and key != "train":
                    bounds = {"tolerance": np.array(1e-4), "drift": np.array(0.0)}
                    found |= {f"{prefix}{bound}/{output}": value for bound, value in bounds.items()}
        return found


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory, toolchain_python: Path) -> Path:
    """Give the folder of a model file with every signature, and of its vectors."""
    folder = tmp_path_factory.mktemp("signatures")
    write_model(toolchain_python, folder)
    return folder


@pytest.fixture
def made(model: Path, tmp_path: Path) -> Made:
    return Made(model, tmp_path)


@pytest.fixture
def learner(made: Made) -> Desk:
    return made.bundle("classify", learns=True)


def change_golden(desk: Desk, key: str, change: Callable[[Any], Any]) -> None:
    desk.write_golden(desk.golden | {key: change(desk.golden[key])})


# ---------------------------------------------------------------- on every runtime


@pytest.mark.parametrize("runtime", on(KEEPING))
def test_all_that_a_bundle_may_hold_passes_on_every_pinned_runtime(made: Made, runtime: str) -> None:
    desk = made.bundle("classify", "encode", "edges", "four", "count", learns=True, runtime=runtime)
    report = desk.report()
    assert report["verdict"] == "pass"
    assert set(report["outputs"]) == {"y", "total"}
    assert {key: one["vectors"] for key, one in report["signatures"].items()} == dict.fromkeys(
        ("encode", "edges", "four", "count"), VECTORS_EACH
    )
    assert report["state"] == {"read": [], "assigned": [], "restored": [], "golden": True, "pass": True}
    assert report["train"]["last"] < report["train"]["first"] == pytest.approx(report["train"]["as_built"], rel=1e-5)


@pytest.mark.parametrize("runtime", on(KEEPING))
def test_what_was_trained_is_saved_and_loaded_on_every_pinned_runtime(made: Made, runtime: str) -> None:
    desk = made.bundle("classify", learns=True, runtime=runtime)
    golden, state = desk.golden, desk.inputs / "state.npz"
    data = desk.save("data.npz", x=golden["signature/train/input/x"], label=golden["signature/train/input/label"])
    trained = desk.report(data, data, "--signature", "train", "--variables", "--save", state)
    losses = [one["outputs"]["loss"]["values"][0] for one in trained["results"]]
    assert losses[:1] == pytest.approx([float(golden["signature/train/output/loss"][0])], rel=1e-5)
    assert losses[3] < losses[0]
    with np.load(state) as file:
        assert int(file["seen"]) == int(golden["variable/seen"]) + 2 * VECTORS_EACH
        assert trained["variables"]["dense/kernel"]["values"] == [float(str(v)) for v in file["dense/kernel"].ravel()]
        assert (file["dense/kernel"] != golden["variable/dense/kernel"]).all()
    x = desk.save("x.npz", x=golden["input/x"][0], gain=np.float32(1))
    outputs = [desk.report(x, *more)["results"][0]["outputs"] for more in ((), ("--load", state))]
    assert outputs[0] != outputs[1]
    assert desk.report("--load", state, "--variables")["variables"] == trained["variables"]


@pytest.mark.parametrize("runtime", on(RUNTIMES))
def test_a_model_of_open_axes_alone_runs_where_a_size_of_one_would_end_the_process(made: Made, runtime: str) -> None:
    assert made.bundle("edges", file=EDGES, runtime=runtime).report()["verdict"] == "pass"


@pytest.mark.skipif(not any(name.startswith("tflite:") for name in RUNTIMES), reason="needs tflite-runtime")
def test_tflite_runtime_runs_the_kernels_that_an_app_runs(made: Made) -> None:
    desk = made.bundle("four", runtime="tflite:2.14.0")
    code = """
from emulate import this_bundle
from harness.interpreter import load_runner
from harness.model import read_model
load_runner(read_model(this_bundle()), 1)
"""
    done = subprocess.run([desk.python, "-c", code], cwd=desk.emulate, capture_output=True, text=True, check=True)
    assert "Created TensorFlow Lite XNNPACK delegate" in done.stderr


# ---------------------------------------------------------------- shapes


@pytest.mark.parametrize("main", ["classify", "encode", "edges", "four", "count"])
def test_each_form_of_shape_may_be_the_main_signature(made: Made, main: str) -> None:
    done = made.bundle(main).run()
    assert (done.returncode, done.stderr) == (0, ""), done
    assert f"golden: pass, {VECTORS_EACH} vectors" in done.stdout


def test_an_open_axis_takes_any_size_and_the_output_has_it(made: Made) -> None:
    desk = made.bundle("encode")
    sizes = [desk.save(f"{size}.npy", steps=np.ones((size, 3), np.float32)) for size in (1, 4, 9)]
    results = desk.report(*sizes, desk.save("batch.npy", steps=np.ones((2, 6, 3), np.float32)))["results"]
    assert [one["outputs"]["code"]["shape"] for one in results] == [[1, n, 2] for n in (1, 4, 9, 6, 6)]
    assert [one["index"] for one in results] == [None, None, None, 0, 1]
    assert "  code: float32 [1, 9, 2], min " in desk.run(sizes[2]).stdout
    raw = desk.inputs / "a.raw"
    raw.write_bytes(np.ones((4, 3), "<f4").tobytes())
    assert desk.report(raw)["results"][0]["outputs"] == results[1]["outputs"]


def test_an_image_keeps_its_size_along_open_axes(made: Made) -> None:
    desk = made.bundle("edges")
    pixels = np.random.default_rng(7).integers(0, 256, (7, 11, 3), np.uint8)
    Image.fromarray(pixels).save(desk.inputs / "a.png")
    results = desk.report(desk.inputs / "a.png", desk.save("a.npy", image=pixels))["results"]
    assert results[0]["outputs"]["map"]["shape"] == [1, 5, 9, 2]
    assert results[0]["outputs"] == results[1]["outputs"]
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(pixels).save(desk.inputs / "turned.png", exif=turned)
    shape = desk.report(desk.inputs / "turned.png")["results"][0]["outputs"]["map"]["shape"]
    assert shape == [1, 9, 5, 2]


def test_a_scalar_is_one_number_and_serves_every_sample_or_each_its_own(made: Made) -> None:
    desk = made.bundle("classify")
    x = desk.golden["input/x"]
    one = desk.save("one.npz", x=x[0], gain=np.float32(2))
    all_ = desk.save("all.npz", x=x, gain=np.float32(2))
    each = desk.save("each.npz", x=x, gain=np.array([2, 4, 6], np.float32))
    totals = [result["outputs"]["total"] for result in desk.report(one, all_, each)["results"]]
    assert [total["shape"] for total in totals] == [[]] * 7
    np.testing.assert_allclose([total["values"] for total in totals], [[2], [2], [2], [2], [2], [4], [6]], rtol=1e-5)
    assert "  total: float32 []: 2\n" in desk.run(one).stdout


def test_a_fixed_batch_is_run_a_whole_call_at_a_time(made: Made) -> None:
    desk = made.bundle("four")
    rows = desk.golden["input/x"]
    results = desk.report(desk.save("a.npy", x=rows))["results"]
    assert [one["index"] for one in results] == [0, 1, 2]
    assert {tuple(one["outputs"]["y"]["shape"]) for one in results} == {(4, 2)}
    found = np.array([one["outputs"]["y"]["values"] for one in results]).reshape(12, 2)
    np.testing.assert_allclose(found, desk.golden["output/y"], atol=1e-5)
    refused = desk.run(desk.save("b.npy", x=rows[:6]))
    assert_one_clear_line(refused, 2, r"x has the shape \[6, 3\], and \[N \* 4, 3\] for N calls, is needed")
    assert_one_clear_line(desk.run(desk.save("c.npy", x=rows[0])), 2, r"x has the shape \[3\], and \[N \* 4, 3\]")


@pytest.mark.parametrize(
    ("main", "array", "message"),
    [
        ("encode", np.ones((4, 2)), r"shape \[4, 2\], and \[any, 3\], or \[N, any, 3\] for a batch, is needed"),
        ("encode", np.ones((0, 3)), r"shape \[0, 3\], and \[any, 3\]"),
        ("classify", np.ones(3), r"it is for one input, and classify has \['gain', 'x'\]: give an .npz"),
        ("edges", np.ones((2, 2, 3), np.uint8), r"cannot run edges of image \[1, 2, 2, 3\]: .*; give another size"),
    ],
)
def test_a_size_that_cannot_be_meant_is_refused_in_one_line(made: Made, main: str, array: Any, message: str) -> None:
    desk = made.bundle(main)
    assert_one_clear_line(desk.run(desk.save("a.npy", x=array)), 2, message)


def test_a_size_that_the_model_cannot_take_is_exchanged_for_another(made: Made) -> None:
    desk = made.bundle("edges")
    refused = desk.run(desk.save("a.npy", image=np.ones((2, 2, 3), np.uint8)))
    assert re.search("; give another size, or build the bundle again, or run: .* -m pip install -r", refused.stderr)
    assert desk.run(desk.save("a.npy", image=np.ones((7, 11, 3), np.uint8))).returncode == 0


def test_a_size_that_the_model_cannot_take_between_two_that_it_can_is_one_line(made: Made) -> None:
    desk = made.bundle("edges")
    sizes = {"a.npy": (7, 11, 3), "b.npy": (2, 2, 3), "c.npy": (5, 9, 3)}
    files = [desk.save(name, image=np.ones(size, np.uint8)) for name, size in sizes.items()]
    done = desk.run(*files, "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, [error["input"] for error in report["errors"]]) == (2, [str(files[1])])
    assert re.fullmatch(rf"emulate: {files[1]}: .* cannot run .* of image \[1, 2, 2, 3\]: .*; .*\n", done.stderr)
    assert report["results"] == desk.report(files[0], files[2])["results"]


def test_bytes_that_fill_no_shape_are_refused(made: Made) -> None:
    (made.place / "a.raw").write_bytes(b"12345")
    path = made.place / "a.raw"
    wanted = r"5 bytes, and steps, float32 \[1, -1, 3\], has a multiple of 12"
    assert_one_clear_line(made.bundle("encode").run(path), 2, wanted)
    assert_one_clear_line(made.bundle("edges").run(path), 2, "more than one open axis, and bytes say no shape")


def test_a_golden_output_of_another_size_fails_and_says_both(made: Made) -> None:
    desk = made.bundle("classify", "encode")
    change_golden(desk, "signature/encode/output/code", lambda array: array[:, :4])
    done = desk.run()
    assert (done.returncode, done.stderr) == (4, "")
    assert "output code: of shape [1, 5, 2], and vector 0 has [1, 4, 2]: FAIL" in done.stdout
    assert json.loads(desk.run("--json").stdout)["signatures"]["encode"]["outputs"]["code"]["worst"] is None


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ([1, 3], r"x is float32 \[1, 3\] in signature.json, float32 \[-1, 3\] in the file"),
        ([-1, -1], r"x is float32 \[-1, -1\] in signature.json, float32 \[-1, 3\] in the file"),
        ([-2, 3], r"x: its shape is \[-2, 3\], and sizes >= 1, or -1 for any, are needed"),
        ([], r"x: its shape is \[\], and sizes"),
    ],
)
def test_a_shape_is_held_against_the_open_axes_of_the_file(made: Made, shape: list[int], message: str) -> None:
    desk = made.bundle("classify")
    desk.change_signature(lambda document: document["inputs"][0].update(shape=shape))
    assert_one_clear_line(desk.run(), 2, message)


# ---------------------------------------------------------------- further signatures


def test_a_user_reads_every_signature_under_its_key(made: Made) -> None:
    desk = made.bundle("classify", "encode", learns=True)
    done = desk.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(
        r"  output y: max difference .*: ok\n  output total: .*: ok\n  signature encode: 3 vectors\n"
        r"    output code: .*: ok\n    output mean: .*: ok\n"
        r"  train: loss \S+ \(\S+ as built\), then \S+ after 10 steps on one vector: ok\n"
        r"  variables: as built, changed, and back: ok\ngolden: pass, 3 vectors\n",
        done.stdout,
    )


def test_one_wrong_output_of_a_further_signature_fails_the_bundle(made: Made) -> None:
    desk = made.bundle("classify", "encode")
    mean = desk.golden["signature/encode/output/mean"]
    mean[2, 1] += 1
    desk.write_golden(desk.golden | {"signature/encode/output/mean": mean})
    done = desk.run()
    assert (done.returncode, done.stderr) == (4, "")
    assert re.search(r"    output mean: max difference 1 .*worst vector 2\).*: FAIL\ngolden: fail", done.stdout)
    assert "    output code: max difference" in done.stdout


def test_a_signature_without_vectors_is_said_to_have_none(made: Made) -> None:
    desk = made.bundle("classify", "encode")
    desk.write_golden({key: array for key, array in desk.golden.items() if "encode" not in key})
    assert desk.report()["signatures"]["encode"]["vectors"] == 0
    assert "signature encode: no golden vectors\n" in desk.run().stdout
    desk.write_golden(made.golden("classify", ["encode"], learns=False) | {"signature/encode/drift/code": np.zeros(2)})
    assert_one_clear_line(desk.run(), 2, "signature/encode/drift/code is missing, or is no number")


@pytest.mark.parametrize("runtime", on(KEEPING))
def test_calls_of_every_kind_of_signature_are_timed_with_the_variables_as_built(made: Made, runtime: str) -> None:
    for key in ("classify", "encode", "four", "count"):
        desk = made.bundle(key, learns=True, runtime=runtime)
        file = TimedFile(str(desk.assets / MODEL), str(desk.emulate / "golden.npz"), key, "assign_variables")
        (found,) = time_files(desk.python, Order((file,), seconds=0.01))
        assert not found.error and len(found.blocks) >= FEWEST, f"{key}: {found}"
        start = subprocess.run(
            [str(desk.python), str(BENCHMARK_SCRIPT), str(desk.emulate), "1", "0.01"], capture_output=True, check=True
        )
        said = json.loads(start.stdout)
        moments = [said[moment] for moment in ("runs", "imported", "loaded", "fed", "called")]
        assert moments == sorted(moments) and said["harness"] > 0, key


def test_a_benchmark_of_a_signature_without_vectors_is_given_an_input(made: Made) -> None:
    desk = made.bundle("classify", "encode")
    desk.write_golden({key: array for key, array in desk.golden.items() if not key.startswith("signature/encode/")})
    asked = ("--signature", "encode", "--benchmark", 2)
    assert_one_clear_line(desk.run(*asked), 2, "encode has no golden vector to time; give an INPUT")
    assert desk.run(*asked, desk.save("a.npy", steps=np.ones((4, 3), np.float32))).returncode == 0


def test_inputs_go_through_the_signature_that_is_asked_for(made: Made) -> None:
    desk = made.bundle("classify", "encode", "four")
    steps = desk.save("a.npy", steps=np.ones((4, 3), np.float32))
    report = desk.report(steps, "--signature", "encode", "--benchmark", 5)
    assert set(report["results"][0]["outputs"]) == {"code", "mean"}
    assert report["benchmark"]["runs"] == 5
    assert desk.report("--signature", "four", "--benchmark", 5)["benchmark"]["runs"] == 5
    unknown = desk.run(steps, "--signature", "decode")
    assert_one_clear_line(unknown, 2, "takes no INPUT by that name; there is: classify, encode, four")
    assert_one_clear_line(desk.run("--signature", "encode"), 2, "--signature encode is for an INPUT, and there is none")


def test_a_signature_that_the_file_lacks_is_found_before_anything_runs(made: Made) -> None:
    desk = made.bundle("classify", "encode")
    desk.change_signature(lambda document: document["others"][0].update(signature="decode"))
    assert_one_clear_line(desk.run(), 2, r"it has no signature 'decode', only \[.*'encode'")


# ---------------------------------------------------------------- kept variables


def test_the_golden_vectors_are_replayed_with_the_variables_as_built(made: Made) -> None:
    """`count` changes with every call the variable that `tell` outputs with."""
    desk = made.bundle("count", "tell", learns=True)
    one = desk.save("one.npy", x=np.float32(1))
    report = desk.report("--golden", one, one)
    assert report["verdict"] == "pass"
    assert [result["outputs"]["y"]["values"] for result in report["results"]] == [[3.0], [4.0]]
    state = desk.save("state.npz", **without_prefix(desk.golden) | {"seen": np.int32(50)})
    report = desk.report("--golden", "--load", state, one, one)
    assert report["verdict"] == "pass"
    assert [result["outputs"]["y"]["values"] for result in report["results"]] == [[51.0], [52.0]]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("variable/bias", r"bias is not as built.*: FAIL"),
        ("variable/seen", r"seen is not as built: FAIL"),
    ],
)
def test_a_variable_that_is_not_as_built_fails(learner: Desk, key: str, message: str) -> None:
    change_golden(learner, key, lambda array: array + array.dtype.type(1))
    done = learner.run()
    assert (done.returncode, done.stderr) == (4, "")
    assert re.search(rf"  variables: {message}", done.stdout), done.stdout


def test_a_bit_that_compares_equal_is_still_another_bit(learner: Desk) -> None:
    """-0.0 == 0.0, and a saved state must come back as it was."""
    learner.write_golden(learner.golden | {"variable/bias": np.array([0.5, -0.5], np.float32)})
    state = without_prefix(learner.golden) | {"bias": np.array([-0.0, np.nan], np.float32)}
    path, again = learner.save("state.npz", **state), learner.inputs / "again.npz"
    learner.report("--load", path, "--save", again)
    with np.load(again) as file:
        assert {name: file[name].tobytes() for name in file.files} == {k: v.tobytes() for k, v in state.items()}


def test_a_variable_that_cannot_be_assigned_fails(learner: Desk) -> None:
    """`assign_most` leaves the bias alone: then what was trained stays, too."""
    learner.change_signature(lambda document: document["variables"].update(assign="assign_most"))
    done = learner.run("--json")
    assert done.returncode == 4
    report = json.loads(done.stdout)
    assert report["outputs"]["y"]["pass"]
    bias = ["bias"]
    assert report["state"] == {"read": [], "assigned": bias, "restored": bias, "golden": False, "pass": False}
    faults = "bias does not take another value, bias does not come back, then the golden vectors are off"
    assert f"  variables: {faults}: FAIL\n" in learner.run().stdout


def test_a_signature_that_assigns_something_else_is_refused(learner: Desk) -> None:
    learner.change_signature(lambda document: document["variables"].update(assign="train"))
    message = r"signature.json names \['bias', 'dense/kernel', 'seen'\], the file \['label', 'x'\]"
    assert_one_clear_line(learner.run(), 2, message)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "loss not finite .* then not finite after 10 steps on one vector: FAIL"),
        (100.0, r"loss \S+ .* then \S+ after 10 steps on one vector: FAIL"),  # steps too wide: it climbs
    ],
)
def test_a_loss_that_does_not_fall_fails(learner: Desk, value: float, message: str) -> None:
    x, label = np.full((12, 3), value, np.float32), np.tile(np.array([0, 1], np.int32), 6)
    learner.write_golden(learner.golden | {"signature/train/input/x": x, "signature/train/input/label": label})
    done = learner.run()
    assert (done.returncode, done.stderr) == (4, "")
    assert re.search(message, done.stdout), done.stdout
    assert "variables: as built, changed, and back: ok" in done.stdout


def test_variables_are_listed_with_their_values(learner: Desk) -> None:
    listed = learner.report("--variables")
    assert "verdict" not in listed
    kernel, built = listed["variables"]["dense/kernel"], learner.golden["variable/dense/kernel"]
    assert (kernel["dtype"], kernel["shape"], kernel["truncated"]) == ("float32", [3, 2], False)
    assert kernel["values"] == [float(str(value)) for value in built.ravel()]
    assert kernel["mean"] == pytest.approx(built.mean(dtype=np.float64))
    lines = learner.run("--variables").stdout
    assert re.search(r"\ndense/kernel: float32 \[3, 2\], min \S+, max \S+, mean \S+\nbias: float32 \[2\],", lines)
    assert "seen: int32 [], min 2, max 2, mean 2\n" in lines


def without_prefix(golden: Arrays) -> Arrays:
    return {key.removeprefix("variable/"): array for key, array in golden.items() if key.startswith("variable/")}


BAD_STATES: dict[str, tuple[Callable[[Arrays], Arrays | None], str]] = {
    "missing": (lambda _: None, "state.npz: there is no such file"),
    "lacks": (lambda state: {"seen": state["seen"]}, "and it lacks bias, dense/kernel; --save writes such a file"),
    "more": (lambda state: state | {"other": np.zeros(1)}, "the variables are 3, and it has no use for other"),
    "shape": (
        lambda state: state | {"bias": np.zeros(3, np.float32)},
        r"bias is float32 \[3\] in it, and the variable is float32 \[2\]",
    ),
    "type": (lambda state: state | {"seen": np.array(2)}, r"seen is int64 \[\] in it, .* is int32 \[\]"),
    "pickle": (lambda state: state | {"bias": np.array([{}, {}])}, "it is no whole .npz of plain arrays"),
}


@pytest.mark.parametrize("fault", BAD_STATES)
def test_a_state_that_does_not_fit_is_refused_in_one_line(learner: Desk, fault: str) -> None:
    change, message = BAD_STATES[fault]
    state = change(without_prefix(learner.golden))
    if state is not None:
        learner.save("state.npz", **state)
    refused = learner.run("--load", learner.inputs / "state.npz")
    assert_one_clear_line(refused, 2, message)
    step = "check the name" if state is None else "--save writes such a file, --variables lists what is in it"
    assert refused.stderr.endswith(f"; {step}\n")
    assert learner.run("--save", learner.inputs / "state.npz").returncode == 0
    assert "dense/kernel" in learner.run("--variables").stdout
    assert learner.run("--load", learner.inputs / "state.npz").returncode == 0


def test_a_state_that_cannot_be_written_leaves_nothing_behind(learner: Desk) -> None:
    (learner.inputs / "folder").mkdir()
    for name, why in (("none/a.npz", "No such file"), ("folder", "Is a directory")):
        message = f"{name}: it cannot be written: {why}.*; name another place"
        assert_one_clear_line(learner.run("--save", learner.inputs / name), 2, message)
    assert [path.name for path in learner.inputs.iterdir()] == ["folder"]
    assert learner.run("--save", learner.inputs / "a.npz").returncode == 0


def test_a_state_of_half_of_the_files_is_not_saved(learner: Desk) -> None:
    x = learner.save("x.npz", x=learner.golden["input/x"][0], gain=np.float32(1))
    state = learner.inputs / "state.npz"
    done = learner.run(x, learner.inputs / "none.npz", "--save", state)
    assert (done.returncode, state.exists(), "saved" in done.stdout) == (2, False, False)
    assert str(x) in done.stdout
    assert learner.report(x, "--save", state)["saved"] == str(state)


def test_a_folder_for_several_inputs_stands_for_its_npz_files(learner: Desk) -> None:
    (learner.inputs / "album").mkdir()
    learner.save("album/b.npy", x=learner.golden["input/x"][0])
    asked = learner.run("album")
    assert_one_clear_line(asked, 2, "album: no file in this folder ends in .npz, .csv; name a folder")
    learner.save("album/a.npz", x=learner.golden["input/x"][0], gain=np.float32(1))
    assert [result["input"] for result in learner.report("album")["results"]] == ["album/a.npz"]


@pytest.mark.parametrize("option", [["--variables"], ["--load", "a.npz"], ["--save", "a.npz"]])
def test_a_bundle_without_variables_says_so(made: Made, option: list[str]) -> None:
    message = f"{option[0]}: this bundle's model keeps no variables; leave {option[0]} out"
    desk = made.bundle("classify")
    assert_one_clear_line(desk.run(*option), 2, message)
    assert desk.run().returncode == 0


def test_the_kit_takes_the_same_options_and_its_own_pin_of_another_runtime(learner: Desk) -> None:
    inputs = {name: learner.golden[f"signature/train/input/{name}"][:4] for name in ("x", "label")}
    data, state = learner.save("data.npz", **inputs), learner.inputs / "state.npz"
    common = ("emulate", str(learner.bundle), "--runtime", "litert:1.4.0", "--json", "--allow-code")
    trained = run_kit(*common, "--signature", "train", "--input", str(data), "--save", str(state))
    assert trained.returncode == 0, trained.stderr
    assert json.loads(trained.stdout)["runtime"]["version"] == "1.4.0"
    shown = run_kit(*common, "--load", str(state), "--variables")
    assert json.loads(shown.stdout)["variables"]["seen"]["values"] == [3]


# ---------------------------------------------------------------- what no interpreter of pip runs


def test_a_model_with_operators_of_tensorflow_is_refused_and_they_are_named(made: Made) -> None:
    desk = made.bundle("classify", flex=["FlexErf", "FlexRoll"])
    message = "FlexErf, FlexRoll, and no interpreter of pip has them; run it in an app that links"
    assert_one_clear_line(desk.run(), 5, message)
    with pytest.raises(EngineError, match="FlexErf, FlexRoll") as refused:
        replay_golden(desk.bundle, NEWEST, lambda _: None)
    step = "run it in an app that links select-tf-ops, or build the model without these operators"
    assert refused.value.hint == step
    assert made.bundle("classify").run().returncode == 0  # one without


def test_an_interpreter_that_crashes_is_an_error_with_its_signal(made: Made) -> None:
    """LiteRT 1 ends its process where an image is smaller than the convolution over it."""
    desk = made.bundle("edges", runtime="litert:1.4.0")
    small = desk.save("small.npy", image=np.zeros((1, 1, 3), np.uint8))

    def run(runtime: str, image: Path) -> int:
        return run_harness(desk.bundle, runtime, [str(image)], lambda _: None, allow_code=True)

    with pytest.raises(EngineError, match=r"the interpreter of litert:1\.4\.0 ended with SIGSEGV") as refused:
        run("litert:1.4.0", small)
    assert refused.value.hint.startswith("give inputs of another size, or run it on a newer runtime: --runtime")
    assert run("litert:1.4.0", desk.save("large.npy", image=np.zeros((8, 8, 3), np.uint8))) == 0
    assert run(NEWEST, small) in {0, 2}, "it says what is wrong with the size, if anything is"


@pytest.mark.parametrize("runtime", CRASH_ON_VARIABLES)
def test_a_runtime_that_ends_on_variables_is_reported_as_that(made: Made, runtime: str) -> None:
    learns = made.bundle("classify", learns=True, runtime=runtime)
    with pytest.raises(EngineError, match="this bundle has variables, which it may crash on") as refused:
        replay_golden(learns.bundle, runtime, lambda _: None)
    named = re.search(r"name a newer runtime: --runtime (\S+), or \[android\] runtime", refused.value.hint)
    assert named
    assert replay_golden(learns.bundle, named[1], lambda _: None).verdict == "pass"


def test_a_build_learns_which_part_of_the_replay_failed(learner: Desk) -> None:
    change_golden(learner, "variable/seen", lambda array: array + np.int32(1))
    with pytest.raises(CheckError, match=r"on litert:2.3.0 .*: variables do not hold .*: seen"):
        replay_golden(learner.bundle, NEWEST, lambda _: None)
