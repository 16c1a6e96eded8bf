"""What a recipe may say, and what a user reads where it says something else."""

from __future__ import annotations

import json
import re
import tomllib
import typing
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError
from worlds import DIGITS, ROOT

from kit.errors import RecipeError
from kit.files import json_text
from kit.recipe.load import load_recipe
from kit.recipe.schema import TABLES, Recipe, schema

MODEL = "[model]\npath = 'digits.keras'\nid = 'digits'\n"
INT8 = "[quantize]\nscheme = 'int8'\nrepresentative = 'samples.npz'\n"
IMAGE = "[[inputs]]\nname = 'image'\nkind = 'image'\n"
DIGIT = "[[outputs]]\nname = 'digit'\nkind = 'classes'\n"
EXAMPLES = sorted((ROOT / "examples").glob("*/recipe.toml"))


def write(folder: Path, text: str | bytes) -> Path:
    """Write a recipe, and beside it empty files of every name that the recipes here use."""
    for name in (
        "digits.keras",
        "samples.npz",
        "test.npz",
        "labels.txt",
        "layers.py",
        "metrics.py",
        "net.json",
        "anchors.npy",
        "key.pub.pem",
    ):
        (folder / name).touch()
    path = folder / "recipe.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(folder: Path, text: str | bytes) -> Recipe:
    """Write a recipe with its files and load it."""
    return load_recipe(write(folder, text))


def refusal(folder: Path, text: str | bytes) -> RecipeError:
    """Return how a recipe is refused."""
    with pytest.raises(RecipeError) as caught:
        read(folder, text)
    assert str(folder / "recipe.toml") in caught.value.message
    return caught.value


# ---------------------------------------------------------------- what a recipe need not say


def test_a_recipe_needs_a_path_and_an_id_and_nothing_else(tmp_path: Path) -> None:
    recipe = read(tmp_path, MODEL)
    assert (recipe.model.version, recipe.model.allow_code) == ("1.0.0", False)
    assert recipe.toolchain.tensorflow == "auto"
    assert (recipe.quantize.scheme, recipe.quantize.count) == ("float32", 200)
    assert (recipe.inputs, recipe.outputs) == ([], [])
    assert recipe.android.runtime == "litert:2.3.0"
    assert recipe.checks.min_agreement is recipe.checks.max_drop is recipe.checks.max_bytes is None


@pytest.mark.parametrize(
    ("tables", "io"),
    [
        (INT8 + IMAGE, "uint8"),  # what MediaPipe and Android's images are made of
        (INT8 + IMAGE.replace("'image'\nkind", "'a'\nkind") + "[[inputs]]\nname = 'b'\n", "uint8"),
        (INT8, "float32"),
        (INT8 + "[[inputs]]\nname = 'x'\nkind = 'tensor'\n", "float32"),
        (IMAGE, "float32"),
        (INT8 + "io = 'int8'\n" + IMAGE, "int8"),
        (INT8 + "io = 'float32'\n" + IMAGE, "float32"),
    ],
)
def test_io_follows_scheme_and_inputs_unless_the_recipe_says_it(tmp_path: Path, tables: str, io: str) -> None:
    assert read(tmp_path, MODEL + tables).io == io


def test_files_are_relative_to_the_recipe_wherever_the_kit_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, MODEL)
    monkeypatch.chdir(tmp_path.parent)
    recipe = load_recipe(path.relative_to(tmp_path.parent))
    assert recipe.file(recipe.model.paths[0]).resolve() == tmp_path / "digits.keras"


def test_an_absolute_path_stays_what_it_is(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.keras"
    elsewhere.touch()
    recipe = read(tmp_path, f"[model]\npath = '{elsewhere}'\nid = 'digits'\n")
    assert recipe.file(recipe.model.paths[0]) == elsewhere


@pytest.mark.parametrize("text", ["\ufeff" + MODEL, MODEL.replace("\n", "\r\n")])
def test_a_file_from_a_windows_editor_is_read(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text).model.id == "digits"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_the_examples_load(path: Path) -> None:
    assert load_recipe(path).model.id == path.parent.name


def test_a_read_recipe_does_not_change(tmp_path: Path) -> None:
    recipe = read(tmp_path, MODEL + IMAGE)
    for table, key in ((recipe, "model"), (recipe.model, "id"), (recipe.inputs[0], "kind")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(table, key, "other")


def test_another_tensorflow_changes_a_copy_and_nothing_else(tmp_path: Path) -> None:
    recipe = read(tmp_path, MODEL + INT8)
    other = recipe.with_tensorflow("2.15.1")
    assert (recipe.toolchain.tensorflow, other.toolchain.tensorflow) == ("auto", "2.15.1")
    assert (other.path, other.quantize) == (recipe.path, recipe.quantize)


@pytest.mark.parametrize("version", ["2.15", "newest", "", "2.15.1; rm", "\u0662.\u0661.\u0661"])
def test_another_tensorflow_must_be_a_version(tmp_path: Path, version: str) -> None:
    with pytest.raises(RecipeError, match=r"--tensorflow .* is not a version"):
        read(tmp_path, MODEL).with_tensorflow(version)


# ---------------------------------------------------------------- a word that is not known


def test_an_unknown_table_names_the_nearest_one_and_its_line(tmp_path: Path) -> None:
    error = refusal(tmp_path, MODEL + "[quantise]\nscheme = 'int8'\n")
    assert "recipe.toml, line 4: unknown table 'quantise'" in error.message
    assert "did you mean 'quantize'?" in error.hint


def test_an_unknown_key_names_the_nearest_one_its_table_and_its_line(tmp_path: Path) -> None:
    error = refusal(tmp_path, MODEL + "verison = '1.0.0'\n")
    assert "recipe.toml, line 4: unknown key 'verison' [model]" in error.message
    assert "did you mean 'version'?" in error.hint


def test_a_mistyped_key_that_is_needed_is_called_a_typo_and_not_missing(tmp_path: Path) -> None:
    error = refusal(tmp_path, "[model]\npth = 'digits.keras'\nid = 'digits'\n")
    assert "line 2: unknown key 'pth'" in error.message
    assert "did you mean 'path'?" in error.hint


def test_a_key_in_capitals_is_near_too(tmp_path: Path) -> None:
    assert "did you mean 'version'?" in refusal(tmp_path, MODEL + "VERSION = '1.0.0'\n").hint


def test_a_key_that_is_like_no_other_gets_the_whole_list(tmp_path: Path) -> None:
    assert (
        "there is: path, id, version, description, author, license, code,"
        in refusal(tmp_path, MODEL + "zzz = 1\n").hint
    )


def test_a_key_in_the_wrong_table_is_shown_where_it_belongs(tmp_path: Path) -> None:
    assert "'data' belongs below [checks]" in refusal(tmp_path, MODEL + "data = 'test.npz'\n").hint
    assert "'labels' belongs below [[outputs]]" in refusal(tmp_path, MODEL + IMAGE + "labels = 'labels.txt'\n").hint


def test_a_key_above_the_first_table_is_shown_where_it_belongs(tmp_path: Path) -> None:
    error = refusal(tmp_path, "\nid = 'digits'\n[model]\npath = 'digits.keras'\n")
    assert "line 2: unknown key 'id'" in error.message
    assert "'id' belongs below [model]" in error.hint


def test_the_second_of_two_inputs_is_named_as_the_second(tmp_path: Path) -> None:
    error = refusal(tmp_path, MODEL + IMAGE + "[[inputs]]\nname = 'b'\nkin = 'image'\n")
    assert "line 9: unknown key 'kin' [[inputs]] number 2" in error.message


def test_an_unknown_word_names_the_nearest_and_all_of_them(tmp_path: Path) -> None:
    error = refusal(tmp_path, MODEL + "[quantize]\nscheme = 'int6'\n")
    assert 'line 5: [quantize] scheme = "int6" is unknown' in error.message
    assert error.hint == "did you mean 'int8'? there is: float32, float16, dynamic, weight8, int8, int16x8, int4, auto"


@pytest.mark.parametrize(
    "text",
    [
        "# a comment\nmodel = {path = 'digits.keras', id = 'digits', verison = '1'}\n",
        "model.path = 'digits.keras'\nmodel.verison = '1'\nmodel.id = 'digits'\n",
        "[ 'model' ]  # a comment\n\"verison\" = '1'\npath = 'digits.keras'\nid = 'digits'\n",
    ],
)
def test_a_typo_has_its_line_however_the_table_is_written(tmp_path: Path, text: str) -> None:
    assert "line 2: unknown key 'verison' [model]" in refusal(tmp_path, text).message


# ---------------------------------------------------------------- what is missing


def test_a_missing_table_and_a_missing_key_are_named(tmp_path: Path) -> None:
    assert "the table [model] is missing" in refusal(tmp_path, "").message
    assert "line 1: [model] 'id' is missing" in refusal(tmp_path, "[model]\npath = 'digits.keras'\n").message
    assert (
        "line 6: [[inputs]] number 2 'name' is missing"
        in refusal(tmp_path, "[[inputs]]\nname = 'a'\n" + MODEL + "[[inputs]]\nkind = 'image'\n").message
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (MODEL.replace("digits.keras", "digit.keras"), "line 2: [model] path"),
        (MODEL + INT8.replace("samples.npz", "sample.npz"), "line 6: [quantize] representative"),
        (MODEL + "[checks]\ndata = 'tests.npz'\n", "line 5: [checks] data"),
        (MODEL + DIGIT + "labels = 'label.txt'\n", "line 7: [[outputs]] number 1 labels"),
    ],
)
def test_a_missing_file_names_its_line_and_the_nearest_name_there(tmp_path: Path, text: str, place: str) -> None:
    error = refusal(tmp_path, text)
    assert place in error.message
    assert "there is no such file" in error.message
    assert "did you mean '" in error.hint


def test_a_file_that_is_like_no_other_says_where_it_was_looked_for(tmp_path: Path) -> None:
    error = refusal(tmp_path, "[model]\npath = 'models/cnn.h5'\nid = 'digits'\n")
    assert str(tmp_path / "models" / "cnn.h5") in error.hint


def test_a_folder_has_no_recipe_in_itself(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "recipe.toml"):
        with pytest.raises(RecipeError, match="no recipe can be read there"):
            load_recipe(path)


# ---------------------------------------------------------------- what does not go together


@pytest.mark.parametrize(
    ("tables", "rule"),
    [
        ("[quantize]\nscheme = 'dynamic'\nio = 'uint8'\n", "io 'uint8' needs scheme 'int8'"),
        ("[quantize]\nio = 'int8'\n", "io 'int8' needs scheme 'int8'"),
        ("[[inputs]]\nname = 'x'\nmean = [1.0]\nstd = [1.0]\n", "'mean' is for kind 'image', and input 'x'"),
        ("[[inputs]]\nname = 'x'\ncolor = 'rgb'\n", "'color' is for kind 'image'"),
        ("[[inputs]]\nname = 'x'\nkind = 'tensor'\nresize = 'crop'\n", "'resize' is for kind 'image'"),
        ("[[inputs]]\nname = 'x'\npad_color = [0]\n", "'pad_color' is for kind 'image'"),
        ("[[inputs]]\nname = 'x'\nrate = 16000\n", "'rate' is for kind 'audio', and input 'x' is a 'tensor'"),
        (IMAGE + "hop = 9\n", "'hop' is for kind 'audio', and input 'image' is a 'image'"),
        ("[[inputs]]\nname = 'x'\nkind = 'audio'\n", "input 'x' is an 'audio' without a rate: give rate = 16000"),
        (
            "[[inputs]]\nname = 'x'\nkind = 'audio'\nrate = 8000\nrange = [0, 1]\n",
            "'range' of input 'x' is for kind 'tensor': sound is between -1 and 1",
        ),
        (
            "[[inputs]]\nname = 'x'\nkind = 'audio'\nrate = 8000\ndtype = 'int32'\n",
            "'dtype' of input 'x' is for kind 'tensor'",
        ),
        (IMAGE + "pad_color = [114]\n", "pad_color of input 'image' is for resize 'letterbox'"),
        (IMAGE + "mean = [0.0]\nstd = [0.0]\n", "std must not be 0"),
        (IMAGE + "mean = [0.0]\nstd = [1e-50]\n", "std must not be 0"),
        (IMAGE + "mean = [1.0, 2.0, 3.0]\nstd = [1.0]\n", "mean has 3 values and std 1"),
        (IMAGE + "std = [255.0]\n", "mean has 0 values and std 1"),
        (IMAGE + IMAGE, "two [[inputs]] are named 'image'"),
        (DIGIT + DIGIT, "two [[outputs]] are named 'digit'"),
        (
            "[[outputs]]\nname = 'y'\nlabels = 'labels.txt'\n",
            "'labels' is for kind 'classes', 'boxes', 'mask' or 'keypoints', and output 'y'",
        ),
        (
            "[[outputs]]\nname = 'y'\nkind = 'mask'\niou = 0.5\n",
            "'iou' is for kind 'boxes', and output 'y' is a 'mask'",
        ),
        (
            "[[outputs]]\nname = 'y'\nkind = 'boxes'\nhead = 'heatmap'\n",
            "head 'heatmap' of output 'y' is none of boxes",
        ),
        ("[[outputs]]\nname = 'y'\nkind = 'keypoints'\nformat = 'yxyx'\n", "is none of keypoints: 'xy' or 'yx'"),
        (
            "[[outputs]]\nname = 'y'\nkind = 'boxes'\nvariances = [1, 1, 1, 1]\n",
            "belong to anchors, and there are none",
        ),
        ("[[outputs]]\nname = 'y'\nactivation = 'none'\n", "'activation' is for kind 'classes'"),
        ("[checks]\nmax_drop = 0.1\ndata = 'test.npz'\n", "max_drop needs data with y, and an output of kind"),
        (DIGIT + "[checks]\nmax_drop = 0.1\n", "max_drop needs data with y"),
        ("[checks]\nmin_agreement = 0.9\ndata = 'test.npz'\n", "min_agreement needs an output of kind 'classes'"),
        (DIGIT + "[checks]\nmin_agreement = 0.9\n", "min_agreement needs data to compare on"),
    ],
)
def test_what_does_not_go_together_is_refused_when_it_is_read(tmp_path: Path, tables: str, rule: str) -> None:
    assert rule in refusal(tmp_path, MODEL + tables).message


def test_calibration_data_is_enough_for_agreement(tmp_path: Path) -> None:
    assert read(tmp_path, MODEL + INT8 + DIGIT + "[checks]\nmin_agreement = 0.9\n").checks.min_agreement == 0.9


def test_a_rule_between_keys_has_the_line_of_their_table(tmp_path: Path) -> None:
    assert "line 4: [quantize] io 'int8' needs" in refusal(tmp_path, MODEL + "[quantize]\nio='int8'\n").message


# ---------------------------------------------------------------- values of the wrong kind

VALUES = {
    "text": "'1'",
    "whole number": "3",
    "number": "1.5",
    "not a number": "nan",
    "infinite": "1e999",
    "truth": "true",
    "date": "1979-05-27",
    "time": "07:32:00",
    "list": "[[1]]",
    "table": "{a = 1}",
    "huge": "9" * 5000,
    "huge hexadecimal": "0x" + "f" * 5000,
    "nothing": "''",
    "NUL": '"\\u0000"',
    "long": "'" + "x" * 5000 + "'",
}
WHOLE = {
    "model": {
        "path": "'digits.keras'",
        "id": "'digits'",
        "version": "'1.0.0'",
        "description": "'Tells digits.'",
        "author": "'A. Author'",
        "license": "'Apache-2.0'",
        "code": "'layers.py'",
        "structure": "'net.json'",
        "allow_code": "false",
        "allow_flex": "false",
        "streaming": "false",
        "signatures": "['serving_default']",
        "inputs": "['image']",
        "outputs": "['digit']",
        "batch": "4",
    },
    "toolchain": {"tensorflow": "'auto'"},
    "quantize": {
        "scheme": "'int8'",
        "io": "'uint8'",
        "representative": "'samples.npz'",
        "count": "9",
        "prefer": "'size'",
        "fused_lstm": "false",
        "keep_names": "false",
    },
    "inputs": {
        "name": "'image'",
        "source": "'input_1'",
        "kind": "'image'",
        "description": "'A digit.'",
        "shape": "[8, 8, 1]",
        "sizes": "[]",
        "dtype": "'int32'",
        "range": "[0, 1.5]",
        "mean": "[0.0]",
        "std": "[255]",
        "double_normalization": "true",
        "color": "'grayscale'",
        "resize": "'letterbox'",
        "pad_color": "[114, 114, 114]",
    },
    "outputs": {
        "name": "'digit'",
        "source": "'dense'",
        "kind": "'classes'",
        "labels": "'labels.txt'",
        "activation": "'softmax'",
        "description": "'Which digit.'",
        "threshold": "0.5",
    },
    "variables": {"keep": "['head/*']", "train": "{loss = 'mean_squared_error'}"},
    "android": {
        "package": "'com.example.digits'",
        "runtime": "'litert:2.3.0'",
        "also": "['litert:1.4.0']",
        "header": "'Copyright'",
        "verify": "true",
        "update_key": "'key.pub.pem'",
        "update_version": "2",
    },
    "checks": {
        "data": "'test.npz'",
        "min_agreement": "0.9",
        "max_drop": "0",
        "min_correlation": "0.9",
        "max_relative_error": "0.1",
        "max_bytes": "9_000",
        "gate": "false",
        "gpu": "true",
        "truth": "{}",
        "metrics": "[]",
        "code": "'metrics.py'",
    },
    "report": {"samples": "12"},
}
SEVERAL = {"inputs", "outputs", "checks.metrics", "quantize.layers"}
LAYER = {"match": "'head/*'", "scheme": "'float32'"}
QUANTIZED = {
    "scheme": "'int4'",
    "quantizer": "'litert'",
    "rounding": "'octav'",
    "bias_correction": "true",
    "tune": "false",
    "representative": "'samples.npz'",
}
METRIC = {"output": "'digit'", "metric": "'top_k'", "k": "3", "max_drop": "0.1", "min": "0.5", "max": "1"}
METRIC |= {"lower_is_better": "false"}
BOXES = {
    "name": "'boxes'",
    "kind": "'boxes'",
    "labels": "'labels.txt'",
    "head": "'anchors'",
    "format": "'yxyx'",
    "units": "'pixels'",
    "scores": "'digit'",
    "classes": "'kinds'",
    "count": "'many'",
    "background": "true",
    "activation": "'softmax'",
    "threshold": "0.5",
    "nms": "'all'",
    "iou": "0.6",
    "most": "9",
    "anchors": "'anchors.npy'",
    "variances": "[0.1, 0.1, 0.2, 0.2]",
}
SOUND = {"name": "'waveform'", "kind": "'audio'", "rate": "16000", "window": "16000", "hop": "160"}
ANY_TEXT = {
    ("model", "description"),
    ("model", "author"),
    ("model", "license"),
    ("inputs", "description"),
    ("outputs", "description"),
    ("inputs", "name"),
    ("inputs", "source"),
    ("outputs", "name"),
    ("outputs", "source"),
    *(("outputs", key) for key in ("scores", "classes", "count")),
    ("android", "runtime"),
}
RIGHT = {
    ("quantize", "count", "whole number"),
    ("report", "samples", "whole number"),
    ("quantize", "bias_correction", "truth"),
    ("quantize", "keep_names", "truth"),
    *(("quantize.layers", "match", kind) for kind in ("text", "NUL", "long")),
    ("checks", "max_bytes", "whole number"),
    ("checks", "max_relative_error", "whole number"),
    ("checks", "max_relative_error", "number"),
    ("checks", "gate", "truth"),
    ("checks", "gpu", "truth"),
    *(("checks.metrics", key, kind) for key in ("max_drop", "min", "max") for kind in ("whole number", "number")),
    ("checks.metrics", "k", "whole number"),
    ("inputs", "double_normalization", "truth"),
    ("outputs", "threshold", "whole number"),
    ("outputs", "threshold", "number"),
    ("outputs", "background", "truth"),
    ("outputs", "most", "whole number"),
    ("model", "allow_code", "truth"),
    ("model", "allow_flex", "truth"),
    ("model", "batch", "whole number"),
    ("android", "runtime", "nothing"),
    ("android", "verify", "truth"),
    ("android", "header", "text"),
    ("android", "header", "NUL"),
    ("android", "update_version", "whole number"),
    *((*place, kind) for place in ANY_TEXT for kind in ("text", "NUL", "long")),
}


def toml(tables: dict[str, dict[str, str]]) -> str:
    """Return tables as a recipe's text."""
    heads = {name: f"[[{name}]]" if name in SEVERAL else f"[{name}]" for name in tables}
    lines = [[heads[name], *(f"{key} = {value}" for key, value in table.items())] for name, table in tables.items()]
    return "\n".join(line for table in lines for line in table) + "\n"


def test_the_whole_recipe_of_these_tests_is_right_and_has_every_key(tmp_path: Path) -> None:
    recipe = read(tmp_path, toml(WHOLE))
    assert recipe.inputs[0].std == [255.0]
    assert read(tmp_path, MODEL + toml({"outputs": BOXES})).outputs[0].most == 9
    keys = {name: set(table) for name, table in WHOLE.items()}
    assert read(tmp_path, MODEL + toml({"inputs": SOUND})).inputs[0].hop == 160
    more = {
        "outputs": keys["outputs"] | set(BOXES),
        "inputs": keys["inputs"] | set(SOUND),
        "checks.metrics": set(METRIC),
        "quantize": keys["quantize"] | set(QUANTIZED) | {"layers"},
        "quantize.layers": set(LAYER),
    }
    assert keys | more == {name: set(table.model_fields) for name, table in TABLES.items()}


@pytest.mark.parametrize(("table", "key"), [(table, key) for table, keys in WHOLE.items() for key in keys])
def test_a_value_of_the_wrong_kind_is_refused_and_never_converted(tmp_path: Path, table: str, key: str) -> None:
    for kind, value in VALUES.items():
        text = toml(WHOLE | {table: WHOLE[table] | {key: value}})
        if (table, key, kind) in RIGHT:
            read(tmp_path, text)
        else:
            message = refusal(tmp_path, text).message
            assert re.search(rf"\[{table}\](\] number 1)? {key}", message) or "huge" in kind, f"{kind}: {message}"


@pytest.mark.parametrize("key", METRIC)
def test_a_value_of_the_wrong_kind_for_a_metric_is_refused(tmp_path: Path, key: str) -> None:
    rest = {name: keys for name, keys in WHOLE.items() if name != "checks"} | {"checks": {"data": "'test.npz'"}}
    assert read(tmp_path, toml(rest | {"checks.metrics": METRIC})).checks.metrics[0].k == 3
    for kind, value in VALUES.items():
        text = toml(rest | {"checks.metrics": METRIC | {key: value}})
        if ("checks.metrics", key, kind) in RIGHT:
            read(tmp_path, text)
        else:
            message = refusal(tmp_path, text).message
            assert re.search(rf"\[checks\.metrics\]\](?: number 1 {key}| names the output)|'k' =", message) or (
                "huge" in kind
            ), f"{kind}: {message}"


@pytest.mark.parametrize(
    ("table", "key"), [("quantize", k) for k in QUANTIZED] + [("quantize.layers", k) for k in LAYER]
)
def test_a_value_of_the_wrong_kind_for_litert_s_quantizer_is_refused(tmp_path: Path, table: str, key: str) -> None:
    tables = {"quantize": QUANTIZED, "quantize.layers": LAYER}
    right = read(tmp_path, MODEL + toml(tables)).quantize
    assert right.by_litert and right.layers[0].match == "head/*"
    for kind, value in VALUES.items():
        text = MODEL + toml(tables | {table: tables[table] | {key: value}})
        if (table, key, kind) in RIGHT:
            read(tmp_path, text)
        else:
            message = refusal(tmp_path, text).message
            assert re.search(rf"\[{table}\](\] number 1)? {key}", message) or "huge" in kind, f"{kind}: {message}"


@pytest.mark.parametrize("scheme", ["int4", "auto"])
def test_streaming_stays_with_tensorflow_s_converter(tmp_path: Path, scheme: str) -> None:
    """A stream's sequences are run by the worker, which sees the float32 file alone."""
    message = refusal(tmp_path, MODEL + f"streaming = true\n[quantize]\nscheme = '{scheme}'\n").message
    assert f"streaming needs the quantizer 'tensorflow', and [quantize] scheme '{scheme}' asks for LiteRT's" in message


@pytest.mark.parametrize(
    ("quantize", "says"),
    [
        ("scheme = 'int4'\nquantizer = 'tensorflow'\n", "scheme 'int4' needs the quantizer 'litert'"),
        ("scheme = 'int8'\nrounding = 'octav'\nquantizer = 'tensorflow'\n", "rounding needs the quantizer 'litert'"),
        ("scheme = 'int4'\nio = 'uint8'\n", "io 'uint8' needs the quantizer 'tensorflow'"),
        ("scheme = 'int8'\ntune = true\nquantizer = 'tensorflow'\n", "tune needs the quantizer 'litert'"),
        ("scheme = 'dynamic'\ntune = true\n", "tune is for scheme 'int8', and not for 'dynamic'"),
        ("scheme = 'int8'\ntune = true\nbias_correction = true\n", "leave them or tune out"),
        ("scheme = 'auto'\nrounding = 'octav'\n", "scheme 'auto' finds rounding, bias_correction and layers itself"),
        ("scheme = 'auto'\nlayers = [{match = 'a', scheme = 'int8'}]\n", "leave them out"),
        ("scheme = 'int8'\nprefer = 'speed'\n", "prefer is for scheme 'auto'"),
        ("scheme = 'int8'\nrounding = 'oscar'\n", "rounding 'oscar' is for schemes 'dynamic' and 'int4'"),
        ("scheme = 'auto'\nrounding = 'oscar'\n", "rounding 'oscar' is for schemes 'dynamic' and 'int4'"),
        (
            "scheme = 'int4'\nrounding = 'oscar'\nlayers = [{ match = 'a', scheme = 'int8' }]\n",
            "and for none beside 'int8' or 'int16x8': use 'octav' or 'minmax'",
        ),
        ("quantizer = 'litert'\nfused_lstm = true\n", "fused_lstm needs the quantizer 'tensorflow'"),
    ],
)
def test_what_litert_s_quantizer_has_not_is_refused(tmp_path: Path, quantize: str, says: str) -> None:
    assert says in refusal(tmp_path, MODEL + f"[quantize]\n{quantize}").message


@pytest.mark.parametrize("key", BOXES)
def test_a_value_of_the_wrong_kind_for_boxes_is_refused(tmp_path: Path, key: str) -> None:
    for kind, value in VALUES.items():
        text = MODEL + toml({"outputs": BOXES | {key: value}})
        if ("outputs", key, kind) in RIGHT:
            read(tmp_path, text)
        else:
            message = refusal(tmp_path, text).message
            assert re.search(rf"\[outputs\]\] number 1 {key}", message) or "huge" in kind, f"{kind}: {message}"


@pytest.mark.parametrize("key", SOUND)
def test_a_value_of_the_wrong_kind_for_sound_is_refused(tmp_path: Path, key: str) -> None:
    for kind, value in VALUES.items():
        text = MODEL + toml({"inputs": SOUND | {key: value}})
        if ("inputs", key, kind) in RIGHT or (key in {"window", "hop"} and kind == "whole number"):
            read(tmp_path, text)
        else:
            message = refusal(tmp_path, text).message
            assert re.search(rf"\[inputs\]\] number 1 {key}", message) or "huge" in kind, f"{kind}: {message}"


@pytest.mark.parametrize("table", WHOLE)
def test_a_value_in_the_place_of_a_table_is_refused(tmp_path: Path, table: str) -> None:
    rest = toml({name: keys for name, keys in WHOLE.items() if name != table})
    for kind, value in VALUES.items():
        message = refusal(tmp_path, f"{table} = {value}\n{rest}").message
        assert table in message.partition("recipe.toml")[2] or "huge" in kind, f"{kind}: {message}"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (INT8 + "count = '200'\n", 'line 7: [quantize] count = "200": it must be a whole number, without quotes'),
        (INT8 + "count = 2.5\n", "line 7: [quantize] count = 2.5: it must be a whole number"),
        (INT8 + "count = 0\n", "line 7: [quantize] count = 0: it must be 1 or more"),
        ("allow_code = 'yes'\n", 'line 4: [model] allow_code = "yes": it must be true or false, without quotes'),
        ("version = 1.0\n", "line 4: [model] version = 1.0: it must be text, in quotes"),
        ("version = '1.0'\n", 'line 4: [model] version = "1.0": it must be text that matches'),
        (IMAGE + "mean = 0.5\nstd = [1]\n", "line 7: [[inputs]] number 1 mean = 0.5: it must be a list: [...]"),
        (IMAGE + "mean = [nan]\nstd = [1]\n", "[[inputs]] number 1 mean[0] = NaN: it must be a finite number"),
        (
            IMAGE + "shape = [8, 0]\n",
            "[[inputs]] number 1 shape [8, 0] of input 'image' has an empty axis: -1 is one left open",
        ),
        (IMAGE + "shape = [8, -2]\n", "[[inputs]] number 1 shape[1] = -2: it must be -1 or more"),
        ("batch = 0\n", "line 1: [model] batch 0 is no batch: 1 or more, or -1 for any number"),
        (DIGIT + "[checks]\nmax_drop = 1.5\n", "line 8: [checks] max_drop = 1.5: it must be 1.0 or less"),
        ("[inputs]\nname = 'a'\n", 'line 4: [inputs] = {"name": "a"}: it must be a list of tables: write [[inputs]]'),
        ("[[checks]]\nmax_bytes = 9\n", 'line 4: [checks] = [{"max_bytes": 9}]: it must be one table: write [checks]'),
    ],
)
def test_a_wrong_value_is_quoted_with_what_it_must_be(tmp_path: Path, text: str, sentence: str) -> None:
    assert sentence in refusal(tmp_path, MODEL + text).message


@pytest.mark.parametrize("identity", ["Digits", "2digits", "my-model", "a b", "", "../a", "ä", "a\\n", "x" * 101])
def test_an_id_that_cannot_name_an_asset_folder_is_refused(tmp_path: Path, identity: str) -> None:
    error = refusal(tmp_path, f'[model]\npath = "digits.keras"\nid = "{identity}"\n')
    assert "[model] id" in error.message
    assert "small letters, digits and _" in error.hint


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"\xff\xfe\x00", "not a text file in UTF-8"),
        (b"\x89HDF\r\n\x1a\n", "not a text file in UTF-8"),
        (b"[model\n", "not TOML"),
        (b"\x00", "not TOML"),
        (b"[model]\nid = 'a'\nid = 'b'\n", "not TOML"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, "nested too deep"),
        (b"a." * 3000 + b"a = 1", "nested too deep"),
        (b"a = " + b"9" * 5000, "a number in it is too long"),
        (b"a = 0x" + b"f" * 5000, "a number in it is too long"),
    ],
)
def test_a_file_that_is_no_recipe_says_what_is_wrong_with_it(tmp_path: Path, text: bytes, reason: str) -> None:
    assert reason in refusal(tmp_path, text).message


# ---------------------------------------------------------------- for editors, and for readers


def test_the_committed_schema_is_the_one_of_the_types() -> None:
    committed = (ROOT / "kit" / "recipe.schema.json").read_text("utf-8")
    assert committed == json_text(schema()), "run `inv schema`"


def test_the_schema_takes_what_the_kit_takes_and_refuses_a_typo() -> None:
    checker = jsonschema.Draft202012Validator(json.loads((ROOT / "kit" / "recipe.schema.json").read_text("utf-8")))
    checker.check_schema(checker.schema)
    recipe = tomllib.loads((DIGITS / "recipe.toml").read_text("utf-8"))
    assert list(checker.iter_errors(recipe)) == []
    assert not checker.is_valid(recipe | {"quantise": {}})
    assert not checker.is_valid(recipe | {"quantize": {"scheme": "int6"}})
    assert not checker.is_valid(recipe | {"model": {**recipe["model"], "pth": "x"}})
    assert not checker.is_valid(recipe | {"quantize": {"count": "200"}})


def test_the_manual_has_every_table_key_and_word() -> None:
    manual = (ROOT / "docs" / "recipe.md").read_text("utf-8")
    for name, table in TABLES.items():
        heading = f"## `[[{name}]]`" if name in SEVERAL else f"## `[{name}]`"
        assert heading in manual
        section = manual.split(heading, 1)[1].split("\n## ", 1)[0]
        for key, field in table.model_fields.items():
            assert f"| `{key}` |" in section, f"docs/recipe.md says nothing of [{name}] {key}"
            row = section.split(f"| `{key}` |", 1)[1].split("\n", 1)[0]
            for word in words_of(table, key):
                assert f"`{word}`" in row, f"docs/recipe.md does not offer {word!r} for [{name}] {key}"
            if isinstance(field.default, str | int) and not isinstance(field.default, bool):
                assert str(field.default) in row, f"docs/recipe.md gives another default of [{name}] {key}"


def words_of(table: type, key: str) -> list[str]:
    """Return the words that a key may have where the types list them."""
    kind = typing.get_type_hints(table)[key]
    choices = [kind, *typing.get_args(kind)]
    return [
        word for choice in choices if typing.get_origin(choice) is typing.Literal for word in typing.get_args(choice)
    ]


def test_every_recipe_in_the_manual_is_one(tmp_path: Path) -> None:
    manual = (ROOT / "docs" / "recipe.md").read_text("utf-8")
    blocks = [block.split("```", 1)[0] for block in manual.split("```toml\n")[1:]]
    assert len(blocks) >= len(TABLES)
    files = (
        "cnn.keras",
        "net.keras",
        "preprocess.keras",
        "net.weights.h5",
        "net.json",
        "layers.py",
        "metrics.py",
        "export/flowers",
    )
    for name in (*files, "calibration", "photos", "held-out", "held-out.npz", "instances.json"):
        (tmp_path / name).mkdir(exist_ok=True, parents=True)
    for block in blocks:
        read(tmp_path, block if "[model]" in block else MODEL + block)


# ---------------------------------------------------------------- metrics and truth

SCORE = "[[checks.metrics]]\noutput = 'digit'\n"
DATA = "[checks]\ndata = 'test.npz'\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (DATA + SCORE + "metric = 'auk'\nmin = 0\n", 'line 11: [[checks.metrics]] number 1 metric = "auk" is unknown'),
        (DATA + SCORE + "metric = 'auc'\nmim = 0\n", "line 12: unknown key 'mim' [[checks.metrics]] number 1"),
        (DATA + SCORE + "min = 0\n", "[[checks.metrics]] number 1 'metric' is missing"),
        (DATA + SCORE + "metric = 'auc'\n", "metric 'auc' of output 'digit' has no limit: max_drop, min or max"),
        (DATA + SCORE + "metric = 'auc'\nk = 2\nmin = 0\n", "k is for top_k and recall_at_k, and not for 'auc'"),
        (
            DATA + SCORE + "metric = 'snr'\nmax_drop = 1\n",
            "'snr' compares the file with the float model: give min or max",
        ),
        (
            DATA + SCORE + "metric = 'map'\nmin = 0\n",
            "'map' is no metric of kind 'classes' (output 'digit'): accuracy, ",
        ),
        (SCORE + "metric = 'auc'\nmin = 0\n", "'auc' of output 'digit' needs data with truth: [checks] data"),
        (SCORE + "metric = 'snr'\nmin = 0\n", "'snr' of output 'digit' needs data to compare on"),
        (DATA + 2 * (SCORE + "metric = 'auc'\nmin = 0\n"), "two [[checks.metrics]] are 'auc' of output 'digit'"),
        (DATA + SCORE.replace("digit", "d") + "metric = 'auc'\nmin = 0\n", "names the output 'd', and no [[outputs]]"),
        (DATA + SCORE + "metric = 'code:f'\nmin = 0\n", "'code:f' is a function of [checks] code, which names no file"),
        (DATA + SCORE + "metric = 'code:f-g'\nmin = 0\n", 'number 1 metric = "code:f-g" is unknown'),
        (
            DATA + SCORE + "metric = 'auc'\nmin = 0\nlower_is_better = true\n",
            "number 1 lower_is_better is for metrics of [checks] code, and not for 'auc'",
        ),
        (DATA + "truth = {d = 'test.npz'}\n", "[checks.truth] names the output 'd', and no [[outputs]] table has"),
        ("[checks.truth]\ndigit = 'test.npz'\n", "[checks.truth] is of the samples of [checks] data, and there is no"),
        (DATA + "truth = {digit = 'tset.npz'}\n", "line 9: [checks] truth digit = 'tset.npz': there is no such file"),
        (DATA + "truth = {digit = 3}\n", "[checks] truth digit = 3: it must be text, in quotes"),
        (DATA + "truth = 3\n", "[checks] truth = 3: it must be a table"),
    ],
)
def test_metrics_that_cannot_be_measured_are_refused_with_their_place(tmp_path: Path, text: str, sentence: str) -> None:
    assert sentence in refusal(tmp_path, MODEL + DIGIT + text).message


def test_keypoints_have_no_truth_yet_and_metrics_without_it(tmp_path: Path) -> None:
    points = DIGIT.replace("classes", "keypoints")
    message = refusal(tmp_path, MODEL + points + DATA + "truth = {digit = 'test.npz'}\n").message
    assert "kind 'keypoints' has no metric against truth" in message
    assert read(tmp_path, MODEL + points + DATA + SCORE + "metric = 'snr'\nmin = 20\n").checks.metrics[0].min == 20


def test_another_scheme_from_the_command_line_leaves_what_belongs_to_the_recipe_s_own(tmp_path: Path) -> None:
    recipe = read(tmp_path, MODEL + toml({"quantize": QUANTIZED | {"count": "7"}}))
    assert recipe.with_scheme("int4") is recipe
    other = recipe.with_scheme("int8").quantize
    assert (other.scheme, other.representative, other.count) == ("int8", "samples.npz", 7)
    assert not other.by_litert
    with pytest.raises(RecipeError, match="--scheme 'int3' is unknown") as unknown:
        recipe.with_scheme("int3")
    assert "there is: float32, float16, dynamic, weight8, int8, int16x8, int4, auto" in unknown.value.hint
    stream = read(tmp_path, MODEL + "streaming = true\n")
    with pytest.raises(RecipeError, match=r"--scheme int4: .*streaming needs the quantizer 'tensorflow'") as misfit:
        stream.with_scheme("int4")
    assert misfit.value.hint == "give another scheme"
    assert stream.with_scheme("dynamic").quantize.scheme == "dynamic"
