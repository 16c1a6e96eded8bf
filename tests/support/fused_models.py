"""An LSTM of Keras 2, as a file of Keras and as TensorFlow's own converter fuses it: an operator that keeps its state.

Runs inside a toolchain's Python: `python fused_models.py 2:fused FOLDER`, as source_models.written does it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from recurrent_models import rows
from trained_models import keras, save


def main(folder: Path) -> None:
    """Write model.h5, expected.npz and fused.tflite: `rows` [1, 8, 8] -> `label` [1, 10] under the same names."""
    import tensorflow as tf

    library = keras()
    library.utils.set_random_seed(7)
    layers = library.layers
    x = library.Input((8, 8), name="rows")
    model = library.Model(x, layers.Dense(10, name="label")(layers.LSTM(12, name="memory")(x)))
    save(folder, model, {"rows": rows()[0][:20]})

    taken = tf.TensorSpec([1, 8, 8], tf.float32, name="rows")
    serve = tf.function(lambda rows: {"label": model(rows)}).get_concrete_function(taken)
    tf.saved_model.save(model, str(folder / "saved"), signatures=serve)
    fused = tf.lite.TFLiteConverter.from_saved_model(str(folder / "saved")).convert()
    (folder / "fused.tflite").write_bytes(fused)


if __name__ == "__main__":
    main(Path(sys.argv[2]))
