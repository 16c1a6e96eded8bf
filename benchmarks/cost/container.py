"""What holds in a container with the default limits: how large the image is, and which large builds end well there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.cost.rows import TENSORFLOW, recipe_text
from kit.container.client import probe
from kit.container.image import ensure_image
from kit.toolchains.toolchain import find_toolchain

IMAGE_MB = 800
SECONDS = 3600
BUILDS = {
    "10,000 images of 224x224 in [checks]": ("mobilenet", "int8", 100, 10_000),
    "1 GB of weights, dynamic": ("encoder_1gb", "dynamic", 0, 0),
    "1 GB of weights, float16": ("encoder_1gb", "float16", 0, 0),
    "1 GB of weights, float32": ("encoder_1gb", "float32", 0, 0),
}


def container_rows(models: Path, folder: Path) -> list[str]:
    """Return the rows as Markdown; none where no engine runs. models: what models.py wrote; folder: for bundles."""
    engine = probe()
    if isinstance(engine, str):
        print(f"left out: {engine}")
        return []
    rows = [_build(name, models, folder / "out") for name in BUILDS]
    image = ensure_image(engine, find_toolchain(TENSORFLOW), print)
    size = image.size / 1e6
    verdict = "holds" if size <= IMAGE_MB else "MISSES"
    return [*rows, f"| image of TensorFlow {TENSORFLOW}: MB | {size:.0f} | | {IMAGE_MB} | {verdict} |"]


def _build(name: str, models: Path, out: Path) -> str:
    model, scheme, calibration, checks = BUILDS[name]
    recipe = models / model / f"{scheme}-{calibration}-{checks}.toml"
    recipe.write_text(recipe_text(model, scheme, calibration, checks), "utf-8")
    shutil.rmtree(out, ignore_errors=True)
    argv = [sys.executable, "-m", "kit", "build", str(recipe), "--engine", "docker", "--out", str(out)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=SECONDS)
    said = "builds" if done.returncode == 0 else f"exit code {done.returncode}"
    print(f"{name}: {said} {done.stderr[-400:] if done.returncode else ''}", flush=True)
    return f"| {name}, in a container | {said} | | builds | {'holds' if done.returncode == 0 else 'MISSES'} |"
