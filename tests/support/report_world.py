"""Bundles whose report shows every kind of sample: boxes and a mask, sound, text, two towers, a search."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import audio_models
import drawn_models
import text_models
import vision_models
from source_models import written
from worlds import run_kit

IMAGE = "[[inputs]]\nname = 'image'\nkind = 'image'\nmean = [0.0]\nstd = [255.0]\n"
DATA = "[checks]\ndata = 'calibration.npz'\n"
INT8 = "[quantize]\nscheme = 'int8'\nrepresentative = 'calibration.npz'\n"
HOSTILE = ('</td><script>alert("1")</script>', "a & b's", "<img src=x onerror=alert(1)>")


@dataclass(frozen=True)
class Kind:
    """A model that is made in a toolchain, and the recipe of its bundle. labels: the files of them."""

    maker: str
    model: str
    recipe: str
    labels: tuple[tuple[str, tuple[str, ...]], ...] = ()


KINDS = {
    "boxes": Kind(
        vision_models.__file__,
        "yolo",
        f"{INT8}{IMAGE}[[outputs]]\nname = 'found'\nkind = 'boxes'\nlabels = 'labels.txt'\nunits = 'pixels'\n"
        f"threshold = 0.4\n{DATA}",
        (("labels.txt", tuple(f"digit {n}" for n in range(10))),),
    ),
    "mask": Kind(
        vision_models.__file__,
        "mask",
        f"{INT8}{IMAGE}[[outputs]]\nname = 'ink'\nkind = 'mask'\nlabels = 'labels.txt'\n{DATA}",
        (("labels.txt", ("paper", "low", "high")),),
    ),
    "keypoints": Kind(
        vision_models.__file__,
        "heatmap",
        f"{INT8}{IMAGE}[[outputs]]\nname = 'joints'\nkind = 'keypoints'\nlabels = 'labels.txt'\n{DATA}",
        (("labels.txt", ("left", "middle", "right")),),
    ),
    "drawn": Kind(
        drawn_models.__file__,
        "boxes",
        f"{IMAGE}[[outputs]]\nname = 'found'\nkind = 'boxes'\nscores = 'scores'\nlabels = 'labels.txt'\n"
        "threshold = 0.3\niou = 0.1\n",
        (("labels.txt", HOSTILE),),
    ),
    "audio": Kind(
        audio_models.__file__,
        "spotter",
        "[quantize]\nscheme = 'int8'\nrepresentative = 'train.npz'\n[[inputs]]\nname = 'waveform'\nkind = 'audio'\n"
        "rate = 8000\n[[outputs]]\nname = 'word'\nkind = 'classes'\nlabels = 'labels.txt'\n"
        "[checks]\ndata = 'test.npz'\n",
    ),
    "text": Kind(
        text_models.__file__,
        "topics",
        "[quantize]\nscheme = 'dynamic'\n[[inputs]]\nname = 'text'\nsource = 'words'\nkind = 'text'\n[[outputs]]\n"
        "name = 'topic'\nkind = 'classes'\nlabels = 'labels.txt'\n[checks]\ndata = 'test.npz'\n",
    ),
    "towers": Kind(
        vision_models.__file__,
        "towers",
        f"{INT8}[[inputs]]\nname = 'left'\nkind = 'image'\nmean = [0.0]\nstd = [255.0]\n[[inputs]]\nname = 'right'\n"
        "kind = 'image'\nmean = [0.0]\nstd = [255.0]\n[[inputs]]\nname = 'light'\n[[outputs]]\nname = 'same'\n"
        f"kind = 'classes'\n{DATA}",
    ),
}


def build(python: Path, name: str, folder: Path, more: str = "") -> Path:
    """Build the bundle of a kind in a folder of its own, and return it. more: of the recipe."""
    kind = KINDS[name]
    folder.mkdir(parents=True, exist_ok=True)
    written(python, kind.model, folder, Path(kind.maker))
    for file, labels in kind.labels:
        (folder / file).write_text("".join(f"{label}\n" for label in labels), "utf-8")
    model = f"[model]\npath = 'model.keras'\nid = '{name}'\n[toolchain]\ntensorflow = '2.19.1'\n"
    (folder / "r.toml").write_text(model + kind.recipe + more, "utf-8")
    done = run_kit("build", str(folder / "r.toml"), "--engine", "local", "--out", str(folder / "dist"))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "dist" / name
