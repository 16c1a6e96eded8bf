"""What a model file asks for beyond computing: each attack of a kind is named, and what only computes is not."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from worlds import ROOT, SUPPORT, run_kit, write_recipe

from kit.errors import ModelError
from kit.source_model.model_file import read_model_file
from kit.toolchains.toolchain import find_toolchain
from kit.toolchains.venv import toolchain_venv
from kit.trust.keras_config import asks_of_config
from kit.trust.saved_model import asks_of_saved_model


def layer(kind: str, config: Any = None, **more: Any) -> dict[str, Any]:
    """Return a layer as Keras describes it, called `odd`."""
    own = {"name": "odd", **(config or {})} if isinstance(config, dict | None) else config
    return {"class_name": kind, "config": own, **more}


def function(module: str, name: str) -> dict[str, Any]:
    """Return a function as Keras 3 describes it."""
    return {"class_name": "function", "module": module, "config": name, "registered_name": name}


def hidden(name: str, registered: str) -> dict[str, Any]:
    """Return a function under a harmless name, and another beside it."""
    return function("keras.src.utils.data_utils", name) | {"registered_name": registered}


def asks(value: Any) -> list[str]:
    """Return what a model with this in it asks for."""
    return [str(ask) for ask in asks_of_config({"class_name": "Functional", "config": {"layers": [value]}})]


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (layer("TFOpLambda", {"function": "io.write_file"}), "tf.io.write_file"),
        (layer("TFOpLambda", {"function": "io.gfile.rmtree"}), "tf.io.gfile.rmtree"),
        (layer("TFOpLambda", {"function": "compat.v1.gfile.Copy"}), "tf.compat.v1.gfile.Copy"),
        (layer("TFOpLambda", {"function": "load_op_library"}), "tf.load_op_library"),
        (layer("TFOpLambda", {"function": "print"}), "tf.print"),
        (layer("TFOpLambda", {"function": "py_function"}), "tf.py_function"),
        (layer("TFOpLambda", {"function": "raw_ops.WriteFile"}), "tf.raw_ops.WriteFile"),
        (layer("TFOpLambda", {"function": "raw_ops.ImmutableConst"}), "tf.raw_ops.ImmutableConst"),
        (layer("TFOpLambda", {"function": "nn.fixed_unigram_candidate_sampler"}), "fixed_unigram"),
        (layer("TFOpLambda", {"function": "keras.utils.get_file"}), "tf.keras.utils.get_file"),
        (layer("TFOpLambda", {"function": ["math.add"]}), "tf.['math.add']"),
        (layer("SlicingOpLambda", {"function": "io.read_file"}), "tf.io.read_file"),
        (layer("ClassMethod", {"cls_symbol": "io.gfile.GFile", "method_name": "write"}), "tf.io.gfile.GFile.write"),
        (layer("InstanceMethod", {"attr_name": "__class__"}), "__class__"),
        (layer("TensorFlowOpLayer", {"node_def": {"op": "ReadFile"}}), "ReadFile"),
        (layer("TensorFlowOpLayer", {"node_def": "\x12\x09WriteFile"}), "WriteFile"),
        (layer("TensorFlowOpLayer", {"node_def": "\x12\x05AddV2\x12\x09WriteFile"}), "WriteFile"),
        (layer("TensorFlowOpLayer", {"node_def": {"op": "EagerPyFunc"}}), "EagerPyFunc"),
        (layer("TensorFlowOpLayer", {"node_def": {"op": "SaveV2"}}), "SaveV2"),
        (layer("TFOpLambda", {"function": "io.matching_files"}), "tf.io.matching_files"),
        (layer("TFOpLambda", {"function": "io.read_file"}), "tf.io.read_file"),
        (layer("TFOpLambda", {"function": "numpy_function"}), "tf.numpy_function"),
        (layer("TFOpLambda", {"function": "compat.v1.py_func"}), "tf.compat.v1.py_func"),
        (layer("TFOpLambda", {"function": "compat.v1.Print"}), "tf.compat.v1.Print"),
        (layer("TFOpLambda", {"function": "load_library"}), "tf.load_library"),
        (layer("TFOpLambda", {"function": "summary.create_file_writer"}), "tf.summary.create_file_writer"),
        (layer("TFOpLambda", {"function": "saved_model.load"}), "tf.saved_model.load"),
        (layer("TFOpLambda", {"function": "train.load_checkpoint"}), "tf.train.load_checkpoint"),
        (layer("TFOpLambda", {"function": "data.TextLineDataset"}), "tf.data.TextLineDataset"),
        (layer("TFOpLambda", {"function": "lookup.TextFileInitializer"}), "tf.lookup.TextFileInitializer"),
        (layer("TFOpLambda", {"function": "sysconfig.get_lib"}), "tf.sysconfig.get_lib"),
        (layer("TFOpLambda", {"function": "config.experimental_connect_to_cluster"}), "tf.config"),
        (layer("TFOpLambda", {"function": "debugging.experimental.enable_dump_debug_info"}), "tf.debugging"),
        (layer("TFOpLambda", {"function": "random.set_seed"}), "tf.random.set_seed"),
        (layer("TFOpLambda", {"function": "random.set_random_seed"}), "tf.random.set_random_seed"),
        (layer("TFOpLambda", {"function": "keras.models.load_model"}), "tf.keras.models.load_model"),
        (layer("TFOpLambda", {"function": "keras.preprocessing.image.save_img"}), "save_img"),
        (layer("TFOpLambda", {"function": "keras.backend.function"}), "tf.keras.backend.function"),
        (layer("TFOpLambda", {"function": "raw_ops.PrintV2"}), "tf.raw_ops.PrintV2"),
        (layer("TFOpLambda", {"function": "raw_ops.RestoreV2"}), "tf.raw_ops.RestoreV2"),
        (layer("TFOpLambda", {"function": "raw_ops.EagerPyFunc"}), "tf.raw_ops.EagerPyFunc"),
        (layer("TFOpLambda", {}), "tf.None"),
        (layer("ClassMethod", {"cls_symbol": "RaggedTensor", "method_name": "__init__"}), "tf.RaggedTensor.__init__"),
        (layer("InstanceProperty", {"attr_name": "__globals__"}), "__globals__"),
        # A second name: Keras 2 takes that of the module, where the module has not the first.
        (layer("Dense", module="keras.src.layers.core.tf_op_layer", registered_name="TFOpLambda"), "TFOpLambda"),
        (layer("Dense", module="keras.src.layers.core.lambda_layer", registered_name="Lambda"), "Lambda"),
        (layer("TensorShape", module="subprocess", registered_name="Popen"), "subprocess.Popen"),
        (layer("TFOpLambda", {"function": "add"}, module="os", registered_name="popen"), "os.popen"),
        (layer("TextVectorization", {"standardize": hidden("relu", "get_file")}), "data_utils.get_file"),
        (layer("Bidirectional", {"layer": layer("popen", module="os")}), "os.popen"),
        (layer("TimeDistributed", {"layer": layer("TFOpLambda", {"function": "io.write_file"})}), "tf.io.write_file"),
        (layer("Dense", {"bias_constraint": layer("load", module="numpy")}), "numpy.load"),
        (layer("Dense", {"kernel_regularizer": function("tensorflow.io", "write_file")}), "tensorflow.io.write_file"),
        (layer("Dense", {}, build_config={"x": layer("GFile", module="tensorflow.io.gfile")}), "GFile"),
        (layer("Dense.__init__", module="keras.layers"), "Dense.__init__"),
        (layer("system", {}, module="os"), "os.system"),
        (layer("Popen", {"args": "id"}, module="subprocess", registered_name=None), "subprocess.Popen"),
        (layer("Dense", {"activation": function("builtins", "eval")}), "builtins.eval"),
        (layer("Dense", {"activation": function("os", "system")}), "os.system"),
        (layer("Dense", {"activation": function("keras.utils", "get_file")}), "keras.utils.get_file"),
        (layer("Dense", {"kernel_initializer": layer("Popen", {}, module="subprocess")}), "subprocess.Popen"),
        (layer("Wrapper", {"layer": layer("ExportArchive", {}, module="keras.export")}), "keras.export.ExportArchive"),
        (layer("TFSMLayer", {"filepath": "/x"}, module="keras.layers"), "keras.layers.TFSMLayer"),
        (layer("TFSMLayer", {"filepath": "/x"}), "TFSMLayer"),
        (layer("__typespec__", [], spec_name="Popen", module="subprocess", registered_name=None), "subprocess.Popen"),
        (layer("StringLookup", {"vocabulary": "/etc/passwd"}), "/etc/passwd"),
        (layer("TextVectorization", {"vocabulary": "words.txt"}, module="keras.layers"), "words.txt"),
        (layer("Functional", {"layers": [layer("IntegerLookup", {"vocabulary": "/x"})]}), "'/x'"),
    ],
    ids=str,
)
def test_what_reads_writes_or_runs_is_named(value: Any, named: str) -> None:
    found = asks(value)
    assert len(found) == 1
    assert named in found[0]


@pytest.mark.parametrize(
    "name",
    "math.add __operators__.getitem nn.relu nn.conv2d compat.v1.nn.conv2d image.resize compat.v1.image.resize_bilinear "
    "linalg.matmul signal.stft reshape concat where cast shape expand_dims one_hot clip_by_value strided_slice "
    "math.reduce_mean random.normal raw_ops.Relu keras.backend.mean keras.activations.relu experimental.numpy.sum "
    "quantization.fake_quant_with_min_max_vars debugging.check_numerics strings.length compat.v1.to_float".split(),
)
def test_what_computes_passes_in_a_keras_2_file(name: str) -> None:
    assert asks(layer("TFOpLambda", {"function": name})) == []


@pytest.mark.parametrize(
    "value",
    [
        layer("Dense", {"activation": "gelu", "kernel_regularizer": layer("L2", {}, module="keras.regularizers")}),
        layer("Add", {}, module="keras.src.ops.numpy", registered_name="Add"),
        layer("Dense", {"activation": function("builtins", "softmax")}),
        layer("Dense", {"dtype": layer("DTypePolicy", {"name": "float32"}, module="keras"), "lora_rank": 4}),
        layer("StringLookup", {"vocabulary": ["a", "b"]}),
        layer("InstanceMethod", {"attr_name": "to_tensor"}),
        layer("ClassMethod", {"cls_symbol": "RaggedTensor", "method_name": "from_row_splits"}),
        layer("TensorFlowOpLayer", {"node_def": {"op": "AddV2"}}),
        layer("Scale", {}, module="my_layers", registered_name="Custom>Scale"),  # nobody's: an unknown layer
        layer("RandomRotation", {}, module="keras_cv.layers", registered_name="keras_cv>RandomRotation"),
        layer("Scale", {}, module="__main__", registered_name="Scale"),
        layer("Dense", {"activation": function("builtins", "my_own")}),
        layer("TokenEmbedding", {"vocabulary": "english"}),  # a user's own: what a word of it means is theirs
    ],
    ids=str,
)
def test_what_computes_or_is_nobodys_passes(value: Any) -> None:
    assert asks(value) == []


def test_what_the_models_own_code_gives_is_its_own() -> None:
    config = {"class_name": "Functional", "config": {"layers": [layer("Scale", {}, module="statistics")]}}
    assert len(asks_of_config(config)) == 1
    assert asks_of_config(config, known=lambda name: name == "Scale") == []


def test_what_a_model_was_compiled_with_is_not_loaded() -> None:
    custom = {"loss": function("os", "system")}
    assert asks_of_config({"class_name": "Functional", "config": {}, "compile_config": custom}) == []
    inner = {"class_name": "Functional", "config": {}, "compile_config": custom}
    assert len(asks(inner)) == 1  # a model inside a model is


# ---------------------------------------------------------------- SavedModels, of protocol buffers by hand


def message(*fields: tuple[int, bytes | str | int]) -> bytes:
    """Return a protocol buffer of fields: texts, messages, or small whole numbers."""
    out = b""
    for number, value in fields:
        raw = value.encode() if isinstance(value, str) else value
        if isinstance(raw, int):
            out += varint(number << 3) + varint(raw)
        else:
            out += varint(number << 3 | 2) + varint(len(raw)) + raw
    return out


def varint(n: int) -> bytes:
    """Return a number, seven bits a byte."""
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)


def node(name: str, operator: str, *inputs: str, **attributes: bytes) -> bytes:
    """Return a NodeDef. attributes are AttrValues."""
    entries = [(5, message((1, key), (2, value))) for key, value in attributes.items()]
    return message((1, name), (2, operator), *((3, each) for each in inputs), *entries)


def const(name: str, text: str) -> bytes:
    """Return a constant text."""
    return node(name, "Const", value=message((8, message((1, 7), (8, text)))))


def calling(name: str) -> bytes:
    """Return an attribute that names a function."""
    return message((10, message((1, name))))


def saved(
    folder: Path, *nodes: bytes, functions: Mapping[str, tuple[str, list[bytes]]] = {}, more: bytes = b""
) -> Path:
    """Write a SavedModel. functions: by name, their one argument and their nodes."""
    library = [
        (1, message((1, message((1, name), (2, message((1, argument))))), *((3, each) for each in body)))
        for name, (argument, body) in functions.items()
    ]
    graph = message(*((1, each) for each in nodes), (2, message(*library)))
    folder.mkdir()
    meta = message((1, message((4, "serve"), (5, "2.19.1"))), (2, graph)) + more
    (folder / "saved_model.pb").write_bytes(message((1, 1), (2, meta)))
    return folder


def bound(name: str, constant: str) -> bytes:
    """Return an object graph that gives a function the constant as its argument."""
    own = message((1, name), (2, message((2, b"\x00"))))
    return message((7, message((1, message((9, message((1, constant))))), (2, own))))


STREAM = {"output_stream": message((2, "file:///x"))}
ATTACKS: dict[str, Any] = {
    "prints into 'file:///x'": {"nodes": [node("p", "PrintV2", "x", **STREAM)]},
    "WriteFile": {"functions": {"deep": ("x", [node("w", "WriteFile", "x", "x")])}},
    "ImmutableConst": {"nodes": [node("c", "ImmutableConst")]},
    "FooBar": {"nodes": [node("c", "FooBar")]},
    "GeneratorDataset": {"nodes": [node("c", "GeneratorDataset")]},
    "CollectiveReduceV2": {"nodes": [node("c", "CollectiveReduceV2")]},
    "WriteScalarSummary": {"nodes": [node("c", "WriteScalarSummary")]},
    "/etc/shadow": {"nodes": [const("f", "/etc/shadow"), node("r", "RestoreV2", "f", "f", "f")]},
    "../../x": {"nodes": [const("f", "../../x"), node("i", "Identity", "f"), node("s", "SaveV2", "i")]},
    "/etc/passwd": {
        "nodes": [const("f", "/etc/passwd"), node("c", "PartitionedCall", "f", f=calling("init"))],
        "functions": {"init": ("file", [node("t", "InitializeTableFromTextFileV2", "h", "file")])},
    },
    "/etc/hosts": {
        "nodes": [const("f", "/etc/hosts")],
        "functions": {"init": ("file", [node("t", "InitializeTableFromTextFileV2", "h", "file")])},
        "more": bound("init", "f"),
    },
    "/etc/group": {
        "nodes": [const("f", "/etc/group"), const("harmless", "words")],
        "functions": {
            "init": ("file", [node("t", "InitializeTableFromTextFileV2", "h", "file")]),
            "decoy": ("x", [const("k", "words"), node("c", "PartitionedCall", "k:output:0", f=calling("init"))]),
        },
        "more": bound("init", "f"),
    },
    "prints into what its caller names": {
        "functions": {"init": ("x", [node("p", "PrintV2", "x", output_stream=message((9, "stream")))])}
    },
    "a name that its caller gives": {
        "functions": {
            "init": ("x", [node("f", "Const", value=message((9, "path"))), node("r", "RestoreV2", "f:output:0")])
        }
    },
    "ReadVariableOp": {
        "nodes": [
            node("v", "VarHandleOp"),
            node("c", "StatefulPartitionedCall", "v", f=calling("write")),
            node("n", "ReadVariableOp", "v"),
            node("r", "RestoreV2", "n", "n", "n"),
        ],
        "functions": {"write": ("v", [node("a", "AssignVariableOp", "v", "x")])},
    },
    "/etc/issue": {
        "nodes": [
            const("f", "/etc/issue"),
            node("v", "VarHandleOp"),
            node("a", "AssignVariableOp", "v", "f"),
            node("n", "ReadVariableOp", "v"),
            node("s", "SaveV2", "n"),
        ]
    },
    **{
        operator: {"functions": {"init": ("x", [node("n", operator, "x")])}}
        for operator in (
            "ReadFile",
            "MatchingFiles",
            "PyFunc_",
            "DebugIdentityV2",
            "DebugIdentityV3",
            "TextLineDataset",
            "TFRecordDatasetV2",
            "SaveDatasetV2",
            "CreateSummaryFileWriter",
            "TextLineReaderV2",
            "WholeFileReaderV2",
            "RemoteCall",
            "XlaHostCompute",
            "RpcCall",
            "_Send",
            "TPUExecute",
            "TFRecordReaderV2",
            "ImmutableConst_",
            "LookupTableExport_",
            "DumpOp",
            "AssignFromFile",
            "OutfeedEnqueue",
            "QueueEnqueueV2",
            "Barrier",
        )
    },
    "StringUpper": {
        "nodes": [node("f", "StringUpper", "x"), node("r", "RestoreV2", "f", "f", "f")],
    },
    "'../../secret'": {"more": message((6, message((1, message((1, "a:0"))), (2, "../../secret"))))},
}


@pytest.mark.parametrize("named", ATTACKS)
def test_a_saved_model_that_reaches_out_is_named(tmp_path: Path, named: str) -> None:
    attack = ATTACKS[named]
    folder = saved(tmp_path / "m", *attack.get("nodes", []), **{k: v for k, v in attack.items() if k != "nodes"})
    found = [str(ask) for ask in asks_of_saved_model(folder)]
    assert len(found) == 1
    assert named in found[0]


def test_a_second_operator_in_a_node_does_not_hide_behind_the_first(tmp_path: Path) -> None:
    two = message((1, "n"), (2, "Identity"), (2, "WriteFile"))
    assert "WriteFile" in str(asks_of_saved_model(saved(tmp_path / "a", two)))
    assert "WriteFile" in str(asks_of_saved_model(saved(tmp_path / "b", node("n", "WriteFile"), node("n", "Relu"))))


def test_what_tensorflow_itself_writes_for_variables_and_assets_passes(tmp_path: Path) -> None:
    nodes = [
        node("saver_filename", "Placeholder"),
        const("part", "_temp/part"),
        node("join", "StringJoin", "saver_filename", "part"),
        node("shard", "ShardedFilename", "join", "zero", "one"),
        node("save", "SaveV2", "shard:0", "part", "part"),
        node("restore", "StatefulPartitionedCall", "saver_filename", f=calling("restore")),
        node("print", "PrintV2", "x", output_stream=message((2, "stderr"))),
        const("asset", "/here/vocabulary.txt"),
        node("old", "InitializeTableFromTextFileV2", "h", "asset"),
    ]
    functions = {
        "restore": ("file_prefix", [node("r", "RestoreV2", "file_prefix", "names", "slices")]),
        "init": ("asset_path", [node("t", "InitializeTableFromTextFileV2", "h", "asset_path")]),
    }
    nodes += [
        node("variable", "VarHandleOp"),
        node("assign", "AssignVariableOp", "variable", "asset"),
        node("read", "ReadVariableOp", "variable", "^assign"),
        node("init", "StatefulPartitionedCall", "read", f=calling("init")),
    ]
    asset = message((6, message((1, message((1, "asset:0"))), (2, "vocabulary.txt"))))
    assert asks_of_saved_model(saved(tmp_path / "m", *nodes, functions=functions, more=asset)) == []


def test_a_link_that_leads_out_of_a_saved_model_is_named(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m", node("x", "Placeholder"))
    (folder / "assets").mkdir()
    (folder / "assets" / "secret.txt").symlink_to("/etc/hosts")
    assert "leads out of it: assets/secret.txt" in str(asks_of_saved_model(folder)[0])


def test_functions_that_call_one_another_in_a_ring_and_twice_come_to_an_end(tmp_path: Path) -> None:
    functions = {
        f"f{i}": ("file", [node(f"c{k}", "PartitionedCall", "file", f=calling(f"f{(i + 1) % 60}")) for k in range(3)])
        for i in range(60)
    }
    functions["f59"][1].append(node("r", "RestoreV2", "file"))
    long = [const("n0", "/etc/motd"), *(node(f"n{i}", "Identity", f"n{i - 1}") for i in range(1, 20_000))]
    start = node("start", "PartitionedCall", "n19999", f=calling("f0"))
    (ask,) = asks_of_saved_model(saved(tmp_path / "m", *long, start, functions=functions))
    assert "'/etc/motd'" in str(ask)


@pytest.mark.parametrize("target", ["..", ".", "link", "nowhere"])
def test_a_link_to_no_file_makes_no_saved_model(tmp_path: Path, target: str) -> None:
    folder = saved(tmp_path / "m", node("x", "Placeholder"))
    (folder / "assets").mkdir()
    (folder / "assets" / "link").symlink_to(target)
    with pytest.raises(ModelError, match="link is a link to no file"):
        read_model_file(folder)


def test_metadata_of_keras_that_cannot_be_read_is_left_aside(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m", node("x", "Placeholder"))
    os.mkfifo(folder / "keras_metadata.pb")
    assert "a pipe or a device in it: keras_metadata.pb" in read_model_file(folder).asks[0]


# ---------------------------------------------------------------- HDF5


def h5(kind: str, where: Any) -> None:
    """Write an HDF5 file with a model's description and, by kind, numbers in another file."""
    with h5py.File(where, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": {"layers": []}})
        group = file.create_group("model_weights/dense")
        group["kernel"] = np.arange(4.0)
        if kind == "link":
            group["out"] = h5py.ExternalLink("/etc/other.h5", "/x")
        elif kind == "storage":
            group.create_dataset("out", (4,), "uint8", external=[("/etc/hosts", 0, 4)])
        elif kind == "virtual":
            layout = h5py.VirtualLayout((4,), "f4")
            layout[:] = h5py.VirtualSource("/etc/other.h5", "x", shape=(4,))
            group.create_virtual_dataset("out", layout)
        elif kind == "soft":
            group["out"] = h5py.SoftLink("/model_weights/dense/kernel")


@pytest.mark.parametrize("kind", ["link", "storage", "virtual", "soft", "plain"])
def test_numbers_in_other_files_are_named_in_an_h5_and_in_the_weights_of_a_keras_file(
    tmp_path: Path, kind: str
) -> None:
    h5(kind, tmp_path / "m.h5")
    weights = BytesIO((tmp_path / "m.h5").read_bytes())
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(tmp_path / f"m{method}.keras", "w", method) as archive:
            archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
            archive.writestr("config.json", json.dumps({"class_name": "Functional", "config": {"layers": []}}))
            archive.writestr("model.weights.h5", weights.getvalue())
    for path in sorted(tmp_path.iterdir()):
        assert len(read_model_file(path).asks) == (kind in {"link", "storage", "virtual"}), path


def test_an_attribute_that_cannot_be_read_hides_nothing(tmp_path: Path) -> None:
    h5("storage", tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        h5py.h5a.create(file.id, b"odd", h5py.h5t.STD_B8LE, h5py.h5s.create(h5py.h5s.SCALAR))
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("config.json", json.dumps({"class_name": "Functional", "config": {"layers": []}}))
        archive.write(tmp_path / "m.h5", "model.weights.h5")
    assert "numbers in another file" in read_model_file(tmp_path / "m.keras").asks[0]


@pytest.mark.parametrize("name", ["model.weights.npz", "model.weights.pkl", "a/model.weights.npz"])
def test_weights_that_are_unpickled_are_named(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "2.15.0"}))
        archive.writestr("config.json", json.dumps({"class_name": "Functional", "config": {"layers": []}}))
        archive.writestr(name, b"whatever")
    assert read_model_file(tmp_path / "m.keras").asks == (
        f"the weights in {name} are read with pickle, which runs code",
    )


# ---------------------------------------------------------------- as a user, and in the worker without the host


def test_a_build_of_a_hostile_file_is_refused_before_anything_runs(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    node = [["_CONSTANT_VALUE", -1, str(marker), {"contents": "x"}]]
    odd = layer("TFOpLambda", {"function": "io.write_file"}) | {"inbound_nodes": node}
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": {"layers": [odd]}})
        file.attrs["keras_version"] = "2.15.0"
    saved(tmp_path / "sm", node_of_a_print())
    for model, named in (("m.h5", "tf.io.write_file"), ("sm", "prints into 'file:///x'")):
        path = write_recipe(tmp_path, model_path=f"'{model}'")
        done = run_kit("build", str(path), "--engine", "local")
        assert done.returncode == 3
        assert named in done.stderr
        assert "[model] allow_code = true" in done.stderr
        assert named in run_kit("inspect", str(tmp_path / model)).stdout.replace('\\"', '"').replace("\\'", "'")
    assert not marker.exists()


def node_of_a_print() -> bytes:
    """Return a print into a file."""
    return node("p", "PrintV2", "x", **STREAM)


@pytest.mark.parametrize(
    ("version", "keras"),
    [("2.19.1", 2), ("2.19.1", 3), *(pytest.param(v, 2, marks=pytest.mark.slow) for v in ("2.12.1", "2.15.1"))],
)
def test_the_worker_refuses_by_itself_what_the_host_would_have_refused(
    tmp_path: Path, version: str, keras: int
) -> None:
    python = toolchain_venv(find_toolchain(version), lambda _: None)
    script = SUPPORT / "hostile_descriptions.py"
    done = subprocess.run(
        [str(python), str(script), str(tmp_path), str(keras)],
        env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "PATH": "/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    messages = json.loads(done.stdout.splitlines()[-1])
    assert len(messages) == (12 if keras == 2 else 7)
    for name, message in messages.items():
        assert "it asks for more than computing" in message or "it carries Python code" in message, name
    assert not (tmp_path / "marker").exists()
