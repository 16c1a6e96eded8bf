"""Names of inner tensors: they are out of the file, what is called by name is as it was, and a table has them all."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
import tflite  # type: ignore[import-untyped]
from models import keras3_model
from worlds import DIGITS, on, run_kit

from kit.bundle.layout import TENSORS
from kit.bundle.tensor_table import read_named, read_table
from kit.errors import ModelError
from kit.tflite.inner_names import tensor_names, without_inner_names
from kit.tflite.model import TfliteFile
from kit.tflite.reader import read_tflite, tflite_path
from kit.tflite.references import _TABLES
from kit.tflite.schema import names_of, slots_of
from kit.tflite.schema_package import schema
from kit.toolchains.toolchain import runtimes

SEED = Path(__file__).parents[1] / "fuzz" / "seeds" / "tflite" / "model.tflite"


def names(file: TfliteFile, graph: int = 0) -> list[str]:
    """Return the names of a graph's tensors."""
    return [tensor.name for tensor in file.subgraphs[graph].tensors]


def blank(file: TfliteFile, model: bytes) -> TfliteFile:
    """Return a file's values without inner names, and without what follows from its length."""
    inner = {(each.subgraph, each.tensor) for each in tensor_names(model) if each.inner}
    graphs = tuple(
        replace(
            graph,
            tensors=tuple(replace(t, name="" if (i, j) in inner else t.name) for j, t in enumerate(graph.tensors)),
        )
        for i, graph in enumerate(file.subgraphs)
    )
    return replace(file, subgraphs=graphs, size=0, sha256="")


def check(model: bytes) -> bytes:
    """Return a file without its inner names; all else has to be in it, as it was, aligned as it was."""
    made = without_inner_names(model)
    before, after = read_tflite(model), read_tflite(made)
    assert replace(after, size=0, sha256="") == blank(before, model)
    assert [buffer.offset % 16 for buffer in after.buffers] == [buffer.offset % 16 for buffer in before.buffers]
    for each in tensor_names(model):
        text = each.name.encode()
        assert not each.inner or not text or made.count(text) < model.count(text)
    assert without_inner_names(made) == made
    assert without_inner_names(model) == made
    return made


def test_only_names_of_inputs_and_outputs_are_in_a_bundles_file(digits_bundle: Path, named_digits: Path) -> None:
    file = read_tflite(tflite_path(digits_bundle))
    graph = file.subgraphs[0]
    assert {at for at, name in enumerate(names(file)) if name} == {*graph.inputs, *graph.outputs}
    kept = read_tflite(tflite_path(named_digits))
    assert all(names(kept)) and len(names(kept)) == len(names(file)) == 20
    assert kept.size - file.size > sum(len(name) for at, name in enumerate(names(kept)) if not names(file)[at])
    content = tflite_path(digits_bundle).read_bytes()
    assert b"Relu" in tflite_path(named_digits).read_bytes() and b"Relu" not in content and b"pseudo" not in content


def test_the_table_has_every_name_and_its_layers_and_inspect_and_diff_read_it(
    digits_bundle: Path, named_digits: Path
) -> None:
    kept = names(read_tflite(tflite_path(named_digits)))
    rows = read_table(digits_bundle / TENSORS)
    assert [(row.subgraph, row.tensor, row.name) for row in rows] == [(0, at, name) for at, name in enumerate(kept)]
    assert [row.layers for row in rows if "conv1" in row.layers] == [("relu1", "norm1", "conv1")]
    assert TENSORS.as_posix() in json.loads((digits_bundle / "bundle.json").read_text("utf-8"))["files"]
    assert names(read_named(digits_bundle)) == names(read_named(tflite_path(digits_bundle))) == kept
    listed = run_kit("inspect", str(digits_bundle)).stdout
    assert [line.split()[-1] for line in listed.splitlines() if " FULLY_CONNECTED " in line][-1] == "digit"
    found = run_kit("inspect", str(digits_bundle), "--weights", "arith.*").stdout
    assert found.startswith("arith.constant  int32 [2]")
    different = run_kit("diff", str(named_digits), str(digits_bundle))
    assert different.returncode == 6 and "the same structure" in different.stdout
    assert "renamed" not in different.stdout


def test_a_file_alone_calls_its_tensors_by_index(digits_bundle: Path, named_digits: Path, tmp_path: Path) -> None:
    alone = tmp_path / "model.tflite"
    alone.write_bytes(tflite_path(digits_bundle).read_bytes())
    assert run_kit("inspect", str(alone), "--weights", "#1").stdout.startswith("#1  int32 [2]")
    different = run_kit("diff", str(named_digits), str(alone))
    assert "tensors     18 have names in A only" in different.stdout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no table of tensors"),
        ('{"tensors": [{"subgraph": 0}]}', "no table"),
        ('{"tensors": []}', "another model"),
    ],
)
def test_a_table_that_is_none_or_of_another_model_is_refused(tmp_path: Path, text: str, words: str) -> None:
    assets = tmp_path / "src/main/assets/tiny"
    assets.mkdir(parents=True)
    (assets / "model.tflite").write_bytes(SEED.read_bytes())
    (tmp_path / TENSORS).parent.mkdir()
    (tmp_path / TENSORS).write_text(text, "utf-8")
    with pytest.raises(ModelError, match=words) as error:
        read_named(tmp_path)
    assert error.value.hint == "build the bundle again"


@pytest.mark.parametrize("runtime", on(sorted(runtimes())))
def test_a_file_without_names_gives_the_same_outputs_on_every_runtime(digits_bundle: Path, runtime: str) -> None:
    done = run_kit("emulate", str(digits_bundle), "--runtime", runtime)
    assert done.returncode == 0 and "golden: pass, 8 vectors" in done.stdout, done.stdout + done.stderr


def test_verify_holds_with_and_without_names(named_digits: Path) -> None:
    done = run_kit("verify", str(named_digits), "--engine", "local", "--model", str(DIGITS / "digits.keras"))
    assert done.returncode == 0 and "bytes      holds" in done.stdout, done.stdout + done.stderr


def written(shared: str = "", field: int = 0, far: bytes = b"") -> bytes:
    """Return a file of two graphs, "x" to "y" by a custom operator; the second is a loop's body, with the same tensors.

    shared: a name that an inner tensor shares with the signature's input, as one text. field: of a tensor, which the
    schema has not. far: a constant behind the tables, by its place in the file.
    """
    builder = flatbuffers.Builder(1024)
    texts = {name: builder.CreateSharedString(name) for name in ("x", "y", "inner/weights", "inner/step", shared)}
    offset = builder.CreateByteVector(b"\1\2\3\4" * 8)
    tflite.BufferStart(builder)
    tflite.BufferAddData(builder, offset)
    buffers = [tflite.BufferEnd(builder)]
    if far:
        tflite.BufferStart(builder)
        tflite.BufferAddOffset(builder, 0xABCDEF)
        tflite.BufferAddSize(builder, len(far))
        buffers.append(tflite.BufferEnd(builder))
    tensors = [tensor(builder, texts[name], field) for name in ("x", "inner/weights", shared or "inner/step", "y")]
    graphs = [graph(builder, tensors), graph(builder, [tensor(builder, texts["inner/step"], 0) for _ in range(4)])]
    maps = [vector(builder, [tensor_map(builder, texts[name], at)]) for name, at in (("x", 0), ("y", 3))]
    key = builder.CreateString("serving_default")
    tflite.SignatureDefStart(builder)
    tflite.SignatureDefAddInputs(builder, maps[0])
    tflite.SignatureDefAddOutputs(builder, maps[1])
    tflite.SignatureDefAddSignatureKey(builder, key)
    signatures = vector(builder, [tflite.SignatureDefEnd(builder)])
    custom = builder.CreateString("FlexErf")
    tflite.OperatorCodeStart(builder)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(builder, 32)
    tflite.OperatorCodeAddBuiltinCode(builder, 32)
    tflite.OperatorCodeAddCustomCode(builder, custom)
    codes = vector(builder, [tflite.OperatorCodeEnd(builder)])
    all_graphs, all_buffers = vector(builder, graphs), vector(builder, buffers)
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, 3)
    tflite.ModelAddOperatorCodes(builder, codes)
    tflite.ModelAddSubgraphs(builder, all_graphs)
    tflite.ModelAddBuffers(builder, all_buffers)
    tflite.ModelAddSignatureDefs(builder, signatures)
    builder.Finish(tflite.ModelEnd(builder), b"TFL3")
    content = bytes(builder.Output())
    content += bytes(-len(content) % 16)
    return content.replace(struct.pack("<Q", 0xABCDEF), struct.pack("<Q", len(content))) + far


def vector(builder: Any, offsets: list[int]) -> int:
    """Write a vector of offsets."""
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def tensor(builder: Any, name: int, field: int) -> int:
    """Write a tensor, of the last buffer."""
    builder.StartObject(12)
    builder.PrependUOffsetTRelativeSlot(3, name, 0)
    if field:
        builder.PrependUint32Slot(field, 7, 0)
    return int(builder.EndObject())


def tensor_map(builder: Any, name: int, index: int) -> int:
    """Write what a signature says of a tensor."""
    tflite.TensorMapStart(builder)
    tflite.TensorMapAddName(builder, name)
    tflite.TensorMapAddTensorIndex(builder, index)
    return int(tflite.TensorMapEnd(builder))


def graph(builder: Any, tensors: list[int]) -> int:
    """Write a graph whose first tensor goes in, and whose last comes out of a custom operator with options."""
    ends = {at: builder.CreateNumpyVector(np.array([at], np.int32)) for at in (0, 3)}
    options = builder.CreateByteVector(bytes(range(40)))
    tflite.OperatorStart(builder)
    tflite.OperatorAddInputs(builder, ends[0])
    tflite.OperatorAddOutputs(builder, ends[3])
    tflite.OperatorAddCustomOptions(builder, options)
    operators = vector(builder, [tflite.OperatorEnd(builder)])
    all_tensors = vector(builder, tensors)
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, all_tensors)
    tflite.SubGraphAddInputs(builder, ends[0])
    tflite.SubGraphAddOutputs(builder, ends[3])
    tflite.SubGraphAddOperators(builder, operators)
    return int(tflite.SubGraphEnd(builder))


def test_a_loops_body_has_no_names_and_a_signatures_graph_keeps_its_ends() -> None:
    made = read_tflite(check(written()))
    assert names(made) == ["x", "", "", "y"] and names(made, 1) == [""] * 4
    assert made.signatures[0].inputs == {"x": 0} and made.signatures[0].outputs == {"y": 3}
    check(SEED.read_bytes())


def test_a_text_that_others_use_too_stays_for_them() -> None:
    made = read_tflite(without_inner_names(written(shared="x")))
    assert names(made) == ["x", "", "", "y"] and made.signatures[0].inputs == {"x": 0}
    made = read_tflite(without_inner_names(written(shared="FlexErf")))
    assert [code.name for code in made.operator_codes] == ["CUSTOM:FlexErf"]


def test_constants_behind_the_tables_are_found_at_their_new_place() -> None:
    model = written(far=b"far away " * 8)
    made = check(model)
    buffer = read_tflite(made).buffers[1]
    assert made[buffer.offset : buffer.offset + buffer.size] == b"far away " * 8
    assert read_tflite(model).buffers[1].offset > buffer.offset > 1


def test_what_is_newer_than_the_schema_is_refused_with_the_key_that_keeps_the_names() -> None:
    with pytest.raises(ModelError, match="newer than its schema here: field 11 of Tensor") as error:
        without_inner_names(written(field=11))
    assert error.value.hint == "keep them: [quantize] keep_names = true"


def test_no_damaged_byte_raises_anything_but_a_model_error() -> None:
    model = written()
    for at in range(0, len(model), 5):
        damaged = model[:at] + bytes([model[at] ^ 0x81]) + model[at + 1 :]
        try:
            without_inner_names(damaged)
        except ModelError as error:
            assert error.hint


def test_the_offsets_of_every_table_are_those_of_the_schema() -> None:
    for table, (offsets, count) in _TABLES.items():
        if hasattr(schema(), table):
            slots = slots_of(table)
            assert {slot for slot, is_offset in slots.items() if is_offset} == set(offsets)
            assert max(slots) < count
    # Options have texts and numbers alone: `references` looks for no tables in them.
    for union in ("BuiltinOptions", "BuiltinOptions2"):
        for name in list(names_of(union).values())[1:]:
            kind = getattr(schema(), name)
            vectors = [each.removesuffix("Length") for each in vars(kind) if each.endswith("Length")]
            assert all(hasattr(kind, f"{each}AsNumpy") for each in vectors)


@pytest.mark.slow
def test_two_inputs_and_three_outputs_keep_their_names_and_numbers(toolchain_python: Path, tmp_path: Path) -> None:
    keras3_model(toolchain_python, tmp_path / "m.keras", "two_in_three_out")
    sizes = []
    for key in ("true", "false"):
        folder = tmp_path / key
        folder.mkdir()
        text = f"[model]\npath = '../m.keras'\nid = 'many'\n[quantize]\nscheme = 'dynamic'\nkeep_names = {key}\n"
        (folder / "recipe.toml").write_text(text, "utf-8")
        built = run_kit("build", str(folder), "--engine", "local", "--out", str(folder / "dist"))
        assert built.returncode == 0, built.stderr
        sizes.append(tflite_path(folder / "dist" / "many").stat().st_size)
    assert sizes[1] < sizes[0]
    golden = [(tmp_path / key / "dist/many/emulate/golden.npz").read_bytes() for key in ("true", "false")]
    assert golden[0] == golden[1]
