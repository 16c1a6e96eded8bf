"""emulate --profile and --compare: where a call's time and error are, and the outputs beside the float model's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lopsided import ODD, SAMPLES
from worlds import DIGITS, ROOT, SUPPORT, run_kit

from kit.bundle.output_forms import EmbeddingForm, MaskForm
from kit.bundle.signature import ClassesEntry, TensorEntry
from kit.files import sha256_bytes
from kit.profiling.events import DELEGATE, INVOKE, OPERATOR, Event, Step, added_up
from kit.profiling.kernels import may_run
from kit.profiling.operators import BUILT_IN, FUSED, XNNPACK, Profiled, profiled_operators
from kit.profiling.report import HINT, Profile, lines_of
from kit.scoring.differences import Side, differences
from kit.shared.quantization import LayerError
from kit.tflite.model import Operator, Subgraph, Tensor, TfliteFile


@pytest.fixture(scope="module")
def lopsided(tmp_path_factory: pytest.TempPathFactory, toolchain_python: Path) -> Path:
    """Give a folder with the files of tests/support/lopsided.py."""
    folder = tmp_path_factory.mktemp("lopsided")
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}
    argv = [str(toolchain_python), str(SUPPORT / "lopsided.py"), str(folder)]
    subprocess.run(argv, check=True, capture_output=True, env=quiet)
    return folder


def found(*arguments: str | Path, code: int = 0) -> dict[str, Any]:
    """Return what --json prints."""
    done = run_kit("emulate", *map(str, arguments[:1]), "--json", *map(str, arguments[1:]))
    assert done.returncode == code, done.stdout + done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def refused(code: int, *arguments: str | Path) -> str:
    """Return what a refused command says."""
    done = run_kit("emulate", *map(str, arguments))
    assert (done.returncode, done.stdout) == (code, ""), done.stdout + done.stderr
    return done.stderr


def test_a_profile_names_the_slow_operator_and_the_one_that_makes_the_error(lopsided: Path) -> None:
    pair = (lopsided / "lopsided.tflite", "--profile", "--against", lopsided / "exact.tflite")
    profile = found(*pair, "--", lopsided / "inputs.npz")
    rows = profile["operators"]
    slowest = max(rows, key=lambda row: row["microseconds"])
    worst = max((row for row in rows if row["error"]), key=lambda row: row["error"]["added"])
    assert "slow_1/" in slowest["layer"] and slowest["delegate"] == XNNPACK
    assert slowest["macs"] == 1536 * 1536 and slowest["moved"] > 1536 * 1536
    assert "bad_1/" in worst["layer"] and "outlier channel 0 of its inputs" in worst["error"]["reason"]
    assert profile["samples"] == SAMPLES
    # Of the run's own numbers, on one thread its CPU time: the bench has the strict bound.
    assert 0.6 < profile["operator_milliseconds"] / profile["milliseconds"] < 1.2
    assert {row["why"] for row in rows if row["delegate"] == BUILT_IN} == {"XNNPACK does not take it in int8"}
    errors = {row["layer"]: row["error"]["snr"] for row in rows if row["error"]}
    assert errors["kind"] > 5  # the softmax, with the float file's softmax and not its dense


@pytest.mark.slow
def test_a_user_reads_both_tables_in_order(lopsided: Path) -> None:
    pair = (lopsided / "lopsided.tflite", "--profile", "--against", lopsided / "exact.tflite")
    done = run_kit("emulate", *map(str, pair), "--", str(lopsided / "inputs.npz"))
    assert done.returncode == 0, done.stderr
    time, error = done.stdout.split("largest error")
    lines = time.partition("most time")[2].splitlines()
    assert "slow_1/" in lines[2] and "bad_1/" in error.splitlines()[2]
    assert done.stdout.splitlines()[-1] == HINT and "not a phone's" in HINT


def test_a_bundles_profile_has_its_layers_and_says_what_is_built_in_and_how_to_see_errors(digits_bundle: Path) -> None:
    profile = found(digits_bundle, "--profile")
    rows = profile["operators"]
    assert [row["name"] for row in rows] == [
        "QUANTIZE", "CONV_2D", "CONV_2D", "MAX_POOL_2D", "CONV_2D", "MAX_POOL_2D", "RESHAPE", "FULLY_CONNECTED",
        "SOFTMAX", "QUANTIZE",
    ]  # fmt: skip
    assert [rows[at]["layer"] for at in (2, 7, 8, 9)] == ["relu2, norm2, conv2", "digit", "digit", "digit"]
    assert [row["operator"] for row in rows if row["delegate"] == BUILT_IN] == [0, 8, 9]
    assert rows[0]["why"] == "XNNPACK does not take it from uint8 to int8"
    assert max(rows, key=lambda row: row["microseconds"])["name"] == "CONV_2D"
    assert all(row["error"] is None for row in rows)
    assert any(
        "kit build RECIPE --scheme float32 --out float, then --against float/digits" in n for n in profile["notes"]
    )


@pytest.mark.slow
def test_a_bundle_beside_its_float32_bundle_by_the_next_step_that_is_printed(
    digits_bundle: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "recipe"
    shutil.copytree(DIGITS, recipe)
    text = (recipe / "recipe.toml").read_text("utf-8")
    kept = [line for line in text.splitlines() if not line.startswith("max_bytes")]  # float32 is larger
    (recipe / "recipe.toml").write_text("\n".join(kept), "utf-8")
    test, out = str(DIGITS / "test.npz"), str(tmp_path / "float")
    assert "next: build it: kit build RECIPE --scheme float32" in refused(2, digits_bundle, "--compare", "--", test)
    assert run_kit("build", str(recipe), "--scheme", "float32", "--out", out, "--engine", "local").returncode == 0
    exact = Path(out) / "digits"
    rows = found(digits_bundle, "--profile", "--against", exact)["operators"]
    errors = {row["layer"]: row["error"] for row in rows if row["error"]}
    assert {"relu1, norm1, conv1", "relu3, norm3, conv3", "pool3", "flatten"} <= set(errors)
    assert all(error["snr"] > 30 for error in errors.values())
    assert rows[8]["error"] and rows[7]["error"]  # the softmax, at the border in uint8, and the dense layer before it
    beside = found(digits_bundle, "--compare", "--against", exact, "--", test)
    assert len(beside["samples"]) == 360
    changed = [sample["outputs"]["digit"]["changed"] for sample in beside["samples"]]
    assert changed == sorted(changed, reverse=True) and sum(changed) < 5
    float32 = found(exact, "--profile")
    assert float32["notes"][0] == "the model is float32: it has no error of quantization"


def test_what_a_profile_does_not_do_is_refused_with_what_to_do(lopsided: Path, digits_bundle: Path) -> None:
    file, exact, inputs = (lopsided / name for name in ("lopsided.tflite", "exact.tflite", "inputs.npz"))
    said = refused(2, digits_bundle, "--profile", "--runtime", "litert:1.4.0", "--top", "3")
    assert "--top and --runtime does not go with --profile" in said and "next: leave --top and --runtime out" in said
    assert "next: give one, such as 4" in refused(2, digits_bundle, "--profile", "--threads=-1")
    assert "next: name one of them" in refused(2, file, "--profile", "--against", exact, "--against", exact)
    said = refused(2, file, "--profile", "--against", file, "--", inputs)
    assert "it keeps constants in int8" in said
    assert "next: kit build RECIPE --scheme float32 --out float, then --against float/lopsided.tflite" in said
    assert "a model file alone has no golden vectors" in refused(2, file, "--profile")
    assert "add --benchmark" in refused(2, file, "--against", exact)


@pytest.mark.slow
def test_what_does_not_fit_a_bundle_is_refused_once_it_is_tried(lopsided: Path, digits_bundle: Path) -> None:
    exact = lopsided / "exact.tflite"
    said = refused(2, digits_bundle, "--profile", "--against", exact)
    assert "inputs are features, and the product's image" in said
    assert "next: name the float32 bundle of the same model" in said
    said = refused(2, digits_bundle, "--profile", "--", ROOT / "README.md")
    assert "none of the files is an input" in said and "next: give files that the model takes" in said
    said = refused(2, digits_bundle, "--compare", "--against", exact, "--", str(DIGITS / "seven.png"))
    assert "does not take what" in said and "next: name the float32 bundle of the same model: kit build" in said


@pytest.mark.slow
def test_a_signature_is_profiled_by_its_name(lopsided: Path, tmp_path: Path) -> None:
    renamed = tmp_path / "model.tflite"
    renamed.write_bytes((lopsided / "lopsided.tflite").read_bytes().replace(b"serving_default", b"SERVING_default"))
    inputs = ("--", lopsided / "inputs.npz")
    assert found(renamed, "--profile", "--signature", "SERVING_default", *inputs)["signature"] == "SERVING_default"
    said = refused(2, renamed, "--profile", "--signature", "none", *inputs)
    assert "--signature none" in said and "there is: SERVING_default" in said


@pytest.mark.slow
def test_a_file_that_cannot_be_used_is_named_and_the_others_are_profiled(digits_bundle: Path) -> None:
    done = run_kit("emulate", str(digits_bundle), "--profile", "--json", "--", str(DIGITS / "seven.png"), "none.png")
    assert done.returncode == 2, done.stderr
    profile = json.loads(done.stdout)
    assert profile["samples"] == 1 and profile["errors"][0]["input"] == "none.png"
    assert "emulate: " in done.stderr


def test_a_user_reads_the_largest_of_each_first() -> None:
    bad = LayerError("b", ("bad",), "CONV_2D", snr=12.34, low=0, high=1, added=0.25, reason="tiny weights")
    fine = replace(bad, snr=45.0, added=0.0, reason="")
    rows = (
        Profiled(0, 0, "QUANTIZE", "in", "int8[1,4]", BUILT_IN, why="XNNPACK does not take it in int8", moved=8),
        Profiled(0, 1, "CONV_2D", "slow", "int8[1,4]", XNNPACK, microseconds=1500.0, macs=4096, error=fine),
        Profiled(0, 2, "CONV_2D", "bad", "int8[1,4]", XNNPACK, microseconds=0.2, error=bad),
        Profiled(2, 0, "WHILE", "loop", "int8[1,4]", BUILT_IN, microseconds=300.0, rest=True),
    )
    profile = Profile(
        "m", "1.0.0", "litert:2.3.0", "ai-edge-litert 2.3.0", "", 1, 9, 8, 2.0, rows, "float/m", ("so",), ()
    )
    assert list(lines_of(profile)) == [
        "m 1.0.0: ai-edge-litert 2.3.0, 1 thread, on this machine",
        "  the app links litert:2.3.0",
        "  a call takes 2 ms, its operators 1.8 ms of that (90%)",
        "  4,096 multiply-adds, 8 bytes read and written",
        "  XNNPACK: 2 of 4 operators, 83% of their time",
        "  built in: 2 of 4 operators, 17% of their time",
        "    QUANTIZE: XNNPACK does not take it in int8",
        "",
        "most time",
        "#    operator  layer  by        ms          share  multiply-adds  bytes",
        "1    CONV_2D   slow   XNNPACK   1.5         83.3%  4,096          0",
        "2.0  WHILE     loop   built in  0.3 (rest)  16.7%  0              0",
        "2    CONV_2D   bad    XNNPACK   < 0.001     0.0%   0              0",
        "0    QUANTIZE  in     built in  0           0.0%   0              8",
        "",
        "largest error, beside float/m",
        "#  operator  layer  adds     SNR      why",
        "2  CONV_2D   bad    25.000%  12.3 dB  tiny weights",
        "1  CONV_2D   slow   0.000%   45.0 dB",
        "note: so",
        HINT,
    ]


def test_the_worst_sample_stands_first(lopsided: Path) -> None:
    pair = (lopsided / "lopsided.tflite", "--compare", "--against", lopsided / "exact.tflite")
    beside = found(*pair, "--", lopsided / "odd.npz")
    assert len(beside["samples"]) == SAMPLES
    assert beside["samples"][0]["index"] == ODD
    first, second = (sample["outputs"]["extra"]["difference"] for sample in beside["samples"][:2])
    assert first > 50 * second


def test_what_a_comparison_does_not_do_is_refused_with_what_to_do(lopsided: Path, digits_bundle: Path) -> None:
    file, exact, inputs = (lopsided / name for name in ("lopsided.tflite", "exact.tflite", "inputs.npz"))
    assert "next: leave --profile out" in refused(2, digits_bundle, "--compare", "--profile")
    assert "next: give files: -- FILES" in refused(2, file, "--compare", "--against", exact)
    assert "next: save it as a file, and name that" in refused(2, file, "--compare", "--against", exact, "--", "-")
    assert refused(2, file, "--compare", "--against", exact, "--against", exact, "--", inputs)
    assert "next: build it: kit build RECIPE --scheme float32 --out float" in refused(
        2, file, "--compare", "--", inputs
    )


def test_a_signature_without_golden_vectors_needs_files(digits_bundle: Path, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(digits_bundle, tmp_path / "digits"))
    place = Path("src/main/assets/digits/signature.json")
    document = json.loads((bundle / place).read_text("utf-8"))
    document["others"] = [{key: document[key] for key in ("inputs", "outputs")} | {"signature": "second"}]
    (bundle / place).write_text(json.dumps(document), "utf-8")
    manifest = json.loads((bundle / "bundle.json").read_text("utf-8"))
    manifest["files"][place.as_posix()] = sha256_bytes((bundle / place).read_bytes())
    (bundle / "bundle.json").write_text(json.dumps(manifest), "utf-8")
    said = refused(2, bundle, "--profile", "--signature", "second")
    assert "'second' has no golden vectors" in said and "next: give files: -- FILES" in said


def event(tag: str, kind: int, elapsed: int, first: int, graph: int) -> Event:
    """Return an event whose start does not matter."""
    return Event(tag, kind, 0, elapsed, first, graph)


def loop(turns: int, *, ends: bool = True) -> list[Event]:
    """Return a call with an operator of XNNPACK, a loop with two operators in it, and one more behind the loop."""
    events = [event("Invoke", INVOKE, 500, 0, 0), event("Add (ND)", DELEGATE, 3, 0, 0)]
    events.append(event("WHILE", OPERATOR, 400, 1, 0))
    for _ in range(turns):
        events += [
            event("Invoke", INVOKE, 30, 0, 2),
            event("GATHER", OPERATOR, 5, 0, 2),
            event("Multiply (ND)", DELEGATE, 7, 0, 2),
            event("Invoke", 32, 0, 0, 2),
        ]
    events.append(event("SOFTMAX", OPERATOR, 9, 2, 0))
    return [*events, event("Invoke", 32, 0, 0, 0)] if ends else events


def test_what_runs_inside_of_a_loop_is_not_counted_twice() -> None:
    steps = added_up([loop(4)])
    assert steps.whole
    assert [(s.name, s.microseconds, s.times, s.outer) for s in steps.steps] == [
        ("Add (ND)", 3, 1, False),
        ("WHILE", 400 - 4 * 12, 1, True),
        ("GATHER", 20, 4, False),
        ("Multiply (ND)", 28, 4, False),
        ("SOFTMAX", 9, 1, False),
    ]
    assert not added_up([loop(4, ends=False)]).whole
    with pytest.raises(ValueError, match="no call"):
        added_up([[event("SOFTMAX", OPERATOR, 9, 2, 0)]])


def test_a_call_that_another_program_interrupts_is_left_out() -> None:
    slow = [event("Invoke", INVOKE, 0, 0, 0), event("ADD", OPERATOR, 900, 0, 0), event("Invoke", 32, 0, 0, 0)]
    quick = [event("Invoke", INVOKE, 0, 0, 0), event("ADD", OPERATOR, 10, 0, 0), event("Invoke", 32, 0, 0, 0)]
    (step,) = added_up([quick, slow, quick, slow]).steps
    assert step.microseconds == 10


def graph_of(*names: str) -> TfliteFile:
    """Return a file of operators in a row, each on one tensor of floats."""
    tensors = tuple(Tensor(f"t{i}", (1, 4), (), "float32", None, 0, None, False, False) for i in range(len(names) + 1))
    operators = tuple(Operator(name, 1, (i,), (i + 1,), {}) for i, name in enumerate(names))
    graph = Subgraph("main", (0,), (len(names),), tensors, operators)
    return TfliteFile("", 0, "", 3, "", (), (graph,), (), (), (), b"")


def xnnpack(*names: str) -> list[Step]:
    """Return steps of XNNPACK's, of one microsecond each."""
    return [Step(f"{name} (NC)", 0, -1, place, 1.0, 1.0) for place, name in enumerate(names)]


def test_what_xnnpack_adds_belongs_to_the_operator_that_it_is_for() -> None:
    file = graph_of("CONV_2D", "CONCATENATION", "RELU", "RESHAPE", "FULLY_CONNECTED")
    steps = xnnpack("Convert", "Convolution", "Copy", "Copy", "Static Reshape", "Static Reshape", "Fully Connected")
    rows = profiled_operators(file, {}, steps, 7.0)
    assert [[name.partition(" (")[0] for name in row.kernels] for row in rows] == [
        ["Convert", "Convolution"], ["Copy", "Copy"], [], ["Static Reshape", "Static Reshape"], ["Fully Connected"],
    ]  # fmt: skip
    assert [row.delegate for row in rows] == [XNNPACK, XNNPACK, FUSED, XNNPACK, XNNPACK]
    assert sum(row.microseconds for row in rows) == 7
    (alone,) = [row for row in profiled_operators(graph_of("RELU"), {}, xnnpack("RoPE"), 1.0) if row.operator < 0]
    assert (alone.name, alone.layer) == ("RoPE (NC)", "")


def test_what_a_delegate_runs_together_is_found_where_the_file_has_it_apart() -> None:
    steps = xnnpack("Convolution", "Fully Connected", "Convert")
    rows = profiled_operators(graph_of("CONV_2D", "DEQUANTIZE", "FULLY_CONNECTED"), {}, steps, 3.0)
    assert [row.microseconds for row in rows] == [1, 1, 1]


def test_the_loops_own_time_is_what_the_others_leave_of_a_call() -> None:
    steps = [Step("WHILE", 0, 0, -1, 900.0, 1.0, outer=True), Step("ADD", 0, 1, -1, 4.0, 1.0)]
    first, second = profiled_operators(graph_of("WHILE", "ADD"), {}, steps, 10.0)
    assert (first.microseconds, first.rest, second.microseconds) == (6.0, True, 4.0)
    assert first.why == "runs other graphs" and second.why == "XNNPACK does not take it in this form"


@pytest.mark.parametrize(
    ("operator", "kernel", "same"),
    [
        ("CONV_2D", "Fully Connected (NC, QD8, F32, QC8W) GEMM", True),
        ("CONV_2D", "Deconvolution (NHWC, F32)", False),
        ("HARD_SWISH", "HardSwish (NC)", True),
        ("SQUARED_DIFFERENCE", "Squared Difference (ND)", True),
        ("MUL", "Add (ND)", False),
    ],
)
def test_an_operator_is_known_by_the_names_of_xnnpacks(operator: str, kernel: str, same: bool) -> None:
    assert may_run(operator, kernel) is same


def of_classes(activation: str = "none") -> TensorEntry:
    return TensorEntry("kind", (1, 3), "float32", kind="classes", classes=ClassesEntry(None, activation))


def test_another_class_is_a_decision_and_an_equal_one_a_difference_of_scores() -> None:
    exact = Side(np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1]], np.float32))
    got = Side(np.array([[0.6, 0.3, 0.1], [0.4, 0.5, 0.1]], np.float32))
    same, other = differences(of_classes(), ("cat", "dog", "cow"), exact, got)
    assert (same.changed, round(same.size, 3), same.text) == (False, 0.1, "'cat' 0.700 -> 'cat' 0.600")
    assert (other.changed, other.text) == (True, "'cat' 0.500 -> 'dog' 0.500 ('cat' 0.400)")
    (one,) = differences(of_classes("sigmoid"), (), Side(np.array([[1.0]])), Side(np.array([[-1.0]])))
    assert one.changed and one.text.startswith("class 1 0.731 -> class 0 0.731")


def test_a_number_that_is_lost_is_worse_than_any_other() -> None:
    entry = TensorEntry("height", (1, 2), "float32")
    exact = Side(np.array([[1.0, 2.0], [3.0, 4.0]], np.float32))
    got = Side(np.array([[1.0, 2.5], [np.nan, 4.0]], np.float32))
    off, lost = differences(entry, (), exact, got)
    assert not off.changed and off.text.startswith("[1] 2 -> 2.5, differs by 0.5")
    assert lost.changed and lost.size == float("inf")


def test_masks_and_embeddings_are_compared_by_pixels_and_by_their_angle() -> None:
    mask = TensorEntry("mask", (1, 2, 2, 1), "float32", kind="mask", mask=MaskForm())
    exact, got = np.array([[[[0.9], [0.1]], [[0.2], [0.8]]]]), np.array([[[[0.9], [0.6]], [[0.2], [0.8]]]])
    (share,) = differences(mask, (), Side(exact), Side(got))
    assert (share.size, share.text) == (0.25, "25.00% of the pixels have another class")
    vector = TensorEntry("face", (1, 2), "float32", kind="embedding", embedding=EmbeddingForm())
    (angle,) = differences(vector, (), Side(np.array([[1.0, 0.0]])), Side(np.array([[0.0, 2.0]])))
    assert angle.size == 1


def test_boxes_are_lost_new_or_moved() -> None:
    def box(left: float, right: float, score: float, index: int = 0) -> dict[str, Any]:
        return {"left": left, "top": 0.0, "right": right, "bottom": 10.0, "score": score, "index": index, "label": None}

    entry = TensorEntry("boxes", (1, 8), "float32", kind="boxes")
    before = {"boxes": [box(0, 10, 0.9), box(50, 60, 0.6)]}
    after = {"boxes": [box(0, 9, 0.9), box(50, 60, 0.7, index=1)]}
    nothing = np.zeros((2, 8), np.float32)
    exact, got = Side(nothing, [before, before]), Side(nothing, [after, before])
    other, same = differences(entry, (), exact, got)
    assert other.changed and other.size == 0.7
    assert other.text == "2 -> 2 boxes: lost class 0 0.60; new class 1 0.70; class 0 0.90 -> 0.90, overlap 0.900"
    assert (same.changed, same.size, same.text) == (False, 0.0, "2 -> 2 boxes: the same")
