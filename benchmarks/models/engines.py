"""Build rows of the table on both engines and compare model.tflite: `python -m benchmarks.models.engines [ROW ...]`.

Without rows: EfficientNetB0 of both Keras, a YOLO head, two towers and mixed bfloat16. Exit code 1 where one differs.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.models import runner
from benchmarks.models.__main__ import WORK
from benchmarks.models.architecture import architectures
from kit.container.client import probe
from kit.files import sha256_file

ROWS = ("two_towers_k3", "mixed_bfloat16_k3", "yolo_k2", "efficientnet_b0_k2", "efficientnet_b0_k3")
SCHEMES = ("float32", "int8")
ENGINES = ("local", "docker")
SHA256 = 64  # characters; anything else is why a build failed


def main(arguments: Sequence[str]) -> int:
    """Print a line for each row and scheme."""
    found = probe()
    if isinstance(found, str):
        raise SystemExit(f"this compares a container with a venv, and there is no engine: {found}")
    found.close()
    other = 0
    for row in [architectures()[name] for name in arguments or ROWS]:
        folder = runner.made(row, WORK)
        for scheme in SCHEMES:
            digests = [built(folder, scheme, engine) for engine in ENGINES]
            same = len(set(digests)) == 1 and len(digests[0]) == SHA256
            other += not same
            print(f"{row.id:24} {scheme:8} {'the same' if same else 'OTHER'}  {' '.join(digests)}", flush=True)
    return int(bool(other))


def built(folder: Path, scheme: str, engine: str) -> str:
    """Return the sha256 of what a made model becomes, or why it became nothing."""
    facts, dist = runner.about(folder), folder / f"dist-{engine}"
    recipe = folder / f"{engine}-{scheme}.toml"
    recipe.write_text(runner.recipe_text(facts, scheme, "main", "main"), "utf-8")
    argv = [sys.executable, "-m", "kit", "build", str(recipe), "--engine", engine, "--out", str(dist)]
    try:
        done = subprocess.run(argv, cwd=runner.ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"exit code {done.returncode}: {done.stderr.strip()[-300:]}"
        return sha256_file(next(dist.glob("*/src/main/assets/*/model.tflite")))
    finally:
        shutil.rmtree(dist, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
