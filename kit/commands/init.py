"""The first recipe for a model: init."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kit.commands.command import command, print_json

if TYPE_CHECKING:
    from invoke.context import Context

    from kit.init.make import Made


@command
def init(
    ctx: Context,
    model: str,
    data: str = "",
    yes: bool = False,
    out: str = "recipe.toml",
    engine: str = "auto",
    json: bool = False,
    debug: bool = False,
) -> None:
    """Write a recipe for a model file, which builds as it stands: signature, kinds, toolchain, checks.

    MODEL is a .keras or .h5 file or a SavedModel. It is read without TensorFlow; one whose file does not say its
    outputs is loaded once, by --engine auto, docker or local. --data names a folder of images or .wav files (perhaps
    with a folder for each label), an .npz, a .csv or a .txt of texts: a part calibrates and the rest checks, and the
    scheme is auto. --out is the recipe's file; nothing is ever overwritten. On a terminal at most five questions are
    asked, each with a default; --yes asks none. What no file can say is marked CHECK in the recipe.
    Exit codes: 0 written, 2 usage, data, or a file in the way, 3 model, 5 no engine, 130 interrupted.
    """
    from dataclasses import asdict

    from kit.init.make import Request, make
    from kit.init.question import asker, take_default
    from kit.progress import Reporter

    asks = not (yes or json) and sys.stdin.isatty() and sys.stdout.isatty()
    ask = asker(input, sys.stdout.write) if asks else take_default
    reporter = Reporter()
    try:
        made = make(Request(Path(model), Path(out), Path(data) if data else None, engine), ask, reporter)
    finally:
        reporter.close()
    if json:
        print_json(asdict(made) | {"recipe": str(made.recipe), "written": [str(path) for path in made.written]})
    else:
        sys.stdout.writelines(f"{line}\n" for line in _lines(made))


def _lines(made: Made) -> list[str]:
    return [
        *made.found,
        *(f"check   {doubt}" for doubt in made.doubts),
        *(f"wrote   {path}" for path in made.written),
        f"recipe: {made.recipe}",
        f"next:   kit build {shlex.quote(str(made.recipe))}",
    ]
