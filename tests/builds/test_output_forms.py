"""What boxes, masks and keypoints are taken for, and what is refused, from a recipe's words and the file's shapes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from worlds import bare_result

from kit.build.anchors import Anchors, anchors_of, read_anchors
from kit.build.output_forms import Forms, forms_of
from kit.bundle.output_forms import BoxesForm, KeypointsForm, MaskForm
from kit.bundle.signature import TensorEntry
from kit.errors import RecipeError
from kit.recipe.output import Output
from kit.recipe.schema import Input, Model, Recipe
from kit.shared.job import SignatureSpec, TensorSpec

Shapes = Mapping[str, tuple[int, ...]]
IMAGE = TensorSpec("image", (1, 48, 64, 3), "float32")


def forms(
    outputs: Shapes,
    labels: int = 0,
    anchors: int = 0,
    image: TensorSpec = IMAGE,
    scale: float | None = None,
    **keys: Any,
) -> Forms:
    """Return the form of output `y`, with these keys in the recipe."""
    recipe = Recipe(
        model=Model(path="m.keras", id="m"),
        inputs=[Input(name=image.name, kind="image")],
        outputs=[Output(name="y", **keys)],
    )
    specs = tuple(TensorSpec(name, shape, "float32", scale, batched=True) for name, shape in outputs.items())
    result = bare_result(SignatureSpec("serve", (image,), specs), 1)
    given = {"y": Anchors("anchors.bin", bytes(16 * anchors))} if anchors else {}
    return forms_of(recipe, result, {"y": ("labels.txt", labels)} if labels else {}, given)


def boxes(outputs: Shapes, **keys: Any) -> BoxesForm:
    form = forms(outputs, kind="boxes", **keys).outputs["y"]
    assert isinstance(form, BoxesForm)
    return form


YOLO = {"y": (1, 84, 8400)}
PAIR = {"y": (1, 50, 4), "class_scores": (1, 50, 3)}
SSD = {"detection_classes": (1, 10), "y": (1, 10, 4), "num_detections": (1, 1), "detection_scores": (1, 10)}
ALONE = {"y": (1, 9, 4)}
ROWS = {"y": (1, 10, 4), "s": (1, 9)}
PLAIN = {"y": (1, 10, 4), "a": (1, 10), "b": (1, 10), "c": (1,)}


@pytest.mark.parametrize(
    ("outputs", "keys", "head", "note"),
    [
        (YOLO, {}, "yolo", "without labels no objectness is assumed"),
        (YOLO, {"labels": 80}, "yolo", "has 4 values and 80 scores for each box, as many as labels"),
        (YOLO, {"labels": 79}, "yolo-objectness", "has 5 values and 79 scores"),
        ({"y": (1, 8400, 85)}, {"labels": 80}, "yolo-objectness", "has 5 values and 80 scores"),
        (PAIR, {}, "scores", "scores = 'class_scores': 'class_scores' has 3 scores for each box"),
        (PAIR, {"anchors": 50}, "anchors", "it has anchors"),
        (SSD, {}, "ssd", "classes = 'detection_classes', count = 'num_detections': 'detection_scores' has one score"),
        (PLAIN, {"scores": "a", "classes": "b"}, "ssd", "head = 'ssd': 'a' has one score for each of 10 boxes"),
    ],
)
def test_a_head_is_guessed_and_a_note_says_why(outputs: Shapes, keys: dict[str, Any], head: str, note: str) -> None:
    found = forms(outputs, kind="boxes", **keys)
    form = found.outputs["y"]
    assert isinstance(form, BoxesForm)
    assert form.head == head
    assert note in found.notes[0]


def test_a_head_that_the_recipe_gives_needs_no_note() -> None:
    found = forms(PLAIN, kind="boxes", head="ssd", scores="a", classes="b", count="c")
    assert found.notes == ()
    assert found.outputs["y"] == BoxesForm(head="ssd", nms="none", scores="a", classes="b", count="c")


def test_scores_that_share_a_coarse_step_with_pixels_have_a_note() -> None:
    (note,) = forms(YOLO, scale=0.25, kind="boxes", head="yolo").notes
    assert "whose step is 0.25: scores are rounded to multiples of it" in note
    assert forms(YOLO, scale=0.004, kind="boxes", head="yolo").notes == ()
    assert forms(PAIR, scale=0.25, kind="boxes", head="scores", scores="class_scores").notes == ()


def test_the_axis_of_channels_is_the_one_that_fits_the_labels_else_the_shorter() -> None:
    assert boxes(YOLO).transposed and not boxes({"y": (1, 8400, 84)}).transposed
    assert boxes({"y": (1, 9, 14)}, labels=10, head="yolo").transposed is False
    assert boxes({"y": (1, 14, 9)}, labels=10, head="yolo").transposed is True


def test_pixels_are_those_of_the_image() -> None:
    assert boxes(YOLO, units="pixels").size == (64, 48)
    assert boxes(YOLO).size is None
    vector = TensorSpec("v", (1, 7), "float32")
    with pytest.raises(RecipeError, match="units 'pixels' are those of an image") as refused:
        forms(YOLO, kind="boxes", units="pixels", image=vector)
    assert refused.value.hint == 'give the image\'s [[inputs]] kind = "image" and a shape'
    assert forms(YOLO, kind="boxes", units="pixels", image=IMAGE).outputs


def test_a_background_has_no_label() -> None:
    assert boxes(PAIR, labels=2, background=True).background
    assert boxes(PAIR, labels=3).labels == "labels.txt"
    assert boxes({"y": (1, 90, 15)}, labels=10, background=True, head="yolo").background


@dataclass(frozen=True)
class Misfit:
    """Boxes that are refused, words of the refusal and of its next step, and what follows that step."""

    outputs: Shapes
    keys: dict[str, Any]
    says: str
    next: str
    right: dict[str, Any]
    other: Shapes | None = None  # the outputs, where the step is to have others


MISFITS = {
    "labels": Misfit(
        PAIR,
        {"labels": 2},
        "2 labels for 3 classes",
        "give one label a line, none for a background; or say that there is one: background = true",
        {"labels": 2, "background": True},
    ),
    "labels of yolo": Misfit(
        YOLO, {"labels": 7}, "7 labels for 80 classes", "give one label a line, none for a background", {"labels": 80}
    ),
    "no scores": Misfit(
        PLAIN, {}, "is known to have their scores", 'name it: scores = "...", one of a, b, c', {"scores": "b"}
    ),
    "unknown scores": Misfit(
        PAIR, {"scores": "s"}, "no other output of that name", "there is: class_scores", {"scores": "class_scores"}
    ),
    "none at all": Misfit(
        ALONE, {"head": "scores"}, "needs the output that has", 'name it: scores = "..."; there is: none', {}, PAIR
    ),
    "rows": Misfit(
        ROWS,
        {"head": "ssd", "scores": "s"},
        "is boxes [N, 4] and scores [N]",
        "give the head and the output with its scores: head and scores belong together",
        {"head": "ssd", "scores": "a"},
        PLAIN,
    ),
    "anchors": Misfit(
        PAIR,
        {"anchors": 9},
        "9 anchors for 50 boxes",
        "give anchors = a file with as many as the model has boxes, in their order",
        {"anchors": 50},
    ),
    "yolo": Misfit(
        PAIR,
        {"head": "yolo"},
        "is [N, 4 + classes]",
        'use another head, as head = "scores", or another output: class_scores',
        {"head": "scores"},
    ),
    "open": Misfit(
        {"y": (1, -1, 84)}, {}, "one sample a call of a fixed size", "give a fixed shape ([[inputs]] shape)", {}, YOLO
    ),
    "batch": Misfit(
        {"y": (4, 9, 84)}, {}, "one sample a call of a fixed size", "leave [model] batch out", {}, {"y": (1, 9, 84)}
    ),
}


@pytest.mark.parametrize("what", MISFITS)
def test_boxes_that_do_not_fit_are_refused_and_taken_after_the_next_step(what: str) -> None:
    case = MISFITS[what]
    with pytest.raises(RecipeError) as refused:
        boxes(case.outputs, **case.keys)
    assert case.says in refused.value.message
    assert case.next in refused.value.hint
    assert boxes(case.other or case.outputs, **case.right)


def test_masks_and_keypoints_have_the_shapes_and_words_of_their_kind() -> None:
    assert forms({"y": (1, 8, 9, 1)}, kind="mask").outputs["y"] == MaskForm()
    assert forms({"y": (1, 8, 9)}, kind="mask", labels=2).outputs["y"] == MaskForm(labels="labels.txt")
    points = forms({"y": (1, 16, 16, 17)}, kind="keypoints")
    assert points.outputs["y"] == KeypointsForm(head="heatmap")
    assert points.notes == ("output 'y' is read as head = 'heatmap': its shape is [16, 16, 17]",)
    moved = forms({"y": (1, 1, 17, 3)}, kind="keypoints", format="yx", labels=17).outputs["y"]
    assert moved == KeypointsForm(head="coordinates", format="yx", labels="labels.txt")


LAST = "change the model's last layer, or take this output with another kind"
SIGMOID = 'use activation = "sigmoid"'
MARKS = 'use activation = "sigmoid", or leave it out'
OTHERS: dict[str, Misfit] = {
    "a flat mask": Misfit({"y": (1, 8)}, {"kind": "mask"}, "kind 'mask' is [H, W, C]", LAST, {"kind": "tensor"}),
    "labels of a mask": Misfit(
        {"y": (1, 8, 8, 3)},
        {"kind": "mask", "labels": 2},
        "2 labels for 3",
        "give one label a line, in the order of the model's channels",
        {"kind": "mask", "labels": 3},
    ),
    "a softmax of one": Misfit(
        {"y": (1, 8, 8)},
        {"kind": "mask", "activation": "softmax"},
        "is 1 everywhere",
        SIGMOID,
        {"kind": "mask", "activation": "sigmoid"},
    ),
    "flat coordinates": Misfit({"y": (1, 8)}, {"kind": "keypoints"}, "is [K, 2], or [K, 3]", LAST, {"kind": "tensor"}),
    "a flat heatmap": Misfit(
        {"y": (1, 8)}, {"kind": "keypoints", "head": "heatmap"}, "is [H, W, K]", LAST, {"kind": "embedding"}
    ),
    "points that exclude": Misfit(
        {"y": (1, 8, 2)},
        {"kind": "keypoints", "activation": "softmax"},
        "exclude each other",
        MARKS,
        {"kind": "keypoints"},
    ),
    "a table": Misfit({"y": (1, 8, 2)}, {"kind": "embedding"}, "kind 'embedding' is [N]", LAST, {"kind": "keypoints"}),
}


@pytest.mark.parametrize("what", OTHERS)
def test_other_kinds_that_do_not_fit_are_refused_and_taken_after_the_next_step(what: str) -> None:
    case = OTHERS[what]
    with pytest.raises(RecipeError) as refused:
        forms(case.outputs, **case.keys)
    assert case.says in refused.value.message
    assert case.next in refused.value.hint
    assert forms(case.outputs, **case.right).outputs or case.right["kind"] == "tensor"


def test_signature_json_has_a_form_below_its_kind_and_reads_it_again() -> None:
    spec = TensorSpec("y", (1, 50, 4), "float32")
    entry = TensorEntry.of(spec).with_form("boxes", boxes(PAIR, labels=3, units="pixels", iou=0.25))
    document = entry.to_json()
    assert document["kind"] == "boxes"
    assert document["boxes"]["size"] == [64, 48]
    assert TensorEntry.from_json(document) == entry
    assert entry.labels == "labels.txt"
    assert TensorEntry.of(spec).to_json() == {
        "name": "y", "shape": [1, 50, 4], "dtype": "float32", "scale": None, "zero_point": None, "kind": "tensor"
    }  # fmt: skip


def test_anchors_come_from_npy_and_npz_and_what_is_none_is_refused(tmp_path: Path) -> None:
    values = np.arange(8.0).reshape(2, 4)
    np.save(tmp_path / "a.npy", values)
    np.savez(tmp_path / "b.npz", anchors=values)
    np.save(tmp_path / "flat.npy", values.ravel())
    np.save(tmp_path / "nan.npy", values * np.nan)
    np.savez(tmp_path / "two.npz", a=values, b=values)
    (tmp_path / "text.npy").write_text("no array")
    recipe = Recipe(
        model=Model(path="m", id="m"),
        outputs=[Output(name=name, kind="boxes", anchors=str(tmp_path / name)) for name in ("a.npy", "b.npz")],
    )
    found = anchors_of(recipe)
    assert [each.file for each in found.values()] == ["anchors.bin", "anchors_2.bin"]
    assert {each.content for each in found.values()} == {values.astype("<f4").tobytes()}
    assert found["a.npy"].count == 2
    for name, why in (
        ("flat.npy", "it holds float64"),
        ("nan.npy", "not finite"),
        ("two.npz", "a, b"),
        ("text.npy", "anchors cannot be read"),
    ):
        wrong = recipe.model_copy(update={"outputs": [Output(name="y", kind="boxes", anchors=str(tmp_path / name))]})
        with pytest.raises(RecipeError, match=why) as refused:
            anchors_of(wrong)
        assert refused.value.hint.startswith("save float numbers [N, 4], the centre and the size of each anchor")


def test_anchors_that_unpack_to_too_much_are_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "packed.npz", anchors=np.zeros((1 << 14, 4), np.float32))
    np.save(tmp_path / "plain.npy", np.zeros((1 << 14, 4), np.float32))
    assert len(read_anchors(tmp_path / "packed.npz")) == 1 << 18
    monkeypatch.setattr("kit.build.anchors.MOST", 1 << 16)
    assert (tmp_path / "packed.npz").stat().st_size < 1 << 12
    for name in ("packed.npz", "plain.npy"):
        with pytest.raises(RecipeError, match=r"it holds 262,.* bytes, and 65,536 are read"):
            read_anchors(tmp_path / name)
    os.mkfifo(tmp_path / "pipe.npy")
    with pytest.raises(RecipeError, match=r"anchors cannot be read: .*a folder, a pipe or a device"):
        read_anchors(tmp_path / "pipe.npy")
