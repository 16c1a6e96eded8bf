"""`emulate --labels`: which row of the truth is a file's, how its .csv may be written, and arrays of text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from test_emulate_model_file import MODEL, scored
from worlds import run_kit

from kit.build.truth import OutputTruth
from kit.build.truth_table import read_table
from kit.errors import RecipeError
from kit.recipe.output import Output
from kit.scoring.samples import Run
from kit.scoring.truth_file import read_truths

ALBUM = ("album/0.png", "album/1.png")
TWO = ("a/x.png", "b/x.png")
LABELS = ["cat", "dog", "10"]


def accuracy(truth: Path, files: tuple[str, ...] = ALBUM) -> float:
    """Return the share of two samples that are of class 1 in the truth."""
    (found,) = scored(truth, files)
    (value,) = [metric.after for metric in found.metrics if metric.name == "accuracy"]
    assert value is not None
    return value


def written(folder: Path, text: str, name: str = "truth.csv") -> Path:
    """Write a file of truth."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, "utf-8")
    return folder / name


def of(kind: str, truth: Path, files: tuple[str, ...] = TWO, *, images: bool = True) -> OutputTruth:
    """Return what is true of an output of a kind, by the name `found`."""
    output = Output.model_construct(name="found", kind=kind)
    run = Run({"found": np.zeros((len(files), 4), np.float32)}, files, alone=True, images=images, errors=False)
    return read_truths(truth, run, [output], {"found": LABELS})["found"]


def instances(*names: str) -> str:
    """Return COCO's JSON of images by these names."""
    images = ", ".join(
        f'{{"id": {number}, "file_name": "{name}", "width": 8, "height": {8 + number}}}'
        for number, name in enumerate(names)
    )
    return f'{{"images": [{images}], "categories": [], "annotations": []}}'


# ---------------------------------------------------------------- which row is a file's


CELLS = "album/{}.png", "./album/{}.png", "../album/{}.png", "{here}/album/{}.png", "{}.png", " album/{}.png"


@pytest.mark.parametrize("cells", [*CELLS, "n/../{}.png"])
def test_a_row_is_found_as_given_from_the_csvs_folder_or_by_the_last_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cells: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = "album" if cells.startswith("n/") else "truths"
    rows = "".join(f"{cells.format(number, here=tmp_path)},{number}\n" for number in range(2))
    truth = written(tmp_path, f"file,digit\n{rows}", f"{folder}/truth.csv")
    assert accuracy(truth) == accuracy(truth.relative_to(tmp_path)) == 0.5
    assert accuracy(truth, tuple(str(tmp_path / name) for name in ALBUM)) == 0.5
    assert accuracy(truth, (ALBUM[1], ALBUM[1])) == 1, "a file may be given twice"


def test_as_given_goes_before_the_csvs_folder_and_a_link_is_the_file_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    truth = written(tmp_path, "file,digit\nx.png,1\nb/x.png,2\n", "b/truth.csv")
    assert accuracy(truth, ("x.png", "b/x.png")) == 0.5
    (tmp_path / "link").symlink_to("b")
    assert accuracy(written(tmp_path, "file,digit\n../b/x.png,1\n", "c/truth.csv"), ("link/x.png",) * 2) == 1


def test_a_file_without_a_row_is_named_as_given_and_its_path_may_be_written(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"no row has the file 'album/1\.png'") as caught:
        accuracy(written(tmp_path, "file,digit\nalbum/0.png,1\nother/1.png,1\n"))
    assert caught.value.hint == (
        "write it into the column file: as it is given, as a path from the folder of truth.csv, or its last part alone"
    )
    assert accuracy(written(tmp_path, "file,digit\nalbum/0.png,1\n1.png,1\n")) == 1
    with pytest.raises(RecipeError, match=r"no image has the file 'b/x\.png'") as caught:
        of("boxes", written(tmp_path, instances("a/x.png"), "truth.json"))
    assert "write it into file_name: as it is given" in caught.value.hint


@pytest.mark.parametrize("rows", ["x.png,1\n", "x.png,1\nx.png,2\n", "x.png,1\nx.png,1\n"])
def test_a_last_part_that_fits_two_files_is_refused_until_the_folders_are_written(tmp_path: Path, rows: str) -> None:
    with pytest.raises(RecipeError, match=r"the row of 'x\.png' fits two files, 'a/x\.png' and 'b/x\.png'") as caught:
        accuracy(written(tmp_path, f"file,digit\n{rows}"), TWO)
    assert caught.value.hint == "write one row for each of them, with the folder in the column file"
    assert accuracy(written(tmp_path, "file,digit\na/x.png,1\nb/x.png,2\n"), TWO) == 0.5


def test_boxes_of_a_last_part_that_fits_two_files_are_refused_until_the_folders_are_written(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"the image of 'x\.png' fits two files") as caught:
        of("boxes", written(tmp_path, instances("x.png"), "truth.json"))
    assert caught.value.hint == "write one image for each of them, with the folder in file_name"
    found = of("boxes", written(tmp_path, instances("b/x.png", "a/x.png"), "truth.json"))
    assert [boxes.size for boxes in found.boxes] == [(8, 9), (8, 8)]


def test_a_mask_of_two_files_is_refused_and_each_folder_has_its_own(tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    Image.new("L", (4, 4)).save(tmp_path / "masks" / "x.png")
    with pytest.raises(RecipeError, match=r"x\.png is the mask of two files, 'a/x.jpg' and 'b/x.png'") as caught:
        of("mask", tmp_path / "masks", ("a/x.jpg", "b/x.png"))
    assert caught.value.hint == "run the files of each folder alone, with a folder of their masks"
    assert of("mask", tmp_path / "masks", ("a/x.jpg",)).masks == (tmp_path / "masks" / "x.png",)


def test_two_rows_of_a_file_are_refused_where_they_differ(tmp_path: Path) -> None:
    same = "file,digit,more\n0.png,1,a\n1.png,2,b\n0.png, 1,c\n"
    assert accuracy(written(tmp_path, same)) == 0.5
    with pytest.raises(RecipeError, match=r"rows on line 2 and on line 5 have the file '0\.png'") as caught:
        accuracy(written(tmp_path, f"{same}0.png,2,d\n"))
    assert caught.value.hint.startswith("leave one of the rows out")
    with pytest.raises(RecipeError, match=r"'album/0\.png' and '\./album/0\.png' are both the file") as caught:
        accuracy(written(tmp_path, "file,digit\nalbum/0.png,1\n./album/0.png,2\n1.png,1\n"))
    assert caught.value.hint == "leave one of these rows out"
    assert accuracy(written(tmp_path, "file,digit\n./album/0.png,2\n1.png,1\n")) == 0.5


# ---------------------------------------------------------------- how a .csv may be written


@pytest.mark.parametrize(
    "text",
    [
        "file,digit\n0.png,1\n1.png,2\n\n\n",
        "\nfile,digit\n\n0.png,1\n  \r\n1.png,2",
        "file;digit\n0.png;1\n1.png;2\n",
        "file\tdigit\n0.png\t1\n1.png\t2\n",
        "file, digit\n0.png, 1\n1.png, 2\n",
        '"file", "digit"\n"0.png", "1"\n"1.png", "2"\n',
        "file ,digit \n0.png ,1\n1.png,2 \n",
        "\ufefffile,digit\r0.png,1\r1.png,2\r",
        "digit\n1\n\n2\n",
    ],
)
def test_blank_lines_blanks_semicolons_and_tabs_are_as_good(tmp_path: Path, text: str) -> None:
    assert accuracy(written(tmp_path, text)) == 0.5


@pytest.mark.parametrize(("row", "cells"), [("1.png", 1), ("1.png,2,3", 3), ('"1.png,2', 1)])
def test_a_row_with_another_number_of_cells_is_named_by_its_line(tmp_path: Path, row: str, cells: int) -> None:
    says = f"the number of cells is {cells} in the row on line 4, and 2 in the first row"
    with pytest.raises(RecipeError, match=says) as caught:
        accuracy(written(tmp_path, f"file,digit\n\n0.png,1\n{row}\n2.png,1\n"))
    assert caught.value.hint == (
        "write a cell for each title; a cell with a comma or a line break in it stands in double quotes"
    )
    assert accuracy(written(tmp_path, 'file,digit\n\n0.png,1\n"1.png",2\n'), ALBUM) == 0.5


def test_a_title_with_a_semicolon_that_is_an_outputs_name_is_no_row_of_titles(tmp_path: Path) -> None:
    run = Run({"a;b": np.zeros((2, 1), np.float32)}, ALBUM, alone=True, images=True, errors=False)
    output = Output.model_construct(name="a;b", kind="tensor")
    values = read_truths(written(tmp_path, "a;b\n1\n2\n"), run, [output], {})["a;b"].values
    assert values is not None
    assert values.tolist() == [1, 2]


# ---------------------------------------------------------------- arrays


def saved(folder: Path, y: Any) -> Path:
    """Write an .npz with y."""
    np.savez(folder / "truth.npz", y=y)
    return folder / "truth.npz"


def values(kind: str, truth: Path) -> NDArray[Any]:
    """Return the array that is true of an output `found` of a kind, with labels."""
    found = of(kind, truth).values
    assert found is not None
    return found


def test_labels_and_numbers_that_are_text_are_classes_as_in_a_csv(tmp_path: Path) -> None:
    assert values("classes", saved(tmp_path, np.array(["dog", "0"]))).tolist() == [1, 0]
    assert values("classes", saved(tmp_path, np.array([["10"], ["cat"]]))).tolist() == [[2], [0]]
    assert accuracy(saved(tmp_path, np.array(["1", "2"]))) == 0.5
    assert values("embedding", saved(tmp_path, np.array(["ann", "bo"]))).tolist() == [0, 1]
    with pytest.raises(RecipeError, match=r"'y': a cell is no number and no label: .* 'bird'"):
        values("classes", saved(tmp_path, np.array(["dog", "bird"])))


@pytest.mark.parametrize(
    ("kind", "y", "what"),
    [
        ("classes", np.array([1j, 0]), "complex128"),
        ("classes", np.array([b"dog", b"cat"]), "text"),
        ("classes", np.array(["2020-01-01"] * 2, "datetime64[D]"), r"datetime64\[D\]"),
        ("embedding", np.array([1j, 0]), "complex128"),
    ],
)
def test_arrays_that_are_no_real_numbers_are_refused(tmp_path: Path, kind: str, y: NDArray[Any], what: str) -> None:
    with pytest.raises(RecipeError, match=f"'y' holds {what}, and the truth of 'found' is real numbers") as caught:
        values(kind, saved(tmp_path, y))
    assert caught.value.hint == (
        "save one sample a row as real numbers; labels of classes, and identities, may be text: numpy's type str"
    )
    assert values(kind, saved(tmp_path, np.array(["cat", "dog"]))).tolist() == [0, 1]


def test_numbers_that_are_text_are_no_tensor(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {"y/found": np.array(["1", "2"])}
    np.savez(tmp_path / "truth.npz", **arrays)
    with pytest.raises(RecipeError, match="'y/found' holds text"):
        of("tensor", tmp_path / "truth.npz")


def test_an_empty_name_is_refused_and_not_taken_for_none(tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    for words in (("--labels", ""), ("--labels=",)):
        done = run_kit("emulate", str(MODEL), *words, "--", "a.png", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            "recipe: --labels: the name is empty\n  next: name the file or folder of the truth, or leave --labels out\n"
        )
    written(tmp_path, "file,digit\na.png,1\n")
    for right in (["--labels", "truth.csv"], []):
        assert run_kit("emulate", str(MODEL), *right, "--", "a.png", cwd=tmp_path).returncode == 0


# ---------------------------------------------------------------- columns of several values


def test_columns_of_an_output_are_in_the_order_of_their_numbers_without_a_hole(tmp_path: Path) -> None:
    def columns(titles: str) -> list[int]:
        return read_table(written(tmp_path, f"{titles}\n"), "truth", ("found",)).columns("found", "truth")

    for titles, what in (
        ("found_0,found_2", "no column found_1"),
        ("found_2,found_3", "no column found_0"),
        ("found_0,found_0", "more than one column found_0"),
        ("found,found", "more than one column found"),
    ):
        with pytest.raises(RecipeError, match=f"truth: its first row has {what}\n") as error:
            columns(titles)
        assert error.value.hint == "give each column of an output its own number, from 0 or from 1 on without a hole"
    assert columns("file,found_1,found_0") == [2, 1]
    assert columns("found_1,file,found_2") == [0, 2]
    assert columns("found_0,found") == [1]
    assert columns("found_score") == []
