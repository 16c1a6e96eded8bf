"""What report.html costs of a build: the seconds of its page, beside those of the whole.

`python -m benchmarks.report RECIPE OUT` is one such build, which prints both as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.cost.meter import spend
from benchmarks.cost.rows import DIGITS, ROOT, line, recipe_text
from kit.build import pipeline
from kit.build.plan import make_plan
from kit.build.write_report import write_report
from kit.progress import Reporter
from kit.recipe.load import load_recipe

SHARE = 0.10  # the goal: of the build's time
IMAGES = 200  # of 224x224


def report_rows(models: Path, folder: Path, rounds: int) -> list[str]:
    """Return the rows of the table: of the digits, and of photographs. models: has mobilenet; folder: an empty one."""
    recipe = models / "mobilenet" / "report.toml"
    recipe.write_text(recipe_text("mobilenet", "int8", 100, IMAGES), "utf-8")
    named = {"the digits": DIGITS / "recipe.toml", f"MobileNetV2, {IMAGES} images": recipe}
    return [
        line(f"report.html of {name} / its build: wall time", _shares(path, folder / str(number), rounds), SHARE)
        for number, (name, path) in enumerate(named.items())
    ]


def _shares(recipe: Path, folder: Path, rounds: int) -> list[float]:
    found = []
    for number in range(rounds):
        place = folder / str(number)
        spent = spend([sys.executable, "-m", "benchmarks.report", str(recipe), str(place)], cwd=ROOT)
        took = json.loads(spent.printed.splitlines()[-1])
        print(f"report of {recipe}, round {number + 1}: {took['page']:.2f} s of {took['build']:.2f} s", flush=True)
        found.append(took["page"] / took["build"])
    return found


def main(arguments: Sequence[str]) -> int:
    """Build a recipe into a folder, and print what its page took of it."""
    recipe, out = map(Path, arguments)
    pages = []

    def timed(*parts: Any) -> None:
        """Write the page as a build does."""
        start = time.perf_counter()
        write_report(*parts)
        pages.append(time.perf_counter() - start)

    with patch.object(pipeline, "write_report", timed):
        start = time.perf_counter()
        plan = make_plan(load_recipe(recipe), "")
        pipeline.build(plan, pipeline.Options(out, "local"), Reporter(quiet=True))
    (page,) = pages
    print(json.dumps({"page": page, "build": time.perf_counter() - start}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
