"""Functions without a name in a Keras model's description: what the model's own code gives for them takes their place.

Keras stores a lambda as byte-code, which the Python that wrote it alone can read, and Keras itself does not read it
back where the lambda is an activation. In CUSTOM_OBJECTS a lambda is "<lambda>", or "dense/<lambda>" by its layer.
"""

from __future__ import annotations

import base64
import json
import marshal
import shutil
import types
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kit.worker.job import JobError, ModelPart
from kit.worker.precision import float_config

LAMBDA = "<lambda>"
_CONFIG = "config.json"


class Renamed:
    """A description in which every lambda that can be had has a name, and `objects` with those names."""

    def __init__(self, text: str, objects: Mapping[str, Any], *, legacy: bool, allow_code: bool) -> None:
        """Read the JSON. Raises JobError where one "<lambda>" would have to stand for several functions."""
        self.objects = dict(objects)
        self._legacy, self._allow_code = legacy, allow_code
        self._bodies: dict[str, str] = {}  # byte-code by the name that was given
        self.changed = False
        self.left: list[str] = []  # layers with a function that stays as it is stored
        self.precisions: set[str] = set()  # policies and types of half and double precision, which became float32
        config = float_config(self._walk(json.loads(text), "model"), self.precisions)
        self.changed |= bool(self.precisions)
        self.text = json.dumps(config) if self.changed else text
        for name in [*objects]:
            for full in _registered(config):
                if full.rpartition(">")[2] == name:
                    self.objects.setdefault(full, objects[name])

    def _walk(self, value: Any, layer: str) -> Any:
        if isinstance(value, dict):
            config = value.get("config")
            own = config.get("name") if isinstance(config, dict) else None
            return self._function(value, own if isinstance(own, str) else layer)
        if isinstance(value, list):
            return [self._walk(each, layer) for each in value]
        return self._named(value, [""], layer) if value == LAMBDA else value

    def _function(self, value: dict[str, Any], layer: str) -> Any:
        code = _code(value)
        if code:
            return self._named(value, code, layer)
        if self._legacy and value.get("class_name") == "function" and self._known(value):
            self.changed = True  # Keras 2 writes this into an .h5, and finds the function there by its bare name only
            return value["config"]
        if value.get("function_type") == "lambda" and isinstance(value.get("function"), list):  # Keras 2's Lambda
            function = self._named(value["function"], value["function"], layer)
            if function is not value["function"]:
                return {**value, "function": function, "function_type": "function"}
        return {key: self._walk(each, layer) for key, each in value.items()}

    def _known(self, function: dict[str, Any]) -> bool:
        return isinstance(function.get("config"), str) and function["config"] in self.objects

    def _named(self, value: Any, code: list[Any], layer: str) -> Any:
        """Return what stands for a lambda in the description: a function's name, or the value where none is known."""
        own = f"{layer}/{LAMBDA}"
        if own in self.objects:
            name = own
        elif LAMBDA in self.objects:
            name = LAMBDA
            if self._bodies.setdefault(name, code[0]) != code[0]:
                raise JobError(
                    "model",
                    f"[model] code: '{LAMBDA}' stands for several functions without a name, one in '{layer}'",
                    f"give each by its layer: CUSTOM_OBJECTS = {{'{own}': ...}}",
                )
        elif self._allow_code and isinstance(value, dict) and "value" in value:
            name = own  # an activation's: Keras writes these and does not read them
            self.objects[name] = _revived(code, layer)
        else:
            self.left.append(layer)
            return value
        self.changed = True
        if self._legacy:
            return name
        return {"module": "builtins", "class_name": "function", "config": name, "registered_name": "function"}


def renamed_file(path: Path, part: ModelPart, objects: Mapping[str, Any], to: Path, *, allow_code: bool) -> Renamed:
    """Return the description of a .keras or .h5 file; where it changed, `to` becomes a copy of the file with it."""
    if part.format == ".keras":
        with zipfile.ZipFile(path) as archive:
            text = archive.read(_CONFIG).decode()
            made = Renamed(text, objects, legacy=part.legacy_keras, allow_code=allow_code)
            if made.changed:
                with zipfile.ZipFile(to, "w") as copy:
                    for item in archive.infolist():
                        with copy.open(item.filename, "w", force_zip64=True) as file:
                            if item.filename == _CONFIG:
                                file.write(made.text.encode())
                            else:
                                shutil.copyfileobj(archive.open(item), file)
        return made
    import h5py

    with h5py.File(path, "r") as file:
        raw = file.attrs["model_config"]
    text = raw.decode() if isinstance(raw, bytes) else str(raw)
    made = Renamed(text, objects, legacy=part.legacy_keras, allow_code=allow_code)
    if made.changed:
        shutil.copyfile(path, to)
        with h5py.File(to, "r+") as file:
            file.attrs["model_config"] = made.text
    return made


def _code(value: dict[str, Any]) -> list[Any]:
    """Return [byte-code, defaults, closure] of a description of a function, [] where it is none."""
    inner = value
    if value.get("class_name") == "__lambda__" and isinstance(value.get("config"), dict):
        inner = value["config"]
        if "code" in inner:
            return [inner["code"], inner.get("defaults"), inner.get("closure")]
    elif set(value) != {"value"}:
        return []
    triple = inner.get("value")
    if not isinstance(triple, list) or len(triple) != 3 or not isinstance(triple[0], str):
        return []
    # [layer, 0, 0] is where a call's argument named `value` comes from.
    return [] if any(isinstance(each, int) for each in triple[1:]) else triple


def _revived(code: list[Any], layer: str) -> Any:
    """Return the function of [byte-code, defaults, closure], as Keras revives that of a Lambda layer."""
    import numpy as np
    import tensorflow as tf

    try:
        body = marshal.loads(base64.b64decode(code[0]))  # noqa: S302 - only where the model's code may run
        closure = tuple(types.CellType(value) for value in code[2] or ())
        known = {"tf": tf, "np": np, "__builtins__": __builtins__}
        return types.FunctionType(body, known, LAMBDA, tuple(code[1]) if code[1] else None, closure or None)
    except (ValueError, EOFError, TypeError) as error:
        raise JobError(
            "model",
            f"layer '{layer}' has a function without a name that cannot be read by this Python: {error}",
            f"give it in [model] code: CUSTOM_OBJECTS = {{'{layer}/{LAMBDA}': ...}}",
        ) from error


def _registered(config: Any) -> Iterator[str]:
    """Yield the names such as "package>Name" in a description."""
    if isinstance(config, str):
        if ">" in config:
            yield config
    elif isinstance(config, dict | list):
        for value in config.values() if isinstance(config, dict) else config:
            yield from _registered(value)
