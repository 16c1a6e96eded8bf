"""text.py gives the ids of Keras's own layers, and what it writes it reads again."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from text_cases import DECISIVE, TextCase, code_points, every_code_point, scripts, some_code_points
from worlds import SUPPORT

from kit.shared.text import (
    TextForm,
    pack_texts,
    read_vocabulary,
    tokenize,
    tokenize_all,
    tokens_of,
    unpack_texts,
    write_vocabulary,
)
from kit.toolchains.toolchain import find_toolchain
from kit.toolchains.venv import toolchain_venv

FILM = TextForm(("", "[UNK]", "good", "film"))


def given_by_keras(version: str, cases: Iterable[TextCase], folder: Path) -> Iterator[list[list[int]]]:
    """Yield the ids of each text of each case, as the layer of a toolchain's Keras gives them."""
    with (folder / "cases").open("w") as file:
        for case in cases:
            form, tokens = case.form, case.form.vocabulary[2:]
            entry = {"standardize": form.standardize, "split": form.split, "tokens": tokens, "texts": case.texts}
            file.write(json.dumps(entry) + "\n")
    python = toolchain_venv(find_toolchain(version), lambda _: None)
    argv = [str(python), str(SUPPORT / "run_text_layers.py"), str(folder / "cases"), str(folder / "ids")]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    with (folder / "ids").open() as file:
        yield from map(json.loads, file)


@pytest.mark.parametrize(
    ("version", "which"),
    [
        ("2.19.1", "some"),
        *(pytest.param(version, "all", marks=pytest.mark.slow) for version in ("2.12.1", "2.15.1", "2.19.1", "2.21.0")),
    ],
)
def test_ids_are_those_of_keras(tmp_path: Path, version: str, which: str) -> None:
    def cases() -> Iterator[TextCase]:
        if which == "all":
            yield from code_points(every_code_point(), DECISIVE)
        yield from code_points(some_code_points())
        yield from scripts(np.random.default_rng(11), 200 if which == "some" else 2000)

    known = 0
    for case, ids in zip(cases(), given_by_keras(version, cases(), tmp_path), strict=True):
        for text, ours, theirs in zip(case.texts, case.ids, ids, strict=True):
            assert ours == theirs, (case.form.standardize, case.form.split, text[:200])
            known += sum(one > 1 for one in ours)
    assert known > (5_000_000 if which == "all" else 100_000)


def test_a_text_is_cut_or_filled_up_to_the_length_of_the_input() -> None:
    assert tokenize(" A Good, \n good FILM!\t", FILM, 6).tolist() == [1, 2, 2, 3, 0, 0]
    assert tokenize("A Good, good FILM!", FILM, 2).tolist() == [1, 2]
    assert tokenize("A Good, good FILM!", FILM).tolist() == [1, 2, 2, 3]
    assert tokenize("", FILM).tolist() == [0]  # no interpreter takes an axis of length 0
    assert tokenize_all(["good", "a film", ""], FILM).tolist() == [[2, 0], [1, 3], [0, 0]]
    assert tokenize_all([], FILM).shape == (0, 1)


def test_a_table_of_words_has_no_padding() -> None:
    colours = TextForm(("[UNK]", "red", "light green"), "none", "none", unknown=0)
    assert tokenize_all(["red", "light green", "Red", "", "[UNK]"], colours, 1).tolist() == [[1], [2], [0], [0], [0]]


def test_what_utf_8_cannot_hold_is_replaced() -> None:
    whole = TextForm(("", "[UNK]"), "none", "character")
    assert tokens_of("a\ud800b\U0001f600\ufdd0", whole) == ["a", "\ufffd", "b", "\U0001f600", "\ufffd"]
    assert unpack_texts(pack_texts(["\udfff"])) == ["\ufffd"]


def test_a_vocabulary_is_read_as_it_was_written() -> None:
    tokens = ("", "[UNK]", "two words", "\n", "\r\n", "\\n", "\\", "\u2028", "\x85", "\0", "日本", "🎬", " ", "n")
    content = write_vocabulary(tokens)
    assert read_vocabulary(content) == tokens
    assert content.count(b"\n") == len(tokens) and b"\r" not in content
    assert len(content.decode().splitlines()) >= len(tokens)
    for broken in (b"", b"a", b"a\\x\n", b"a\\\n", b"\xff\n"):
        with pytest.raises(ValueError, match=r"line|escape|utf-8"):
            read_vocabulary(broken)


def test_texts_of_all_lengths_are_packed_and_unpacked() -> None:
    texts = ["", "a", "é\0\n", "日本🎬" * 20]
    packed = pack_texts(texts)
    assert (packed.dtype.name, packed.shape) == ("uint8", (4, 200))
    assert unpack_texts(packed) == texts
    assert unpack_texts(pack_texts([])) == []


@pytest.mark.parametrize("wrong", [{"standardize": "upper"}, {"split": "lines"}, {"unknown": 2}, {"vocabulary": ("",)}])
def test_a_form_that_no_layer_has_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="unknown"):
        TextForm(**{"vocabulary": ("", "[UNK]"), **wrong})  # type: ignore[arg-type]
