"""Vision models that are trained here, in a folder with images of theirs: built, and run by the harness."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import vision_models
from desk import Desk
from PIL import Image
from source_models import written
from worlds import run_kit

MAKER = Path(vision_models.__file__)
IMAGE = "[[inputs]]\nname = 'image'\nkind = 'image'\nmean = [0.0]\nstd = [255.0]\n"
INT8 = "[quantize]\nscheme = 'int8'\nrepresentative = 'calibration.npz'\n"

HEADS = {
    "yolo": "name = 'found'\nkind = 'boxes'\nlabels = 'digits.txt'\nunits = 'pixels'\nthreshold = 0.4\n",
    "yolo_objectness": "name = 'found'\nkind = 'boxes'\nlabels = 'digits.txt'\nunits = 'pixels'\n",
    "anchored": "name = 'offsets'\nkind = 'boxes'\nanchors = 'anchors.npy'\nscores = 'scores'\nlabels = 'digits.txt'\n"
    "activation = 'softmax'\nbackground = true\nthreshold = 0.5\n",
    "ssd": "name = 'boxes'\nkind = 'boxes'\nlabels = 'digits.txt'\nthreshold = 0.5\nnms = 'class'\n",
    "mask": "name = 'ink'\nkind = 'mask'\nlabels = 'ink.txt'\n",
    "heatmap": "name = 'joints'\nkind = 'keypoints'\nlabels = 'joints.txt'\n",
    "coordinates": "name = 'joints'\nkind = 'keypoints'\nlabels = 'joints.txt'\n",
    "embedding": "name = 'vector'\nkind = 'embedding'\n",
}
LABELS = {"digits.txt": [f"digit {n}" for n in range(10)], "ink.txt": ["paper", "low", "high"]}
LABELS |= {"joints.txt": ["left", "middle", "right"]}


@dataclass(frozen=True)
class World:
    """A folder with a model and images, the Python that trains it, and the one that runs the harness."""

    folder: Path
    toolchain: Path
    runtime: Path

    def made(self, kind: str) -> World:
        """Train a model, and write the images that are shown."""
        written(self.toolchain, kind, self.folder, MAKER)
        with np.load(self.folder / "shown.npz") as archive:
            for index, pixels in enumerate(archive["image"]):
                Image.fromarray(pixels[..., 0]).save(self.folder / f"{index}.png")
        for name, labels in LABELS.items():
            (self.folder / name).write_text("".join(f"{label}\n" for label in labels), "utf-8")
        return self

    def build(self, output: str, quantize: str = "", code: int = 0) -> str:
        """Write a recipe and build it; return what it says."""
        model = "[model]\npath = 'model.keras'\nid = 'm'\n[toolchain]\ntensorflow = '2.19.1'\n"
        checks = "" if quantize else "[checks]\ndata = 'calibration.npz'\n"
        (self.folder / "r.toml").write_text(f"{model}{quantize}{IMAGE}{checks}[[outputs]]\n{output}", "utf-8")
        done = run_kit("build", str(self.folder / "r.toml"), "--engine", "local", "--out", str(self.folder / "dist"))
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    @property
    def desk(self) -> Desk:
        """Return the bundle on a desk."""
        return Desk(self.runtime, self.folder / "dist" / "m", self.folder)

    def found(self, output: str, *more: object) -> list[dict[str, Any]]:
        """Return what the harness says of an output for each image."""
        with np.load(self.folder / "shown.npz") as archive:
            images = [self.folder / f"{index}.png" for index in range(len(archive["image"]))]
        return [result["outputs"][output] for result in self.desk.report(*images, *more)["results"]]

    def truth(self, name: str) -> Any:
        """Return an array of the truth, of any shape and dtype."""
        with np.load(self.folder / "truth.npz") as archive:
            return archive[name]

    def notes(self) -> str:
        """Return the bundle's notes."""
        return "\n".join(json.loads((self.folder / "dist" / "m" / "bundle.json").read_text("utf-8"))["notes"])
