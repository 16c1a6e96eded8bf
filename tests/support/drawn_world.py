"""Bundles with boxes, a mask and keypoints, images for them, and what --save-images draws.

    uv run python tests/support/drawn_world.py

writes the references in tests/support/drawn anew. Look at each before you commit it.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import drawn_models
import numpy as np
from desk import Desk
from PIL import Image
from source_models import written
from worlds import run_kit

REFERENCES = Path(__file__).parent / "drawn"
TURNED = 6  # in EXIF: to be shown turned by 90 degrees clockwise
LABELS = ("red", "green as the grass of a long label", "bläulich")
Patch = tuple[int, int, tuple[int, int, int]]
RED, GREEN, BLUE = (230, 30, 40), (40, 200, 60), (40, 60, 230)
# Left and top in twelfths of the longer side, of which a patch takes three, as the model's windows do.
PATCHES: tuple[Patch, ...] = (
    *((-1, -1, RED), (10, 1, GREEN), (4, 1, BLUE), (6, 2, GREEN), (8, 4, RED), (0, 3, BLUE), (5, 8, GREEN)),
)
ONE_OF_EACH = (PATCHES[1], PATCHES[2], PATCHES[4])


@dataclass(frozen=True)
class Drawing:
    """One image that is drawn on. size: width and height of the image file."""

    name: str
    kind: str
    size: tuple[int, int]
    patches: tuple[Patch, ...] = PATCHES
    orientation: int = 1
    array: bool = False  # an .npz with the model's own pixels


DRAWINGS = (
    Drawing("boxes-wide", "boxes", (240, 120)),
    Drawing("boxes-turned", "boxes", (240, 120), orientation=TURNED),
    Drawing("boxes-small", "boxes", (20, 20)),
    Drawing("boxes-large", "boxes", (1080, 720)),
    Drawing("boxes-array", "boxes", (48, 48), array=True),
    Drawing("mask-wide", "mask", (240, 120)),
    Drawing("mask-turned", "mask", (240, 120), orientation=TURNED),
    Drawing("keypoints-small", "keypoints", (30, 20), ONE_OF_EACH),
    Drawing("keypoints-turned", "keypoints", (240, 120), ONE_OF_EACH, TURNED),
)
OUTPUTS = {
    "boxes": "name = 'found'\nkind = 'boxes'\nscores = 'scores'\nlabels = 'labels.txt'\nthreshold = 0.3\niou = 0.1\n",
    "mask": "name = 'mask'\nkind = 'mask'\nlabels = 'classes.txt'\n",
    "keypoints": "name = 'points'\nkind = 'keypoints'\nlabels = 'labels.txt'\n",
}
RESIZES = {"boxes": "resize = 'letterbox'\npad_color = [114, 114, 114]\n", "mask": "resize = 'crop'\n", "keypoints": ""}


def build(toolchain: Path, kind: str, folder: Path) -> Path:
    """Build the bundle of a kind in a folder of its own, and return it."""
    written(toolchain, kind, folder, Path(drawn_models.__file__))
    (folder / "classes.txt").write_text("neither\n" + "".join(f"{label}\n" for label in LABELS), "utf-8")
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS), "utf-8")
    (folder / "r.toml").write_text(
        "[model]\npath = 'model.keras'\nid = 'm'\n[toolchain]\ntensorflow = '2.19.1'\n[[inputs]]\nname = 'image'\n"
        f"kind = 'image'\nmean = [0.0]\nstd = [255.0]\n{RESIZES[kind]}[[outputs]]\n{OUTPUTS[kind]}",
        "utf-8",
    )
    done = run_kit("build", str(folder / "r.toml"), "--engine", "local", "--out", str(folder / "dist"))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "dist" / "m"


def scene(drawing: Drawing) -> np.ndarray:
    """Return the image of a drawing, uint8 [height, width, 3]: patches with a darker middle on stripes of grey."""
    width, height = drawing.size
    pixels = np.zeros((height, width, 3), np.uint8)
    for stripe in range(8):
        pixels[:, stripe * width // 8 : (stripe + 1) * width // 8] = 40 + 28 * stripe
    unit = max(width, height) / 12
    for column, row, color in drawing.patches:
        for first, last, part in ((0, 3, 1.0), (1, 2, 0.8)):
            rows, columns = (
                slice(max(0, round((at + first) * unit)), max(0, round((at + last) * unit))) for at in (row, column)
            )
            pixels[rows, columns] = [round(part * channel) for channel in color]
    return pixels


def draw(drawing: Drawing, desk: Desk) -> Path:
    """Return the image that the harness writes for a drawing."""
    pixels = scene(drawing)
    if drawing.array:
        path = desk.save(f"{drawing.name}.npz", image=pixels[None])
    else:
        path = desk.inputs / f"{drawing.name}.png"
        image = Image.fromarray(pixels)
        exif = image.getexif()
        exif[0x0112] = drawing.orientation
        image.save(path, exif=exif)
    (result,) = desk.report(path, "--save-images", desk.inputs / "drawn")["results"]
    return Path(result["image"])


def main() -> None:
    """Write every reference anew."""
    from kit.toolchains.lockfile import read_lock
    from kit.toolchains.toolchain import find_runtime, find_toolchain
    from kit.toolchains.venv import runtime_venv, toolchain_venv

    toolchain = toolchain_venv(find_toolchain("2.19.1"), print)
    REFERENCES.mkdir(exist_ok=True)
    with TemporaryDirectory() as name:
        for kind in OUTPUTS:
            folder = Path(name) / kind
            bundle = build(toolchain, kind, folder)
            lock = read_lock(bundle / "emulate" / "requirements.txt")
            desk = Desk(runtime_venv(find_runtime("litert:2.3.0"), lock, print), bundle, folder)
            for drawing in DRAWINGS:
                if drawing.kind == kind:
                    shutil.copy(draw(drawing, desk), REFERENCES / f"{drawing.name}.png")
                    sys.stdout.write(f"{drawing.name}.png\n")


if __name__ == "__main__":
    main()
