"""Model files with layers that read text, as Keras 3 describes them: enough for the host, which loads no model."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np


def vectorizer(name: str = "words", **config: Any) -> dict[str, Any]:
    """Return a TextVectorization's description, of a vocabulary of its own unless the configuration says otherwise."""
    plain = {
        "standardize": "lower_and_strip_punctuation",
        "split": "whitespace",
        "ngrams": None,
        "output_mode": "int",
        "output_sequence_length": 4,
        "ragged": False,
        "vocabulary": ["good", "film"],
        "encoding": "utf-8",
        "vocabulary_size": 4,
    }
    return layer("TextVectorization", name, **plain | config)


def lookup(name: str = "words", **config: Any) -> dict[str, Any]:
    """Return a StringLookup's description."""
    plain = {"num_oov_indices": 1, "mask_token": None, "oov_token": "[UNK]", "vocabulary": ["red", "light green"]}
    return layer("StringLookup", name, **{**plain, "output_mode": "int", "invert": False, **config})


def layer(kind: str, name: str, **config: Any) -> dict[str, Any]:
    """Return any layer's description."""
    return {"module": "keras.layers", "class_name": kind, "name": name, "config": {"name": name, **config}}


def model_json(layers: Sequence[Mapping[str, Any]]) -> str:
    """Return the description of a model of one text, `text`, through layers that are all its outputs."""
    first = layer("InputLayer", "text", batch_shape=[None, 1], dtype="string")
    ends = [[each["name"], 0, 0] for each in layers]
    body = {"name": "m", "layers": [first, *layers], "input_layers": [["text", 0, 0]], "output_layers": ends}
    return json.dumps({"module": "keras", "class_name": "Functional", "config": body})


def write_keras(path: Path, *layers: Mapping[str, Any], assets: Mapping[str, bytes] | None = None) -> None:
    """Write a .keras of layers. assets: contents by the path below assets/layers."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("config.json", model_json(layers))
        for name, content in (assets or {}).items():
            archive.writestr(f"assets/layers/{name}", content)


def write_h5(path: Path, *layers: Mapping[str, Any]) -> None:
    """Write an .h5 of layers."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = model_json(layers)
        file.attrs["keras_version"] = "3.15.1"
        file["model_weights"] = np.zeros(10, np.float32)
