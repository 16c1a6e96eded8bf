"""Functions without a name in a Keras model's description: what the model's own code gives for them takes their place.

Keras stores a lambda as byte-code without the names of its module, and does not read it back where the lambda is an
activation. In CUSTOM_OBJECTS a lambda is "<lambda>", or "dense/<lambda>" by its layer; where neither is given and code
may run, the byte-code runs with the names that code mostly gives to TensorFlow, numpy and Keras.
"""

from __future__ import annotations

import importlib
import json
import math
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.shared.job import JobError, ModelPart
from kit.worker.loaders.function_code import PYTHON, Builtins, names_of, read_code, revive
from kit.worker.loaders.keras_choice import keras_of
from kit.worker.loaders.old_layers import modern
from kit.worker.loaders.operations import named_operations
from kit.worker.source.model import Source
from kit.worker.source.precision import float_config

LAMBDA = "<lambda>"
_CONFIG = "config.json"
_BESIDE = ("output_shape", "mask")  # functions that a Lambda layer may have beside its own


@dataclass(frozen=True)
class Revived:
    """A function that runs as the file has it, and the names that it asked for and did not get."""

    layer: str
    name: str  # "<lambda>", or what it was called where it was written
    parameters: tuple[str, ...]
    builtins: Builtins
    suspect: bool  # it speaks of a name that is not there, and may or may not come by it

    def refusal(self) -> JobError:
        """Return the error for the first name that it misses."""
        missing = self.builtins.missing[0]
        given = f"CUSTOM_OBJECTS = {{'{missing}': {missing}}}"
        return JobError(
            "model",
            f"the function of layer '{self.layer}' uses '{missing}': the file has its byte-code, and not the module "
            "that it was written in",
            f"give that name in [model] code: {given}; or the whole function: {_given(self.layer, self.parameters)}",
        )


class Renamed:
    """A description in which every lambda that can be had has a name, and `objects` with those names."""

    def __init__(self, text: str, objects: Mapping[str, Any], *, legacy: bool, allow_code: bool) -> None:
        """Read the JSON. Raises JobError where one "<lambda>" would have to stand for several functions."""
        self.objects = dict(objects)
        self._legacy, self._allow_code = legacy, allow_code
        self._bodies: dict[str, str] = {}  # byte-code by the name that was given
        modern_text, self.notes = modern(text)
        self.changed, text = modern_text != text, modern_text
        self.left: list[str] = []  # layers with a function that stays as it is stored
        self.lost: list[str] = []  # layers with a function of which the file has not even the byte-code
        self.revived: list[Revived] = []
        self.precisions: set[str] = set()  # policies and types of half and double precision, which became float32
        config = float_config(self._walk(json.loads(text), "model"), self.precisions)
        self.changed |= bool(self.precisions)
        self.text = json.dumps(config) if self.changed else text
        for name in [*objects]:
            for full in _registered(config):
                if full.rpartition(">")[2] == name:
                    self.objects.setdefault(full, objects[name])

    @contextmanager
    def proved(self) -> Iterator[None]:
        """Turn an error in the block into one that says which name a function missed, where one did."""
        try:
            yield
        except Exception as error:
            for each in self.revived:
                if each.builtins.missing:
                    raise each.refusal() from error
            raise

    def try_out(self, source: Source) -> None:
        """Trace the model where a function may miss a name: a Lambda layer of a known shape is not called on load."""
        if not any(each.suspect for each in self.revived):
            return
        import tensorflow as tf

        main = source.signatures[0]

        def call(*tensors: Any) -> Any:
            return main.call(dict(zip([port.name for port in main.inputs], tensors, strict=True)))

        specs = [tf.TensorSpec(port.shape, port.dtype) for port in main.inputs]
        try:
            tf.function(call, autograph=False).get_concrete_function(*specs)
        except Exception:
            if any(each.builtins.missing for each in self.revived):
                raise  # and any other error is reported where the model is traced for good

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
        made = {}
        for key, each in value.items():
            inside = f"{layer}/{key}" if key in _BESIDE and _code(each if isinstance(each, dict) else {}) else layer
            made[key] = each if value.get(f"{key}_type") == "lambda" else self._walk(each, inside)
        return self._keras2(made, layer)

    def _keras2(self, config: dict[str, Any], layer: str) -> dict[str, Any]:
        """Return the configuration of a Lambda of Keras 2, which has the byte-code of each function beside its type."""
        for key in ("function", *_BESIDE):
            code = config.get(key)
            if config.get(f"{key}_type") == "lambda" and isinstance(code, list) and len(code) == 3:
                module = config.get("module" if key == "function" else f"{key}_module")
                name = self._named(code, code, f"{layer}/{key}" if key in _BESIDE else layer, str(module or ""))
                if name is None:
                    config |= {key: None, f"{key}_type": "raw"}
                elif name is not code:
                    config |= {key: name, f"{key}_type": "function"}
        return config

    def _known(self, function: dict[str, Any]) -> bool:
        return isinstance(function.get("config"), str) and function["config"] in self.objects

    def _named(self, value: Any, code: list[Any], layer: str, module: str = "") -> Any:
        """Return what stands for a function in the description: its name, or the value where none is known."""
        own = f"{layer}/{LAMBDA}"
        beside = layer.rpartition("/")[2] in _BESIDE
        if own in self.objects:
            name = own
        elif LAMBDA in self.objects and not beside:
            name = LAMBDA
            if self._bodies.setdefault(name, code[0]) != code[0]:
                raise JobError(
                    "model",
                    f"[model] code: '{LAMBDA}' stands for several functions without a name, one in '{layer}'",
                    f"give each by its layer: CUSTOM_OBJECTS = {{'{own}': ...}}",
                )
        elif not code[0]:
            self.lost.append(layer)
            return value
        elif not self._allow_code:
            self.left.append(layer)
            return value
        else:
            try:
                name = self._revive(code, layer, module)
            except JobError:
                if not beside:
                    raise
                self.changed = True  # Keras finds the shape itself where the function is TensorFlow's
                return None
        self.changed = True
        if self._legacy:
            return name
        return {"module": "builtins", "class_name": "function", "config": name, "registered_name": "function"}

    def _revive(self, code: list[Any], layer: str, module: str) -> str:
        """Add the function of [byte-code, defaults, closure] to the objects; return its name there."""
        parameters: tuple[str, ...] = ()
        try:
            body = read_code(code[0])
            parameters = body.co_varnames[: body.co_argcount]
            if body.co_name != LAMBDA and body.co_name in self.objects:
                return body.co_name  # Keras 2 writes the byte-code of functions with a name, too
            keras = keras_of(legacy=self._legacy)
            found = Builtins()
            known = {**_module_names(module), **_usual_names(keras), **self.objects, "__builtins__": found}
            values = [[self._value(each, layer, module) for each in part or ()] for part in code[1:]]
            function = revive(body, values[0], values[1], known)
        except ValueError as error:
            raise JobError(
                "model",
                f"layer '{layer}' has a function as byte-code that this Python {PYTHON} cannot run: {error}",
                f"give it in [model] code: {_given(layer, parameters)}",
            ) from error
        names = names_of(body)
        self.revived.append(Revived(layer, body.co_name, parameters, found, bool(names - {*known, *found})))
        name = f"{layer}/{LAMBDA}"
        self.objects[name] = function
        return name

    def _value(self, value: Any, layer: str, module: str) -> Any:
        """Return a default or a value of a closure, which Keras has written as JSON."""
        if value == LAMBDA:
            raise ValueError("of another function that it uses the file has nothing")
        if not isinstance(value, dict) or "class_name" not in value:
            return value
        code = _code(value)
        if code:
            return self.objects[self._revive(code, f"{layer}/closure", module)]
        keras = keras_of(legacy=self._legacy)
        try:
            return keras.saving.deserialize_keras_object(value, custom_objects=self.objects, safe_mode=False)
        except Exception as error:
            raise ValueError(f"of what it was written with, the file does not say {value['class_name']}") from error


def _given(layer: str, parameters: Sequence[str]) -> str:
    """Return the line of code that gives a function by its layer."""
    return f"CUSTOM_OBJECTS = {{'{layer}/{LAMBDA}': lambda {', '.join(parameters or ('x',))}: ...}}"


def _usual_names(keras: Any) -> dict[str, Any]:
    """Return the names that code mostly gives to TensorFlow, numpy and Keras: a function's module had some of them."""
    import numpy as np
    import tensorflow as tf

    names = {"tf": tf, "tensorflow": tf, "np": np, "numpy": np, "math": math, "keras": keras, "K": keras.backend}
    names |= {"tf_keras": keras} if keras.__version__.startswith("2") else {"ops": keras.ops}
    with suppress(ImportError):  # Keras 3 has the functions of Keras 2's backend only there
        names["K"] = importlib.import_module(f"{keras.__name__}._tf_keras.keras.backend")
    for name in ("backend", "layers", "activations", "models", "initializers", "regularizers", "utils"):
        names[name] = getattr(keras, name)
    return names


def _module_names(module: str) -> dict[str, Any]:
    """Return what is in a function's module, where that is one of TensorFlow's or Keras's own: Lambda(tf.nn.relu)."""
    if module.partition(".")[0] in {"tensorflow", "keras", "tf_keras"}:
        with suppress(ImportError):
            return dict(vars(importlib.import_module(module)))
    return {}


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
    more: dict[str, Any] = {}
    if not part.legacy_keras:
        text, more = named_operations(keras_of(legacy=False), text)
    made = Renamed(text, {**objects, **more}, legacy=part.legacy_keras, allow_code=allow_code)
    made.changed |= bool(more)
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


def _registered(config: Any) -> Iterator[str]:
    """Yield the names such as "package>Name" in a description."""
    if isinstance(config, str):
        if ">" in config:
            yield config
    elif isinstance(config, dict | list):
        for value in config.values() if isinstance(config, dict) else config:
            yield from _registered(value)
