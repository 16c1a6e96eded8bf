"""Measure what the kit costs beside a bare script, and the generated Kotlin beside LiteRT: `inv bench`.

Prints the table and, of a whole run, writes it into docs/performance.md. Ends with 1 where a row misses its goal.
"""

from __future__ import annotations

import argparse
import compileall
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.android import android_rows
from benchmarks.boxes import box_rows
from benchmarks.cost.container import container_rows
from benchmarks.cost.meter import Spent, spend
from benchmarks.cost.rows import DIGITS, HERE, OUT, ROOT, ROWS, TENSORFLOW, Command, Group, Runs, groups, recipe_text
from benchmarks.evaluation import evaluation_rows
from benchmarks.frames import frame_rows
from benchmarks.harness import harness_rows
from benchmarks.page import page_rows
from benchmarks.page_part import PagePart
from benchmarks.report import report_rows
from kit.android.proof.step import MissingToolError
from kit.toolchains.toolchain import find_toolchain
from kit.toolchains.venv import toolchain_venv

MODELS = ROOT / "build" / "cost"  # kept: the largest takes a minute to write
PART = PagePart(ROOT / "docs" / "performance.md", "<!-- table: inv bench -->", "<!-- table end -->")
ALL_MODELS = ("mobilenet", "densenet", "resnet", "encoder", "encoder_1gb")
HEAD = "| what | median | lowest to highest | goal | |\n| --- | ---: | ---: | ---: | --- |"


def main(arguments: Sequence[str]) -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(prog="inv bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="runs of each command")
    parser.add_argument(
        "--only",
        default="*",
        help="a pattern of groups: digits, light, inspect, report, mobilenet*, android, frames, boxes, container ...",
    )
    options = parser.parse_args(arguments)
    # The frames need neither models nor a toolchain, the others a model or two of their own.
    alone = {"android", "frames", "boxes", "evaluation", "harness", "page", "report"}
    lines = [] if options.only in alone else measured(options.only, options.rounds)
    if fnmatch("android", options.only):
        lines += found_tools(lambda: android(options.rounds))
    if fnmatch("frames", options.only):
        lines += found_tools(lambda: frame_rows(options.rounds))
    if fnmatch("boxes", options.only):
        lines += found_tools(boxes)
    if fnmatch("evaluation", options.only):
        lines += evaluation(options.rounds)
    if fnmatch("report", options.only):
        lines += report(options.rounds)
    if fnmatch("page", options.only):
        lines += page(options.rounds)
    if fnmatch("harness", options.only):
        lines += harness(options.rounds)
    table = "\n".join([HEAD, *lines])
    print(table)
    if options.only == "*":
        keep(f"{options.rounds} rounds, {platform.system()} {platform.machine()}, of {commit()}.\n\n{table}")
    return int("MISSES" in table)


def measured(only: str, rounds: int) -> list[str]:
    """Return the rows of all groups that the pattern names, but for the frames."""
    python = toolchain_venv(find_toolchain(TENSORFLOW), print)
    # As Python itself would do on first use, where PYTHONDONTWRITEBYTECODE does not forbid it.
    for code in (ROOT / "kit", sysconfig.get_path("purelib"), sysconfig.get_path("stdlib")):
        compileall.compile_dir(code, quiet=2)
    lines = []
    with TemporaryDirectory(prefix="dropkit-bench-") as temporary:
        out = Path(temporary) / "out"
        asked = {name: group for name, group in groups(models(python), python).items() if fnmatch(name, only)}
        for name, group in asked.items():
            runs = measure(name, group, rounds, out)
            lines += [row.line(runs) for row in ROWS if row.group == name]
        if fnmatch("container", only):
            lines += container_rows(MODELS, Path(temporary))
    return lines


def models(python: Path, names: Sequence[str] = ALL_MODELS) -> Path:
    """Write the models that are not there yet; return their folder."""
    missing = [name for name in names if not (MODELS / name / ".complete").is_file()]
    for name in missing:
        print(f"write the model {name}")
        spend([str(python), str(HERE / "models.py"), str(MODELS), name])
        (MODELS / name / ".complete").touch()
    return MODELS


def measure(name: str, group: Group, rounds: int, out: Path) -> Runs:
    """Run a group's commands by turns, so that a busy machine is busy for all of them."""
    runs: dict[str, list[Spent]] = {each: [] for each in group}
    if name == "light":
        _run(group["unchanged"], out)  # else the first of them builds
    if name == "inspect":
        _converted(group["model.tflite"].argv[-1])
    for number in range(rounds):
        for each, command in group.items():
            runs[each].append(_run(command, out))
        last = {each: spent[-1] for each, spent in runs.items()}
        words = [f"{each} {s.wall:.2f} s, CPU {s.cpu:.2f} s, {s.memory:.0f} MB" for each, s in last.items()]
        print(f"{name}, round {number + 1}: {'; '.join(words)}", flush=True)
    return runs


def _converted(path: str) -> None:
    """Write a model's float32 file beside it, where it is not there yet."""
    if not Path(path).is_file():
        python = toolchain_venv(find_toolchain(TENSORFLOW), print)
        spend([str(python), str(HERE / "bare.py"), str(Path(path).with_suffix(".keras")), "float32", "0", "1", path])


def _run(command: Command, out: Path) -> Spent:
    shutil.rmtree(out, ignore_errors=True)
    argv = [str(out) if word == OUT else word for word in command.argv]
    return spend(argv, command.env, ends=command.ends)


def android(rounds: int) -> list[str]:
    """Return the rows of the app's side: the generated Kotlin beside the C library, and a proof."""
    folder = models(toolchain_venv(find_toolchain(TENSORFLOW), print), ["yolo"])
    recipe = folder / "yolo" / "android.toml"
    recipe.write_text(recipe_text("yolo", "float32", 0, 0), "utf-8")
    with TemporaryDirectory(prefix="dropkit-bench-") as temporary:
        out = Path(temporary)
        for path, name in ((DIGITS, "digits"), (recipe, "yolo")):
            build = [sys.executable, "-m", "kit", "build", str(path), "--engine", "local", "--out", OUT]
            _run(Command(build), out / name)
        return android_rows(out / "digits/digits", out / "yolo/yolo", rounds)


def boxes() -> list[str]:
    """Return the rows of the app's boxes beside the model's call."""
    python = toolchain_venv(find_toolchain(TENSORFLOW), print)
    with TemporaryDirectory(prefix="dropkit-bench-") as folder:
        return box_rows(python, TENSORFLOW, MODELS, Path(folder) / "boxes")


def evaluation(rounds: int) -> list[str]:
    """Return the rows of samples on the app's runtime."""
    python = toolchain_venv(find_toolchain(TENSORFLOW), print)
    with TemporaryDirectory(prefix="dropkit-bench-") as folder:
        return evaluation_rows(python, MODELS, Path(folder), rounds)


def report(rounds: int) -> list[str]:
    """Return the rows of the report's page."""
    folder = models(toolchain_venv(find_toolchain(TENSORFLOW), print), ["mobilenet"])
    with TemporaryDirectory(prefix="dropkit-bench-") as temporary:
        return report_rows(folder, Path(temporary), rounds)


def page(rounds: int) -> list[str]:
    """Return the rows of the page of `emulate --serve`."""
    with TemporaryDirectory(prefix="dropkit-bench-") as temporary:
        return page_rows(_of_images(temporary), rounds)


def harness(rounds: int) -> list[str]:
    """Return the rows of a bundle's own emulate.py."""
    with TemporaryDirectory(prefix="dropkit-bench-") as temporary:
        images = _of_images(temporary)
        spend([sys.executable, "-m", "kit", "build", str(DIGITS), "--engine", "local", "--out", temporary])
        return harness_rows(Path(temporary) / "digits", images, rounds)


def _of_images(out: str) -> Path:
    """Build MobileNetV2 in int8, with uint8 images at its border; return its bundle."""
    folder = models(toolchain_venv(find_toolchain(TENSORFLOW), print), ["mobilenet"])
    recipe = folder / "mobilenet" / "page.toml"
    recipe.write_text(recipe_text("mobilenet", "int8", 100, 0), "utf-8")
    spend([sys.executable, "-m", "kit", "build", str(recipe), "--engine", "local", "--out", out])
    return Path(out) / "mobilenet"


def found_tools(rows: Callable[[], list[str]]) -> list[str]:
    """Return rows; none where a tool for them is missing."""
    try:
        return rows()
    except MissingToolError as missing:
        print(f"left out: {missing}")
        return []


def keep(text: str) -> None:
    """Put the table into the page."""
    PART.write(text)


def commit() -> str:
    """Return the commit that is checked out, shortened."""
    argv = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
