"""Which layer of the source model a node or tensor belongs to, by the path in its name. Standard library only."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection


def layer_of(node: str, layers: Collection[str]) -> str:
    """Return the innermost layer that a node of a trace belongs to, by the path in its name; "" for none."""
    # Keras 3 numbers the scopes of a model that it loads: "conv_1" may be the layer "conv".
    words = [{word, re.sub(r"_\d+$", "", word)} for word in node.split("/")]
    deepest = max((name.count("/") + 1 for name in layers), default=0)
    for length in range(min(len(words), deepest), 0, -1):
        for start in range(len(words) - length + 1):
            for path in map("/".join, itertools.product(*(sorted(each) for each in words[start : start + length]))):
                if path in layers:
                    return path
    return ""


def layers_of_tensor(name: str, layers: Collection[str]) -> list[str]:
    """Return the layers of a tensor of a .tflite file, each once, in the order of its name.

    The converter joins the names of what it fused by ";": "conv/Conv2D;norm/add" belongs to two layers.
    """
    found = (layer_of(part, layers) for part in name.split(";"))
    return list(dict.fromkeys(layer for layer in found if layer))
