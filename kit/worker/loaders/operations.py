"""Operations such as x + y or ops.tanh(x) in an .h5 of Keras 3, which writes them there and does not find them again.

Keras looks for layers alone, and `Add` is a layer, too: a layer's configuration says whether it is trainable, that of
an operation does not. In a .keras each has its module beside it.
"""

from __future__ import annotations

import importlib
import json
from typing import Any

_PREFIX = "operation "


def named_operations(keras: Any, text: str) -> tuple[str, dict[str, Any]]:
    """Return a model's JSON in which each operation has a name of its own, and the operations by those names."""
    found: dict[str, Any] = {}
    known = _operations(keras)

    def walk(value: Any) -> Any:
        if isinstance(value, list):
            return [walk(each) for each in value]
        if not isinstance(value, dict):
            return value
        name, config = value.get("class_name"), value.get("config")
        value = {key: walk(each) for key, each in value.items()}
        is_operation = isinstance(config, dict) and "inbound_nodes" in value and "trainable" not in config
        if is_operation and isinstance(name, str) and name in known:
            value["class_name"] = _PREFIX + name
            found[_PREFIX + name] = known[name]
        return value

    changed = walk(json.loads(text))
    return (json.dumps(changed), found) if found else (text, {})


def _operations(keras: Any) -> dict[str, Any]:
    """Return every operation of Keras 3 by the name of its class."""
    found: dict[str, Any] = {}
    for name in ("core", "math", "numpy", "nn", "image", "linalg", "einops"):
        module = importlib.import_module(f"{keras.__name__}.src.ops.{name}")
        classes = [each for each in vars(module).values() if isinstance(each, type)]
        found |= {each.__name__: each for each in classes if issubclass(each, keras.Operation)}
    return found
