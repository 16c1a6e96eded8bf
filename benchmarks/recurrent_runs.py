"""Train a recurrent model, or time two files of one: the parts of benchmarks.recurrent that need other Pythons.

`python recurrent_runs.py train KIND LENGTH FOLDER` in a toolchain's Python, `... run FLOAT INT8 FOLDER` in LiteRT's.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np


def train(kind: str, length: int, folder: Path) -> None:
    """Write model.keras, which says of walks in six directions where they went, calibration.npz and expected.npz."""
    import keras

    keras.utils.set_random_seed(5)
    walks = np.cumsum(np.random.default_rng(5).normal(0, 0.3, (400, length, 6)), axis=1).astype(np.float32)
    walks /= np.abs(walks).max(axis=(1, 2), keepdims=True)
    truth = np.stack([walks.mean(axis=(1, 2)), walks[:, -1, 0], walks.max(axis=(1, 2))], axis=1)
    layers: dict[str, Any] = {
        "LSTM": keras.layers.LSTM(64),
        "GRU": keras.layers.GRU(64),
        "Bidirectional LSTM": keras.layers.Bidirectional(keras.layers.LSTM(64)),
    }
    model = keras.Sequential([keras.Input((length, 6), name="walk"), layers[kind], keras.layers.Dense(3, name="end")])
    model.compile(keras.optimizers.Adam(0.003), "mse")
    model.fit(walks[:300], truth[:300], epochs=8, batch_size=20, verbose=0)
    model.save(folder / "model.keras")
    np.savez(folder / "calibration.npz", walk=walks[:100])
    np.savez(folder / "expected.npz", walk=walks[300:], end=model.predict(walks[300:], verbose=0))


def run(plain: Path, small: Path, folder: Path) -> None:
    """Print {"time": int8's time as a share of float32's, "correlation": of int8's outputs with Keras's}."""
    from ai_edge_litert.interpreter import Interpreter

    with np.load(folder / "expected.npz") as archive:
        walks, wanted = archive["walk"], archive["end"]
    files = [Interpreter(model_path=str(path), num_threads=1) for path in (plain, small)]
    for each in files:
        each.allocate_tensors()
    best, predictions = [np.inf, np.inf], []
    for walk in walks:
        for at, each in enumerate(files):
            each.set_tensor(each.get_input_details()[0]["index"], walk[None])
            start = time.perf_counter()
            each.invoke()
            best[at] = min(best[at], time.perf_counter() - start)
        predictions.append(files[1].get_tensor(files[1].get_output_details()[0]["index"])[0])
    correlation = min(np.corrcoef(np.stack(predictions)[:, i], wanted[:, i])[0, 1] for i in range(wanted.shape[1]))
    print(json.dumps({"time": best[1] / best[0], "correlation": float(correlation)}))


if __name__ == "__main__":
    if sys.argv[1] == "train":
        train(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
    else:
        run(Path(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
