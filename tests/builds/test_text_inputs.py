"""Inputs of kind text: what is read of a layer, what is refused with which next step, data, and a whole bundle."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import text_models
from source_models import written
from text_files import layer, lookup, model_json, vectorizer, write_h5, write_keras
from worlds import run_kit

from kit.build.plan import Plan, make_plan
from kit.build.samples import Samples, from_raw, representative
from kit.build.samples import test_data as checks_data
from kit.build.text_input import TextInput
from kit.bundle.signature import BundleSignature
from kit.errors import KitError
from kit.recipe.load import load_recipe
from kit.source_model.model_file import SAVED_MODEL, ModelFile
from kit.source_model.text_layer import read_text_layer

WORDS = "[[inputs]]\nname = 'text'\nsource = 'words'\nkind = 'text'\n"
IDS = "[[inputs]]\nname = 'text'\nsource = 'words'\n"
SPECIAL = ("mask_token", "oov_token")
CHECKS = "[checks]\ndata = '{}'\n"


def planned(folder: Path, tables: str = WORDS, path: str = "'m.keras'", more: str = "") -> Plan:
    """Return the plan of a recipe of that text."""
    recipe = folder / "recipe.toml"
    recipe.write_text(f"[model]\npath = {path}\nid = 'm'\n{more}\n{tables}", "utf-8")
    return make_plan(load_recipe(recipe), "")


def read(folder: Path, tables: str = WORDS) -> TextInput:
    return planned(folder, tables).raw_inputs.texts["text"]


def data(folder: Path, name: str, tables: str = WORDS) -> Samples:
    """Return the samples of [checks] data."""
    plan = planned(folder, tables + CHECKS.format(name))
    with tempfile.TemporaryDirectory() as scratch:
        found = checks_data(plan.recipe, plan.sources[0], Path(scratch), plan.raw_inputs)
    assert found is not None
    return found


# ---------------------------------------------------------------- what is read of a layer


def test_a_vocabulary_is_read_out_of_every_file_that_keras_writes(tmp_path: Path) -> None:
    """In the configuration, with and without the special tokens; in the assets, which adapt() fills; in an .h5."""
    own = ("", "[UNK]", "good", "film")
    write_keras(tmp_path / "m.keras", vectorizer())
    assert read(tmp_path).form.vocabulary == own
    write_keras(tmp_path / "m.keras", vectorizer(vocabulary=list(own)))
    assert read(tmp_path).form.vocabulary == own
    for lines in (b"\n[UNK]\ngood\nfilm", b"\r\n[UNK]\r\ngood\r\nfilm"):
        saved = {"text_vectorization/vocabulary.txt": lines}
        write_keras(tmp_path / "m.keras", vectorizer(vocabulary=None), assets=saved)
        assert read(tmp_path).form.vocabulary == own
    write_h5(tmp_path / "m.h5", vectorizer())
    assert planned(tmp_path, path="'m.h5'").raw_inputs.texts["text"].form.vocabulary == own
    with h5py.File(tmp_path / "w.weights.h5", "w") as file:
        file["layers/dense/vars/0"] = np.zeros(3)
    (tmp_path / "m.json").write_text(model_json([vectorizer()]), "utf-8")
    plan = planned(tmp_path, path="'w.weights.h5'", more="structure = 'm.json'")
    assert plan.raw_inputs.texts["text"].form.vocabulary == own


def test_assets_are_found_by_the_number_of_their_class(tmp_path: Path) -> None:
    """The second TextVectorization, and one of a model inside, are in folders of their own."""
    inside = layer("Sequential", "front", layers=[vectorizer("letters", vocabulary=None, split="character")])
    first, second = (vectorizer(name, vocabulary=None) for name in ("words", "others"))
    saved = {
        "text_vectorization/vocabulary.txt": b"\n[UNK]\na\nb",
        "text_vectorization_1/vocabulary.txt": b"\n[UNK]\nc\nd",
        "sequential/layers/text_vectorization/vocabulary.txt": b"\n[UNK]\ne\nf",
    }
    write_keras(tmp_path / "m.keras", first, second, inside, assets=saved)
    for source, tokens in (("words", ("a", "b")), ("others", ("c", "d")), ("front/letters", ("e", "f"))):
        found = read(tmp_path, WORDS.replace("words", source))
        assert found.form.vocabulary[2:] == tokens
        assert found.form.split == ("character" if "letters" in source else "whitespace")


def test_what_a_layer_does_and_the_length_come_from_it_or_the_recipe(tmp_path: Path) -> None:
    write_keras(tmp_path / "m.keras", vectorizer(standardize=None, split="character", output_sequence_length=7))
    found = read(tmp_path)
    assert (found.form.standardize, found.form.split, found.form.unknown, found.length) == ("none", "character", 1, 7)
    write_keras(tmp_path / "m.keras", vectorizer(output_sequence_length=None))
    assert read(tmp_path).length is None
    assert read(tmp_path, f"{WORDS}shape = [9]").length == 9
    assert read(tmp_path, f"{WORDS}shape = [-1]").length is None
    write_keras(tmp_path / "m.keras", lookup())
    found = read(tmp_path)
    assert (found.form.vocabulary, found.form.unknown, found.length) == (("[UNK]", "red", "light green"), 0, 1)
    assert read(tmp_path, f"{WORDS}shape = []").ids(["red", "x"]).tolist() == [1, 0]
    write_keras(tmp_path / "m.keras", lookup(**dict(zip(SPECIAL, ("", "?"), strict=True))))
    assert read(tmp_path).form.vocabulary == ("", "?", "red", "light green")


def test_the_signature_says_how_text_becomes_ids_and_one_without_it_is_read(tmp_path: Path) -> None:
    write_keras(tmp_path / "m.keras", vectorizer())
    tensor = {"name": "text", "shape": [1, 4], "dtype": "int64", "scale": None, "zero_point": None}
    old = {"signature": "s", "inputs": [{**tensor, "kind": "tensor"}], "outputs": [tensor]}
    entry = BundleSignature.from_json(old).inputs[0]
    assert entry.text is None and "text" not in entry.to_json()
    new = entry.with_text(read(tmp_path).entry).to_json()
    assert new["kind"] == "text"
    assert new["text"] == {
        "vocabulary": "vocabulary.txt",
        "standardize": "lower_and_strip_punctuation",
        "split": "whitespace",
        "unknown": 1,
    }
    assert BundleSignature.from_json(old | {"inputs": [new]}).inputs[0].to_json() == new


# ---------------------------------------------------------------- what is refused, and the next step


@dataclass(frozen=True)
class Case:
    """What is refused: a file's layers and the recipe's tables, or a way to write both. And what gets past it."""

    says: str
    next: str
    layers: tuple[Mapping[str, Any], ...] = (vectorizer(),)
    tables: str = WORDS
    right: tuple[Mapping[str, Any], ...] = ()
    tables_right: str = ""


FEED = 'use kind = "tensor", and feed what the layer gives'
OWN = "save it with a vocabulary of its own: TextVectorization(vocabulary=layer.get_vocabulary())"
CASES = {
    "another layer": Case(
        "needs a TextVectorization or a StringLookup, and 'text' is a InputLayer",
        'name the layer: source = "words"',
        tables="[[inputs]]\nname = 'text'\nkind = 'text'\n",
        tables_right=WORDS,
    ),
    "a hash": Case("'words' is a Hashing", FEED, layers=(layer("Hashing", "words"),), tables_right=IDS),
    "one hot": Case(
        "output_mode = 'multi_hot', and 'int' is read", FEED, (vectorizer(output_mode="multi_hot"),), tables_right=IDS
    ),
    "pairs": Case("ngrams = 2, and none is read", FEED, (vectorizer(ngrams=2),), tables_right=IDS),
    "pairs alone": Case("ngrams = 'a function or list", FEED, (vectorizer(ngrams=[2, 3]),), tables_right=IDS),
    "ragged": Case("ragged = True, and False is read", FEED, (vectorizer(ragged=True),), tables_right=IDS),
    "a function": Case(
        "standardize = 'a function or list", FEED, (vectorizer(standardize={"a": 1}),), tables_right=IDS
    ),
    "lines": Case("split = 'lines', and none, 'whitespace', 'character' is read", FEED, (vectorizer(split="lines"),)),
    "latin": Case("encoding = 'latin-1', and 'utf-8'", FEED, (vectorizer(encoding="latin-1"),), tables_right=IDS),
    "buckets": Case("num_oov_indices = 2, and 1 is read", FEED, (lookup(num_oov_indices=2),), tables_right=IDS),
    "to text": Case("invert = True, and False is read", FEED, (lookup(invert=True),), tables_right=IDS),
    "a mask": Case(
        "mask_token = 'none', and none, '' is read", FEED, (lookup(**{SPECIAL[0]: "none"}),), tables_right=IDS
    ),
    "no vocabulary": Case(
        "the vocabulary of 'words' cannot be read", OWN, (vectorizer(vocabulary=None),), right=(vectorizer(),)
    ),
    "numbers": Case(
        "the vocabulary of 'words' is none of its own", OWN, (vectorizer(vocabulary=[1, 2]),), right=(vectorizer(),)
    ),
    "rows of rows": Case(
        "a text is one row of ids, and its shape is [3, 4]",
        "give shape = [length], or leave it out",
        tables=f"{WORDS}shape = [3, 4]",
        tables_right=f"{WORDS}shape = [4]",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_no_app_repeats_is_refused_and_taken_after_the_next_step(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    write_keras(tmp_path / "m.keras", *case.layers)
    with pytest.raises(KitError) as caught:
        planned(tmp_path, case.tables)
    assert case.says in caught.value.message
    assert case.next in caught.value.hint
    if case.right or case.tables_right:
        write_keras(tmp_path / "m.keras", *(case.right or case.layers))
        assert planned(tmp_path, case.tables_right or case.tables)


@pytest.mark.parametrize("lines", [b"\n[UNK]\na\n\nb", b"\n[UNK]\na", b"[UNK]\na\nb\nc", b"\xff"])
def test_a_vocabulary_whose_lines_are_not_its_tokens_is_refused(tmp_path: Path, lines: bytes) -> None:
    saved = {"text_vectorization/vocabulary.txt": lines}
    write_keras(tmp_path / "m.keras", vectorizer(vocabulary=None), assets=saved)
    with pytest.raises(KitError, match="the vocabulary of 'words'") as caught:
        planned(tmp_path)
    assert caught.value.hint == OWN


def test_files_that_do_not_keep_what_adapt_learns_are_refused(tmp_path: Path) -> None:
    write_h5(tmp_path / "m.h5", vectorizer(vocabulary=None))
    with pytest.raises(KitError, match=r"is not in it: \.keras files alone") as caught:
        planned(tmp_path, path="'m.h5'")
    assert "save the model as .keras; or save it with a vocabulary of its own" in caught.value.hint
    write_h5(tmp_path / "m.h5", vectorizer())
    assert planned(tmp_path, path="'m.h5'").raw_inputs.texts


def test_a_saved_model_has_no_layers_to_read(tmp_path: Path) -> None:
    saved = ModelFile(tmp_path, SAVED_MODEL, "3.15.1", {}, ())
    with pytest.raises(KitError, match="from a Keras file, and this is a SavedModel of Keras") as caught:
        read_text_layer(saved, None, "words")
    assert "save the model as .keras: model.save('name.keras'); or use kind" in caught.value.hint


def test_layers_of_joined_models_begin_with_their_file(tmp_path: Path) -> None:
    write_keras(tmp_path / "front.keras", vectorizer())
    write_keras(tmp_path / "net.keras", layer("Dense", "d", units=2))
    both = "['front.keras', 'net.keras']"
    with pytest.raises(KitError, match="names begin with their file") as caught:
        planned(tmp_path, path=both)
    assert caught.value.hint == "write 'front/words'"
    assert planned(tmp_path, WORDS.replace("'words'", "'front/words'"), both).raw_inputs.texts


# ---------------------------------------------------------------- data


def test_texts_come_from_arrays_lines_columns_and_files(tmp_path: Path) -> None:
    write_keras(tmp_path / "m.keras", vectorizer())
    ids, texts = [[2, 3, 0, 0], [1, 2, 0, 0]], ["Good film", "no, good!"]
    np.savez(tmp_path / "s.npz", text=np.array(texts)[:, None], y=[0, 1])
    np.savez(tmp_path / "bytes.npz", text=np.array([text.encode() for text in texts]))
    (tmp_path / "s.txt").write_bytes(b"Good film\r\nno, good!\r\n")
    (tmp_path / "s.csv").write_text('y,text\n0,Good film\n1,"no, good!"\n', "utf-8")
    for place, text in (("a/1.txt", "Good film\n"), ("b/2.txt", "no, good!")):
        (tmp_path / "folder" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / place).write_text(text, "utf-8")
    for name in ("s.npz", "bytes.npz", "s.txt", "s.csv", "folder"):
        found = data(tmp_path, name)
        assert found.inputs["text"].tolist() == ids, name
        assert [text.strip() for text in found.said["text"].tolist()] == texts
        assert (None if found.y is None else found.y.tolist()) == (None if name in {"bytes.npz", "s.txt"} else [0, 1])
        assert found.take([1]).said["text"].tolist() == [texts[1]]
    np.savez(tmp_path / "ids.npz", text=np.array(ids))
    assert data(tmp_path, "ids.npz").inputs["text"].tolist() == ids
    plan = planned(tmp_path)
    again = from_raw(plan.recipe, plan.raw_inputs, data(tmp_path, "s.npz").raw())
    assert again is not None and again.inputs["text"].tolist() == ids


def test_labels_may_be_words_in_a_column(tmp_path: Path) -> None:
    write_keras(tmp_path / "m.keras", vectorizer())
    (tmp_path / "l.txt").write_text("bad\nfine\n", "utf-8")
    (tmp_path / "s.csv").write_text("text,y\na,fine\nb,bad\nc,1\n", "utf-8")
    tables = f"{WORDS}[[outputs]]\nname = 'words'\nkind = 'classes'\nlabels = 'l.txt'\n"
    assert data(tmp_path, "s.csv", tables).y.tolist() == [1, 0, 1]  # type: ignore[union-attr]


ROW = "write the inputs' names (text), and y for the true classes, into the first row"
UTF_8 = "save it in UTF-8: one text a line in .txt, or .csv with the inputs' names in its first row"
ARRAY = "save texts as an array [N]: numpy.array(list_of_texts)"
LINES = {
    "s.csv, no column": (b"words\na\n", "no column 'text'", ROW, b"text\na\n"),
    "s.csv, a short row": (b"text,y\na\n", "its rows differ in length", ROW, b"text,y\na,0\n"),
    "s.csv, empty": (b"", "no column 'text'", ROW, b"text\na\n"),
    "s.csv, a word": (b"text,y\na,fine\n", "y is 'fine' in row 2", "write class numbers from 0", b"text,y\na,0\n"),
    "s.txt, empty": (b"\n", "no texts", UTF_8, b"a\n"),
    "s.txt, latin": (b"\xe9", "no text can be read there", UTF_8, "é".encode()),
    "s.npy, unknown": (
        b"",
        "'.npy' is not known",
        "give a .npz, .csv or .txt file, or a folder of .txt files",
        b"",
    ),
}


@pytest.mark.parametrize("name", LINES)
def test_files_without_texts_are_refused_and_taken_after_the_next_step(tmp_path: Path, name: str) -> None:
    write_keras(tmp_path / "m.keras", vectorizer())
    content, says, hint, right = LINES[name]
    file = name.partition(",")[0]
    (tmp_path / file).write_bytes(content)
    with pytest.raises(KitError) as caught:
        data(tmp_path, file)
    assert says in caught.value.message
    assert hint in caught.value.hint
    if right:
        (tmp_path / file).write_bytes(right)
        assert len(data(tmp_path, file)) == 1


@pytest.mark.parametrize("wrong", [np.array([["a", "b"]]), np.array("a"), np.array([b"\xff"])])
def test_arrays_that_are_no_row_of_texts_are_refused(tmp_path: Path, wrong: np.ndarray) -> None:
    write_keras(tmp_path / "m.keras", vectorizer())
    np.savez(tmp_path / "s.npz", text=wrong)
    with pytest.raises(KitError, match="'text'") as caught:
        data(tmp_path, "s.npz")
    assert caught.value.hint == ARRAY
    np.savez(tmp_path / "s.npz", text=np.array(["a", "b"]))
    assert len(data(tmp_path, "s.npz")) == 2


def test_files_of_lines_are_for_one_input(tmp_path: Path) -> None:
    write_keras(tmp_path / "m.keras", vectorizer(), vectorizer("others"))
    tables = f"{WORDS}{WORDS.replace('text', 'more', 1).replace('words', 'others')}"
    (tmp_path / "s.txt").write_text("a\n", "utf-8")
    with pytest.raises(KitError, match="exactly one input, of kind 'text'") as caught:
        data(tmp_path, "s.txt", tables)
    assert caught.value.hint == "use .npz with one array for each input"
    np.savez(tmp_path / "s.npz", text=np.array(["a"]), more=np.array(["b"]))
    assert len(data(tmp_path, "s.npz", tables)) == 1


def test_calibration_takes_a_choice_of_texts(tmp_path: Path) -> None:
    write_keras(tmp_path / "m.keras", vectorizer())
    (tmp_path / "s.txt").write_text("".join(f"good {i}\n" for i in range(50)), "utf-8")
    plan = planned(tmp_path, f"{WORDS}[quantize]\nrepresentative = 's.txt'\ncount = 5\n")
    found = representative(plan.recipe, plan.sources[0], tmp_path, plan.raw_inputs)
    assert found is not None and len(found) == len(found.said["text"]) == 5


# ---------------------------------------------------------------- a bundle


def built(folder: Path, python: Path, kind: str, tables: str) -> Path:
    """Train a model, build it, and return the bundle."""
    written(python, kind, folder, Path(text_models.__file__))
    (folder / "recipe.toml").write_text(
        f"[model]\npath = 'model.keras'\nid = 'm'\n[toolchain]\ntensorflow = '2.19.1'\n{tables}", "utf-8"
    )
    done = run_kit("build", str(folder / "recipe.toml"), "--engine", "local", "--out", str(folder / "dist"))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "dist" / "m"


def emulated(runtime: Path, bundle: Path, *arguments: str, code: int = 0) -> str:
    argv = [str(runtime), str(bundle / "emulate" / "emulate.py"), *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def values(runtime: Path, bundle: Path, file: Path, read: Callable[[Any], Any]) -> np.ndarray:
    """Return what the harness gives for each text of a file: `read` takes an output's JSON."""
    report = json.loads(emulated(runtime, bundle, str(file), "--json", "--top", "9"))
    return np.array([read(next(iter(result["outputs"].values()))) for result in report["results"]])


def scores(output: Any) -> list[float]:
    return [each["score"] for each in sorted(output["top"], key=lambda one: one["index"])]


@pytest.mark.parametrize("keras", ["", pytest.param("2:", marks=pytest.mark.slow)])
def test_a_trained_classifier_of_text_gives_the_scores_of_keras(
    tmp_path: Path, toolchain_python: Path, runtime_python: Path, keras: str
) -> None:
    tables = f"{WORDS}[[outputs]]\nname = 'topic'\nkind = 'classes'\nlabels = 'labels.txt'\n{CHECKS.format('test.npz')}"
    bundle = built(tmp_path, toolchain_python, f"{keras}topics", tables)
    exact = np.load(tmp_path / "expected.npz")["topic"]
    assert np.abs(values(runtime_python, bundle, tmp_path / "test.npz", scores) - exact).max() < 1e-4
    checks = json.loads((bundle / "bundle.json").read_text("utf-8"))
    classes = np.load(tmp_path / "test.npz")["y"]
    assert f"{(exact.argmax(-1) == classes).mean():.4f}"[:5] in json.dumps(checks)
    said = emulated(runtime_python, bundle)
    assert "text text: pre-processing gives the same input: ok" in said
    (tmp_path / "q.txt").write_text("Return the cosine of x qwertz.\nConnect the socket\n", "utf-8")
    said = emulated(runtime_python, bundle, str(tmp_path / "q.txt"))
    assert "text: 6 tokens, 1 of them (17%) not in the vocabulary" in said
    assert "numbers" in said and "network" in said
    assets = bundle / "src" / "main" / "assets" / "m"
    lines = (assets / "vocabulary.txt").read_bytes()
    (assets / "vocabulary.txt").write_bytes(lines.replace(b"\nthe\n", b"\nzzz\n"))
    assert "pre-processing gives" in emulated(runtime_python, bundle, code=4)
    (assets / "vocabulary.txt").write_bytes(lines + b"\\q\n")
    assert "vocabulary.txt" in emulated(runtime_python, bundle, code=2)
    (assets / "vocabulary.txt").write_bytes(lines)
    verified = run_kit("verify", str(bundle), "--engine", "local")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_words_of_a_table_are_looked_up_before_the_file(
    tmp_path: Path, toolchain_python: Path, runtime_python: Path
) -> None:
    tables = f"{WORDS.replace('text', 'colour', 1).replace('words', 'colours')}{CHECKS.format('test.npz')}"
    bundle = built(tmp_path, toolchain_python, "colours", tables)
    exact = np.load(tmp_path / "expected.npz")["price"]
    found = values(runtime_python, bundle, tmp_path / "test.npz", lambda output: output["values"])
    assert np.abs(found - exact).max() < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("keras", ["", "2:"])
def test_two_vocabularies_of_one_file_stay_apart(
    tmp_path: Path, toolchain_python: Path, runtime_python: Path, keras: str
) -> None:
    words = "[[inputs]]\nname = 'words'\nkind = 'text'\n"
    letters = "[[inputs]]\nname = 'letters'\nsource = 'front/letters'\nkind = 'text'\n"
    bundle = built(tmp_path, toolchain_python, f"{keras}nested", words + letters)
    exact = np.load(tmp_path / "expected.npz")["sum"]
    found = values(runtime_python, bundle, tmp_path / "test.npz", lambda output: output["values"])
    assert np.abs(found - exact).max() < 1e-6


@pytest.mark.slow
def test_a_text_of_any_length_is_as_long_as_its_words(
    tmp_path: Path, toolchain_python: Path, runtime_python: Path
) -> None:
    bundle = built(tmp_path, toolchain_python, "open_topics", f"{WORDS}shape = [-1]\n[checks]\ngate = false\n")
    exact = np.load(tmp_path / "expected.npz")["topic"]
    texts = np.load(tmp_path / "test.npz")["text"]
    for place in range(5):
        np.savez(tmp_path / "one.npz", text=texts[place : place + 1])
        found = values(runtime_python, bundle, tmp_path / "one.npz", lambda output: output["values"])
        assert np.abs(found - exact[place]).max() < 1e-4
