"""What a recipe can be refused for, each followed by what the next step says: then it is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from kit.errors import RecipeError
from kit.recipe.load import load_recipe

MODEL = "[model]\npath = 'm.keras'\nid = 'm'\n"


@dataclass(frozen=True)
class Case:
    """A recipe that is refused, words of the refusal and of its next step, and the recipe that follows the step."""

    wrong: str
    says: str
    right: str
    next: str = "docs/recipe.md has every key and rule"


def rule(wrong: str, says: str, right: str) -> Case:
    """Return a case of a rule between keys: tables behind [model]."""
    return Case(MODEL + wrong, says, MODEL + right)


def image(keys: str) -> str:
    return f"[[inputs]]\nname = 'x'\nkind = 'image'\n{keys}\n"


def tensor(keys: str) -> str:
    return f"[[inputs]]\nname = 'x'\n{keys}\n"


CLASSES = "[[outputs]]\nname = 'y'\nkind = 'classes'\n"
TRAIN = "[variables.train]\nloss = 'mean_squared_error'\n"
RULES = {
    "no model": Case(MODEL.replace("'m.keras'", "[]"), "path names no model", MODEL),
    "a batch of none": rule("batch = 0", "batch 0 is no batch", "batch = 1"),
    "an input twice": rule("inputs = ['x', 'x']", "inputs names 'x' twice", "inputs = ['x']"),
    "signatures of several models": Case(
        MODEL.replace("'m.keras'", "['m.keras', 'm.keras']") + "signatures = ['a']",
        "signatures is for one model, and path has several",
        MODEL + "signatures = ['a']",
    ),
    "a stream of any batch": rule("streaming = true\nbatch = -1", "give batch a number, or leave it out", "batch = 2"),
    "whole numbers in a float file": rule(
        "[quantize]\nio = 'int8'", "io 'int8' needs scheme 'int8'", "[quantize]\nio = 'int8'\nscheme = 'int8'"
    ),
    "an empty axis": rule(tensor("shape = [0, 3]"), "-1 is one left open", tensor("shape = [-1, 3]")),
    "a range upside down": rule(tensor("range = [1, 0]"), "is not [lowest, highest]", tensor("range = [0, 1]")),
    "a mean of no image": rule(
        tensor("mean = [0]\nstd = [1]"), "'mean' is for kind 'image'", image("mean = [0]\nstd = [1]")
    ),
    "sound without a rate": rule(
        tensor("kind = 'audio'"), "give rate = 16000, say", tensor("kind = 'audio'\nrate = 16000")
    ),
    "a rate of no sound": rule(
        tensor("rate = 16000"), "'rate' is for kind 'audio'", tensor("kind = 'audio'\nrate = 16000")
    ),
    "a range of sound": rule(
        tensor("kind = 'audio'\nrate = 16000\nrange = [0, 1]"),
        "'range' of input 'x' is for kind 'tensor'",
        tensor("kind = 'tensor'\nrange = [0, 1]"),
    ),
    "a std of 0": rule(image("mean = [0]\nstd = [0]"), "std must not be 0", image("mean = [0]\nstd = [1]")),
    "a mean without std": rule(
        image("mean = [0]"), "mean has 1 values and std 0: give one for each channel", image("mean = [0]\nstd = [1]")
    ),
    "sizes of no open axis": rule(
        tensor("shape = [4]\nsizes = [[4]]"), "its shape has no -1", tensor("shape = [-1]\nsizes = [[4]]")
    ),
    "sizes of too many axes": rule(
        tensor("shape = [-1, 3]\nsizes = [[4, 3]]"), "needs 1 numbers", tensor("shape = [-1, 3]\nsizes = [[4]]")
    ),
    "labels of a tensor": rule(
        "[[outputs]]\nname = 'y'\nlabels = 'l.txt'", "'labels' is for kind 'classes'", CLASSES + "labels = 'l.txt'"
    ),
    "training without variables": rule(TRAIN, "keep names none", "[variables]\nkeep = ['head/*']\n" + TRAIN),
    "an output twice": rule(CLASSES + CLASSES, "two [[outputs]] are named 'y'", CLASSES),
    "a stream that learns": rule(
        "streaming = true\n[variables]\nkeep = ['a']\n" + TRAIN, "[variables.train] whole ones", "streaming = true"
    ),
    "a fused layer in a stream": rule(
        "streaming = true\n[quantize]\nfused_lstm = true", "[model] streaming keeps it", "[quantize]\nfused_lstm = true"
    ),
    "a drop without the truth": rule(
        "[checks]\nmax_drop = 0.1", "needs data with y", CLASSES + "[checks]\nmax_drop = 0.1\ndata = 'd.npz'"
    ),
    "an agreement of no classes": rule(
        "[checks]\nmin_agreement = 0.9\ndata = 'd.npz'",
        "needs an output of kind 'classes'",
        CLASSES + "[checks]\nmin_agreement = 0.9\ndata = 'd.npz'",
    ),
    "an agreement on no data": rule(
        CLASSES + "[checks]\nmin_agreement = 0.9",
        "needs data to compare on",
        CLASSES + "[checks]\nmin_agreement = 0.9\ndata = 'd.npz'",
    ),
}
PLACES = {
    "a key without its value": Case(
        "[model]\nid =\n", "not TOML", MODEL, "correct that place; https://toml.io has the rules"
    ),
    "a number that is too long": Case(
        MODEL + "batch = " + "1" * 5000,
        "a number in it is too long",
        MODEL + "batch = 1",
        "correct that place; docs/recipe.md has every key",
    ),
    "a table that is missing": Case(
        "[quantize]\n", "the table [model] is missing", MODEL, "add it; docs/recipe.md has every key"
    ),
    "a key that is missing": Case(
        "[model]\npath = 'm.keras'\n", "'id' is missing", MODEL, "add it; docs/recipe.md has every key"
    ),
    "a key misspelled": Case(
        MODEL + "[quantize]\nsceme = 'int8'",
        "unknown key 'sceme'",
        MODEL + "[quantize]\nscheme = 'int8'",
        "did you mean 'scheme'?",
    ),
    "a word misspelled": Case(
        MODEL + "[quantize]\nscheme = 'int9'",
        '[quantize] scheme = "int9" is unknown',
        MODEL + "[quantize]\nscheme = 'int8'",
        "did you mean 'int8'?",
    ),
    "a file misspelled": Case(
        MODEL.replace("m.keras", "n.keras"), "there is no such file", MODEL, "did you mean 'm.keras'?"
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with the files that the recipes name: a recipe is read without a look into them."""
    for name in ("m.keras", "l.txt", "d.npz"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize("name", RULES | PLACES)
def test_a_recipe_is_read_after_the_next_step(folder: Path, name: str) -> None:
    case, path = (RULES | PLACES)[name], folder / "recipe.toml"
    path.write_text(case.wrong, "utf-8")
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert case.says in caught.value.message
    assert case.next in caught.value.hint
    path.write_text(case.right, "utf-8")
    assert load_recipe(path).model.id == "m"


def test_a_path_that_is_no_recipe_is_mended_by_naming_one(folder: Path) -> None:
    (folder / "bytes.toml").write_bytes(b"\xff\xfe")
    for wrong, says in (("none.toml", "no recipe can be read there"), ("bytes.toml", "not a text file in UTF-8")):
        with pytest.raises(RecipeError, match=says) as caught:
            load_recipe(folder / wrong)
        assert caught.value.hint == "name a recipe.toml file"
    (folder / "recipe.toml").write_text(MODEL, "utf-8")
    assert load_recipe(folder / "recipe.toml").model.id == "m"
