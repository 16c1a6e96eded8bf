"""What TFLite's interpreter and converter say, in words: operator, layer, and the condition that does not hold."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from kit.shared.layers import layer_of

# "reduce.cc:445 std::apply(optimized...) was not true.Node number 3 (MEAN) failed to prepare."
_NODE = re.compile(r"[Nn]ode number (\d+) \((\w+)\) failed to (prepare|invoke)")
_PLACE = re.compile(r"^(?:/\S*/|external/\S*/)?(?:\w+/)*\w+\.cc:\d+\s*")
_DOES = {"prepare": "cannot be prepared", "invoke": "fails"}


def explained(text: str, interpreter: Any = None, layers: Collection[str] = ()) -> str:
    """Return an interpreter's message as "operator RESHAPE (layer 'flat') fails: 8 != 7"; its first line for others."""
    found = _NODE.search(text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not found:
        return _PLACE.sub("", lines[0])[:200] if lines else "it does not say why"
    number, name, how = int(found[1]), found[2], found[3]
    what = "a kernel of XNNPACK" if "XNNPack" in name else f"operator {name}"
    layer = _layer(interpreter, number, layers) if interpreter is not None else ""
    where = f" (layer '{layer}')" if layer else ""
    before = [_PLACE.sub("", line) for line in text[: found.start()].splitlines() if line.strip()]
    why = before[-1].strip().removesuffix(".")[:160] if before else ""
    return f"{what}{where} {_DOES[how]}" + (f": {why}" if why else "")


def operator_of(text: str) -> str:
    """Return the operator that an interpreter's message names, as in RESHAPE; "" for none."""
    found = _NODE.search(text)
    return found[2] if found else ""


def _layer(interpreter: Any, number: int, layers: Collection[str]) -> str:
    """Return the layer whose tensor an operator writes, by the names that the converter leaves in the file."""
    operators: Sequence[Mapping[str, Any]] = interpreter._get_ops_details()
    if number >= len(operators):
        return ""
    names = {detail["index"]: str(detail["name"]) for detail in interpreter.get_tensor_details()}
    for index in operators[number]["outputs"]:
        for part in reversed(names.get(index, "").split(";")):
            if layer := layer_of(part, layers):
                return layer
    return ""
