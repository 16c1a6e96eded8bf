"""Every kind of model file: what the worker makes of it is what the model itself outputs, by the same names."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import pytest
from source_models import EXPECTED, written
from worlds import ROOT, SUPPORT

from kit.shared.job import InputSpec, Job, JobError, ModelPart, dump
from kit.source_model.hdf5 import read_hdf5
from kit.source_model.model_file import read_model_file
from kit.toolchains.toolchain import find_toolchain
from kit.toolchains.venv import toolchain_venv
from kit.worker.loaders.lambdas import Renamed
from kit.worker.loaders.old_layers import modern

NEW, OLD = "2.19.1", "2.15.1"
PLAIN = Job((), False, "float32", "float32", (), (), False, False)
CODE = replace(PLAIN, code=True, allow_code=True)
EACH = [NEW, pytest.param(OLD, marks=pytest.mark.slow)]


@cache
def python(version: str) -> Path:
    """Return the Python of a toolchain."""
    return toolchain_venv(find_toolchain(version), lambda _line: None)


@dataclass(frozen=True)
class Folder:
    """A job's folder with model files, written by the Keras that `version` is about: Keras 2 up to 2.15."""

    path: Path
    version: str
    legacy: bool

    def load(
        self, job: Job, *parts: str, inner: Sequence[str] = (), reader: str = "", near: float = 1e-5
    ) -> dict[str, Any]:
        """Load these parts ("format file") with a toolchain, and return what came of it."""
        named = [part.split(" ") for part in parts]
        whole = replace(job, parts=tuple(ModelPart(file, kind, self.legacy, file) for kind, file in named))
        (self.path / "job.json").write_text(dump(whole), "utf-8")
        (self.path / "inner.json").write_text(json.dumps(list(inner)), "utf-8")
        argv = [
            str(python(reader or self.version)),
            "-s",
            str(SUPPORT / "load_source.py"),
            str(self.path),
            str(near),
        ]
        env = {"PYTHONPATH": str(ROOT), "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"}
        done = subprocess.run(argv, env={**os.environ, **env}, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done.stderr[-3000:]
        report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return report

    def predictions(self, job: Job, *parts: str, expected: str = EXPECTED, reader: str = "") -> dict[str, Any]:
        """Load, and check that every output and tensor inside is the model's own value."""
        if expected != EXPECTED:
            shutil.copyfile(self.path / expected, self.path / EXPECTED)
        report = self.load(job, *parts, reader=reader)
        assert "refusal" not in report, report
        assert report["worst"], "nothing was compared"
        assert max(report["worst"].values()) < 1e-6
        assert report["unknown_captures"] == 0, "each variable that it uses is listed"
        return report

    def refusal(self, job: Job, *parts: str, inner: Sequence[str] = ()) -> list[str]:
        """Load, and return the kind, the message and the hint of the refusal."""
        (self.path / EXPECTED).unlink(missing_ok=True)
        report = self.load(job, *parts, inner=inner)
        assert "refusal" in report, report
        refused: list[str] = report["refusal"]
        assert refused[2], "there is a next step"
        return refused


def folder(path: Path, kind: str, version: str) -> Folder:
    """Write a kind of tests.source_models with the Keras of a TensorFlow."""
    legacy = version <= OLD
    return Folder(written(python(version), f"2:{kind}" if legacy else kind, path), version, legacy)


# ---------------------------------------------------------------- Keras


@pytest.mark.parametrize("version", EACH)
@pytest.mark.parametrize("file", [".keras model.keras", ".h5 model.h5"])
def test_a_functional_model_has_its_layers_at_hand_and_its_variables_by_their_path(
    tmp_path: Path, version: str, file: str
) -> None:
    report = folder(tmp_path, "functional", version).predictions(PLAIN, file)
    assert report["signatures"] == {
        "serving_default": [
            [["image", [None, 8, 8, 1], "float32", True]],
            [["digit", [None, 3], "float32", True], ["box", [None, 2], "float32", True]],
        ]
    }
    assert {"backbone/conv", "backbone/conv:1", "shared"} - {*report["inner"]} == {"backbone/conv:1"}
    assert "image" not in report["inner"], "an input layer is never called"
    names = ["backbone/conv/kernel", "backbone/bn/moving_mean", "narrow/bias", "shared/kernel", "digit/kernel"]
    assert {*names} <= {*report["variables"]}
    assert report["loader"].split()[1] == {NEW: "3.15.1", OLD: "2.15.0"}[version]


@pytest.mark.parametrize("version", EACH)
def test_a_layer_that_is_not_there_or_gives_less_is_refused(tmp_path: Path, version: str) -> None:
    made = folder(tmp_path, "functional", version)
    kind, message, hint = made.refusal(PLAIN, ".keras model.keras", inner=["shard"])
    assert (kind, message) == ("recipe", "the model has no layer 'shard'")
    assert "did you mean 'shared'?" in hint
    assert (
        "gives 2 tensors, and 'shared:2' would be one more"
        in made.refusal(PLAIN, ".keras model.keras", inner=["shared:2"])[1]
    )


@pytest.mark.parametrize("version", EACH)
def test_a_layer_in_a_loop_gives_no_output(tmp_path: Path, version: str) -> None:
    made = folder(tmp_path, "looped", version)
    made.predictions(CODE, ".keras model.keras")
    assert made.refusal(CODE, ".keras model.keras", inner=["step:1"]) == [
        "recipe",
        "the layer 'step' runs inside a loop or a branch, where no output can be taken from",
        "name the layer around it",
    ]
    assert "refusal" not in made.load(CODE, ".keras model.keras", inner=["step"])  # its call outside of the loop


@pytest.mark.parametrize("version", EACH)
def test_a_sequential_model_with_recurrent_layers(tmp_path: Path, version: str) -> None:
    made = folder(tmp_path, "sequential", version)
    assert "lstm/lstm_cell/kernel" in made.predictions(PLAIN, ".keras model.keras")["variables"]


# ---------------------------------------------------------------- code of the model's own


@pytest.mark.parametrize("version", EACH)
@pytest.mark.parametrize("file", [".keras model.keras", ".h5 model.h5"])
def test_layers_and_functions_of_the_models_own_come_from_its_code(tmp_path: Path, version: str, file: str) -> None:
    """One of them registered as "ours>Shift", and given as "Shift"."""
    folder(tmp_path, "custom_layers", version).predictions(CODE, file)


def test_without_its_code_such_a_model_says_what_to_give(tmp_path: Path) -> None:
    made = folder(tmp_path, "custom_layers", NEW)
    kind, message, hint = made.refusal(PLAIN, ".keras model.keras")
    assert kind == "model"
    assert "Could not locate class 'Scale'" in message
    assert "give it in [model] code: CUSTOM_OBJECTS = {'Scale': Scale}" in hint
    assert "refusal" not in made.load(CODE, ".keras model.keras")


@pytest.mark.parametrize("version", EACH)
@pytest.mark.parametrize("file", [".keras model.keras", ".h5 model.h5"])
def test_functions_without_a_name_run_where_code_may(tmp_path: Path, version: str, file: str) -> None:
    """An activation's, too, which Keras writes and does not read."""
    folder(tmp_path, "lambdas", version).predictions(replace(PLAIN, allow_code=True), file)


@pytest.mark.parametrize("version", EACH)
@pytest.mark.parametrize("file", [".keras model.keras", ".h5 model.h5"])
def test_functions_without_a_name_can_be_given_by_their_layers(tmp_path: Path, version: str, file: str) -> None:
    made = folder(tmp_path, "lambdas", version)
    objects = "{'dense/<lambda>': lambda t: t * t + 1.0, 'minus/<lambda>': lambda t: t - 3.0}"
    (tmp_path / "custom.py").write_text(f"CUSTOM_OBJECTS = {objects}\n", "utf-8")
    made.predictions(CODE, file)


@pytest.mark.parametrize("version", EACH)
def test_one_function_without_a_name_needs_no_layer(tmp_path: Path, version: str) -> None:
    made = folder(tmp_path, "one_lambda", version)
    (tmp_path / "custom.py").write_text("CUSTOM_OBJECTS = {'<lambda>': lambda t: t * t}\n", "utf-8")
    made.predictions(CODE, ".h5 model.h5")


def test_functions_without_a_name_are_refused_where_no_code_may_run(tmp_path: Path) -> None:
    made = folder(tmp_path, "one_lambda", NEW)
    expected = (tmp_path / EXPECTED).read_bytes()
    hint = made.refusal(PLAIN, ".keras model.keras")[2]
    assert hint.startswith(
        "layer 'dense' has a function without a name, stored as Python code: give it in [model] code"
    )
    assert hint.endswith("or let that code run: in a container (--engine docker), or with [model] allow_code = true")
    printed = hint.partition("[model] code, ")[2].partition(", or let")[0]
    (tmp_path / EXPECTED).write_bytes(expected)
    (tmp_path / "custom.py").write_text(printed.replace("...", "lambda t: t * t") + "\n", "utf-8")
    made.predictions(CODE, ".keras model.keras")
    made.predictions(replace(PLAIN, allow_code=True), ".keras model.keras")


@pytest.mark.slow
def test_a_function_that_is_not_even_in_the_file_is_given_as_the_next_step_has_it(tmp_path: Path) -> None:
    """Some Keras 2 wrote an activation without a name as the word "<lambda>"."""
    made = folder(tmp_path, "one_lambda", OLD)
    with h5py.File(tmp_path / "model.h5", "a") as file:
        config = json.loads(file.attrs["model_config"])
        for each in config["config"]["layers"]:
            if each["config"]["name"] == "dense":
                each["config"]["activation"] = "<lambda>"
        file.attrs["model_config"] = json.dumps(config)
    message = made.load(replace(PLAIN, allow_code=True), ".h5 model.h5")
    hint = message["refusal"][2]
    assert "has a function without a name, of which the file has nothing: give it in [model] code" in hint
    printed = hint.partition("[model] code, ")[2]
    (tmp_path / "custom.py").write_text(printed.replace("lambda x: ...", "lambda x: x * x") + "\n", "utf-8")
    made.predictions(CODE, ".h5 model.h5")


LAMBDAS = replace(PLAIN, allow_code=True)
FILES = [".keras", ".h5"]


@pytest.mark.parametrize("version", EACH)
@pytest.mark.parametrize("file", FILES)
def test_byte_code_finds_the_usual_names_and_what_it_was_written_with(tmp_path: Path, version: str, file: str) -> None:
    made = folder(tmp_path, "lambda_names", version)
    if version == NEW:  # Keras 2 writes the byte-code of a function with a name, Keras 3 its name
        kind, message, hint = made.load(LAMBDAS, f"{file} model{file}")["refusal"]
        assert (kind, hint) == ("model", "give it in [model] code: CUSTOM_OBJECTS = {'enlarge': enlarge}")
        assert "'enlarge'" in message
        (tmp_path / "custom.py").write_text(
            f"def enlarge(t):\n    return t * 3.0\n{hint.partition(': ')[2]}\n", "utf-8"
        )
    made.predictions(CODE if version == NEW else LAMBDAS, f"{file} model{file}")


@pytest.mark.parametrize("version", EACH)
@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("shape", ["known", "open"])
def test_byte_code_that_misses_a_name_says_which_and_what_to_write(
    tmp_path: Path, version: str, file: str, shape: str
) -> None:
    """Keras calls a Lambda layer of a known shape only after the model is loaded."""
    made = folder(tmp_path, "lambda_misses", version)
    kind, message, hint = made.load(LAMBDAS, f"{file} {shape}{file}")["refusal"]
    assert kind == "model"
    assert message.startswith("the function of layer 'half' uses 'halve': ")
    helper, whole = hint.partition("code: ")[2].split("; or the whole function: ")
    assert whole == "CUSTOM_OBJECTS = {'half/<lambda>': lambda value: ...}"
    for line in (f"def halve(t):\n    return t * 0.5\n{helper}\n", whole.replace("...", "value * 0.5") + "\n"):
        (tmp_path / "custom.py").write_text(line, "utf-8")
        made.predictions(CODE, f"{file} {shape}{file}")


@pytest.mark.parametrize("version", EACH)
def test_byte_code_that_uses_another_function_has_it_in_a_keras_file_alone(tmp_path: Path, version: str) -> None:
    made = folder(tmp_path, "lambda_in_lambda", version)
    made.predictions(LAMBDAS, ".keras model.keras")
    _, message, hint = made.load(LAMBDAS, ".h5 model.h5")["refusal"]
    assert "layer 'both' " in message
    assert "of another function that it uses the file has nothing" in message
    line = hint.partition("code: ")[2].replace("...", "(abs(t) + 1.0) * 0.5")
    (tmp_path / "custom.py").write_text(f"{line}\n", "utf-8")
    made.predictions(CODE, ".h5 model.h5")


@pytest.mark.parametrize("version", EACH)
def test_a_name_that_byte_code_never_comes_by_is_not_missed(tmp_path: Path, version: str) -> None:
    made = folder(tmp_path, "lambda_misses", version)
    for file in FILES:
        made.predictions(LAMBDAS, f"{file} never{file}")


# lambda value: tf.nn.relu(value), as Python 2.7, 3.8, 3.12 and 3.13 dump it.
OTHER_PYTHONS = {
    "2.7": (
        "YwEAAAABAAAAAgAAAEMAAABzEAAAAHQAAGoBAGoCAHwAAIMBAFMoAQAAAE4oAwAAAHQCAAAAdGZ0AgAAAG5udAQAAA"
        "ByZWx1KAEAAAB0BQAAAHZhbHVlKAAAAAAoAAAAAHMIAAAAPHN0cmluZz50CAAAADxsYW1iZGE+AQAAAHQAAAAA"
    ),
    "3.8": (
        "4wEAAAAAAAAAAAAAAAEAAAADAAAAQwAAAHMMAAAAdABqAaACfAChAVMAKQFOKQPaAnRm2gJubtoEcmVsdSkB2gV2YW"
        "x1ZakAcgUAAADaCDxzdHJpbmc+2gg8bGFtYmRhPgEAAADzAAAAAA=="
    ),
    "3.12": (
        "4wEAAAAAAAAAAAAAAAMAAAADAAAA80AAAACXAHQAAAAAAAAAAABqAgAAAAAAAAAAAAAAAAAAAAAAAGoFAAAAAAAAAA"
        "AAAAAAAAAAAAAAfACrAQAAAAAAAFMAKQFOKQPaAnRm2gJubtoEcmVsdSkB2gV2YWx1ZXMBAAAAIPoIPHN0cmluZz76"
        "CDxsYW1iZGE+cgcAAAABAAAAcxMAAACAAKRip2WhZadqoWqwFdMmN4AA8wAAAAA="
    ),
    "3.13": (
        "4wEAAAAAAAAAAAAAAAMAAAADAAAA80AAAACVAFsAAAAAAAAAAABSAgAAAAAAAAAAAAAAAAAAAAAAAFIFAAAAAAAAAA"
        "AAAAAAAAAAAAAAVQA1AQAAAAAAACQAKQFOKQPaAnRm2gJubtoEcmVsdSkB2gV2YWx1ZXMBAAAAINoIPHN0cmluZz7a"
        "CDxsYW1iZGE+cgcAAAABAAAAcxEAAACAAKRip2WhZadqoWqwFdQmN/MAAAAA"
    ),
}


@pytest.mark.parametrize("writer", OTHER_PYTHONS)
def test_byte_code_of_another_python_is_refused_with_what_to_write(writer: str) -> None:
    config = lambda_layer("half", OTHER_PYTHONS[writer])
    with pytest.raises(JobError) as caught:
        Renamed(json.dumps(config), {}, legacy=True, allow_code=True)
    assert caught.value.refusal.message.startswith("layer 'half' has a function as byte-code that this Python 3.")
    assert caught.value.refusal.hint.startswith("give it in [model] code: ")
    assert "CUSTOM_OBJECTS = {'half/<lambda>': lambda " in caught.value.refusal.hint
    given = Renamed(json.dumps(config), {"half/<lambda>": abs}, legacy=True, allow_code=True)
    assert json.loads(given.text)["config"]["activation"] == "half/<lambda>"


def test_one_name_for_two_functions_is_refused() -> None:
    config = {"layers": [lambda_layer("a", "AAAA"), lambda_layer("b", "BBBB")]}
    with pytest.raises(JobError, match="stands for several functions without a name, one in 'b'") as caught:
        Renamed(json.dumps(config), {"<lambda>": abs}, legacy=False, allow_code=True)
    assert caught.value.refusal.hint == "give each by its layer: CUSTOM_OBJECTS = {'b/<lambda>': ...}"
    given = Renamed(json.dumps(config), {"<lambda>": abs, "b/<lambda>": max}, legacy=True, allow_code=True)
    assert [layer["config"]["activation"] for layer in json.loads(given.text)["layers"]] == ["<lambda>", "b/<lambda>"]


def lambda_layer(name: str, code: str) -> dict[str, Any]:
    """Return a layer whose activation has no name."""
    return {"class_name": "Dense", "config": {"name": name, "activation": {"value": [code, None, None]}}}


def test_what_keras_2_calls_a_lambda_without_its_code_can_be_given_too() -> None:
    config = {"class_name": "Dense", "config": {"name": "dense", "activation": "<lambda>"}}
    assert Renamed(json.dumps(config), {}, legacy=True, allow_code=True).lost == ["dense"]
    given = Renamed(json.dumps(config), {"dense/<lambda>": abs}, legacy=True, allow_code=True)
    assert json.loads(given.text)["config"]["activation"] == "dense/<lambda>"


@pytest.mark.parametrize(
    ("text", "message", "step"),
    [
        ("x = 1\nx +\n", "custom.py, line 2: SyntaxError: invalid syntax", "correct custom.py"),
        (
            "\n\nraise ValueError('no licence')\n",
            "custom.py, line 3: ValueError: no licence",
            "correct custom.py, line 3",
        ),
        (
            "def f():\n    return 1 / 0\nf()\n",
            "custom.py, line 2: ZeroDivisionError: division by zero",
            "correct custom",
        ),
        ("raise SystemExit\n", "custom.py, line 1: SystemExit", "correct custom.py"),
        (
            "x = 1\n",
            "custom.py: it defines no CUSTOM_OBJECTS",
            "give the model's own classes and functions by their names: CUSTOM_OBJECTS = {'MyLayer': MyLayer}",
        ),
        (
            "CUSTOM_OBJECTS = [1]\n",
            "custom.py: CUSTOM_OBJECTS is not a dict of names",
            "write CUSTOM_OBJECTS = {'MyLayer': MyLayer}",
        ),
        (
            "build_model = 3\n",
            "custom.py: build_model is no function",
            "write it as a function: def build_model(): return model",
        ),
    ],
)
def test_an_error_in_the_code_names_its_line_and_corrected_it_runs(
    tmp_path: Path, text: str, message: str, step: str
) -> None:
    from kit.worker.source.custom_objects import load_custom

    (tmp_path / "custom.py").write_text(text, "utf-8")
    with pytest.raises(JobError) as caught:
        load_custom(tmp_path, CODE)
    assert caught.value.refusal.kind == "model"
    assert caught.value.refusal.message == f"[model] code: {message}"
    assert step in caught.value.refusal.hint
    printed = step.removeprefix("write ") if step.startswith("write C") else step.partition(": ")[2]
    right = printed if "MyLayer" in printed or "def " in printed else "CUSTOM_OBJECTS = {}"
    (tmp_path / "custom.py").write_text(f"MyLayer = model = abs\n{right}\n", "utf-8")
    custom = load_custom(tmp_path, CODE)
    assert custom.build_model if "def " in right else custom.objects == ({"MyLayer": abs} if "My" in right else {})


def test_code_is_never_run_where_it_may_not(tmp_path: Path) -> None:
    from kit.worker.source.custom_objects import load_custom

    (tmp_path / "custom.py").write_text("raise ValueError('it ran')\n", "utf-8")
    with pytest.raises(JobError, match="may not run here") as caught:
        load_custom(tmp_path, replace(PLAIN, code=True))
    assert caught.value.refusal.hint == "build in a container, or set [model] allow_code = true"
    (tmp_path / "custom.py").write_text("CUSTOM_OBJECTS = {}\n", "utf-8")
    assert load_custom(tmp_path, replace(PLAIN, code=True, allow_code=True)).objects == {}


def test_an_error_in_a_layers_own_call_names_its_line(tmp_path: Path) -> None:
    made = folder(tmp_path, "custom_layers", NEW)
    code = (tmp_path / "custom.py").read_text("utf-8").replace("return x * self.factor", "return x * self.fcator")
    (tmp_path / "custom.py").write_text(code, "utf-8")
    message = made.refusal(CODE, ".keras model.keras")[1]
    line = code[: code.index("fcator")].count("\n") + 1
    assert f"custom.py, line {line}" in message
    assert "fcator" in message


# ---------------------------------------------------------------- old files, and what Keras did to the weights


@pytest.mark.parametrize("version", EACH)
@pytest.mark.parametrize(
    ("file", "inputs"), [("listed", {"first_input": (5,)}), ("deferred", {"first_input": (5,)}), ("model", {"x": (5,)})]
)
def test_a_file_as_keras_2_0_to_2_2_laid_it_out_loads_and_tells_its_inputs(
    tmp_path: Path, version: str, file: str, inputs: dict[str, tuple[int, ...]]
) -> None:
    made = folder(tmp_path, "old", OLD)
    report = made.predictions(PLAIN, f".h5 {file}.h5", expected=f"{file}.npz", reader=version)
    assert read_model_file(tmp_path / f"{file}.h5").inputs == inputs
    (main,) = report["signatures"].values()
    assert [(name, tuple(shape[1:])) for name, shape, *_ in main[0]] == [*inputs.items()]


@pytest.mark.parametrize("version", EACH)
@pytest.mark.parametrize("file", ["LSTM", "GRU"])
def test_recurrent_layers_that_only_a_gpu_ran_become_those_for_all(tmp_path: Path, version: str, file: str) -> None:
    """Their weights have another layout, in a Bidirectional, too."""
    made = folder(tmp_path, "cudnn", OLD)
    assert '"CuDNN' in read_hdf5(tmp_path / f"{file}.h5").texts["model_config"]
    made.predictions(PLAIN, f".h5 {file}.h5", expected=f"{file}.npz", reader=version)


@pytest.mark.parametrize("version", EACH)
@pytest.mark.parametrize("file", FILES)
def test_a_sequential_without_an_input_layer_is_not_bound_to_the_batch_of_its_first_call(
    tmp_path: Path, version: str, file: str
) -> None:
    report = folder(tmp_path, "unopened", version).predictions(PLAIN, f"{file} model{file}")
    ((_, shape, *_),) = report["signatures"]["serving_default"][0]
    assert shape == [None, 5]
    assert "[model] batch = 3 fixes it" in report["notes"][0]


def test_a_sequential_with_an_input_layer_of_its_own_keeps_its_batch() -> None:
    layers = [{"class_name": "InputLayer", "config": {"name": "series", "batch_shape": [3, 5]}}, {"class_name": "GRU"}]
    text = json.dumps({"class_name": "Sequential", "config": {"layers": layers}})
    assert modern(text) == (text, [])
    stateful = text.replace("series", "input_layer").replace('"GRU"', '"GRU", "config": {"stateful": true}')
    assert modern(stateful) == (stateful, [])


@pytest.mark.parametrize("file", [".keras", pytest.param(".h5", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("mode", "near"), [("int8", 0.02), ("int4", 1e-6), ("float8", 0.2), ("lora", 1e-5), ("lora_int8", 0.05)]
)
def test_what_keras_3_quantized_or_adapted_itself_has_float_weights_again(
    tmp_path: Path, file: str, mode: str, near: float
) -> None:
    """Near what the file's own model returns: Keras rounds what goes into each layer, too."""
    made = folder(tmp_path, "quantized", NEW)
    shutil.copyfile(tmp_path / f"{mode}.npz", tmp_path / EXPECTED)
    report = made.load(PLAIN, f"{file} {mode}{file}", near=near)
    if (file, mode) == (".h5", "float8"):  # Keras writes its variables in another order than it reads them
        assert "save the model before model.quantize()" in report["refusal"][2]
        return
    assert report["worst"]["score"] < near
    assert {"rows/embeddings", "einsum/kernel", "score/kernel"} <= {*report["variables"]}
    assert not [name for name in report["variables"] if "scale" in name or "lora" in name]
    assert ("LoRA" if mode == "lora" else "quantized by Keras") in report["notes"][-1]


def test_what_keras_3_quantized_and_cannot_load_says_what_to_save(tmp_path: Path) -> None:
    made = folder(tmp_path, "quantized_attention", NEW)
    made.predictions(PLAIN, ".keras before.keras")
    assert made.refusal(PLAIN, ".keras model.keras")[2].startswith("save the model before model.quantize()")


@pytest.mark.parametrize("file", FILES)
def test_operations_between_layers_load_from_both_kinds_of_files(tmp_path: Path, file: str) -> None:
    """Keras 3 itself does not find them in an .h5."""
    folder(tmp_path, "operated", NEW).predictions(PLAIN, f"{file} model{file}")


@pytest.mark.slow
def test_a_spectrogram_has_its_window_from_its_weights(tmp_path: Path) -> None:
    """Keras asks scipy for a window, and no toolchain has scipy."""
    made = folder(tmp_path, "spectrogram", NEW)
    for file in FILES:
        made.predictions(PLAIN, f"{file} model{file}")
    (tmp_path / "model.json").rename(tmp_path / "structure.json")
    made.predictions(replace(PLAIN, structure=True), "weights model.weights.h5")
    code = "import keras\ndef build_model():\n    x = keras.Input((400, 1), name='sound')\n    stft = keras.layers." + (
        "STFTSpectrogram(mode='log', frame_length=64, frame_step=32, fft_length=128, name='stft')\n"
        "    return keras.Model(x, keras.layers.Dense(3, name='score')(stft(x)))\n"
    )
    (tmp_path / "custom.py").write_text(code, "utf-8")
    report = made.load(CODE, "weights model.weights.h5")
    assert report["refusal"][2].startswith("STFTSpectrogram(..., window=None)")
    (tmp_path / "custom.py").write_text(code.replace("fft_length", "window=None, fft_length"), "utf-8")
    made.predictions(CODE, "weights model.weights.h5")


def test_a_layer_of_another_framework_says_what_to_build(tmp_path: Path) -> None:
    made = folder(tmp_path, "weights", NEW)
    text = json.dumps(json.loads((tmp_path / "structure.json").read_text("utf-8")))
    for name, whose in (("TorchModuleWrapper", "PyTorch's own code"), ("JaxLayer", "JAX's own code")):
        (tmp_path / "structure.json").write_text(
            text.replace('"class_name": "Dense"', f'"class_name": "{name}"'), "utf-8"
        )
        kind, _, hint = made.refusal(replace(CODE, structure=True), "weights model.weights.h5")
        assert (kind, whose in hint) == ("model", True), hint
        assert hint.endswith("own code: build that layer of Keras's layers, give it the weights, and save again")
    (tmp_path / "structure.json").write_text(text, "utf-8")
    assert "refusal" not in made.load(replace(CODE, structure=True), "weights model.weights.h5")


# ---------------------------------------------------------------- subclassed models


@pytest.mark.parametrize("version", EACH)
def test_a_subclassed_model_takes_what_it_was_built_with_and_names_what_it_returns(
    tmp_path: Path, version: str
) -> None:
    report = folder(tmp_path, "subclassed", version).predictions(CODE, ".keras model.keras")
    assert report["signatures"]["serving_default"] == [
        [["x", [None, 5], "float32", True]],
        [["features", [None, 4], "float32", True], ["score", [None, 3], "float32", True]],
    ]
    assert [*report["variables"]] == ["hidden/kernel", "hidden/bias", "score/kernel", "score/bias"]


@pytest.mark.parametrize("version", EACH)
def test_a_subclassed_model_of_several_tensors_takes_their_shapes_from_the_recipe(tmp_path: Path, version: str) -> None:
    made = folder(tmp_path, "subclassed_pair", version)
    requests = (InputSpec("photo", "left", shape=(5,)), InputSpec("right", shape=(2,)))
    report = made.predictions(replace(CODE, inputs=requests), ".keras model.keras")
    assert report["signatures"]["serving_default"][1] == [["output", [None, 2], "float32", True]]
    kind, message, hint = made.refusal(CODE, ".keras model.keras")
    assert (kind, message) == ("recipe", "the model does not say what its inputs are, and neither does the recipe")
    assert hint == "give each as [[inputs]] with name and shape; its call takes left, right"


def test_a_subclassed_model_that_cannot_be_called_with_the_recipes_shapes(tmp_path: Path) -> None:
    requests = (InputSpec("left", shape=(5,)), InputSpec("right", shape=(7,)))
    made = folder(tmp_path, "subclassed_pair", NEW)
    _, message, hint = made.refusal(replace(CODE, inputs=requests), ".keras model.keras")
    assert "cannot be called with left [None, 5] float32, right [None, 7] float32" in message
    assert "give the shape that the model was trained with: [[inputs]] shape, without the batch axis" in hint
    one = (InputSpec("left", shape=(5,)),)
    hint = made.refusal(replace(CODE, inputs=one), ".keras model.keras")[2]
    assert "give each tensor of its call, in its order, as [[inputs]] with name and shape" in hint
    right = (InputSpec("left", shape=(5,)), InputSpec("right", shape=(2,)))
    assert "refusal" not in made.load(replace(CODE, inputs=right), ".keras model.keras")


# ---------------------------------------------------------------- weights alone


@pytest.mark.parametrize(
    ("version", "file"),
    [
        (NEW, "model.weights.h5"),
        pytest.param(OLD, "model.weights.h5", marks=pytest.mark.slow),
        pytest.param(OLD, "legacy.h5", marks=pytest.mark.slow),
    ],
)
def test_weights_alone_get_their_structure_from_json_or_from_code(tmp_path: Path, version: str, file: str) -> None:
    made = folder(tmp_path, "weights", version)
    for job in (CODE, replace(CODE, structure=True)):
        assert made.predictions(job, f"weights {file}")["variables"] == {
            "scale/factor": [5],
            "score/kernel": [5, 2],
            "score/bias": [2],
        }


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    made = folder(tmp_path, "weights", NEW)
    expected, saved_with = (tmp_path / EXPECTED).read_bytes(), (tmp_path / "structure.json").read_bytes()
    assert "the weights are not this model's" in made.refusal(CODE, "weights longer.weights.h5")[1]
    shutil.copyfile(tmp_path / "other.json", tmp_path / "structure.json")
    _, message, hint = made.refusal(replace(CODE, structure=True), "weights model.weights.h5")
    assert "the weights are not this model's" in message
    assert hint == "give the structure that they were saved with"
    (tmp_path / "structure.json").write_bytes(saved_with)
    (tmp_path / EXPECTED).write_bytes(expected)
    made.predictions(replace(CODE, structure=True), "weights model.weights.h5")


def test_more_weights_than_the_model_takes_are_refused(tmp_path: Path) -> None:
    """Keras itself takes the first two layers, and is silent."""
    made = folder(tmp_path, "weights", NEW)
    (tmp_path / "custom.py").write_text(
        "import keras\ndef build_model():\n"
        "    return keras.Sequential([keras.Input((5,)), keras.layers.Dense(5), keras.layers.Dense(2)])\n",
        "utf-8",
    )
    message = made.refusal(CODE, "weights longer.weights.h5")[1]
    assert "the file holds 48 numbers, and the model takes 42" in message


def test_weights_alone_without_a_structure_say_what_to_give(tmp_path: Path) -> None:
    made = folder(tmp_path, "weights", NEW)
    expected = (tmp_path / EXPECTED).read_bytes()
    hint = made.refusal(PLAIN, "weights model.weights.h5")[2]
    assert hint.startswith(
        "give it: [model] structure = 'model.json', as model.to_json() writes it, or build_model() in"
    )
    (tmp_path / EXPECTED).write_bytes(expected)
    for job in (replace(CODE, structure=True), CODE):
        made.predictions(job, "weights model.weights.h5")


@pytest.mark.parametrize(
    ("body", "message", "step"),
    [
        (
            "return 3",
            "build_model() returns builtins.int",
            "import keras in the code (it is the right one for the file)",
        ),
        ("raise KeyError('units')", "build_model() fails: custom.py, line 2: KeyError", "correct custom.py, line 2"),
    ],
)
def test_code_that_builds_no_model_is_refused(tmp_path: Path, body: str, message: str, step: str) -> None:
    made = folder(tmp_path, "weights", NEW)
    right, expected = (tmp_path / "custom.py").read_bytes(), (tmp_path / EXPECTED).read_bytes()
    (tmp_path / "custom.py").write_text(f"def build_model():\n    {body}\n", "utf-8")
    _, said, hint = made.refusal(CODE, "weights model.weights.h5")
    assert message in said
    assert step in hint
    (tmp_path / "custom.py").write_bytes(right)
    (tmp_path / EXPECTED).write_bytes(expected)
    made.predictions(CODE, "weights model.weights.h5")


# ---------------------------------------------------------------- SavedModels


@pytest.mark.parametrize("version", EACH)
def test_what_keras_exports_loads_with_its_names_and_variables(tmp_path: Path, version: str) -> None:
    made = folder(tmp_path, "saved", version)
    report = made.predictions(PLAIN, "SavedModel exported")
    assert report["signatures"] == {
        "serving_default": [
            [["image", [None, 8, 8, 1], "float32", True]],
            [["output_0", [None, 3], "float32", True], ["output_1", [None, 2], "float32", True]],
        ]
    }
    assert "'serve' is left out" in report["notes"][0]
    assert report["loader"] == f"SavedModel of TensorFlow {version}"
    assert report["parameters"] >= 20
    both = made.predictions(replace(PLAIN, signatures=("serve", "serving_default")), "SavedModel exported")
    assert [*both["signatures"]] == ["serve", "serving_default"]


@pytest.mark.slow
def test_what_keras_2_saves_loads_with_its_layers_operations(tmp_path: Path) -> None:
    report = folder(tmp_path, "saved", OLD).predictions(PLAIN, "SavedModel saved", expected="saved.npz")
    assert "net/narrow/BiasAdd" in report["inner"]
    assert report["variables"]["narrow/kernel"] == [72, 4]


def test_signatures_are_as_they_are_and_the_recipe_picks_and_orders_them(tmp_path: Path) -> None:
    made = folder(tmp_path, "signatures", NEW)
    report = made.predictions(replace(PLAIN, signatures=("many", "scale")), "SavedModel module")
    assert [*report["signatures"]] == ["many", "scale"]
    assert [port[0] for port in report["signatures"]["many"][1]] == [f"output_{i}" for i in range(11)]
    assert report["signatures"]["scale"] == [
        [["by", [], "float32", False], ["v", [3], "float32", False]],
        [["scaled", [3], "float32", False], ["sum", [], "float32", False]],
    ]
    assert report["variables"] == {"w": [3, 3], "w_1": [3]}
    kind, message, hint = made.refusal(replace(PLAIN, signatures=("manny",)), "SavedModel module")
    assert (kind, message) == ("recipe", "[model] signatures: the SavedModel has no 'manny'")
    assert hint == "did you mean 'many'? there is: loop, many, scale"


def test_a_tensor_in_a_loop_or_nowhere_gives_no_output(tmp_path: Path) -> None:
    made = folder(tmp_path, "signatures", NEW)
    loop = replace(PLAIN, signatures=("loop",))
    _, message, hint = made.refusal(loop, "SavedModel module", inner=["inside"])
    assert "'inside' runs inside a loop or a branch" in message
    assert hint == "name the operation around it"
    assert "refusal" not in made.load(loop, "SavedModel module", inner=["while:3"])
    many = replace(PLAIN, signatures=("many",))
    assert "did you mean 'hidden'?" in made.refusal(many, "SavedModel module", inner=["hiden"])[2]


@pytest.mark.parametrize(
    ("file", "message", "hint"),
    [
        ("text", "input 'text' of signature 'text' is text", "signatures = ['many', 'scale', 'loop']"),
        ("text", "LookupTableFindV2, in 'vocabulary/", "do the lookup in the app and feed ids"),
        ("unsigned", "no signatures", "model.export(folder)"),
        ("python", "a Python function that is not in the file (operation PyFunc", "do it in the app"),
        ("reads", "reads or writes files when it runs (operation ReadFile", "allow_code = true"),
    ],
)
def test_what_no_app_can_run_is_refused(tmp_path: Path, file: str, message: str, hint: str) -> None:
    refused = folder(tmp_path, "signatures", NEW).refusal(PLAIN, f"SavedModel {file}")
    assert refused[0] == "model"
    assert message in refused[1]
    assert hint in refused[2]


def test_a_saved_model_as_tensorflow_1_wrote_it(tmp_path: Path) -> None:
    report = folder(tmp_path, "ancient", NEW).predictions(PLAIN, "SavedModel ancient")
    assert report["variables"] == {"layer/w": [3, 2]}
    assert "layer/relu" in report["inner"]


WRITERS = ("2.12.1", "2.15.1", "2.16.2", "2.21.0")


@pytest.mark.slow
@pytest.mark.parametrize("reader", WRITERS)
def test_every_tensorflow_loads_what_every_other_saved(reader: str, tmp_path: Path) -> None:
    for writer in WRITERS:
        made = folder(tmp_path / writer, "saved", writer)
        assert made.predictions(PLAIN, "SavedModel exported", reader=reader)["loader"].endswith(writer)
        if made.legacy:
            made.predictions(PLAIN, "SavedModel saved", expected="saved.npz", reader=reader)
        made = folder(tmp_path / f"{writer}-module", "signatures", writer)
        made.predictions(replace(PLAIN, signatures=("many", "scale")), "SavedModel module", reader=reader)
        folder(tmp_path / f"{writer}-ancient", "ancient", writer).predictions(
            PLAIN, "SavedModel ancient", reader=reader
        )


@pytest.mark.slow
@pytest.mark.parametrize("reader", ["2.12.1", "2.13.1", "2.16.2", "2.21.0"])
def test_what_keras_2_wrote_with_code_loads_in_every_keras_2(reader: str, tmp_path: Path) -> None:
    folder(tmp_path / "a", "custom_layers", OLD).predictions(CODE, ".h5 model.h5", reader=reader)
    folder(tmp_path / "b", "lambdas", OLD).predictions(replace(PLAIN, allow_code=True), ".h5 model.h5", reader=reader)
    folder(tmp_path / "c", "functional", OLD).predictions(PLAIN, ".h5 model.h5", reader=reader)
    made = folder(tmp_path / "d", "weights", OLD)
    for job in (CODE, replace(CODE, structure=True)):
        made.predictions(job, "weights legacy.h5", reader=reader)


@pytest.mark.slow
@pytest.mark.parametrize("writer", ["2.12.1", "2.13.1", "2.14.1", "2.15.1"])
def test_the_newer_weights_of_keras_2_load_where_the_data_says(writer: str, tmp_path: Path) -> None:
    made = folder(tmp_path, "weights", writer)
    keras = find_toolchain(writer).keras
    for reader in ("2.12.1", "2.13.1", "2.14.1", "2.15.1", "2.21.0"):
        if find_toolchain(reader).can_load(".weights.h5", keras):
            made.predictions(CODE, "weights model.weights.h5", reader=reader)


# ---------------------------------------------------------------- several models


@pytest.mark.parametrize("version", EACH)
def test_models_join_by_the_names_at_the_joint(tmp_path: Path, version: str) -> None:
    """The second takes them in another order than the first gives them."""
    made = folder(tmp_path, "parts", version)
    report = made.predictions(PLAIN, ".keras pre.keras", ".keras net.keras")
    assert report["signatures"]["serving_default"] == [
        [["x", [None, 4], "float32", True]],
        [["score", [None, 2], "float32", True]],
    ]
    assert {"pre/left/kernel", "net/score/kernel"} <= {*report["variables"]}
    assert "net/both" in report["inner"]


def test_one_output_and_one_input_join_whatever_their_names(tmp_path: Path) -> None:
    made = folder(tmp_path, "parts", NEW)
    report = made.predictions(PLAIN, ".keras pre.keras", ".keras net.keras", ".keras tail.keras", expected="tail.npz")
    assert [port[0] for port in report["signatures"]["serving_default"][1]] == ["final"]


@pytest.mark.parametrize(
    ("file", "what"),
    [("misnamed.keras", "'features' has nothing to feed it"), ("short.keras", "'left' does not fit 'left'")],
)
def test_a_joint_that_does_not_fit_tells_both_sides(tmp_path: Path, file: str, what: str) -> None:
    kind, message, _ = folder(tmp_path, "parts", NEW).refusal(PLAIN, ".keras pre.keras", f".keras {file}")
    assert kind == "recipe"
    assert what in message
    assert "pre.keras gives left float32[any, 3], right float32[any, 2]" in message
    assert f"{file} takes right float32[any, 2], " in message
