"""Half and double precision as float32: how a model was trained says nothing of how it runs in an app.

A Keras model's policies are set to float32 before it is loaded: under a mixed policy the variables are float32 already.
What is left in a traced graph, because a model's own code or a SavedModel says so, `float_graph` rewrites.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

FLOAT = "float32"
OTHERS = {"float16", "bfloat16", "float64", "half", "double"}
POLICIES = OTHERS | {"mixed_float16", "mixed_bfloat16"}
HALVES = {"float16", "bfloat16"}


def float_config(value: Any, found: set[str]) -> Any:
    """Return a Keras model's description (parsed JSON) with every policy and dtype of another float as float32.

    Adds what it replaced to found: "mixed_float16".
    """
    if isinstance(value, list):
        return [float_config(each, found) for each in value]
    if not isinstance(value, dict):
        return value
    policy = "Policy" in str(value.get("class_name"))
    result: dict[str, Any] = {}
    for key, each in value.items():
        if policy and key == "config" and isinstance(each, dict) and each.get("name") in POLICIES:
            found.add(each["name"])
            result[key] = {**each, "name": FLOAT}
        elif key == "dtype" and isinstance(each, str) and each in POLICIES:
            found.add(each)
            result[key] = FLOAT
        else:
            result[key] = float_config(each, found)
    return result


def precision_note(found: Collection[str]) -> str:
    """Return a sentence on what became float32."""
    names = sorted(name for name in found if f"mixed_{name}" not in found)
    return f"the model is made in {' and '.join(names)}: the file calculates in float32"


def float_type(dtype: str) -> str:
    """Return a tensor's numpy type in the product: float32 for any float."""
    return FLOAT if dtype in OTHERS else dtype
