"""Why Keras cannot load a model, as an error with what to do about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kit.shared.job import JobError
from kit.worker.failures.causes import described, next_step
from kit.worker.loaders.dequantized import UNQUANTIZED
from kit.worker.loaders.lambdas import LAMBDA, Renamed

# How the two Keras say that a file names what they do not know: "Unknown layer: 'Scale'", "Could not locate class".
_UNKNOWN = re.compile(
    r"Unknown (?:layer|activation function|object|initializer|regularizer|constraint|loss function):? '?([\w.>]+)"
    r"|Could not (?:locate|find) (?:class|function) '([^']+)'"
    r"|Could not interpret (?:activation|initializer|regularizer)[\w ]*:? '?([\w.>]+)"
)
_FOREIGN = re.compile(r'"class_name":\s*"(TorchModuleWrapper|JaxLayer|FlaxLayer)"')
_RUN = "let that code run: in a container (--engine docker), or with [model] allow_code = true"


def cannot(
    keras: Any, what: str, error: Exception, renamed: Renamed | None = None, *, quantized: bool = False
) -> JobError:
    """Return Keras's refusal as an error with what to do. quantized: the file has Keras's own int8 weights."""
    hint = (renamed and _of_model(keras, renamed)) or (UNQUANTIZED if quantized else _remedy(error))
    return JobError("model", f"Keras {keras.__version__} cannot {what}: {described(error)}", hint)


def _of_model(keras: Any, renamed: Renamed) -> str:
    """Return what to do by what the model is made of, "" where that says nothing."""
    quantized = UNQUANTIZED if '"source_name"' in renamed.text else ""
    return foreign(renamed.text) or _nameless(renamed) or _other_keras(keras, renamed.objects) or quantized


def foreign(text: str) -> str:
    """Return what to do about a layer that another framework runs, "" where there is none."""
    found = _FOREIGN.search(text)
    if not found:
        return ""
    whose = "PyTorch" if found[1].startswith("Torch") else "JAX"
    return (
        f"a {found[1]} is {whose}'s own code: build that layer of Keras's layers, give it the weights, and save again"
    )


def _nameless(renamed: Renamed) -> str:
    """Return what to do about functions without a name that did not become objects, "" where there are none."""
    for layer in renamed.lost:
        return (
            f"layer '{layer}' has a function without a name, of which the file has nothing: give it in [model] code, "
            f"CUSTOM_OBJECTS = {{'{layer}/{LAMBDA}': lambda x: ...}}"
        )
    for layer in renamed.left:
        return (
            f"layer '{layer}' has a function without a name, stored as Python code: give it in [model] code, "
            f"CUSTOM_OBJECTS = {{'{layer}/{LAMBDA}': ...}}, or {_RUN}"
        )
    return ""


def _other_keras(keras: Any, objects: Mapping[str, Any]) -> str:
    """Return what to do where the code's classes are of another Keras than the file, "" where they are not."""
    own = keras.__name__.partition(".")[0]
    for name, given in objects.items():
        modules = [base.__module__ for base in getattr(given, "__mro__", ())]
        if any(module.startswith("tensorflow.python.keras") for module in modules):
            return (
                f"'{name}' in [model] code is of tensorflow.python.keras, a Keras of its own: import tensorflow.keras"
            )
        roots = {module.partition(".")[0] for module in modules} & {"keras", "tf_keras"}
        if roots and own not in roots:
            return (
                f"'{name}' in [model] code is a class of {roots.pop()}, and the file is of Keras {keras.__version__}: "
                f"write `import {own}` in the code for what is in this file"
            )
    return ""


def _remedy(error: Exception) -> str:
    text = str(error)
    unknown = _UNKNOWN.search(text)
    if unknown:
        name = next(group for group in unknown.groups() if group).rpartition(">")[2]
        return f"give it in [model] code: CUSTOM_OBJECTS = {{'{name}': {name}}}"
    if "lambda" in text.lower() or "safe_mode" in text:
        return f"it runs Python code on load: {_RUN}"
    return next_step(
        error, "save it again with the code that trained it: model.export('folder'), and [model] path = 'folder'"
    )
