"""What ranges on a grid cost: int8 of trained models with it and without. `python -m benchmarks.grid_accuracy`.

Writes a table of docs/reproducibility.md: the models of `inv bench --quantization`, or those named. Without the grid a
copy of the kit converts, whose ranges stay as they were measured. Fails where a metric moves by half of its 95 %
interval or more.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.page_part import PagePart
from benchmarks.quantization import MODELS, PLACE, ROOT, Model, write_models
from kit.shared import range_grid

PART = PagePart(
    ROOT / "docs" / "reproducibility.md",
    "<!-- with the grid and without: python -m benchmarks.grid_accuracy -->",
    "<!-- end of grid -->",
)
HEAD = (
    "| model, int8 | metric | float model | with the grid | without | interval, 95 % | the file |",
    "| --- | --- | ---: | ---: | ---: | ---: | --- |",
)
# What puts a range on the grid begins with this line; the copy returns behind it.
SETTLED = '        """Return a range with both ends on the grid.'


def main(names: list[str]) -> None:
    """Build each model twice, print its row and write it into the page; the rows of others stay."""
    write_models()
    rows, moved = rows_there(), []
    with TemporaryDirectory(prefix="dropkit-grid-") as folder:
        bare = Path(folder) / "bare"
        without_grid(bare)
        for model in [each for each in MODELS if not names or each.name in names]:
            recipe = PLACE / f"{model.name}-grid.toml"
            recipe.write_text(recipe_text(model), "utf-8")
            with_, without = (built(recipe, root, Path(folder) / model.name / root.name) for root in (ROOT, bare))
            rows[model.name], far = row(model, with_, without)
            moved += [model.name] if far else []
            print(rows[model.name], flush=True)
            write(rows)
    if moved:
        raise SystemExit(f"moved by half of the interval or more: {', '.join(moved)}")


def rows_there() -> dict[str, str]:
    """Return the page's rows by model."""
    return {line.split("|")[1].strip(): line for line in PART.read().splitlines()[len(HEAD) :]}


def write(rows: Mapping[str, str]) -> None:
    """Write the rows, by model, into the page."""
    PART.write("\n".join((*HEAD, *(rows[model.name] for model in MODELS if model.name in rows))))


def without_grid(root: Path) -> None:
    """Copy the kit, so that measured ranges stay as they are."""
    for name in ("kit", "templates"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    path = root / Path(range_grid.__file__).relative_to(ROOT)
    lines = path.read_text("utf-8").splitlines(keepends=True)
    (place,) = (number for number, line in enumerate(lines, 1) if line.startswith(SETTLED))
    lines.insert(place, "        return low, high\n")
    path.write_text("".join(lines), "utf-8")


def recipe_text(model: Model) -> str:
    """Return a model's recipe in int8, that keeps what its checks refuse, too."""
    auto = model.recipe()
    return auto.replace("scheme = 'auto'", "scheme = 'int8'").replace("[checks]\n", "[checks]\ngate = false\n")


def built(recipe: Path, root: Path, out: Path) -> Mapping[str, Any]:
    """Build with a copy of the kit; return the bundle's bundle.json."""
    argv = [sys.executable, "-m", "kit", "build", str(recipe), "--engine", "local", "--out", str(out)]
    done = subprocess.run(argv, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{recipe.stem}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    manifest: Mapping[str, Any] = json.loads(next(out.glob("*/bundle.json")).read_text("utf-8"))
    return manifest


def row(model: Model, with_: Mapping[str, Any], without: Mapping[str, Any]) -> tuple[str, bool]:
    """Return a model's row, and whether its metric moved by half of its interval or more."""
    name, before, ours, _ = metric(with_)
    _, _, theirs, half = metric(without)
    same = with_["model"]["sha256"] == without["model"]["sha256"]
    values = f"{before:.4f} | {ours:.4f} | {theirs:.4f} | ± {half:.4f}"
    return f"| {model.name} | {name} | {values} | {'the same' if same else 'another'} |", abs(ours - theirs) >= half > 0


def metric(manifest: Mapping[str, Any]) -> tuple[str, float, float, float]:
    """Return a bundle's first metric with truth, or its agreement: name, before, after, half of its interval."""
    measures = manifest["measures"]
    for output in measures["outputs"]:
        for each in output["metrics"]:
            if None not in (each["before"], each["after"], each["low"]):
                return each["name"], each["before"], each["after"], (each["high"] - each["low"]) / 2
    agreed = next(output["agreement"] for output in measures["outputs"] if output["agreement"] is not None)
    # Wilson's interval of a share, at 95 %.
    z, n = 1.96, measures["samples"]
    half = z / (1 + z * z / n) * math.sqrt(agreed * (1 - agreed) / n + z * z / (4 * n * n))
    return "agreement", 1.0, agreed, half


if __name__ == "__main__":
    main(sys.argv[1:])
