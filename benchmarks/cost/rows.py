"""What is measured: groups of commands that run by turns, and the rows of the table that follow from them."""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.cost.meter import Spent

ROOT = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent
DIGITS = ROOT / "examples" / "digits"
OUT = "{out}"  # in a command: a folder that is made anew before it runs
TENSORFLOW = "2.19.1"
MATRIX = ("2.15.1", "2.17.1", "2.19.1", "2.21.0")
_QUIET = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}


@dataclass(frozen=True)
class Command:
    """A command of a group, and the exit code that it has to end with."""

    argv: Sequence[str]
    ends: int = 0
    env: Mapping[str, str] = field(default_factory=lambda: _QUIET)


Group = Mapping[str, Command]  # by a short name; each round runs them in this order
Runs = Mapping[str, Sequence[Spent]]  # of a group, a run for each round


@dataclass(frozen=True)
class Row:
    """A row of the table: what of one command, over another's, each the median of all rounds.

    per: where it is given, the difference of the two over this number instead of the ratio; no `under`: the value.
    """

    name: str
    group: str
    over: str
    under: str
    what: str  # "wall", "cpu" or "memory"
    goal: float
    per: int = 0

    def values(self, runs: Runs) -> list[float]:
        """Return the row's value in each round."""
        over = [float(getattr(spent, self.what)) for spent in runs[self.over]]
        if not self.under:
            return over
        under = [float(getattr(spent, self.what)) for spent in runs[self.under]]
        pairs = list(zip(over, under, strict=True))
        return [(a - b) / self.per if self.per else a / b for a, b in pairs]

    def line(self, runs: Runs) -> str:
        """Return the row as Markdown: median, lowest and highest, goal."""
        return line(self.name, self.values(runs), self.goal)


def line(name: str, values: Sequence[float], goal: float) -> str:
    """Return a row as Markdown: median, lowest and highest, goal."""
    middle = statistics.median(values)
    verdict = "holds" if middle <= goal else "MISSES"
    return f"| {name} | {middle:.3g} | {min(values):.3g} to {max(values):.3g} | {goal:g} | {verdict} |"


def groups(folder: Path, python: Path) -> dict[str, Group]:
    """Return all groups. folder has the models that models.py wrote; python is the toolchain's."""

    def bare(model: Path, scheme: str, scale: tuple[str, str], *data: Path) -> Command:
        out = str(folder / "bare.tflite")
        return Command([str(python), str(HERE / "bare.py"), str(model), scheme, *scale, out, *map(str, data)])

    def twin(model: str, scheme: str, calibration: int = 0, checks: int = 0) -> Group:
        place = folder / model
        data = [place / f"{count}.npz" for count in (calibration, checks) if count]
        recipe = place / f"{scheme}-{calibration}-{checks}.toml"
        recipe.write_text(recipe_text(model, scheme, calibration, checks), "utf-8")
        scale = ("127.5", "127.5") if calibration else ("0", "1")
        return {"bare": bare(place / "model.keras", scheme, scale, *data), "kit": build(recipe)}

    digits = DIGITS / "digits.keras", "int8", ("0", "255"), DIGITS / "samples.npz", DIGITS / "test.npz"
    refused, named = folder / "refused.toml", folder / "named.toml"
    text = (DIGITS / "recipe.toml").read_text("utf-8")
    for name in ("digits.keras", "samples.npz", "test.npz", "labels.txt"):
        text = text.replace(f'"{name}"', f'"{DIGITS / name}"')
    refused.write_text(text.replace('scheme = "int8"', 'scheme = "int7"'), "utf-8")
    named.write_text(text.replace('name = "image"', 'name = "imige"'), "utf-8")
    searched = folder / "auto.toml"
    searched.write_text(text.replace('scheme = "int8"', 'scheme = "auto"').replace('io = "uint8"', "#"), "utf-8")
    warm = str(folder / "warm")
    return {
        "digits": {"bare": bare(*digits), "kit": build(DIGITS / "recipe.toml")},
        "light": {
            "pass": Command([sys.executable, "-c", "pass"]),
            "help": Command([sys.executable, "-m", "kit", "--help"]),
            "unchanged": Command([*_BUILD, str(DIGITS / "recipe.toml"), "--out", warm]),
            "refused": build(refused, ends=2),
            "wrong name": build(named, ends=2),
        },
        "auto": {
            "int8": build(DIGITS / "recipe.toml"),
            "auto": build(searched),
            "pass": Command([sys.executable, "-c", "pass"]),
            "first": Command([*_BUILD, str(searched), "--out", f"{warm}-auto"]),
            "unchanged": Command([*_BUILD, str(searched), "--out", f"{warm}-auto"]),
        },
        "inspect": {
            name: Command([sys.executable, "-m", "kit", "inspect", str(folder / "resnet" / name)])
            for name in ("model.keras", "model.tflite")
        },
        "mobilenet 200": twin("mobilenet", "int8", 100, 200),
        "mobilenet 1000": twin("mobilenet", "int8", 100, 1000),
        "densenet": twin("densenet", "float32"),
        "encoder": twin("encoder", "dynamic"),
        "resnet": twin("resnet", "int8", 20, 20),
        "images": {
            "200": build(folder / "mobilenet" / "int8-100-200.toml"),
            "1000": build(folder / "mobilenet" / "int8-100-1000.toml"),
        },
        "matrix": {
            f"{jobs} jobs": Command(
                [sys.executable, "-m", "kit", "matrix", str(DIGITS / "recipe.toml"), "--tensorflow", ",".join(MATRIX),
                 "--engine", "local", "--jobs", str(jobs), "--out", OUT]
            )
            for jobs in (1, 2)
        },
    }  # fmt: skip


ROWS = (
    Row("digits, cold / bare: wall time", "digits", "kit", "bare", "wall", 1.15),
    Row("MobileNetV2 int8, 100 + 200 images / bare: CPU time", "mobilenet 200", "kit", "bare", "cpu", 0.80),
    Row("81 MB float32 / bare: CPU time", "densenet", "kit", "bare", "cpu", 1.20),
    Row("81 MB float32 / bare: peak memory", "densenet", "kit", "bare", "memory", 1.15),
    Row("283 MB dynamic / bare: CPU time", "encoder", "kit", "bare", "cpu", 1.25),
    Row("283 MB dynamic / bare: peak memory", "encoder", "kit", "bare", "memory", 1.25),
    Row("1,000 images in [checks] / bare: CPU time", "mobilenet 1000", "kit", "bare", "cpu", 1.1),
    Row("MB of memory per further image in [checks]", "images", "1000", "200", "memory", 0.05, per=800),
    Row("ResNet50 int8 / bare: peak memory", "resnet", "kit", "bare", "memory", 1.3),
    Row("kit --help / python -c pass: wall time", "light", "help", "pass", "wall", 8),
    Row("unchanged build / python -c pass: wall time", "light", "unchanged", "pass", "wall", 8),
    Row("refused recipe / unchanged build: wall time", "light", "refused", "unchanged", "wall", 2),
    Row("wrong name of an input: seconds", "light", "wrong name", "", "wall", 1),
    Row("inspect of a .keras file of 103 MB: seconds", "inspect", "model.keras", "", "wall", 1),
    Row("inspect of a .tflite file of 102 MB: seconds", "inspect", "model.tflite", "", "wall", 1),
    Row("digits, scheme auto / int8: wall time", "auto", "auto", "int8", "wall", 4),
    Row("unchanged build of scheme auto / python -c pass: wall time", "auto", "unchanged", "pass", "wall", 8),
    Row("matrix of 4 versions, 2 jobs / 1 job: wall time", "matrix", "2 jobs", "1 jobs", "wall", 0.55),
)
_BUILD = (sys.executable, "-m", "kit", "build", "--engine", "local")


def build(recipe: Path, ends: int = 0) -> Command:
    """Return the command that builds a recipe into a new folder."""
    return Command([*_BUILD, str(recipe), "--out", OUT], ends)


def recipe_text(model: str, scheme: str, calibration: int, checks: int) -> str:
    """Return a recipe for one of models.py's models: a file of random weights is measured, and not judged."""
    text = f'[model]\npath = "model.keras"\nid = "{model.replace("-", "_")}"\n\n[toolchain]\n'
    text += f'tensorflow = "{TENSORFLOW}"\n\n[quantize]\nscheme = "{scheme}"\n'
    if calibration:
        text += f'io = "uint8"\nrepresentative = "{calibration}.npz"\ncount = {calibration}\n'
        text += '\n[[inputs]]\nname = "input_layer"\nkind = "image"\nmean = [127.5]\nstd = [127.5]\n'
    return text + "\n[checks]\ngate = false\n" + (f'data = "{checks}.npz"\n' if checks else "")
