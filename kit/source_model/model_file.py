"""What a model file or folder says of itself, read without TensorFlow: its format, who wrote it, its inputs.

Opens the file and reads its description only; runs nothing of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kit.bounded import MOST_JSON, open_regular, open_zip, read_bounded
from kit.errors import ModelError
from kit.source_model.file_names import FileNames, names_of_config
from kit.source_model.hdf5 import Hdf5, StoredArray, read_hdf5
from kit.source_model.saved_model import read_writer
from kit.trust.archive import asks_of_archive
from kit.trust.keras_config import asks_of_config
from kit.trust.saved_model import asks_of_saved_model

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_MEMBERS = _CONFIG, _VERSION = "config.json", "metadata.json"
_SAVE_AGAIN = "save the whole model again: model.save('name.keras')"
SAVED_MODEL = "SavedModel"
WEIGHTS, NEW_WEIGHTS = "weights", ".weights.h5"  # the second's layout follows the Keras that wrote it
_OLD_WEIGHTS = "layer_names"
_MAIN = "serving_default"


@dataclass(frozen=True)
class ModelFile:
    """A source model as its file describes it."""

    path: Path
    suffix: str  # what its content is, whatever its name: ".keras", ".h5", "SavedModel", "weights" or ".weights.h5"
    keras: str  # the version that wrote it: "3.15.1", "2.0.5"; "" where it does not say
    inputs: dict[str, tuple[int | None, ...]]  # shapes without the batch axis, where the file says them
    code: tuple[str, ...]  # layers that carry Python code of their own
    tensorflow: str = ""  # the version that wrote a SavedModel
    trained_int8: bool = False  # quantization-aware training may have left its ranges in it
    asks: tuple[str, ...] = ()  # what it asks for beyond computing: functions, classes, operators and files
    names: FileNames | None = field(default=None, compare=False)  # where the file is certain of them
    weights: int = 0  # bytes of its weights; 0 where the file does not say
    arrays: tuple[StoredArray, ...] = field(default=(), compare=False, repr=False)  # of a Keras file
    config: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)  # its JSON, of the same
    unread: str = ""  # why the weights in a .keras file cannot be read; "" where they can

    @property
    def legacy(self) -> bool:
        """Say whether Keras 2 wrote it, as far as is known."""
        return self.keras.startswith("2")

    @property
    def what(self) -> str:
        """Return what it is, with an article: "a .h5 file of Keras 2.0.5"."""
        keras = f"Keras {self.keras}" if self.keras else ""
        tensorflow = f"TensorFlow {self.tensorflow}" if self.tensorflow else ""
        kind = {SAVED_MODEL: "SavedModel", WEIGHTS: "file of weights"}.get(self.suffix, f"{self.suffix} file")
        writers = " and ".join(filter(None, (tensorflow, keras)))
        return f"a {kind} of {writers}" if writers else f"a {kind}"


def read_model_file(path: Path, structure: Path | None = None, *, built: bool = False) -> ModelFile:
    """Read a model file's or folder's description.

    A file of weights alone is taken where its structure comes from elsewhere: from a file of JSON, or built by the
    model's own code. Raises ModelError where it is not a whole saved model.
    """
    if path.is_dir():
        return _from_folder(path)
    try:
        with open_regular(path) as file:
            magic = file.read(8)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}", "check its path and its permissions") from error
    if magic.startswith(_ZIP):
        return _from_zip(path, built)
    if magic == _HDF5:
        return _from_hdf5(path, structure, built)
    kind = "empty" if not magic else "neither a zip (.keras) nor an HDF5 (.h5) file"
    raise ModelError(f"{path}: not a Keras model: it is {kind}", _SAVE_AGAIN)


def _from_folder(path: Path) -> ModelFile:
    writer = read_writer(path)
    if writer is None:
        raise ModelError(f"{path}: a folder without a readable saved_model.pb", "name a model file or a SavedModel")
    signatures = writer.signatures
    main = signatures.get(_MAIN) or next(iter(signatures.values()), {})
    inputs = {name: shape[1:] for name, shape in sorted(main.items())}
    try:
        asks = tuple(str(ask) for ask in asks_of_saved_model(path))
    except (OSError, ValueError, IndexError) as error:
        raise ModelError(f"{path}: not a whole SavedModel: {error}", "copy or export it again") from error
    names = FileNames(inputs, writer.outputs.get(_MAIN, {})) if set(signatures) == {_MAIN} else None
    weights = sum(part.stat().st_size for part in (path / "variables").glob("variables.data-*"))
    return ModelFile(
        path, SAVED_MODEL, writer.keras, inputs, (), writer.tensorflow, writer.rounds, asks, names, weights
    )


def _from_zip(path: Path, built: bool) -> ModelFile:
    try:
        with open_zip(path) as archive:
            for name in _MEMBERS:
                if name in archive.namelist() and archive.getinfo(name).file_size > MOST_JSON:
                    raise ValueError(f"{name} in it is larger than {MOST_JSON:,} bytes")
            broken = archive.testzip()
            members = archive.namelist()
            texts = {name: archive.read(name) for name in _MEMBERS if name in archive.namelist()}
            weights = [name for name in members if name.endswith(".h5")]
    # Broken bytes make zipfile and its decoders raise BadZipFile, EOFError, OSError, RuntimeError, zlib.error and more.
    except Exception as error:
        raise ModelError(
            f"{path}: not a whole .keras file: {error}: was it cut short?", "copy or save it again"
        ) from error
    if broken:
        raise ModelError(f"{path}: damaged: {broken} in it does not match its checksum", "copy or save it again")
    try:
        keras = str(json.loads(texts[_VERSION])["keras_version"])
        made = _model_file(path, ".keras", keras, texts[_CONFIG], built)
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise ModelError(
            f"{path}: a zip file, but no Keras model: no readable {' and '.join(_MEMBERS)} in it", _SAVE_AGAIN
        ) from error
    read = [_member(path, name) for name in weights]
    stores, unread = [store for store, _ in read], "; ".join(why for _, why in read if why)
    asks = [*map(str, asks_of_archive(members)), *(ask for store in stores for ask in store.asks)]
    arrays = tuple(array for store in stores for array in store.arrays)
    whole = replace(made, asks=(*made.asks, *asks), weights=sum(array.bytes for array in arrays), arrays=arrays)
    return replace(whole, unread=unread)


def _member(path: Path, name: str) -> tuple[Hdf5, str]:
    """Return what the weights in a .keras file say, and why they cannot be read: for a build, Keras refuses them."""
    try:
        return read_hdf5(path, name), ""
    except ValueError as error:
        return Hdf5({}, frozenset()), f"{name}: {error}"


def _from_hdf5(path: Path, structure: Path | None, built: bool) -> ModelFile:
    try:
        root = read_hdf5(path)
    except ValueError as error:
        raise ModelError(f"{path}: not a whole HDF5 file: {error}", "copy or save it again") from error
    if "model_config" not in root.names:
        kind = WEIGHTS if _OLD_WEIGHTS in root.names else NEW_WEIGHTS
        if structure is not None:
            made = _weights(path, kind, structure, built)
            return replace(made, asks=(*made.asks, *root.asks), weights=root.weights, arrays=root.arrays)
        if built:
            keras = root.texts.get("keras_version", "")
            bare = ModelFile(path, kind, keras, {}, (), trained_int8=True, asks=root.asks)
            return replace(bare, weights=root.weights, arrays=root.arrays)
        if root.names & {_OLD_WEIGHTS, "layers"}:
            raise ModelError(f"{path}: it holds weights only, not the model's structure", _STRUCTURE)
    if "model_config" not in root.texts:
        raise ModelError(f"{path}: an HDF5 file, but no Keras model: no model_config in it", _SAVE_AGAIN)
    try:
        made = _model_file(path, ".h5", root.texts.get("keras_version", "2"), root.texts["model_config"], built)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: its model_config cannot be read: {error}", _SAVE_AGAIN) from error
    return replace(made, asks=(*made.asks, *root.asks), weights=root.weights, arrays=root.arrays)


_STRUCTURE = (
    "give its structure: [model] structure = 'model.json', which model.to_json() writes, or [model] code with "
    "build_model(); or build the model in Python, load_weights, and model.save('name.keras')"
)


def _weights(path: Path, kind: str, structure: Path, built: bool) -> ModelFile:
    """Describe a file of weights by its structure's JSON: Keras 2 writes its version there, and Keras 3 does not."""
    try:
        text = read_bounded(structure, MOST_JSON).decode("utf-8")
        keras = str(json.loads(text).get("keras_version") or "3")
        return _model_file(path, kind, keras, text, built)
    except OSError as error:
        raise ModelError(
            f"{structure}: cannot be read: {error.strerror}", "check its path and its permissions"
        ) from error
    except (ValueError, AttributeError, RecursionError) as error:
        raise ModelError(f"{structure}: no model's structure: {error}", "write it with model.to_json()") from error


def _model_file(path: Path, suffix: str, keras: str, text: str | bytes, built: bool) -> ModelFile:
    """Read a model's JSON.

    built: it has code of its own, and the worker, which has it, knows its names. Raises ValueError or RecursionError
    where it is none that Keras writes.
    """
    config = json.loads(text)
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str):
        raise ValueError("it names no class")
    trained = any(name in json.dumps(config) for name in _ROUNDING_LAYERS)
    asks = tuple(str(ask) for ask in asks_of_config(config, known=lambda _: built))
    return ModelFile(
        path,
        suffix,
        keras,
        _inputs(config),
        tuple(_code(config)),
        trained_int8=trained,
        asks=asks,
        names=names_of_config(config),
        config=config,
    )


_ROUNDING_LAYERS = ('"QuantizeLayer"', '"QuantizeWrapper"', '"QuantizeWrapperV2"')  # tfmot's


def _inputs(config: dict[str, Any]) -> dict[str, tuple[int | None, ...]]:
    """Return the shapes of the outermost model's input layers. A model that does not say gives none."""
    body = config.get("config")
    layers = body.get("layers") if isinstance(body, dict) else body  # Keras before 2.2: a Sequential is a list
    found = {}
    for layer in layers if isinstance(layers, list) else []:
        if isinstance(layer, dict) and layer.get("class_name") == "InputLayer":
            own = layer["config"] if isinstance(layer.get("config"), dict) else {}
            shape = own.get("batch_shape") or own.get("batch_input_shape")
            if isinstance(shape, list) and _is_shape(shape):
                found[str(own.get("name") or layer.get("name"))] = tuple(shape[1:])
    return found or _unopened(body, layers)


def _unopened(body: Any, layers: Any) -> dict[str, tuple[int | None, ...]]:
    """Return the input of a Sequential without an input layer, by the name that Keras gives it."""
    first = layers[0] if isinstance(layers, list) and layers and isinstance(layers[0], dict) else {}
    own = first["config"] if isinstance(first.get("config"), dict) else {}
    shape = own.get("batch_input_shape") or (body.get("build_input_shape") if isinstance(body, dict) else None)
    if isinstance(shape, list) and _is_shape(shape) and "name" in own:
        return {f"{own['name']}_input": tuple(shape[1:])}
    return {}


def _is_shape(value: list[Any]) -> bool:
    return bool(value) and all(n is None or type(n) is int for n in value)


def _is_function(value: Any) -> bool:
    """Say whether it is [byte-code, defaults, closure]; [layer, 0, 0] is where a call's argument comes from."""
    return (
        isinstance(value, list)
        and len(value) == 3
        and isinstance(value[0], str)
        and not any(isinstance(each, int) for each in value[1:])
    )


def _marked(config: dict[str, Any]) -> bool:
    """Say whether a configuration has byte-code beside its type: "function_type", "dropout_fn_type"."""
    return any(key.endswith("_type") and value == "lambda" for key, value in config.items())


def _code(config: Any, inside: str = "model") -> Iterator[str]:
    """Yield the names of layers that hold marshalled Python: Lambda layers, and lambdas given to others."""
    if isinstance(config, dict):
        name = config.get("config", {}).get("name", inside) if isinstance(config.get("config"), dict) else inside
        if config.get("class_name") in ("Lambda", "__lambda__") or _marked(config):
            yield str(name)
            return
        value = config.get("value")
        if set(config) == {"value"} and _is_function(value):
            yield str(name)  # an activation's: [byte-code, defaults, closure]
            return
        for each in config.values():
            yield from _code(each, str(name))
    elif isinstance(config, list):
        for each in config:
            yield from _code(each, inside)
