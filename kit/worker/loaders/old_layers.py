"""Descriptions that a toolchain's Keras does not take as they are: old layers, and what nobody asked for."""

from __future__ import annotations

import json
from typing import Any

_SIGMOID = {"activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True}
# The layers of Keras 2.0 to 2.2 that only a GPU ran. Keras turns their weights into those of the layers for all.
_GPU_ONLY = {
    "CuDNNLSTM": ("LSTM", _SIGMOID),
    "CuDNNGRU": ("GRU", {**_SIGMOID, "reset_after": True}),
}


def modern(text: str) -> tuple[str, list[str]]:
    """Return a model's JSON as today's Keras takes it, and what a user should know of the change, a sentence each."""
    config, notes = json.loads(text), list[str]()
    changed = _opened(config, notes) | _replaced(config)
    return (json.dumps(config), notes) if changed else (text, [])


def _replaced(value: Any) -> bool:
    changed = False
    if isinstance(value, dict) and isinstance(value.get("config"), dict):
        name, config = str(value.get("class_name")), value["config"]
        if name in _GPU_ONLY:
            value["class_name"], more = _GPU_ONLY[name]
            config |= more
            changed = True
        elif name == "STFTSpectrogram" and value.get("module") in {None, "keras.layers"} and config.get("window"):
            # Keras asks scipy for the window, which no toolchain has; the layer's weights in the file hold it already.
            config["window"] = None
            changed = True
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        changed |= _replaced(each)
    return changed


def _opened(model: Any, notes: list[str]) -> bool:
    """Open the batch axis of a Sequential that has no input layer of its own.

    Keras writes one of the batch that the model was first called or trained with: [32, 8, 8, 1]. Its name tells.
    """
    config = model.get("config") if isinstance(model, dict) and model.get("class_name") == "Sequential" else None
    layers = config.get("layers") if isinstance(config, dict) else None
    if not isinstance(layers, list) or len(layers) < 2 or layers[0].get("class_name") != "InputLayer":
        return False
    first = layers[0]["config"]
    key = "batch_shape" if "batch_shape" in first else "batch_input_shape"
    shape, name = first.get(key), str(first.get("name"))
    own = {"input_layer", f"{layers[1].get('config', {}).get('name')}_input"}
    made = name in own or name.removeprefix("input_layer_").isdigit()
    if not (made and isinstance(shape, list) and shape and (shape[0] or 1) > 1) or '"stateful": true' in json.dumps(
        model
    ):
        return False
    notes.append(
        f"the model has no input layer of its own, and was first called with {shape[0]} samples: any number is taken, "
        f"and [model] batch = {shape[0]} fixes it"
    )
    first[key] = [None, *shape[1:]]
    for shaped in (config, model.get("build_config")):
        for name in ("build_input_shape", "input_shape"):
            if isinstance(shaped, dict) and isinstance(shaped.get(name), list):
                shaped[name] = [None, *shaped[name][1:]]
    return True
