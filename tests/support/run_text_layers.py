"""Run Keras's own TextVectorization on cases of text: a script for a toolchain's Python.

Arguments: a file with a line of JSON for each case, {standardize, split, tokens, texts}, tokens being the vocabulary
without its special ones; and where the ids go, a line of JSON for each case, too: a list for each text.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any


def ids_of(case: dict[str, Any]) -> list[list[int]]:
    """Return the ids of each text of a case."""
    import keras
    import tensorflow as tf

    plain = {key: None if case[key] == "none" else case[key] for key in ("standardize", "split")}
    layer = keras.layers.TextVectorization(vocabulary=case["tokens"], ragged=True, **plain)
    texts = tf.constant([text.encode() for text in case["texts"]])
    ids = layer(texts)
    return [[int(row)] for row in ids] if plain["split"] is None else [list(map(int, row)) for row in ids.to_list()]


if __name__ == "__main__":
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with Path(sys.argv[1]).open() as cases, Path(sys.argv[2]).open("w") as out:
        for line in cases:
            out.write(json.dumps(ids_of(json.loads(line))) + "\n")
