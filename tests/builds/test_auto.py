"""scheme = "auto": what it chooses, what it shows, what it writes out, and where it refuses; what int8 alone ruins."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import fromstring as tree

import numpy as np
import pytest
from worlds import run_kit

from kit.build.pipeline import Options
from kit.build.pipeline import build as make_bundle
from kit.build.plan import make_plan
from kit.bundle.manifest import read_record
from kit.emulation.latency import Order, TimedCalls
from kit.files import tree_digests
from kit.progress import Reporter
from kit.recipe.load import load_recipe
from kit.recipe.quantize import LayerScheme, Quantize
from kit.search.auto import Search, _mixed
from kit.search.candidates import Candidate, mixes, plain_candidates, ranked_layers
from kit.search.halves import Halves
from kit.search.trials import Trial, Trials
from kit.shared.quantization import LayerError


def write(
    folder: Path, models: Path, checks: str = "", quantize: str = "scheme = 'auto'", name: str = "narrow"
) -> Path:  # fmt: skip
    """Write a recipe of a model with these checks and that [quantize]; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recipe.toml"
    path.write_text(
        f"[model]\npath = '{models}/{name}.keras'\nid = '{name}'\n[toolchain]\ntensorflow = '2.19.1'\n"
        f"[quantize]\n{quantize}\nrepresentative = '{models}/{name}.npz'\n"
        f"[[outputs]]\nname = 'kind'\nkind = 'classes'\n[checks]\ndata = '{models}/{name}.npz'\n{checks}",
        "utf-8",
    )
    return path


def build(recipe: Path, code: int = 0) -> str:
    """Build a recipe beside it; return what was printed."""
    done = run_kit("build", str(recipe), "--engine", "local", "--out", str(recipe.parent / "dist"))
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def size_of(folder: Path) -> int:
    """Return the bytes of the built file."""
    return (folder / "dist/narrow/src/main/assets/narrow/model.tflite").stat().st_size


def test_auto_mixes_schemes_and_its_lines_build_the_same_bytes_without_a_search(
    tmp_path: Path, quantized_models: Path
) -> None:
    said = build(write(tmp_path, quantized_models))
    record = json.loads((tmp_path / "dist/narrow.search.json").read_text("utf-8"))
    rows = {row["name"]: row for row in record["candidates"]}
    assert "FAIL" not in said
    # Four bits alone lose the layer whose weights differ most; a mix with it in eight is smaller than any plain scheme.
    chosen = [name for name, row in rows.items() if row["verdict"] == "chosen"]
    assert chosen == ["int4, min-max; narrow in dynamic"], said
    kept = {name: row["bytes"] for name, row in rows.items() if row["verdict"] == "keeps"}
    assert all(size >= rows[chosen[0]]["bytes"] for size in kept.values())
    assert all(size > rows[chosen[0]]["bytes"] for name, size in kept.items() if ";" not in name) and len(kept) > 4
    (metric,) = rows["int4, min-max"]["chosen_on"][0]["metrics"]
    assert metric["name"] == "accuracy" and metric["after"] < metric["before"] - 0.3
    assert len(rows) > 9
    assert all(name in said for name in rows)
    for row in rows.values():
        latency = row["latency"]
        assert bool(latency) == bool(row["chosen_on"])
        assert not latency or (latency["of"] == "float32" and 0 < latency["low"] <= latency["ratio"] <= latency["high"])
    assert rows["float32"]["latency"]["ratio"] == 1.0
    assert "a hint, which decided nothing" in said
    kept_beside = json.loads((tmp_path / "dist/narrow.build.json").read_text("utf-8"))["latency"]
    assert kept_beside == rows[chosen[0]]["latency"]
    manifest = json.loads((tmp_path / "dist/narrow/bundle.json").read_text("utf-8"))
    assert manifest["recipe"]["quantize"]["scheme"] == "int4"
    assert manifest["recipe"]["quantize"]["layers"] == [{"match": "narrow", "scheme": "dynamic"}]
    (measure,) = manifest["measures"]["outputs"]
    assert measure["accuracy"] >= measure["float_accuracy"] - 0.005
    assert "95 % interval" in said
    chart = tree((tmp_path / "dist/narrow.search.svg").read_text("utf-8"))  # noqa: S314 - our own
    drawn = [each.get("class") for each in chart.iter() if (each.get("class") or "").startswith("candidate")]
    assert len(drawn) == sum(bool(row["chosen_on"]) for row in rows.values())
    assert drawn.count("candidate chosen") == 1
    assert f"chart:  {tmp_path}/dist/narrow.search.svg" in said
    lines = said.partition("The same without a search:\n\n")[2].partition("\nchart: ")[0]
    again = write(tmp_path / "again", quantized_models)
    text = again.read_text("utf-8")
    again.write_text(text[: text.index("[quantize]")] + lines + text[text.index("[[outputs]]") :], "utf-8")
    build(again)
    files = [f / "dist/narrow/src/main/assets/narrow/model.tflite" for f in (tmp_path, tmp_path / "again")]
    assert files[0].read_bytes() == files[1].read_bytes()
    # Nothing is searched for an unchanged recipe, nor by verify.
    assert "is up to date" in build(tmp_path / "recipe.toml")
    bundle = str(tmp_path / "dist" / "narrow")
    verified = run_kit("verify", bundle, "--engine", "local", "--model", str(quantized_models / "narrow.keras"))
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.mark.parametrize("quantizer", ["tensorflow", pytest.param("litert", marks=pytest.mark.slow)])
def test_a_model_that_int8_ruins_is_refused_with_the_layer_named(
    tmp_path: Path, quantized_models: Path, quantizer: str
) -> None:
    quantize = f"scheme = 'int8'\nquantizer = '{quantizer}'"
    recipe = write(tmp_path, quantized_models, quantize=quantize, name="uneven")
    done = run_kit("build", str(recipe), "--engine", "local", "--out", str(tmp_path / "dist"))
    assert done.returncode == 4, done.stdout + done.stderr
    assert "layer 'wide' adds most of the error (outlier channel 0: its " in done.stderr
    assert not (tmp_path / "dist" / "uneven").exists()
    table = done.stdout[done.stdout.index("layers that add most error") :].splitlines()
    rows = [line.split() for line in table if " FULLY_CONNECTED " in line]
    assert rows[0][:2] == ["wide", "FULLY_CONNECTED"]
    assert float(rows[0][4].rstrip("%")) > 80, table


@pytest.mark.slow
def test_checks_of_the_recipe_are_what_is_kept(tmp_path: Path, quantized_models: Path) -> None:
    build(write(tmp_path / "loose", quantized_models))
    build(write(tmp_path / "tight", quantized_models, "max_relative_error = 0.0005\n"))
    assert size_of(tmp_path / "loose") < size_of(tmp_path / "tight")


@pytest.mark.slow
def test_auto_on_too_few_samples_is_refused(tmp_path: Path, quantized_models: Path) -> None:
    with np.load(quantized_models / "narrow.npz") as archive:
        few = {name: archive[name][:19] for name in archive.files}
        enough = {name: archive[name][:400] for name in archive.files}
    recipe = write(tmp_path, quantized_models)
    recipe.write_text(
        recipe.read_text("utf-8").replace(f"data = '{quantized_models}/narrow.npz'", "data = 'few.npz'"), "utf-8"
    )
    np.savez(tmp_path / "few.npz", **few)
    said = build(recipe, 2)
    assert "19 samples are too few" in said
    assert "next: give 20 samples or more in [checks] data, or name a scheme" in said
    np.savez(tmp_path / "few.npz", **enough)
    build(recipe)


def test_auto_without_data_says_what_needs_none(tmp_path: Path, quantized_models: Path) -> None:
    recipe = write(tmp_path, quantized_models)
    text = recipe.read_text("utf-8")
    recipe.write_text(re.sub(r"(data|representative) = .*\n", "", text), "utf-8")
    said = build(recipe, 2)
    assert "scheme 'auto' measures every candidate on data, and there is none" in said
    assert "next: give [checks] data, or name a scheme: dynamic and float16 need no data" in said
    recipe.write_text(recipe.read_text("utf-8").replace("auto", "dynamic"), "utf-8")
    build(recipe)


@pytest.mark.slow
def test_checks_that_no_candidate_keeps_are_refused(tmp_path: Path, quantized_models: Path) -> None:
    said = build(write(tmp_path, quantized_models, "max_bytes = 1000\n"), 4)
    assert "keeps the checks" in said
    assert "next: allow more in [checks], or look at what float32 alone loses" in said
    assert not (tmp_path / "dist" / "narrow").exists()
    build(write(tmp_path, quantized_models, "max_bytes = 20000\n"))


def test_a_candidate_that_keeps_the_checks_on_one_half_alone_says_so(tmp_path: Path, quantized_models: Path) -> None:
    recipe = write(tmp_path, quantized_models, "min_agreement = 0.999\n")
    with np.load(quantized_models / "narrow.npz") as arrays:
        held = {name: arrays[name].copy() for name in arrays.files}
    name = next(each for each in held if each != "y")
    held[name][1::2] *= 0.02  # every second sample, on which nothing is chosen, has its classes close together
    np.savez(tmp_path / "halves.npz", **held)
    text = recipe.read_text("utf-8")
    recipe.write_text(text.replace(f"data = '{quantized_models}/narrow.npz'", "data = 'halves.npz'"), "utf-8")
    said = build(recipe)
    rows = json.loads((tmp_path / "dist/narrow.search.json").read_text("utf-8"))["candidates"]
    chosen = [row["verdict"] for row in rows].index("chosen")
    smaller = {row["name"]: row["verdict"] for row in rows[:chosen] if row["bytes"]}
    assert "keeps" not in smaller.values(), smaller
    assert re.fullmatch(r"on all samples min_agreement \(kind\) \d\d\.\d\d%", smaller["int8"]), smaller
    assert "on all samples" in said


def error(layer: str, own: float, weights: int = 100) -> LayerError:
    return LayerError(layer, (layer,), "FULLY_CONNECTED", 10.0, 0.0, 1.0, own, weights)


@pytest.mark.parametrize(
    ("enough", "large", "tried"),
    [
        (1, 99, [8, 1]),
        (3, 99, [8, 1, 2, 4, 3]),
        (8, 99, [8, 1, 2, 4, 6]),
        (99, 99, [8]),  # none is enough, and fewer are not tried
        (3, 6, [8, 1, 2, 4, 3]),  # 8 layers are too many bytes: that says nothing of fewer
        (99, 6, [8]),
        (3, -8, [8, 1, 2, 4, 3]),  # what ends on 8 layers says nothing of fewer, either
    ],
)
def test_the_most_layers_are_tried_first_and_fewer_where_they_hold(enough: int, large: int, tried: list[int]) -> None:
    """enough: layers from which on the checks hold; large: from which on the bytes do not, or -n: n give no file."""
    counts: list[int] = []

    class Counting(Trials):
        """Trials that make no file."""

        def __init__(self) -> None: ...

        def run(self, candidates: Sequence[Candidate]) -> list[Trial]:
            (candidate,) = candidates
            count = len(candidate.quantize.layers)
            counts.append(count)
            if count == -large:
                return [Trial(candidate, why="it ended with SIGSEGV")]
            why = "accuracy" if count < enough else "max_bytes" if count >= large > 0 else ""
            return [Trial(candidate, halves=Halves((), ()), why=why, too_large=why == "max_bytes")]

    base = Trial(
        Candidate("int4", Quantize.model_validate({"scheme": "int4"})),
        errors=tuple(error(f"layer{number}", 1 - number / 20) for number in range(12)),
    )
    found = list(_mixed(Counting(), base))
    assert counts == tried and len(found) == len(tried)


def test_layers_are_ranked_by_the_noise_that_they_add_themselves() -> None:
    errors = [error("a", 0.1), error("b", 0.5), error("c", 0.2), error("pool", 0.9, weights=0), error("d", 0.0)]
    assert ranked_layers(errors) == ["b", "c", "a", "d"]
    base = Candidate("int4", Quantize.model_validate({"scheme": "int4"}))
    tried = [(count, [layer.match for layer in each.quantize.layers]) for count, each in mixes(base, errors)]
    assert tried == [(1, ["b"]), (2, ["b", "c"])]  # all four of them would be another plain scheme


def test_a_candidate_s_lines_are_a_recipe_s(tmp_path: Path, quantized_models: Path) -> None:
    asked = Quantize.model_validate({"scheme": "auto", "representative": "narrow.npz", "count": 50})
    np.savez(tmp_path / "narrow.npz", features=np.zeros((1, 24), np.float32))
    (tmp_path / "narrow.keras").write_bytes((quantized_models / "narrow.keras").read_bytes())
    for candidate in plain_candidates(asked, calibrated=True):
        path = tmp_path / "recipe.toml"
        path.write_text(f"[model]\npath = 'narrow.keras'\nid = 'narrow'\n{candidate.lines()}", "utf-8")
        assert load_recipe(path).quantize == candidate.quantize


@pytest.mark.slow
def test_tune_finds_an_int8_that_loses_less_and_is_no_larger(tmp_path: Path, quantized_models: Path) -> None:
    said = build(write(tmp_path, quantized_models, quantize="scheme = 'int8'\ntune = true"))
    record = json.loads((tmp_path / "dist/narrow.search.json").read_text("utf-8"))
    rows = {row["name"]: row for row in record["candidates"]}
    plain, chosen = rows["int8 of TensorFlow"], next(row for row in rows.values() if row["verdict"] == "chosen")
    assert {"int8", "int8, octav", "int8, bias correction", "int8, octav, bias correction"} < set(rows)
    assert chosen["bytes"] <= plain["bytes"]
    errors = [row["chosen_on"][0]["relative_error"] for row in (chosen, plain)]
    accuracies = [row["chosen_on"][0]["metrics"][0]["after"] for row in (chosen, plain)]
    assert (-accuracies[0], errors[0]) <= (-accuracies[1], errors[1])
    quantize = json.loads((tmp_path / "dist/narrow/bundle.json").read_text("utf-8"))["recipe"]["quantize"]
    assert quantize["scheme"] == "int8" and not quantize.get("tune")
    assert "The same without a search:" in said
    verified = run_kit(
        "verify", str(tmp_path / "dist/narrow"), "--engine", "local", "--model", str(quantized_models / "narrow.keras")
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.mark.slow
def test_a_bundle_has_the_same_bytes_whatever_its_candidates_took(
    tmp_path: Path, quantized_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ratios = []
    for number, factor in enumerate((9.0, -0.05)):

        def planted(_python: Path, order: Order, factor: float = factor) -> tuple[TimedCalls, ...]:
            """Return times that grow, or fall, from each file to the next."""
            return tuple(TimedCalls(calls=1, blocks=(1 + factor * at,) * 6) for at in range(len(order.files)))

        monkeypatch.setattr("kit.search.latencies.time_files", planted)
        recipe = write(tmp_path / str(number), quantized_models, quantize="scheme = 'auto'\nprefer = 'speed'")
        search, reporter = Search(), Reporter()
        plan = make_plan(load_recipe(recipe), "key")
        made = make_bundle(plan, Options(recipe.parent / "dist", "local"), reporter, search)
        assert made.latency is not None and search.found is not None
        assert made.latency == search.found.chosen.latency == read_record(recipe.parent / "dist/narrow").latency
        ratios.append([trial.latency.ratio for trial in search.found.trials if trial.latency])
    assert min(ratios[0]) == max(ratios[1]) == 1.0
    assert tree_digests(tmp_path / "0/dist/narrow") == tree_digests(tmp_path / "1/dist/narrow")


def test_the_lines_of_a_candidate_are_toml_whatever_is_in_a_path() -> None:
    layers = [LayerScheme(match="head/\\d*", scheme="float32")]
    asked = Quantize(scheme="int8", quantizer="litert", representative='my "best"\\samples', layers=layers)
    assert Quantize(**tomllib.loads(Candidate("c", asked).lines())["quantize"]) == asked
