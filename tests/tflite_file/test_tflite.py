"""What the kit reads out of .tflite files, how it compares two, and what it does with damaged ones.

The files are the kit's own, from several schemes, with single bytes changed where a test wants a difference. A few
are written here with the schema's own builder, where no converter makes such a file.
"""

from __future__ import annotations

import json
import random
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
import tflite  # type: ignore[import-untyped]
from models import keras3_model
from worlds import run_kit, write_recipe

from kit.bundle.tensor_table import read_named
from kit.errors import ModelError
from kit.tflite.describe import describe
from kit.tflite.diff import compare, table
from kit.tflite.model import Subgraph, TfliteFile, to_json
from kit.tflite.reader import read_tflite, tflite_path


def build(recipe: Path, out: Path) -> bytes:
    """Convert with the kit and return the .tflite."""
    built = run_kit("build", str(recipe), "--engine", "local", "--out", str(out), "--json")
    assert built.returncode == 0, built.stderr
    return tflite_path(out / json.loads(built.stdout)["recipe"]["model"]["id"]).read_bytes()


@pytest.fixture(scope="module")
def int8(named_digits: Path) -> bytes:
    """Give the digits example with the names of inner tensors."""
    return tflite_path(named_digits).read_bytes()


@pytest.fixture(scope="module")
def dynamic(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Give the digits example with int8 weights and float32 between."""
    folder = tmp_path_factory.mktemp("dynamic")
    return build(write_recipe(folder, quantize_scheme="'dynamic'", quantize_io="'float32'"), folder / "out")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, toolchain_python: Path) -> bytes:
    """Give a float32 file of two inputs and three outputs, whose names the converter sorts."""
    folder = tmp_path_factory.mktemp("many")
    keras3_model(toolchain_python, folder / "m.keras", "two_in_three_out")
    text = "[model]\npath = 'm.keras'\nid = 'many'\n[quantize]\nscheme = 'float32'\nkeep_names = true\n"
    (folder / "recipe.toml").write_text(text, "utf-8")
    return build(folder, folder / "out")


# ---------------------------------------------------------------- what is in a file

ORACLE = """
import json, sys
from ai_edge_litert.interpreter import Interpreter, OpResolverType
# A delegate would put an operator of its own in place of the file's.
kind = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
read = Interpreter(sys.argv[1], experimental_op_resolver_type=kind)
tensors = [
    {"name": t["name"], "shape": t["shape"].tolist(), "dtype": t["dtype"].__name__,
     "scales": [float(x) for x in t["quantization_parameters"]["scales"]],
     "zeros": t["quantization_parameters"]["zero_points"].tolist(),
     "axis": t["quantization_parameters"]["quantized_dimension"]}
    for t in read.get_tensor_details()
]
operators = [
    {"name": o["op_name"], "inputs": o["inputs"].tolist(), "outputs": o["outputs"].tolist()}
    for o in read._get_ops_details()
]
signatures = read._get_full_signature_list()
print(json.dumps({"tensors": tensors, "operators": operators, "signatures": signatures}))
"""


@pytest.mark.parametrize("scheme", ["int8", "dynamic", "many"])
def test_what_is_read_is_what_the_runtime_itself_says(
    scheme: str, request: pytest.FixtureRequest, runtime_python: Path, tmp_path: Path
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(request.getfixturevalue(scheme))
    done = subprocess.run([runtime_python, "-c", ORACLE, path], capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    file = read_tflite(path)
    (graph,) = file.subgraphs
    # The runtime adds scratch tensors behind the file's own.
    for mine, other in zip(graph.tensors, said["tensors"][: len(graph.tensors)], strict=True):
        assert mine.name == other["name"]
        assert (list(mine.shape), mine.dtype) == (other["shape"], other["dtype"])
        assert (list(mine.quantization.scales) if mine.quantization else []) == other["scales"]
        assert (list(mine.quantization.zero_points) if mine.quantization else []) == other["zeros"]
        assert (mine.quantization.quantized_dimension if mine.quantization else 0) == other["axis"]
    read = [{"name": o.name, "inputs": list(o.inputs), "outputs": list(o.outputs)} for o in graph.operators]
    assert read == said["operators"]
    assert {s.key: {"inputs": s.inputs, "outputs": s.outputs} for s in file.signatures} == said["signatures"]


def test_a_signature_keeps_the_order_of_its_names(many: bytes) -> None:
    (signature,) = read_tflite(many).signatures
    # The model's own order: the worker puts back what the converter sorted.
    assert list(signature.inputs) == ["image", "context"]
    assert list(signature.outputs) == ["digit", "box", "embedding"]
    (swapped,) = read_tflite(swapped_order(many)).signatures
    assert list(swapped.outputs) == ["box", "digit", "embedding"]


def test_versions_options_metadata_and_sizes_of_an_int8_file(int8: bytes) -> None:
    file = read_tflite(int8)
    assert file.size == len(int8)
    assert file.schema == 3
    assert file.min_runtime_version == "1.14.0"
    assert ("CONV_2D", 3, 3) in [(code.name, code.version, code.count) for code in file.operator_codes]
    conv = next(each for each in file.subgraphs[0].operators if each.name == "CONV_2D")
    assert conv.options["padding"] == "SAME"
    assert conv.options["fused_activation_function"] == "RELU"
    assert (conv.options["stride_w"], conv.options["dilation_h_factor"]) == (1, 1)
    assert sum(t.sha256 is not None for t in file.subgraphs[0].tensors) == 9
    assert 0 < file.buffers_size < file.size


def test_inspect_prints_signature_operators_and_tensors(digits_bundle: Path) -> None:
    done = run_kit("inspect", str(tflite_path(digits_bundle)))
    assert done.returncode == 0, done.stderr
    for part in (
        "min runtime  1.14.0",
        "'serving_default'",
        "'image'",
        "uint8[1,8,8,1]",
        "CONV_2D v3",
        "padding='SAME'",
    ):
        assert part in done.stdout


def test_inspect_gives_the_same_as_json(digits_bundle: Path) -> None:
    path = tflite_path(digits_bundle)
    done = run_kit("inspect", str(path), "--json")
    whole = json.loads(json.dumps(to_json(read_named(path))))
    found = json.loads(done.stdout)
    assert {name: found[name] for name in whole} == whole
    assert found["guessed"] == []  # its output is no head of a detector
    assert found["converted_by"] == {"tensorflow": "2.19.1", "source": "SavedModel", "modes": ["full integer"]}
    assert (found["flex"], found["custom"], "data" in found) == ([], [], False)
    # Every constant of the file is held by one operator.
    constants = [each for each in whole["subgraphs"][0]["tensors"] if each["sha256"]]
    sizes = [whole["buffers"][index]["size"] for index in {each["buffer"] for each in constants}]
    assert sum(each["bytes"] for each in found["held"]) == sum(sizes)


# ---------------------------------------------------------------- two files


def change(data: bytes, offset: int, form: str, value: Any) -> bytes:
    """Return data with the value at offset replaced."""
    changed = bytearray(data)
    struct.pack_into(form, changed, offset, value)
    return bytes(changed)


def place(parent: Any, slot: int) -> int:
    """Return where the field of that slot of a table is in its file."""
    offset = parent._tab.Offset(4 + 2 * slot)
    assert offset, "the field has its default and is not in the file"
    return int(parent._tab.Pos + offset)


def model(data: bytes) -> Any:
    return tflite.Model.GetRootAs(data, 0)


def largest(graph: Subgraph, file: TfliteFile) -> int:
    """Return the index of the largest constant."""
    return max(range(len(graph.tensors)), key=lambda i: len(file.content(graph.tensors[i])))


def differences(a: bytes, b: bytes) -> list[str]:
    return compare(read_tflite(a), read_tflite(b)).lines()


def test_the_same_bytes_do_not_differ(int8: bytes) -> None:
    diff = compare(read_tflite(int8), read_tflite(bytes(bytearray(int8))))
    assert diff.same
    assert diff.same_structure
    assert diff.lines() == []


def test_one_changed_byte_of_a_weight_names_its_tensor_and_how_far_it_is_off(int8: bytes) -> None:
    file = read_tflite(int8)
    tensor = file.subgraphs[0].tensors[largest(file.subgraphs[0], file)]
    at = file.buffers[tensor.buffer].offset + 5
    old = np.int8(struct.unpack_from("<b", int8, at)[0])
    changed = read_tflite(change(int8, at, "<b", int(old) + (7 if old < 100 else -7)))
    diff = compare(file, changed)
    assert diff.lines() == [
        f"constants: '{tensor.name}' int8[64,3,3,32]: 1 of 18,432 elements differ, the first at 5, worst 7 steps"
    ]
    assert diff.same_structure
    assert not diff.same


def test_a_changed_float_weight_is_reported_absolutely_and_relatively(many: bytes) -> None:
    file = read_tflite(many)
    tensor = file.subgraphs[0].tensors[largest(file.subgraphs[0], file)]
    at = file.buffers[tensor.buffer].offset + 4 * 3
    value = struct.unpack_from("<f", many, at)[0]
    (line,) = differences(many, change(many, at, "<f", value * 2))
    assert line.startswith(f"constants: '{tensor.name}' float32")
    assert f"the first at 3, worst {abs(value):.3g} absolute, 0.5 relative" in line
    (line,) = differences(many, change(many, at, "<f", float("nan")))
    assert "1 of 4,672 elements differ, the first at 3, some infinite or NaN on one side" in line


def test_a_changed_scale_and_zero_point_are_reported_with_their_relative_size(int8: bytes) -> None:
    graph = model(int8).Subgraphs(0)
    index = graph.Inputs(0)
    quantization = graph.Tensors(index).Quantization()
    scale_at = quantization._tab.Vector(place(quantization, 2) - quantization._tab.Pos)
    name = graph.Tensors(index).Name().decode()
    assert differences(int8, change(int8, scale_at, "<f", 0.006)) == [
        f"tensors: '{name}': scale 0.00392156886 -> 0.00600000005 (+53 %)"
    ]
    zero_at = quantization._tab.Vector(place(quantization, 3) - quantization._tab.Pos)
    diff = compare(read_tflite(int8), read_tflite(change(int8, zero_at, "<q", 3)))
    assert diff.lines() == [f"tensors: '{name}': zero point 0 -> 3"]
    assert diff.same_structure


def test_one_of_many_scales_is_named_by_its_channel(int8: bytes) -> None:
    file = read_tflite(int8)
    index = largest(file.subgraphs[0], file)
    quantization = model(int8).Subgraphs(0).Tensors(index).Quantization()
    at = quantization._tab.Vector(place(quantization, 2) - quantization._tab.Pos) + 4 * 11
    (line,) = differences(int8, change(int8, at, "<f", struct.unpack_from("<f", int8, at)[0] * 0.75))
    assert "1 of 64 scales differ, most of all channel 11" in line
    assert "(-25 %)" in line


def swapped_order(data: bytes) -> bytes:
    """Return the file with the first two outputs of its signature in the other order."""
    signature = model(data).SignatureDefs(0)
    at = signature._tab.Vector(place(signature, 1) - signature._tab.Pos)
    first, second = struct.unpack_from("<2I", data, at)
    # An offset counts from its own place, 4 bytes further for the second one.
    return change(change(data, at, "<I", second + 4), at + 4, "<I", first - 4)


def swapped_tensors(data: bytes) -> bytes:
    """Return the file with the tensors of the first two outputs of its signature exchanged."""
    one, two = (place(model(data).SignatureDefs(0).Outputs(n), 1) for n in (0, 1))
    first, second = (struct.unpack_from("<I", data, at)[0] for at in (one, two))
    return change(change(data, one, "<I", second), two, "<I", first)


def test_two_outputs_of_a_signature_in_another_order_are_seen(many: bytes) -> None:
    diff = compare(read_tflite(many), read_tflite(swapped_order(many)))
    expected = "'serving_default' outputs: 'digit', 'box', 'embedding' -> 'box', 'digit', 'embedding'"
    assert diff.lines() == [f"signatures: {expected}"]
    assert not diff.same_structure


def test_two_outputs_of_a_signature_with_exchanged_tensors_are_seen(many: bytes) -> None:
    diff = compare(read_tflite(many), read_tflite(swapped_tensors(many)))
    assert [line.partition(" is ")[0] for line in diff.lines()] == [
        "signatures: 'serving_default' outputs: 'digit'",
        "signatures: 'serving_default' outputs: 'box'",
    ]
    assert "float32[1,10] -> " in diff.lines()[0]
    assert not diff.same_structure


def test_a_renamed_tensor_is_found_by_its_place_and_is_no_other_structure(int8: bytes) -> None:
    name = read_tflite(int8).subgraphs[0].tensors[-2].name.encode()
    diff = compare(read_tflite(int8), read_tflite(int8.replace(name, b"x" * len(name), 1)))
    assert diff.lines() == [f"tensors: '{name.decode()}': renamed to '{'x' * len(name)}'"]
    assert diff.same_structure


def test_two_exchanged_names_are_two_renamings_and_not_other_shapes(int8: bytes) -> None:
    # As between TensorFlow versions, which number their constants in another order.
    numbered = (b"tfl.pseudo_qconst3", b"tfl.pseudo_qconst5")
    exchanged = int8.replace(numbered[0], b"?" * 18).replace(numbered[1], numbered[0]).replace(b"?" * 18, numbered[1])
    diff = compare(read_tflite(int8), read_tflite(exchanged))
    assert [line.partition(":")[2] for line in diff.lines()] == [
        " 'tfl.pseudo_qconst3': renamed to 'tfl.pseudo_qconst5'",
        " 'tfl.pseudo_qconst5': renamed to 'tfl.pseudo_qconst3'",
    ]


def test_another_scheme_is_another_structure_with_its_operators_and_versions(int8: bytes, dynamic: bytes) -> None:
    diff = compare(read_tflite(dynamic), read_tflite(int8))
    lines = diff.lines()
    assert "operators: CONV_2D: v5 x3 -> v3 x3" in lines
    assert "operators: order: 0 is CONV_2D -> QUANTIZE" in lines
    assert any(line.startswith("metadata: 'min_runtime_version': ") for line in lines)
    assert not diff.same_structure


def test_added_and_removed_operators_are_counted_and_long_lists_are_cut(int8: bytes, dynamic: bytes) -> None:
    diff = compare(read_tflite(dynamic), read_tflite(int8))
    lines = diff.lines(most=5)
    assert "operators: QUANTIZE: none -> v1 x2" in lines
    assert any(line.startswith("operators: (+") and line.endswith(" more)") for line in diff.lines(most=2))
    for kind in ("operators", "tensors", "metadata"):
        assert 1 <= sum(line.startswith(kind) for line in lines) <= 6


def test_another_option_of_an_operator_is_another_structure(int8: bytes) -> None:
    graph = read_tflite(int8).subgraphs[0]
    index = next(n for n, operator in enumerate(graph.operators) if operator.name == "MAX_POOL_2D")
    options = tflite.Pool2DOptions()
    union = model(int8).Subgraphs(0).Operators(index).BuiltinOptions()
    options.Init(union.Bytes, union.Pos)
    diff = compare(read_tflite(int8), read_tflite(change(int8, place(options, 1), "<i", 3)))
    assert diff.lines() == [f"operators: {index} MAX_POOL_2D: stride_w 2 -> 3"]
    assert not diff.same_structure


def test_an_operator_that_reads_another_tensor_is_another_structure(int8: bytes) -> None:
    operator = model(int8).Subgraphs(0).Operators(1)
    at = operator._tab.Vector(place(operator, 1) - operator._tab.Pos)
    diff = compare(read_tflite(int8), read_tflite(change(int8, at, "<i", 0)))
    assert not diff.same_structure
    assert any(
        "1 CONV_2D reads 'tfl.quantize'" in line and "'serving_default_image:0'" in line for line in diff.lines()
    )


def test_another_minimum_runtime_is_reported(int8: bytes) -> None:
    diff = compare(read_tflite(int8), read_tflite(int8.replace(b"1.14.0\0", b"1.15.0\0")))
    assert diff.lines() == ["metadata: 'min_runtime_version': 1.14.0, 16 bytes -> 1.15.0, 16 bytes"]
    assert diff.same_structure


def test_bytes_that_hold_nothing_are_a_difference_of_layout(int8: bytes) -> None:
    diff = compare(read_tflite(int8), read_tflite(int8 + b"\0"))
    assert not diff.same
    assert diff.same_structure
    size = len(int8)
    assert diff.lines() == [
        f"layout: the same content, laid out differently from byte {size:,} on ({size} -> {size + 1} bytes)"
    ]


def test_int4_weights_are_compared_element_by_element() -> None:
    a = written(bytes([0x1F, 0x80]), tflite.TensorType.INT4, scales=(0.5,))  # -1, 1, 0, -8
    b = written(bytes([0x1F, 0x7E]), tflite.TensorType.INT4, scales=(0.5,))  # -1, 1, -2, 7
    assert differences(a, b) == ["constants: 'x' int4[]: 2 of 4 elements differ, the first at 2, worst 15 steps"]


def test_scales_on_another_axis_are_another_structure() -> None:
    a, b = (written(dtype=tflite.TensorType.INT8, scales=(0.5, 0.25), axis=axis) for axis in (0, 3))
    diff = compare(read_tflite(a), read_tflite(b))
    assert diff.lines() == ["tensors: 'x': 2 scales on axis 0 -> 2 scales on axis 3"]
    assert not diff.same_structure


def test_bfloat16_weights_are_compared_as_numbers() -> None:
    a = written(bytes.fromhex("803f"), tflite.TensorType.BFLOAT16)  # 1.0
    b = written(bytes.fromhex("0040"), tflite.TensorType.BFLOAT16)  # 2.0
    (line,) = differences(a, b)
    assert line.endswith("1 of 1 elements differ, the first at 0, worst 1 absolute, 0.5 relative")


def test_constants_that_are_no_numbers_differ_in_their_bytes() -> None:
    assert differences(written(b"ab", tflite.TensorType.STRING), written(b"abc", tflite.TensorType.STRING)) == [
        "constants: 'x' string[]: other bytes (2 -> 3)"
    ]
    assert differences(written(b"abc", tflite.TensorType.FLOAT32), written(b"abd", tflite.TensorType.FLOAT32)) == [
        "constants: 'x' float32[]: other bytes (3 -> 3)"
    ]


def test_a_zero_of_another_sign_is_reported_as_what_it_is() -> None:
    a, b = (written(struct.pack("<f", zero), tflite.TensorType.FLOAT32) for zero in (0.0, -0.0))
    assert "the same 1 values" in differences(a, b)[0]


# ---------------------------------------------------------------- the command


def test_diff_of_two_bundles_with_the_same_bytes_ends_with_0(digits_bundle: Path) -> None:
    done = run_kit("diff", str(digits_bundle), str(tflite_path(digits_bundle)))
    assert done.returncode == 0, done.stderr
    assert "the same bytes" in done.stdout


def test_diff_prints_a_table_and_ends_with_6_where_files_differ(many: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(many)
    (tmp_path / "b.tflite").write_bytes(swapped_order(many))
    done = run_kit("diff", str(tmp_path / "a.tflite"), str(tmp_path / "b.tflite"))
    assert done.returncode == 6
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"A {tmp_path / 'a.tflite'}  {len(many):,} bytes  sha256 ")
    assert any(line.startswith("signatures  'serving_default' outputs: 'digit', 'box'") for line in lines)
    assert lines[-1] == "another structure, other bytes"


def test_diff_as_json_has_the_verdicts_and_every_difference(int8: bytes, dynamic: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(dynamic)
    (tmp_path / "b.tflite").write_bytes(int8)
    done = run_kit("diff", str(tmp_path / "a.tflite"), str(tmp_path / "b.tflite"), "--json")
    assert done.returncode == 6
    report = json.loads(done.stdout)
    assert (report["same"], report["same_structure"]) == (False, False)
    assert report["a"] == str(tmp_path / "a.tflite")
    assert len(report["differences"]) == len(compare(read_tflite(dynamic), read_tflite(int8)).differences)
    assert report["differences"][0].keys() == {"kind", "text", "structural"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a .tflite file: it is empty"),
        (b"hello", "not a .tflite file: it is 5 bytes without the mark TFL3"),
        (b"\x08\0\0\0TFL3" + bytes(64), "a damaged .tflite file: it has no subgraph"),
        (b"\xff\xff\xff\xffTFL3", "a damaged .tflite file: it points outside of itself"),
    ],
)
def test_a_file_that_is_no_model_is_refused_with_the_reason(content: bytes, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        read_tflite(content)


def test_a_truncated_file_ends_both_commands_with_3_and_the_reason(int8: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cut.tflite"
    path.write_bytes(int8[: len(int8) // 2])
    for argv in (["inspect", str(path)], ["diff", str(path), str(path)]):
        done = run_kit(*argv)
        assert (done.returncode, done.stdout) == (3, "")
        assert f"model: {path}: a damaged .tflite file: " in done.stderr
        assert "  next: " in done.stderr
        assert "Traceback" not in done.stderr


def test_a_path_without_a_model_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read: No such file or directory"):
        read_tflite(tmp_path / "none.tflite")
    with pytest.raises(ModelError, match="a folder with 0 models in src/main/assets"):
        tflite_path(tmp_path)
    with pytest.raises(ModelError, match="not a file"):
        read_tflite(Path("/dev/zero"))


# ---------------------------------------------------------------- newer and hostile files


def written(
    content: bytes = b"\1\2\3\4",
    dtype: int = 0,
    *,
    scales: tuple[float, ...] = (),
    axis: int = 0,
    name: str = "x",
    counts: tuple[int, int, int] = (1, 1, 1),
) -> bytes:
    """Return a file with a constant: counts: how often a tensor, a graph and a buffer are pointed at."""
    tensors, graphs, buffers = counts
    builder = flatbuffers.Builder(1024)
    data, text = builder.CreateByteVector(content), builder.CreateString(name)
    scale = builder.CreateNumpyVector(np.asarray(scales, np.float32))
    tflite.BufferStart(builder)
    tflite.BufferAddData(builder, data)
    buffer = tflite.BufferEnd(builder)
    tflite.QuantizationParametersStart(builder)
    tflite.QuantizationParametersAddScale(builder, scale)
    tflite.QuantizationParametersAddQuantizedDimension(builder, axis)
    quantization = tflite.QuantizationParametersEnd(builder)
    tflite.TensorStart(builder)
    tflite.TensorAddName(builder, text)
    tflite.TensorAddType(builder, dtype)
    tflite.TensorAddQuantization(builder, quantization)
    tensor = tflite.TensorEnd(builder)
    vector = repeated(builder, tflite.SubGraphStartTensorsVector, tensor, tensors)
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, vector)
    graph = tflite.SubGraphEnd(builder)
    all_graphs = repeated(builder, tflite.ModelStartSubgraphsVector, graph, graphs)
    all_buffers = repeated(builder, tflite.ModelStartBuffersVector, buffer, buffers)
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, 3)
    tflite.ModelAddSubgraphs(builder, all_graphs)
    tflite.ModelAddBuffers(builder, all_buffers)
    builder.Finish(tflite.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


def repeated(builder: Any, start: Callable[[Any, int], Any], offset: int, count: int) -> int:
    """Write a vector of `count` offsets to one table and return its own."""
    start(builder, count)
    for _ in range(count):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


@pytest.mark.parametrize(
    "bomb",
    [
        {"counts": (100_000, 1, 1)},
        {"counts": (1000, 1000, 1)},
        {"counts": (1000, 1, 1), "name": "n" * 1_000_000},
        {"counts": (1, 1, 10_000), "content": bytes(1_000_000)},
    ],
)
def test_a_small_file_that_unfolds_without_end_is_refused(bomb: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=r"damaged \.tflite file: it says that it h"):
        read_tflite(written(**bomb))


def test_types_operators_and_options_of_a_newer_schema_are_shown_by_number(int8: bytes) -> None:
    tensor = model(int8).Subgraphs(0).Tensors(3)
    newer = change(int8, place(tensor, 1), "<b", 99)
    operator = model(int8).Subgraphs(0).Operators(1)
    newer = change(newer, place(model(int8).OperatorCodes(operator.OpcodeIndex()), 3), "<i", 250)
    newer = change(newer, place(operator, 3), "<B", 200)
    file = read_tflite(newer)
    assert file.subgraphs[0].tensors[3].dtype == "type 99"
    assert file.subgraphs[0].operators[1].name == "operator 250"
    assert file.subgraphs[0].operators[1].options == {"options": "kind 200, newer than the schema here"}
    assert "type 99[10,256]" in "\n".join(describe(file))
    lines = differences(int8, newer)
    assert any("int8[10,256] -> type 99[10,256]" in line for line in lines)
    assert "operators: operator 250: none -> v3 x3" in lines


@pytest.mark.parametrize(
    ("number", "name"), [(17, "int4"), (19, "int2"), (20, "uint4"), (18, "bfloat16"), (63, "type 63")]
)
def test_small_and_new_types_have_their_names(number: int, name: str) -> None:
    assert read_tflite(written(dtype=number)).subgraphs[0].tensors[0].dtype == name


def test_a_field_that_a_newer_schema_added_to_options_is_not_overlooked(int8: bytes) -> None:
    # SOFTMAX has one option. The vtable of another table, with more fields, stands for a newer one.
    graph = model(int8).Subgraphs(0)
    union = graph.Operators(8).BuiltinOptions()
    other = graph.Operators(1).BuiltinOptions()
    vtable = other.Pos - struct.unpack_from("<i", int8, other.Pos)[0]
    changed = read_tflite(change(int8, union.Pos, "<i", union.Pos - vtable))
    options = changed.subgraphs[0].operators[8].options
    assert changed.subgraphs[0].operators[8].name == "SOFTMAX"
    assert "set, newer than the schema here" in options.values()


def test_control_characters_in_names_do_not_reach_the_terminal(int8: bytes) -> None:
    name = read_tflite(int8).subgraphs[0].tensors[-2].name.encode()
    changed = int8.replace(name, b"\x1b[2J\n" + b"x" * (len(name) - 5), 1).replace(b"1.14.0\0", b"1\x1b[2J\n\0")
    hostile = read_tflite(changed)
    lines = describe(hostile) + table(read_tflite(int8), hostile, compare(read_tflite(int8), hostile))
    assert any("\\x1b[2J\\n" in line for line in lines)
    assert not [line for line in lines if "\x1b" in line or "\n" in line]


@pytest.mark.parametrize(
    ("content", "words"), [(b"n" * 50, r"a text ends at byte \d+ of"), (b"\7" * 50, r"a buffer ends at byte \d+ of")]
)
def test_a_text_or_buffer_that_ends_behind_the_file_is_refused(content: bytes, words: str) -> None:
    data = written(b"\7" * 50, name="n" * 50)
    with pytest.raises(ModelError, match=words):
        read_tflite(change(data, data.index(content) - 4, "<I", len(data)))


def test_every_truncation_is_refused(many: bytes) -> None:
    for length in range(0, len(many), max(1, len(many) // 400)):
        with pytest.raises(ModelError):
            read_tflite(many[:length])


def test_thousands_of_random_corruptions_are_read_or_refused_and_nothing_else(int8: bytes, many: bytes) -> None:
    rng = random.Random(7)  # noqa: S311 - the same damage on every run
    outcomes = {"read": 0, "refused": 0}
    for data in (int8, many):
        file = read_tflite(data)
        weights = {n for b in file.buffers if b.size > 64 for n in range(b.offset, b.offset + b.size)}
        # Other weights are no damage: hit what says where things are.
        spots = [n for n in range(len(data)) if n not in weights]
        for _ in range(600):
            damaged = bytearray(data)
            for _ in range(rng.choice([1, 1, 3, 30])):
                at = rng.choice(spots)
                if rng.random() < 0.5:
                    damaged[at] = rng.randrange(256)
                else:
                    value = rng.choice([0, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, rng.randrange(len(data))])
                    struct.pack_into("<I", damaged, min(at & ~3, len(data) - 4), value)
            try:
                other = read_tflite(bytes(damaged))
            except ModelError:
                outcomes["refused"] += 1
                continue
            outcomes["read"] += 1
            describe(other)
            assert compare(file, other).same == (damaged == data)
            compare(other, file)
    assert min(outcomes.values()) > 100, outcomes
