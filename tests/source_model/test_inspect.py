"""What `kit inspect` says of layers that read text, and of outputs that may be boxes, masks or keypoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import drawn_models
import pytest
from source_models import written
from text_files import lookup, model_json, vectorizer, write_h5, write_keras
from worlds import DIGITS, run_kit

from kit.build.head_guess import Shapes, guesses
from kit.source_model.layer_graph import read_graph
from kit.source_model.layer_shapes import output_shapes

IMAGE = {"image": (64, 64, 3)}


def inspected(path: Path) -> list[str]:
    """Return the lines that inspect prints of layers and outputs."""
    done = run_kit("inspect", str(path))
    assert done.returncode == 0, done.stderr
    own, _, _ = done.stdout.partition("\n\n")  # the table of layers comes behind
    return [line for line in own.splitlines() if line.startswith(("text ", "guessed "))]


def test_layers_that_read_text_are_described_with_the_keys_of_a_recipe(tmp_path: Path) -> None:
    words = vectorizer("words", output_sequence_length=None, split="character")
    write_keras(tmp_path / "m.keras", vectorizer("cut"), words, lookup("color"), vectorizer("pairs", ngrams=2))
    assert inspected(tmp_path / "m.keras") == [
        "text       'cut' (TextVectorization): 4 tokens, standardize lower_and_strip_punctuation, split whitespace, "
        "4 ids of each text, filled up with 0: kind = 'text', source = 'cut'",
        "text       'words' (TextVectorization): 4 tokens, standardize lower_and_strip_punctuation, split character, "
        "as many ids of each text as it has tokens: kind = 'text', source = 'words'",
        "text       'color' (StringLookup): 3 tokens, standardize none, split none, one id of each text: "
        "kind = 'text', source = 'color'",
        "text       the layer 'pairs' (TextVectorization) has ngrams = 2, and none is read",
    ]
    done = run_kit("inspect", str(tmp_path / "m.keras"), "--json")
    texts = json.loads(done.stdout)["texts"]
    assert [(text["name"], text["tokens"], text["length"]) for text in texts[:2]] == [("cut", 4, 4), ("words", 4, None)]


def test_a_vocabulary_that_is_not_in_the_file_is_said(tmp_path: Path) -> None:
    write_h5(tmp_path / "m.h5", vectorizer(vocabulary=None))
    (line,) = inspected(tmp_path / "m.h5")
    assert "the vocabulary of 'words' is not in it: .keras files alone keep what adapt() learns" in line


def test_the_head_of_a_detector_is_guessed_from_its_file_as_a_build_does(
    tmp_path: Path, toolchain_python: Path
) -> None:
    written(toolchain_python, "boxes", tmp_path, Path(drawn_models.__file__))
    assert inspected(tmp_path / "model.keras") == [
        "guessed    output 'found' is read with head = 'scores', scores = 'scores': 'scores' has 3 scores for each box "
        "(with kind = 'boxes')"
    ]


def test_a_classifier_of_images_has_nothing_to_guess() -> None:
    assert inspected(DIGITS / "digits.keras") == []


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ({"out": (84, 8400)}, "'out' is read with head = 'yolo': one tensor [84, 8400] has the scores behind"),
        ({"boxes": (100, 4), "scores": (100,), "num": (1,)}, "head = 'ssd', scores = 'scores', count = 'num'"),
        ({"map": (64, 64, 5)}, "'map' [64, 64, 5] may be a mask, for it has 5 values for each of 64 x 64"),
        ({"seg_mask": (64, 64, 1)}, "may be a mask, for its name has 'mask'"),
        ({"heatmaps": (16, 16, 17)}, "may be 17 heatmaps, for its name has 'heat': kind = 'keypoints'"),
        ({"landmarks": (68, 2)}, "may be 68 points, for its name and its rows of 2: kind = 'keypoints'"),
    ],
)
def test_shapes_and_names_say_what_an_output_may_be(outputs: dict[str, tuple[int, ...]], said: str) -> None:
    (sentence,) = guesses(Shapes(IMAGE, outputs))
    assert said in sentence
    assert guesses(Shapes({"numbers": (64,)}, outputs)) == []


@pytest.mark.parametrize("outputs", [{"classes": (10,)}, {"boxes": (1, 4)}, {"boxes": (100, 4)}, {"pair": (1, 2)}, {}])
def test_what_says_nothing_is_not_guessed(outputs: dict[str, tuple[int, ...]]) -> None:
    assert guesses(Shapes(IMAGE, outputs)) == []


def shapes_of(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the outputs of a model's description; {} where its layers cannot be read."""
    graph = read_graph(config)
    return output_shapes(graph) if graph else {}


def test_any_description_has_shapes_or_none() -> None:
    config = json.loads(model_json([vectorizer()]))
    assert shapes_of(config) == {}
    values: tuple[dict[str, Any], ...] = (
        {},
        {"config": []},
        {"config": {"layers": [1], "output_layers": [["x", 0, 0]]}},
    )
    assert [shapes_of(value) for value in values] == [{}] * 3
    nodes: Any
    for nodes in (None, [], [{}], [{"args": [1]}], [{"args": [{"config": {"shape": 3}}]}]):
        layer: dict[str, Any] = {"name": "x", "class_name": "ReLU", "config": {}, "inbound_nodes": nodes}
        assert shapes_of({"config": {"layers": [layer], "output_layers": [["x", 0, 0]]}}) == {}
