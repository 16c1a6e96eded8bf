"""What a model file says of itself, and what is no model file. Nothing here needs TensorFlow."""

from __future__ import annotations

import json
import time
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from worlds import DIGITS

from kit.errors import ModelError
from kit.source_model import hdf5
from kit.source_model.model_file import ModelFile, read_model_file


def layer(kind: str, name: str, **config: Any) -> dict[str, Any]:
    """Return a layer as Keras describes it."""
    return {"class_name": kind, "config": {"name": name, **config}}


def functional(*layers: dict[str, Any]) -> dict[str, Any]:
    """Return a model's description as Keras writes it."""
    return {"class_name": "Functional", "config": {"name": "model", "layers": list(layers)}}


IMAGE = layer("InputLayer", "image", batch_shape=[None, 8, 8, 1])


def keras_file(path: Path, config: Any, *, version: str = "3.15.1", method: int = zipfile.ZIP_STORED) -> Path:
    """Write a .keras file: a zip with the model's description, its version and its weights."""
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": version}))
        archive.writestr("config.json", config if isinstance(config, str | bytes) else json.dumps(config))
        archive.writestr("model.weights.h5", bytes(range(64)))
    return path


def h5_file(path: Path, **attributes: Any) -> Path:
    """Write an HDF5 file with these attributes and some weights."""
    with h5py.File(path, "w") as file:
        file.attrs.update(attributes)
        file["model_weights/kernel"] = np.arange(100.0)
    return path


def refusal(path: Path) -> ModelError:
    """Return how a file is refused. Its name is always said."""
    with pytest.raises(ModelError) as caught:
        read_model_file(path)
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value


# ---------------------------------------------------------------- what it says


def test_the_example_says_its_keras_and_its_input() -> None:
    path = DIGITS / "digits.keras"
    numbers = 26_202  # weights, biases and the statistics of batch normalization
    assert read_model_file(path) == ModelFile(path, ".keras", "3.15.1", {"image": (8, 8, 1)}, (), weights=4 * numbers)


def test_a_keras_file_gives_its_inputs_by_name_with_open_axes(tmp_path: Path) -> None:
    config = functional(IMAGE, layer("InputLayer", "words", batch_shape=[None, None]), layer("Dense", "dense"))
    read = read_model_file(keras_file(tmp_path / "m.keras", config))
    assert read.inputs == {"image": (8, 8, 1), "words": (None,)}
    assert not read.legacy


def test_an_h5_of_keras_2_gives_its_inputs(tmp_path: Path) -> None:
    config = functional(layer("InputLayer", "input_1", batch_input_shape=[None, 64, 64, 1]))
    read = read_model_file(h5_file(tmp_path / "m.h5", model_config=json.dumps(config), keras_version="2.15.0"))
    assert (read.suffix, read.keras, read.inputs) == (".h5", "2.15.0", {"input_1": (64, 64, 1)})
    assert read.legacy


def test_the_oldest_h5_files_have_bytes_a_list_of_layers_and_no_version(tmp_path: Path) -> None:
    config = {"class_name": "Sequential", "config": [layer("Dense", "dense_1", batch_input_shape=[None, 4])]}
    read = read_model_file(h5_file(tmp_path / "m.hdf5", model_config=np.bytes_(json.dumps(config))))
    assert (read.keras, read.inputs, read.legacy) == ("2", {"dense_1_input": (4,)}, True)


@pytest.mark.parametrize("name", ["m.keras", "m.h5", "m.hdf5", "m", "m.txt"])
def test_the_content_decides_and_not_the_name(tmp_path: Path, name: str) -> None:
    config = functional(IMAGE)
    assert read_model_file(keras_file(tmp_path / name, config)).suffix == ".keras"
    assert read_model_file(h5_file(tmp_path / name, model_config=json.dumps(config))).suffix == ".h5"


def test_the_inputs_of_a_model_inside_the_model_are_not_its_own(tmp_path: Path) -> None:
    inner = functional(layer("InputLayer", "inner", batch_shape=[None, 3]))
    assert read_model_file(keras_file(tmp_path / "m.keras", functional(IMAGE, inner))).inputs == {"image": (8, 8, 1)}


@pytest.mark.parametrize(
    "hidden",
    [
        layer("Lambda", "trick", function={"class_name": "__lambda__", "config": {"code": "4wEAAAA="}}),
        layer("Lambda", "trick", function=["4wEAAAA=", None, None], function_type="lambda"),
        layer("OurOwnLambda", "trick", function=["4wEAAAA=", None, None], function_type="lambda"),
        layer("Activation", "trick", activation={"class_name": "__lambda__", "config": {"value": "4wEAAAA="}}),
        layer("Dense", "trick", activation={"value": ["4wEAAAA=", None, None]}),
        functional(layer("TimeDistributed", "each", layer=layer("Lambda", "trick"))),
    ],
    ids=["keras 3", "keras 2", "a subclass", "a lambda given to another layer", "an activation", "deep inside"],
)
def test_a_layer_that_carries_python_code_is_named(tmp_path: Path, hidden: dict[str, Any]) -> None:
    config = functional(IMAGE, hidden, layer("Dense", "dense"))
    assert read_model_file(keras_file(tmp_path / "m.keras", config)).code == ("trick",)
    assert read_model_file(h5_file(tmp_path / "m.h5", model_config=json.dumps(config))).code == ("trick",)


def test_a_model_without_code_says_so(tmp_path: Path) -> None:
    assert read_model_file(keras_file(tmp_path / "m.keras", functional(IMAGE, layer("Dense", "d")))).code == ()


# ---------------------------------------------------------------- what is no model


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"hello\n", "neither a zip (.keras) nor an HDF5 (.h5) file"),
        (b"\x89HDF", "neither a zip"),
        (b"PK\x03\x04", "not a whole .keras file"),
        (b"\x89HDF\r\n\x1a\n", "not a whole HDF5 file"),
    ],
)
@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_a_file_that_only_has_the_name_is_refused(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert reason in refusal(tmp_path / name).message


def test_no_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in refusal(tmp_path / "m.keras").message
    (tmp_path / "saved_model").mkdir()
    assert "a folder without a readable saved_model.pb" in refusal(tmp_path / "saved_model").message


def test_a_keras_file_that_was_cut_short_is_refused_wherever_it_was_cut(tmp_path: Path) -> None:
    whole = keras_file(tmp_path / "m.keras", functional(IMAGE)).read_bytes()
    for length in range(4, len(whole), 50):
        (tmp_path / "m.keras").write_bytes(whole[:length])
        assert "was it cut short?" in refusal(tmp_path / "m.keras").message


def test_an_h5_file_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    whole = h5_file(tmp_path / "m.h5", model_config=json.dumps(functional(IMAGE))).read_bytes()
    for length in (8, len(whole) // 2, len(whole) - 1):
        (tmp_path / "m.h5").write_bytes(whole[:length])
        assert "not a whole HDF5 file" in refusal(tmp_path / "m.h5").message


def test_the_damaged_part_of_a_keras_file_is_named(tmp_path: Path) -> None:
    whole = keras_file(tmp_path / "m.keras", functional(IMAGE)).read_bytes()
    (tmp_path / "m.keras").write_bytes(whole.replace(bytes(range(64)), bytes(range(63)) + b"\xff"))
    assert "damaged: model.weights.h5 in it does not match its checksum" in refusal(tmp_path / "m.keras").message


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_one_wrong_byte_anywhere_in_a_keras_file_is_a_refusal_or_no_harm(tmp_path: Path, method: int) -> None:
    whole = keras_file(tmp_path / "m.keras", functional(IMAGE), method=method).read_bytes()
    places, refused = range(4, len(whole), 3), 0
    for place in places:
        (tmp_path / "m.keras").write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            read_model_file(tmp_path / "m.keras")
        except ModelError:
            refused += 1
    assert refused > len(places) // 4


@pytest.mark.parametrize(
    ("death", "words"),
    [
        ("import os; os.abort()", "the HDF5 library crashes on it"),
        ("import time; time.sleep(60)", "the HDF5 library does not get to its end"),
        ("raise SystemExit('bad symbol table')", "bad symbol table"),
    ],
)
def test_a_file_that_kills_or_stalls_the_hdf5_library_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, death: str, words: str
) -> None:
    # Real files do this, but which ones depends on the library's version: here the library is the killer's.
    (tmp_path / "h5py.py").write_text(f"def File(*_):\n    {death}\n", "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(hdf5, "SECONDS", 5.0)
    path, begin = h5_file(tmp_path / "m.h5", model_config="{}"), time.monotonic()
    assert words in refusal(path).message
    assert time.monotonic() - begin < 30


def test_weights_alone_are_distinguished_from_a_model(tmp_path: Path) -> None:
    error = refusal(h5_file(tmp_path / "m.weights.h5", layer_names=[b"dense"]))
    assert "it holds weights only" in error.message
    for way in ("[model] structure", "build_model()", "model.save"):
        assert way in error.hint


def test_weights_alone_are_taken_with_a_structure_which_says_the_keras_and_the_inputs(tmp_path: Path) -> None:
    path = h5_file(tmp_path / "m.weights.h5", layer_names=[b"dense"], keras_version="2.12.0")
    config = functional(IMAGE, layer("Lambda", "trick"))
    structure = tmp_path / "m.json"
    for extra, keras, legacy in (({"keras_version": "2.15.0"}, "2.15.0", True), ({"module": "keras"}, "3", False)):
        structure.write_text(json.dumps({**config, **extra}), "utf-8")
        read = read_model_file(path, structure)
        assert read == ModelFile(path, "weights", keras, {"image": (8, 8, 1)}, ("trick",), weights=800)
        assert (read.legacy, read.what) == (legacy, f"a file of weights of Keras {keras}")


@pytest.mark.parametrize(("attributes", "suffix"), [({"layer_names": [b"dense"]}, "weights"), ({}, ".weights.h5")])
def test_weights_alone_are_taken_with_code_that_builds_the_model(
    tmp_path: Path, attributes: dict[str, Any], suffix: str
) -> None:
    path = h5_file(tmp_path / "m.h5", **attributes)
    assert read_model_file(path, built=True) == ModelFile(path, suffix, "", {}, (), trained_int8=True, weights=800)
    path = h5_file(tmp_path / "n.h5", keras_version="2.3.1", **attributes)
    assert read_model_file(path, built=True).keras == "2.3.1"


@pytest.mark.parametrize("text", ["", "[]", "{", "3", '{"class_name": 3}', "\udcff"])
def test_a_structure_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = h5_file(tmp_path / "m.h5", layer_names=[b"dense"])
    (tmp_path / "m.json").write_text(text, "utf-8", errors="surrogateescape")
    with pytest.raises(ModelError, match=r"m\.json: no model's structure(.|\n)*to_json"):
        read_model_file(path, tmp_path / "m.json")


def test_a_whole_model_is_itself_whatever_structure_is_given(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text("{", "utf-8")
    path = h5_file(tmp_path / "m.h5", model_config=json.dumps(functional(IMAGE)))
    assert read_model_file(path, tmp_path / "m.json", built=True).suffix == ".h5"


def test_a_zip_and_an_hdf5_of_something_else_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("hello.txt", "hello")
    assert "a zip file, but no Keras model" in refusal(tmp_path / "m.keras").message
    assert "an HDF5 file, but no Keras model" in refusal(h5_file(tmp_path / "m.h5", title="hello")).message


JUNK: list[Any] = [
    None, 1, 1.5, True, "x", [], {}, [1], [[]], {"a": 1},
    {"class_name": "InputLayer"},
    {"class_name": "InputLayer", "config": 3},
    {"class_name": "InputLayer", "config": {"batch_shape": 3}},
    {"class_name": "InputLayer", "config": {"batch_shape": "abc"}},
    {"class_name": "InputLayer", "config": {"batch_shape": {"a": 1}}},
    {"class_name": "InputLayer", "config": {"batch_shape": [None, "a", [1], True], "name": [1]}},
    {"class_name": ["Lambda"]},
    {"function_type": ["lambda"]},
]  # fmt: skip


@pytest.mark.parametrize("junk", JUNK, ids=json.dumps)
def test_json_that_keras_never_writes_is_a_refusal_or_a_model_that_says_nothing(tmp_path: Path, junk: Any) -> None:
    whole = {"class_name": "Functional", "config": junk}
    for config in (whole, functional(junk), {**whole, "config": {"layers": junk}}):
        assert read_model_file(keras_file(tmp_path / "m.keras", config)).inputs == {}
    if not (isinstance(junk, dict) and isinstance(junk.get("class_name"), str)):
        assert "no Keras model" in refusal(keras_file(tmp_path / "m.keras", junk)).message
    for text in (json.dumps(junk), '{"keras_version": '):
        with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
            archive.writestr("config.json", json.dumps(functional(IMAGE)))
            archive.writestr("metadata.json", text)
        assert "no Keras model" in refusal(tmp_path / "m.keras").message


@pytest.mark.parametrize("text", ["", "not json", "[" * 100_000, b"\xff\xfe", '{"a": ' * 900 + "1" + "}" * 900])
def test_a_description_that_is_no_json_is_refused(tmp_path: Path, text: str | bytes) -> None:
    assert "no Keras model" in refusal(keras_file(tmp_path / "m.keras", text)).message


@pytest.mark.parametrize("value", ["not json", "[" * 60_000, 7, np.arange(3), h5py.Empty("f"), b"\xff\xfe", "[]"])
def test_a_model_config_that_is_none_is_refused(tmp_path: Path, value: Any) -> None:
    refusal(h5_file(tmp_path / "m.h5", model_config=value))
