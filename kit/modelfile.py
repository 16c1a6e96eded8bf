"""What a model file says of itself, read without TensorFlow: its format, the Keras that wrote it, its inputs.

Opens the file and reads its description only; runs nothing of it.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.errors import ModelError

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_SAVE_AGAIN = "save the whole model again: model.save('name.keras')"


@dataclass(frozen=True)
class ModelFile:
    """A source model as its file describes it."""

    path: Path
    suffix: str  # what its content is, whatever its name: ".keras" or ".h5"
    keras: str  # the version that wrote it: "3.15.1", "2.0.5"
    inputs: dict[str, tuple[int | None, ...]]  # shapes without the batch axis, where the file says them
    code: tuple[str, ...]  # layers that carry Python code of their own

    @property
    def legacy(self) -> bool:
        """Say whether Keras 2 wrote it."""
        return not self.keras.startswith("3")


def read_model_file(path: Path) -> ModelFile:
    """Read a model file's description. Raises ModelError where it is not a whole saved Keras model."""
    if path.is_dir():
        raise ModelError(f"{path}: a folder, and only .keras and .h5 files are taken yet", _SAVE_AGAIN)
    try:
        with path.open("rb") as file:
            magic = file.read(8)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}", "check the file and its permissions") from error
    if magic.startswith(_ZIP):
        return _from_zip(path)
    if magic == _HDF5:
        return _from_hdf5(path)
    kind = "empty" if not magic else "neither a zip (.keras) nor an HDF5 (.h5) file"
    raise ModelError(f"{path}: not a Keras model: it is {kind}", _SAVE_AGAIN)


def _from_zip(path: Path) -> ModelFile:
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
            if broken:
                raise ModelError(f"{path}: damaged: {broken} in it does not match its checksum", _SAVE_AGAIN)
            config = json.loads(archive.read("config.json"))
            version = str(json.loads(archive.read("metadata.json"))["keras_version"])
    except (zipfile.BadZipFile, EOFError) as error:
        raise ModelError(
            f"{path}: not a whole .keras file: {error}: was it cut short?", "copy or save it again"
        ) from error
    except (KeyError, ValueError, TypeError) as error:
        raise ModelError(
            f"{path}: a zip file, but no Keras model: no readable config.json and metadata.json in it",
            _SAVE_AGAIN,
        ) from error
    return ModelFile(path, ".keras", version, _inputs(config), tuple(_code(config)))


def _from_hdf5(path: Path) -> ModelFile:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            text, version = file.attrs.get("model_config"), file.attrs.get("keras_version", "2")
            weights_only = text is None and ("layer_names" in file.attrs or "layers" in file)
    except (OSError, RuntimeError, KeyError) as error:
        reason = str(error).split("(")[-1].rstrip(")")
        raise ModelError(f"{path}: not a whole HDF5 file: {reason}", "copy or save it again") from error
    if weights_only:
        raise ModelError(
            f"{path}: it holds weights only, not the model's structure",
            "build the model in Python, load_weights, and model.save('name.keras')",
        )
    if text is None:
        raise ModelError(f"{path}: an HDF5 file, but no Keras model: no model_config in it", _SAVE_AGAIN)
    try:
        config = json.loads(text)
    except ValueError as error:
        raise ModelError(f"{path}: its model_config is not JSON: {error}", _SAVE_AGAIN) from error
    return ModelFile(path, ".h5", _text(version), _inputs(config), tuple(_code(config)))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _inputs(config: Any) -> dict[str, tuple[int | None, ...]]:
    """Return the shapes of the outermost model's input layers. A model that does not say gives none."""
    body = config.get("config", {}) if isinstance(config, dict) else {}
    layers = body if isinstance(body, list) else body.get("layers", [])  # Keras before 2.2: a Sequential is a list
    found = {}
    for layer in layers:
        if isinstance(layer, dict) and layer.get("class_name") == "InputLayer":
            own = layer.get("config", {})
            shape = own.get("batch_shape") or own.get("batch_input_shape")
            if shape:
                found[str(own.get("name") or layer.get("name"))] = tuple(shape[1:])
    return found


def _code(config: Any, inside: str = "model") -> Iterator[str]:
    """Yield the names of layers that hold marshalled Python: Lambda layers, and lambdas given to others."""
    if isinstance(config, dict):
        name = config.get("config", {}).get("name", inside) if isinstance(config.get("config"), dict) else inside
        if config.get("class_name") in {"Lambda", "__lambda__"} or config.get("function_type") == "lambda":
            yield str(name)
            return
        for value in config.values():
            yield from _code(value, str(name))
    elif isinstance(config, list):
        for value in config:
            yield from _code(value, inside)
