"""What a bundle's emulate.py is measured beside: bare_loop.py ASSETS FILE, a loop over an .npz or a folder of JPEGs.

For a bundle whose model takes one image as uint8 and gives one output as uint8. Reads what emulate.py reads, feeds what
it feeds, calls the interpreter once a sample, and prints the .csv that `emulate.py --csv` prints, which the bench
compares. So it decodes, quantizes and writes rows, as any program has to, and does nothing else: it checks nothing,
and takes no other file. A script of the runtime's venv.

Without ASSETS it imports what no replay of golden vectors can do without, and no more: numpy, the interpreter, json for
signature.json, zipfile for golden.npz.
"""

from __future__ import annotations

import json
import sys
import zipfile  # noqa: F401 - which np.load imports
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter


def main(assets: Path, path: Path) -> None:
    """Run all samples."""
    signature = json.loads((assets / "signature.json").read_text("utf-8"))
    (taken,), (given,) = signature["inputs"], signature["outputs"]
    labels = (assets / given["labels"]).read_text("utf-8").split("\n") if "labels" in given else []
    interpreter = Interpreter(model_path=str(assets / signature["model"]), num_threads=1)
    interpreter.allocate_tensors()
    place, output = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    name, scale, zero = given["name"], given["scale"], given["zero_point"]
    more = [f"{name}_score"] if labels else [f"{name}_{at}" for at in range(1, given["shape"][-1])]
    print("input", "index", name if labels else f"{name}_0", *more, sep=",")
    table = quantized(taken)
    for source, index, pixels in samples(path, taken["shape"]):
        interpreter.set_tensor(place, table[pixels])
        interpreter.invoke()
        values = interpreter.get_tensor(output)[0]
        if labels:
            best = int(values.argmax())
            print(source, index, labels[best], np.float32(scale * (int(values[best]) - zero)), sep=",")
        else:
            print(source, index, *(scale * (values.astype(np.float64) - zero)).astype(np.float32), sep=",")


def samples(path: Path, shape: Any) -> Iterator[tuple[Path, int | str, Any]]:
    """Yield the file, the number in it and uint8 [1, H, W, C] of each sample, images in the model's size."""
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            pixels = arrays["image"]
        yield from ((path, number, row[None]) for number, row in enumerate(pixels))
        return
    from PIL import Image

    _, height, width, _ = shape
    for file in sorted(path.iterdir()):
        with Image.open(file) as image:
            yield file, "", np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))[None]


def quantized(taken: dict[str, Any]) -> Any:
    """Return what the model takes for each value of a pixel, uint8 [256]; mean and std have one entry."""
    normalized = (np.arange(256, dtype=np.float32) - np.float32(taken["mean"][0])) / np.float32(taken["std"][0])
    steps = (normalized / np.float32(taken["scale"])).astype(np.float64)
    return np.clip(np.copysign(np.floor(np.abs(steps) + 0.5), steps) + taken["zero_point"], 0, 255).astype(np.uint8)


if __name__ == "__main__" and len(sys.argv) > 1:
    main(Path(sys.argv[1]), Path(sys.argv[2]))
