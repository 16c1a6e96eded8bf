"""What a bundle's emulate.py is measured beside: bare_loop.py MODEL FILE, a loop over an .npz or a folder of JPEGs.

Reads what emulate.py reads, calls the interpreter once a sample, prints the best class of each. A script of the
runtime's venv. Without FILE it imports what emulate.py imports, and no more.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter


def samples(path: Path, shape: Any) -> Iterator[Any]:
    """Yield uint8 [1, H, W, C] of each sample, images in the model's size."""
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            pixels = arrays["image"]
        yield from (row[None] for row in pixels)
        return
    from PIL import Image

    _, height, width, _ = shape
    for file in sorted(path.iterdir()):
        with Image.open(file) as image:
            yield np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR))[None]


def main(model: str, path: Path) -> None:
    """Run all samples."""
    interpreter = Interpreter(model_path=model, num_threads=1)
    interpreter.allocate_tensors()
    (taken,), (given, *_) = interpreter.get_input_details(), interpreter.get_output_details()
    for pixels in samples(path, taken["shape"]):
        interpreter.set_tensor(taken["index"], pixels)
        interpreter.invoke()
        print(int(interpreter.get_tensor(given["index"])[0].argmax()))


if __name__ == "__main__" and len(sys.argv) > 1:
    main(sys.argv[1], Path(sys.argv[2]))
