"""The second line against model files that ask for more than computing: here it is known what Keras comes by.

The host has refused them already. What differs here: the model's own code, and the packages of the toolchain.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from kit.shared.job import JobError
from kit.shared.stored_member import open_member
from kit.trust.allowed import Ask
from kit.trust.archive import asks_of_archive
from kit.trust.hdf5 import asks_of_hdf5
from kit.trust.keras_config import asks_of_config, found_by_name
from kit.trust.saved_model import asks_of_saved_model
from kit.worker.loaders.load_errors import foreign

_BYTE_CODE = re.compile(r'"\w*_type":\s*"lambda"|"__lambda__"')


def refuse_config(keras: Any, text: str, objects: Mapping[str, Any]) -> None:
    """Raise JobError (kind "model") where a model's JSON asks for more than computing. objects are its own code's."""

    def known(name: str) -> bool:
        with suppress(Exception):
            return name in objects or keras.saving.get_registered_object(name, custom_objects=objects) is not None
        return name in objects

    built_in = _built_in(keras)

    def found(module: str | None, name: str) -> bool:
        if not module:
            return name in built_in or found_by_name(module, name)
        root = module.partition(".")[0]
        if root in {"__main__", "builtins"}:
            return hasattr(sys.modules[root], name)
        return importlib.util.find_spec(root) is not None

    _refuse(asks_of_config(json.loads(text), known, found), foreign(text))


def refuse_byte_code(text: str) -> None:
    """Raise JobError (kind "model") where a Keras 2 model's JSON has byte-code left: not every Keras 2 asks."""
    if _BYTE_CODE.search(json.dumps(json.loads(text))):  # in JSON, every character has a second spelling
        raise JobError(
            "model",
            "it carries Python code that runs when it is loaded",
            "let that code run: in a container (--engine docker), or with [model] allow_code = true",
        )


def refuse_saved_model(folder: Path) -> None:
    """Raise JobError (kind "model") where a SavedModel asks for more than computing."""
    _refuse(asks_of_saved_model(folder))


def refuse_weights(path: Path) -> None:
    """Raise JobError (kind "model") where weights lie in other files, or in a form that runs code: .h5 and .keras."""
    import h5py

    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
            _refuse(asks_of_archive(names))
            for name in names:
                if name.endswith(".h5"):
                    with open_member(path, name) as member, h5py.File(member, "r") as file:
                        _refuse(asks_of_hdf5(file))
        elif h5py.is_hdf5(path):
            with h5py.File(path, "r") as file:
                _refuse(asks_of_hdf5(file))
    except JobError:
        raise
    except Exception as error:  # whatever the HDF5 library makes of damaged bytes
        raise JobError("model", f"its weights cannot be read: {error}", "copy or save it again") from error


def _refuse(asks: Iterable[Ask], hint: str = "") -> None:
    for ask in asks:
        raise JobError(
            "model",
            f"it asks for more than computing: {ask}",
            hint or "save the model without that; or trust it with what this user may do: [model] allow_code = true",
        )


def _built_in(keras: Any) -> frozenset[str]:
    """Return the names that Keras looks up itself where a description names no module: layers and activations."""
    names = {name for name, value in vars(keras.activations).items() if callable(value)}
    names |= {name for name, value in vars(keras.layers).items() if isinstance(value, type)}
    for place in ("keras.src.layers.serialization", "tf_keras.src.layers.serialization", "keras.layers.serialization"):
        with suppress(Exception):
            module = importlib.import_module(place)
            if place.startswith(keras.__name__.partition(".")[0]):
                module.populate_deserializable_objects()
                names |= set(module.LOCAL.ALL_OBJECTS)
    return frozenset(names)
