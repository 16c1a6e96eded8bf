"""What a Keras file and a SavedModel say of their layers, variables and operators, and what `inspect` makes of it."""

from __future__ import annotations

import copy
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from text_files import layer, write_h5
from worlds import DIGITS, ROOT, run_kit

from kit.errors import ModelError
from kit.source_model.layer_graph import Shape, read_graph
from kit.source_model.layer_shapes import layer_shapes
from kit.source_model.layers import file_layers
from kit.source_model.model_file import read_model_file
from kit.source_model.saved_graph import read_saved_graph
from kit.source_model.saved_signature import read_signatures

SEEDS = ROOT / "tests" / "fuzz" / "seeds"


def shapes_of(config: dict[str, Any]) -> dict[str, Shape]:
    """Return what the layers of a model's JSON give."""
    graph = read_graph(config)
    assert graph is not None
    return layer_shapes(graph)


def unstated(config: dict[str, Any]) -> dict[str, Any]:
    """Return a model's JSON without the shapes that Keras 3 writes beside each layer that takes a tensor."""
    bare = copy.deepcopy(config)
    for each in bare["config"]["layers"]:
        for node in each["inbound_nodes"]:
            for tensor in node["args"]:
                del tensor["config"]["shape"]
    return bare


def inside(kind: str, **config: Any) -> dict[str, Any]:
    """Return the description of a layer inside a wrapper."""
    return {"class_name": kind, "config": config}


def test_layers_have_the_parameters_and_bytes_of_their_arrays() -> None:
    source = read_model_file(DIGITS / "digits.keras")
    layers = {each.name: each for each in file_layers(source.config, source.arrays)}
    assert list(layers) == list(dict.fromkeys(each["name"] for each in source.config["config"]["layers"]))
    conv = layers["conv2"]
    assert (conv.kind, conv.shape, conv.parameters, conv.types) == (
        "Conv2D",
        (-1, 8, 8, 32),
        3 * 3 * 16 * 32,
        ("float32",),
    )
    assert layers["digit"].parameters == 256 * 10 + 10
    assert sum(each.bytes for each in layers.values()) == source.weights


def test_shapes_that_follow_are_those_that_keras_states() -> None:
    config = dict(read_model_file(DIGITS / "digits.keras").config)
    stated = shapes_of(config)
    assert len(stated) == len(config["config"]["layers"])
    assert shapes_of(unstated(config)) == stated


@pytest.mark.parametrize(
    ("kind", "config", "given", "shape"),
    [
        ("Conv2D", {"filters": 4, "kernel_size": [3, 3], "strides": [2, 2], "padding": "valid"}, (9, 9, 3), (4, 4, 4)),
        ("Conv2D", {"filters": 4, "kernel_size": [3, 3], "strides": [2, 2], "padding": "same"}, (9, 9, 3), (5, 5, 4)),
        (
            "Conv2D",
            {"filters": 4, "kernel_size": 3, "strides": 1, "padding": "valid", "dilation_rate": 2},
            (9, 9, 3),
            (5, 5, 4),
        ),
        (
            "DepthwiseConv2D",
            {"depth_multiplier": 2, "kernel_size": 3, "strides": 1, "padding": "same"},
            (9, 9, 3),
            (9, 9, 6),
        ),
        ("Conv2DTranspose", {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "valid"}, (4, 4, 3), (9, 9, 4)),
        ("MaxPooling1D", {"pool_size": 2, "strides": None, "padding": "valid"}, (9, 3), (4, 3)),
        ("GlobalAveragePooling2D", {}, (4, 4, 3), (3,)),
        ("ZeroPadding2D", {"padding": [[1, 0], [2, 2]]}, (4, 4, 3), (5, 8, 3)),
        ("UpSampling2D", {"size": [2, 3]}, (4, 4, 3), (8, 12, 3)),
        ("Reshape", {"target_shape": [-1, 3]}, (4, 4, 3), (16, 3)),
        ("Permute", {"dims": [2, 1]}, (4, 5), (5, 4)),
        ("LSTM", {"units": 7, "return_sequences": True}, (5, 3), (5, 7)),
        ("LSTM", {"units": 7}, (5, 3), (7,)),
        ("Dense", {"units": 7}, (5, 3), (5, 7)),
        ("Conv1DTranspose", {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"}, (4, 3), (8, 4)),
        ("Cropping3D", {"cropping": [[1, 0], [2, 2], [0, 1]]}, (4, 8, 4, 3), (3, 4, 3, 3)),
        ("TextVectorization", {"output_mode": "int", "output_sequence_length": 9}, (1,), (9,)),
        ("Bidirectional", {"layer": inside("GRU", units=4), "merge_mode": "concat"}, (5, 3), (8,)),
        ("Bidirectional", {"layer": inside("Unheard", units=4), "merge_mode": "concat"}, (5, 3), None),
        ("TimeDistributed", {"layer": inside("Conv1D", filters=4, kernel_size=3)}, (2, 9, 3), (2, 7, 4)),
        ("TimeDistributed", {"layer": inside("Sequential", layers=[layer("Dense", "d", units=4)])}, (2, 3), (2, 4)),
        ("SpectralNormalization", {"layer": inside("Dense", units=4)}, (3,), (4,)),
        ("MultiHeadAttention", {"num_heads": 2, "output_shape": [6]}, (5, 3), (5, 6)),
        ("Conv2D", {"filters": 4, "data_format": "channels_first"}, (9, 9, 3), None),
        ("Unheard", {}, (4,), None),
        ("Dense", {"units": "seven"}, (4,), None),
        ("Conv2D", {}, (4,), None),
    ],
)
def test_what_a_layer_gives(
    kind: str, config: dict[str, Any], given: tuple[int, ...], shape: tuple[int, ...] | None
) -> None:
    first = {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [None, *given], "sparse": False}}
    layers = [first, {"class_name": kind, "config": {"name": "y", **config}}]
    found = shapes_of({"class_name": "Sequential", "config": {"layers": layers}}).get("y")
    assert found == (None if shape is None else (None, *shape))


def test_a_model_inside_is_gone_through_with_the_sizes_that_it_gets() -> None:
    """The model inside is open, and called with 8; Keras 3 states its own, open shapes inside, and no other outside."""
    entry = layer("InputLayer", "i", batch_shape=[None, None, 3])
    taken = {"class_name": "__keras_tensor__", "config": {"shape": [None, None, 3], "keras_history": ["i", 0, 0]}}
    conv = layer("Conv1D", "c", filters=4, kernel_size=3) | {"inbound_nodes": [{"args": [taken]}]}
    model = {"layers": [entry, conv], "input_layers": [["i", 0, 0]], "output_layers": [["c", 0, 0]]}
    body = [layer("InputLayer", "x", batch_shape=[None, 8, 3]), layer("Functional", "m", **model)]
    assert shapes_of({"class_name": "Sequential", "config": {"layers": body}})["m"] == (None, 6, 4)


def test_a_second_output_is_not_taken_for_the_first() -> None:
    """Keras 2 writes no shape beside `lstm:1`, and the first output's has more axes."""
    lstm = layer("LSTM", "l", units=4, return_sequences=True) | {"inbound_nodes": [[["x", 0, 0, {}]]]}
    rows = [
        layer("InputLayer", "x", batch_input_shape=[None, 8, 3]),
        lstm,
        *(layer("ReLU", name) | {"inbound_nodes": [[["l", 0, place, {}]]]} for place, name in enumerate(("a", "b"))),
    ]
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [["a", 0, 0], ["b", 0, 0]]}
    found = shapes_of({"class_name": "Functional", "config": {"layers": rows, **ends}})
    assert (found["a"], found.get("b")) == ((None, 8, 4), None)


def test_a_model_of_a_class_of_its_own_and_a_sequential_without_an_input_layer_have_shapes() -> None:
    dense = layer("Dense", "d", units=4)
    built = {"class_name": "Sequential", "config": {"layers": [dense], "build_input_shape": [None, 3]}}
    assert shapes_of(built) == {"d": (None, 4)}
    rows = [layer("InputLayer", "x", batch_shape=[2, 3]), dense | {"inbound_nodes": [[["x", 0, 0, {}]]]}]
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [["d", 0, 0]]}
    assert shapes_of({"class_name": "mine>Net", "config": {"layers": rows, **ends}})["d"] == (2, 4)
    assert read_graph({"class_name": "mine>Net", "config": {"layers": rows}}) is None


def test_weights_that_cannot_be_read_are_no_model_without_weights(tmp_path: Path) -> None:
    """Zip and checksum are right, and the weights are cut: kit says so, and a copy that is whole is shown."""
    good, bad = DIGITS / "digits.keras", tmp_path / "bad.keras"
    with zipfile.ZipFile(good) as whole, zipfile.ZipFile(bad, "w") as cut:
        for name in whole.namelist():
            content = whole.read(name)
            cut.writestr(name, content[: len(content) // 2] if name.endswith(".h5") else content)
    done = run_kit("inspect", str(bad))
    assert (done.returncode, done.stdout) == (3, "")
    assert "the weights in it cannot be read: model.weights.h5: it is cut short:" in done.stderr
    assert "next: copy or save it again" in done.stderr
    shutil.copy(good, bad)
    assert run_kit("inspect", str(bad)).returncode == 0


def test_an_h5_names_its_groups_by_layers_whatever_their_number(tmp_path: Path) -> None:
    """Keras 2 began to count at 1: the group conv2d_1 is the layer of that name, not the second of its class."""
    dense = [layer("Dense", f"dense_{n}", units=n + 1) for n in (1, 2)]
    write_h5(tmp_path / "m.h5", *dense)
    with h5py.File(tmp_path / "m.h5", "a") as file:
        del file["model_weights"]
        for n in (1, 2):
            file[f"model_weights/dense_{n}/dense_{n}/kernel:0"] = np.zeros((n, n + 1), np.float32)
        file["optimizer_weights/big"] = np.zeros(1000, np.float32)
    source = read_model_file(tmp_path / "m.h5")
    layers = {each.name: each.parameters for each in file_layers(source.config, source.arrays)}
    assert {name: layers[name] for name in ("dense_1", "dense_2")} == {"dense_1": 2, "dense_2": 6}
    assert source.weights == 4 * 8


def test_inspect_prints_a_keras_files_layers_and_who_wrote_it() -> None:
    lines = run_kit("inspect", str(DIGITS / "digits.keras")).stdout.splitlines()
    assert "written by Keras 3.15.1" in lines
    assert "input      'image' float32[-1,8,8,1]" in lines
    assert "output     'digit' [-1,10]" in lines
    assert "code       none" in lines
    (conv,) = [line for line in lines if line.startswith("conv3 ")]
    assert conv.split() == ["conv3", "Conv2D", "[-1,4,4,64]", "18,432", "73,728", "70.3", "%", "float32"]


def test_a_saved_model_has_signatures_operators_and_variables_with_types(tmp_path: Path) -> None:
    shutil.copy(SEEDS / "saved_model" / "saved_model.pb", tmp_path / "saved_model.pb")
    graph = read_saved_graph(tmp_path)
    assert graph.tags == ("serve",)
    (main,) = [each for each in graph.signatures if each.key == "serving_default"]
    assert all(tensor.dtype == "float32" and tensor.shape for tensor in (*main.inputs, *main.outputs))
    assert dict(graph.operators)["Const"] > 0
    assert read_signatures(tmp_path) == graph.signatures
    assert all(tensor.operator for tensor in main.outputs)
    done = run_kit("inspect", str(tmp_path), "--json")
    assert json.loads(done.stdout)["signatures"][0]["key"] == graph.signatures[0].key
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "index", [b"", b"x" * 47, bytes(40) + (0xDB4775248B80FB57).to_bytes(8, "little"), b"\xff" * 60]
)
def test_an_index_of_variables_that_is_none_is_refused(tmp_path: Path, index: bytes) -> None:
    shutil.copy(SEEDS / "saved_model" / "saved_model.pb", tmp_path / "saved_model.pb")
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables" / "variables.index").write_bytes(index)
    with pytest.raises(ModelError, match="not a whole SavedModel") as error:
        read_saved_graph(tmp_path)
    assert error.value.hint == "copy or export it again"


def test_a_recipe_is_shown_with_its_model_and_its_own_keys() -> None:
    done = run_kit("inspect", str(DIGITS))
    assert done.returncode == 0, done.stderr
    assert "a .keras file of Keras 3.15.1" in done.stdout
    assert '[[inputs]]\nname = "image"\nkind = "image"' in done.stdout


@pytest.mark.parametrize("name", ["m.keras", "m.h5", "m.tflite", "sm"])
def test_what_is_no_model_is_one_error_and_exit_code_3(tmp_path: Path, name: str) -> None:
    if name == "sm":
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").write_bytes(b"\x12\xff\xff\xff\xff\x0f")
    else:
        (tmp_path / name).write_bytes(b"cut")
    done = run_kit("inspect", str(tmp_path / name))
    assert (done.returncode, done.stdout) == (3, "")
    assert "next: " in done.stderr
    assert "Traceback" not in done.stderr
