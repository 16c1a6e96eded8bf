"""Truth that does not fit: what the host refuses, followed by what its next step says."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from test_data_remedies import data, model
from test_host_remedies import planned

from kit.build import truth_fit
from kit.build.truth import OutputTruth
from kit.errors import RecipeError

Write = Callable[[Path], object]
NAMES = ["a.png", "more/b.png"]
ROWS = np.zeros((3, 4), np.float32)
LABELS = [f"label {number}" for number in range(10)]


def photos(folder: Path) -> None:
    """Write a folder with two images, one of them in a folder of its own, and labels."""
    for name in NAMES:
        (folder / "s" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / "s" / name)
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS), "utf-8")


def text(content: str, name: str = "t.csv") -> Write:
    """Return what writes a file of text beside the photos, and labels."""

    def write(folder: Path) -> None:
        photos(folder)
        (folder / name).write_text(content, "utf-8")

    return write


def rows(content: str) -> Write:
    """Return what writes a .csv beside three samples."""

    def write(folder: Path) -> None:
        data(x=ROWS)(folder)
        text(content)(folder)

    return write


def no_text(folder: Path) -> None:
    """Write a .csv that is not UTF-8 beside the photos."""
    photos(folder)
    (folder / "t.csv").write_bytes(b"y\n\xff\n")


def coco(**changes: Any) -> dict[str, Any]:
    """Return COCO's JSON of the photos, with some parts replaced."""
    listed = [{"id": 5 + index, "file_name": name, "width": 8, "height": 8} for index, name in enumerate(NAMES)]
    box = {"image_id": 6, "category_id": 2, "bbox": [1, 1, 3, 4]}
    return {"images": listed, "categories": [{"id": 2, "name": "label 3"}], "annotations": [box]} | changes


def written(**changes: Any) -> Write:
    """Return what writes COCO's JSON beside the photos."""
    return text(json.dumps(coco(**changes)), "t.json")


def in_npz(**changes: Any) -> Write:
    """Return what writes COCO's JSON beside two images in an .npz."""

    def write(folder: Path) -> None:
        data(x=np.zeros((2, 8, 8, 1), np.uint8))(folder)
        written(**changes)(folder)

    return write


def masks(*names: str) -> Write:
    """Return what writes masks of these names beside the photos."""

    def write(folder: Path) -> None:
        photos(folder)
        for name in names:
            (folder / "t" / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / "t" / name)

    return write


@dataclass(frozen=True)
class Case:
    """Data, truth and the rest of a recipe; words of refusal and next step; what the step changes."""

    write: Write
    recipe: str
    says: str
    next: str
    write_right: Write | None = None
    recipe_right: str = ""
    image: bool = True


def recipe(kind: str, truth: str = "", where: str = "s", labels: bool = True, more: str = "") -> str:
    """Return a recipe behind [model]: one output `y`, data and truth, and a metric."""
    named = "labels = 'labels.txt'\n" if labels else ""
    image = "[[inputs]]\nname = 'x'\nkind = 'image'\n" if where == "s" else ""
    output = f"[[outputs]]\nname = 'y'\nkind = '{kind}'\n{named}"
    return f"{image}{output}[checks]\ndata = '{where}'\n{f'truth = {{y = {truth!r}}}' if truth else ''}\n{more}"


CSV = recipe("classes", "t.csv")
NUMBERS = recipe("tensor", "t.csv", "s.npz", labels=False)
BOXES = recipe("boxes", "t.json")
AUC = "[[checks.metrics]]\noutput = 'y'\nmetric = 'auc'\nmin = 0.5\n"

CASES = {
    "truth of an output without a table": Case(
        data(x=ROWS, **{"y/z": [0, 1, 2]}),
        recipe("classes", where="s.npz", labels=False),
        "'y/z' is the truth of an output that has no [[outputs]] table",
        "add one with that name; there is: y",
        data(x=ROWS, **{"y/y": [0, 1, 2]}),
        image=False,
    ),
    "a metric without truth": Case(
        data(x=ROWS),
        recipe("classes", where="s.npz", labels=False, more=AUC),
        "'auc' of output 'y' needs its truth",
        "add the array y/y to the .npz, or name a file: [checks.truth]",
        data(x=ROWS, **{"y/y": [0, 1, 2]}),
        image=False,
    ),
    "a .csv of other rows": Case(
        rows("y\n0.5\n0.25\n"),
        NUMBERS,
        "2 rows for 3 samples",
        "write one row a sample, in their order",
        rows("y\n0.5\n0.25\n1\n"),
        image=False,
    ),
    "a .csv without the column": Case(
        rows("z\n0.5\n0.25\n1\n"),
        NUMBERS,
        "its first row has no column 'y'",
        "write the output's name into the first row; of several values a sample its name with _0, _1 and so on",
        rows("y_0,z,y_1\n0.5,a,2\n0.25,b,2\n1,c,3\n"),
        image=False,
    ),
    "a .csv with words": Case(
        text("file,y\na.png,rose\nmore/b.png,label 9\n"),
        CSV,
        "a cell is no number and no label",
        "write numbers with a decimal point; classes as numbers from 0, or as labels of the output's labels file",
        text("file,y\nmore/b.png,label 9\na.png,3\n"),
    ),
    "a .csv without an image's row": Case(
        text("file,y\na.png,1\nb.png,2\n"),
        CSV,
        "no row has the file 'more/b.png'",
        "write each image's path, relative to the folder of the data, into the column file",
        text("file,y\na.png,1\nmore/b.png,2\n"),
    ),
    "a .csv with two rows of an image": Case(
        text("file,y\na.png,1\nmore/b.png,2\n./a.png,3\n"),
        CSV,
        "the rows on line 2 and on line 4 have the file 'a.png', and not the same truth",
        "leave one of the rows out; of two files of that name, write the folders, too",
        text("file;y\na.png;1\nmore/b.png;2\n\n./a.png;1\n"),
    ),
    "a .csv with a longer row": Case(
        text("file,y\na.png,1\nmore/b.png,label 1,5\n"),
        CSV,
        "the number of cells is 3 in the row on line 3, and 2 in the first row",
        "write a cell for each title; a cell with a comma or a line break in it stands in double quotes",
        text('file, y\na.png, 1\n"more/b.png", "label 1"\n'),
    ),
    "a .csv with an open quote": Case(
        rows(f'y\n0.5\n"0.25{200_000 * " "}\n1\n'),
        NUMBERS,
        "the row on line 3 cannot be read: field larger than field limit (131072)",
        "close each double quote; a cell has at most 131,072 characters",
        rows('y\n0.5\n"0.25"\n1\n'),
        image=False,
    ),
    "a .csv that is none": Case(
        no_text,
        CSV,
        "it cannot be read",
        "give a .csv or .json file in UTF-8",
        text("y\n1\n2\n"),
    ),
    "a mask that is missing": Case(
        masks("a.png"),
        recipe("mask", "t"),
        "there is no b.png for the image of that name",
        "add that mask",
        masks(*NAMES),
    ),
    "masks of samples in an .npz": Case(
        lambda folder: (masks(*NAMES)(folder), data(x=np.zeros((2, 8, 8, 1), np.uint8))(folder)),
        recipe("mask", "t", "s.npz"),
        "masks are a folder of PNG files for a folder of images",
        "give both as folders; or save the masks in the .npz, as y/ and the output's name",
        recipe_right=recipe("mask", "t"),
    ),
    "what is no COCO JSON": Case(
        text("[1, 2]", "t.json"),
        BOXES,
        "it is no COCO JSON: TypeError",
        "give COCO's instances: images with id, file_name, width and height, annotations and categories",
        written(),
    ),
    "a box that is none": Case(
        written(annotations=[{"image_id": 6, "category_id": 2, "bbox": [1, 1, 1e999, 4]}]),
        BOXES,
        "image 6 has a size or a box that is none",
        "give COCO's instances: images with id, file_name, width and height, annotations and categories",
        written(),
    ),
    "an image that is not listed": Case(
        written(annotations=[{"image_id": 7, "category_id": 2, "bbox": [1, 1, 3, 4]}]),
        BOXES,
        "an annotation has image_id 7, which is not listed",
        "list every image and category",
        written(),
    ),
    "a category that is not listed": Case(
        written(categories=[]),
        BOXES,
        "an annotation has category_id 2, which is not listed",
        "list every image and category",
        written(),
    ),
    "a category that is no label": Case(
        written(categories=[{"id": 2, "name": "rose"}]),
        BOXES,
        "the category 'rose' is no label",
        "name the categories by the labels: label 0, label 1",
        written(),
    ),
    "images of other names": Case(
        written(images=[{"id": 5 + n, "file_name": f"{n}.png", "width": 8, "height": 8} for n in range(2)]),
        BOXES,
        "no image of it has the file_name 'a.png'",
        "list every image of the data, by its path relative to the folder",
        written(),
    ),
    "images of one name": Case(
        written(images=[{"id": 5 + n, "file_name": "a.png", "width": 8, "height": 8} for n in range(2)]),
        BOXES,
        "the images 5 and 6 of it have the file_name 'a.png'",
        "leave one of the images out; of two files of that name, write the folders, too",
        written(),
    ),
    "images that are not numbered by row": Case(
        in_npz(),
        recipe("boxes", "t.json", "s.npz"),
        "no image of it has the id 0",
        "number the images by their row in the .npz, from 0; or give the data as a folder of images",
        in_npz(
            images=[{"id": n, "width": 8, "height": 8} for n in range(2)],
            annotations=[{"image_id": 1, "category_id": 2, "bbox": [1, 1, 3, 4]}],
        ),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_truth_that_cannot_be_read_is_after_the_next_step(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    model(tmp_path, x=["float32", 8, 8, 1] if case.image else ["float32", 4])
    path, head = tmp_path / "recipe.toml", "[model]\npath = 'm.keras'\nid = 'm'\n[toolchain]\ntensorflow = '2.19.1'\n"
    path.write_text(head + case.recipe, "utf-8")
    case.write(tmp_path)
    with pytest.raises(RecipeError) as caught:
        planned(path)
    assert case.says in caught.value.message
    assert case.next in caught.value.hint
    (case.write_right or case.write)(tmp_path)
    path.write_text(head + (case.recipe_right or case.recipe), "utf-8")
    assert planned(path).sources


# ---------------------------------------------------------------- truth of another shape or of other classes


def given(values: Any) -> OutputTruth:
    """Return truth that came in an .npz."""
    return OutputTruth("s.npz: [checks] data: 'y/y'", np.asarray(values))


def png(folder: Path, mode: str, value: int = 1) -> OutputTruth:
    """Return one PNG mask that is all of one value."""
    Image.new("L", (4, 3), value).convert(mode).save(folder / "a.png")
    return OutputTruth("t: [checks.truth] y", masks=(folder / "a.png",))


def broken(folder: Path) -> OutputTruth:
    """Return a PNG mask that is none."""
    (folder / "a.png").write_text("none", "utf-8")
    return OutputTruth("t: [checks.truth] y", masks=(folder / "a.png",))


def classes(truth: OutputTruth) -> Any:
    """Fit classes to three samples of five."""
    return truth_fit.class_numbers(truth, (3,), 5).tolist()


def numbers(truth: OutputTruth) -> Any:
    """Fit numbers to three samples of two."""
    return truth_fit.numbers(truth, (3, 2)).tolist()


def named(truth: OutputTruth) -> Any:
    """Fit identities to three samples."""
    return truth_fit.identities(truth, 3).tolist()


def ink(truth: OutputTruth) -> Any:
    """Fit a mask of three classes."""
    return np.unique(truth_fit.masks(truth, 3, single=False)(0)).tolist()


def boxes(truth: OutputTruth) -> Any:
    """Fit boxes of three classes, in pixels of an image of 20 x 10."""
    return [found.corners.tolist() for found in truth_fit.boxes(truth, 3, (20, 10))]


BOX = [1, 2, 1, 10, 5]
FIXED: dict[str, tuple[Callable[[OutputTruth], Any], Any, str, str, Any, Any]] = {
    "too few": (
        classes,
        [0, 1],
        "has shape [2], the samples need [3]",
        "give one class number a sample",
        [0, 4, 1],
        [0, 4, 1],
    ),
    "classes from 1": (
        classes,
        [1, 5, 2],
        "holds 1..5, the model's classes are 0..4",
        "number the classes from 0, in the order of the labels",
        [0, 4, 1],
        [0, 4, 1],
    ),
    "one-hot": (classes, [[0, 1]] * 3, "has shape [3, 2]", "give one class number", np.eye(5)[[0, 4, 1]], [0, 4, 1]),
    "numbers of another shape": (
        numbers,
        [[1.0]] * 3,
        "has shape [3, 1], and the output is [3, 2]",
        "give the output's own shape",
        [[1, 2]] * 3,
        [[1, 2]] * 3,
    ),
    "NaN": (
        numbers,
        [[1.0, np.nan]] * 3,
        "holds NaN or infinity",
        "leave those samples out of the data",
        [[1, 2]] * 3,
        [[1, 2]] * 3,
    ),
    "identities of two columns": (
        named,
        [[1, 2]] * 3,
        "has shape [3, 2] for 3 samples",
        "give one identity a sample: a number",
        [7, 7, 9],
        [7, 7, 9],
    ),
    "masks of one row": (
        ink,
        [[1, 2]] * 3,
        "has shape [3, 2], and masks are [N, height, width]",
        "save one class number a pixel",
        [[[1, 2], [0, 255]]],
        [-1, 0, 1, 2],
    ),
    "a mask of another class": (
        ink,
        [[[1, 3]]],
        "holds 1..3, the model's classes are 0..2",
        "number the classes from 0, in the order of the channels; 255 is a pixel that is not counted",
        [[[1, 2]]],
        [1, 2],
    ),
    "boxes without a class": (
        boxes,
        [[BOX[1:]]],
        "has shape [1, 1, 4], and boxes are [N, most, 5]",
        "save class, left, top, right and bottom of each box, and rows of class -1 where a sample has fewer",
        [[BOX, [-1, 0, 0, 0, 0]]],
        [[[0.1, 0.1, 0.5, 0.5]]],
    ),
    "a box beyond the labels": (
        boxes,
        [[[3, *BOX[1:]]]],
        "has a box of class 3, and the labels are 0..2",
        "number the classes from 0, in the order of the labels",
        [[BOX]],
        [[[0.1, 0.1, 0.5, 0.5]]],
    ),
}


@pytest.mark.parametrize("name", FIXED)
def test_truth_that_does_not_fit_does_after_the_next_step(name: str) -> None:
    fit, wrong, says, step, right, found = FIXED[name]
    with pytest.raises(RecipeError) as caught:
        fit(given(wrong))
    assert says in caught.value.message
    assert step in caught.value.hint
    made = fit(given(right))
    assert np.allclose(np.asarray(made, float), np.asarray(found, float))


def test_a_mask_in_colours_or_broken_is_saved_again(tmp_path: Path) -> None:
    for coloured in (True, False):
        says = "it has colours" if coloured else "cannot identify"
        with pytest.raises(RecipeError, match=f"a.png is no mask: {says}") as caught:
            ink(png(tmp_path, "RGB") if coloured else broken(tmp_path))
        assert caught.value.hint == "save one class number a pixel, in a PNG with a palette or in grayscale"
    assert ink(png(tmp_path, "L")) == ink(png(tmp_path, "P")) == [1]
    single = truth_fit.masks(png(tmp_path, "L", 255), 2, single=True)
    assert np.unique(single(0)).tolist() == [1], "black and white masks are of class 0 and 1"
