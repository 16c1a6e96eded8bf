"""What a user's data becomes: pixels and floats in .npz files, folders of images, labels; and what is refused."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kit.build import samples
from kit.build.image_input import image_entry
from kit.bundle.signature import ImageEntry
from kit.errors import RecipeError
from kit.recipe.labels import read_labels
from kit.recipe.load import load_recipe
from kit.recipe.schema import Recipe
from kit.source_model.model_file import ModelFile

Array = np.ndarray[Any, Any]

MODEL = ModelFile(Path("m.keras"), ".keras", "3.15.1", {"image": (4, 4, 1)}, ())
IMAGE = "[[inputs]]\nname = 'image'\nkind = 'image'\nmean = [0.0]\nstd = [255.0]\n"
TENSOR = "[[inputs]]\nname = 'image'\n"
CLASSES = "[[outputs]]\nname = 'digit'\nkind = 'classes'\n"
RNG = np.random.default_rng(7)
PIXELS = RNG.integers(0, 256, (6, 4, 4, 1), dtype=np.uint8)


def recipe(folder: Path, data: str, tables: str = IMAGE + CLASSES, checks: str = "", count: int = 200) -> Recipe:
    """Return a recipe in folder that names data as both its calibration and its test data."""
    (folder / "m.keras").touch()
    text = (
        f"[model]\npath = 'm.keras'\nid = 'm'\n{tables}"
        f"[quantize]\nscheme = 'int8'\nrepresentative = '{data}'\ncount = {count}\n[checks]\ndata = '{data}'\n{checks}"
    )
    (folder / "recipe.toml").write_text(text, "utf-8")
    return load_recipe(folder / "recipe.toml")


def calibration(folder: Path, data: str, **options: Any) -> samples.Samples:
    """Read data as calibration samples."""
    read = samples.representative(recipe(folder, data, **options), MODEL, folder)
    assert read is not None
    return read


def evaluation(folder: Path, data: str, **options: Any) -> samples.Samples:
    """Read data as test data."""
    read = samples.test_data(recipe(folder, data, **options), MODEL, folder)
    assert read is not None
    return read


def refusal(folder: Path, data: str, **options: Any) -> RecipeError:
    """Return how data is refused, as calibration and as test data alike."""
    with pytest.raises(RecipeError) as first:
        calibration(folder, data, **options)
    with pytest.raises(RecipeError) as second:
        evaluation(folder, data, **options)
    assert first.value.message.replace("[quantize] representative", "[checks] data") == second.value.message
    return first.value


def npz(folder: Path, arrays: Mapping[str, Any]) -> str:
    """Write an .npz file into folder and return its name."""
    np.savez(folder / "s.npz", **arrays)
    return "s.npz"


def write_image(path: Path, gray: int, size: tuple[int, int] = (4, 4)) -> None:
    """Write an image of one gray, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, gray).save(path)


# ---------------------------------------------------------------- .npz files


def test_uint8_of_an_image_stays_pixels(tmp_path: Path) -> None:
    read = calibration(tmp_path, npz(tmp_path, {"image": PIXELS}))
    np.testing.assert_array_equal(read.inputs["image"], PIXELS)
    assert read.inputs["image"].dtype == np.uint8


def test_floats_are_the_models_own_values_and_are_not_normalized_again(tmp_path: Path) -> None:
    values = RNG.uniform(0, 1, (3, 4, 4, 1)).astype(np.float32)
    read = calibration(tmp_path, npz(tmp_path, {"image": values}))
    np.testing.assert_array_equal(read.inputs["image"], values)


@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_pixels_saved_as_another_type_are_refused_with_both_ranges(tmp_path: Path, dtype: str) -> None:
    pixels = np.linspace(0, 255, 32).reshape(2, 4, 4, 1).astype(dtype)
    error = refusal(tmp_path, npz(tmp_path, {"image": pixels}))
    assert "'image' holds 0..255, but mean and std turn pixels into 0..1" in error.message
    assert "save pixels as uint8" in error.hint


def test_floats_that_were_normalized_the_other_way_are_refused(tmp_path: Path) -> None:
    values = np.linspace(-1, 1, 16).reshape(1, 4, 4, 1)
    assert (
        "holds -1..1, but mean and std turn pixels into 0..1"
        in refusal(tmp_path, npz(tmp_path, {"image": values})).message
    )
    calibration(tmp_path, "s.npz", tables=IMAGE.replace("[0.0]", "[127.5]").replace("[255.0]", "[127.5]"))


def test_each_channel_has_its_own_range(tmp_path: Path) -> None:
    tables = IMAGE.replace("[0.0]", "[0.0, 0.0, 0.0]").replace("[255.0]", "[1.0, 255.0, -255.0]")
    values = np.zeros((2, 4, 4, 3))
    values[0, ..., 0], values[0, ..., 2] = 255, -1
    read = calibration(tmp_path, npz(tmp_path, {"image": values}), tables=tables)
    np.testing.assert_array_equal(read.inputs["image"], values)


def test_a_hair_beyond_the_range_is_no_fault(tmp_path: Path) -> None:
    values = np.full((1, 4, 4, 1), 1.004)
    np.testing.assert_array_equal(calibration(tmp_path, npz(tmp_path, {"image": values})).inputs["image"], values)


def test_a_tensor_is_taken_as_it_is_whatever_its_type(tmp_path: Path) -> None:
    read = calibration(tmp_path, npz(tmp_path, {"image": PIXELS}), tables=TENSOR)
    np.testing.assert_array_equal(read.inputs["image"], PIXELS)
    assert read.inputs["image"].dtype == np.uint8


def test_images_need_no_axis_of_one_channel(tmp_path: Path) -> None:
    assert calibration(tmp_path, npz(tmp_path, {"image": PIXELS[..., 0]})).inputs["image"].shape == (6, 4, 4)


def test_calibration_takes_count_samples_the_same_ones_each_time_in_the_datas_order(tmp_path: Path) -> None:
    values = np.arange(1000.0)[:, None]
    name = npz(tmp_path, {"image": values, "y": np.arange(1000)})
    first, second = (calibration(tmp_path, name, tables=TENSOR, count=50) for _ in range(2))
    chosen = first.inputs["image"][:, 0]
    assert len(first) == len(set(chosen)) == 50
    assert list(chosen) == sorted(chosen)
    assert max(chosen) > 500
    np.testing.assert_array_equal(chosen, second.inputs["image"][:, 0])
    np.testing.assert_array_equal(chosen, first.y)


def test_test_data_is_all_of_it(tmp_path: Path) -> None:
    read = evaluation(tmp_path, npz(tmp_path, {"image": PIXELS, "y": np.arange(6)}), count=2)
    assert len(read) == 6
    assert read.y is not None
    assert set(read.arrays()) == {"input/image", "y"}


def test_large_arrays_are_mapped_and_the_same(tmp_path: Path) -> None:
    images = RNG.integers(0, 256, (40, 200, 200, 3), dtype=np.uint8)
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "large.npz", image=images, y=np.arange(40))
        read = evaluation(tmp_path, "large.npz")
        assert isinstance(read.inputs["image"], np.memmap)
        assert not isinstance(read.y, np.memmap)
        np.testing.assert_array_equal(read.inputs["image"], images)


def test_a_damaged_large_array_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "large.npz", image=RNG.integers(0, 256, (40, 200, 200, 3), dtype=np.uint8))
    content = bytearray((tmp_path / "large.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "large.npz").write_bytes(content)
    assert "not a whole .npz file of plain arrays: Bad CRC-32" in refusal(tmp_path, "large.npz").message


def test_a_recipe_without_data_has_none(tmp_path: Path) -> None:
    (tmp_path / "m.keras").touch()
    (tmp_path / "recipe.toml").write_text("[model]\npath = 'm.keras'\nid = 'm'\n", "utf-8")
    plain = load_recipe(tmp_path / "recipe.toml")
    assert samples.representative(plain, MODEL, tmp_path) is None
    assert samples.test_data(plain, MODEL, tmp_path) is None


def test_a_limit_on_accuracy_needs_classes(tmp_path: Path) -> None:
    name = npz(tmp_path, {"image": PIXELS})
    with pytest.raises(RecipeError, match="max_drop needs y, and the data has none"):
        evaluation(tmp_path, name, checks="max_drop = 0.1")
    evaluation(tmp_path, npz(tmp_path, {"image": PIXELS, "y": np.zeros(6)}), checks="max_drop = 0.1")


# ---------------------------------------------------------------- .npz files that are none, or hold the wrong thing


class Trap:
    """Unpickling it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_pickle_in_the_data_is_refused_and_never_run(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    trap = np.array([Trap(sprung)], dtype=object)
    error = refusal(tmp_path, npz(tmp_path, {"image": trap}))
    assert "not a whole .npz file of plain arrays" in error.message
    with (tmp_path / "s.npz").open("wb") as file:
        np.save(file, trap)
    assert "it is a .npy file" in refusal(tmp_path, "s.npz").message
    assert not sprung.exists()


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "it is empty"), (b"hello", "it is not a zip file"), (b"PK", "it is not a zip file")]
)
def test_a_file_that_only_has_the_name_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "s.npz").write_bytes(content)
    error = refusal(tmp_path, "s.npz")
    assert reason in error.message
    assert "pickle" not in error.message  # numpy's own advice would be to load it unsafely


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_file_that_was_cut_short_or_damaged_is_refused(tmp_path: Path, save: Any) -> None:
    save(tmp_path / "whole.npz", image=PIXELS)
    whole = (tmp_path / "whole.npz").read_bytes()
    for length in range(0, len(whole), 20):
        (tmp_path / "s.npz").write_bytes(whole[:length])
        refusal(tmp_path, "s.npz")
    for place in range(150, len(whole) - 150, 5):
        (tmp_path / "s.npz").write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        refusal(tmp_path, "s.npz")


@pytest.mark.parametrize("shape", ["(1000000000000000000,)", "(-1,)", "('a',)", "(2, 2)", "(True,)"])
def test_an_array_that_lies_about_its_shape_is_refused(tmp_path: Path, shape: str) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(2, np.uint8))
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
    content = buffer.getvalue()[:8] + len(header).to_bytes(2, "little") + header.encode() + b"\0\0"
    with zipfile.ZipFile(tmp_path / "s.npz", "w") as archive:
        archive.writestr("image.npy", content)
    assert "not a whole .npz file" in refusal(tmp_path, "s.npz").message


def test_a_zip_of_something_else_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "s.npz", "w") as archive:
        archive.writestr("image.txt", "hello")
    assert "'image.txt' in it is no array" in refusal(tmp_path, "s.npz").message


@pytest.mark.parametrize(
    "bad",
    [
        np.array(1),
        np.array(["a"] * 6),
        np.array([b"a"] * 6),
        np.array([1j] * 6),
        np.zeros(6, "datetime64[D]"),
        np.zeros(6, [("a", "i4")]),
    ],
    ids=["0-d", "text", "bytes", "complex", "dates", "records"],
)
@pytest.mark.parametrize("name", ["image", "y"])
def test_what_is_no_array_of_numbers_is_refused_by_its_name(tmp_path: Path, name: str, bad: Array) -> None:
    error = refusal(tmp_path, npz(tmp_path, {"image": PIXELS, name: bad}), tables=TENSOR)
    assert f"'{name}' is not an array of numbers [N, ...]" in error.message


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({}, "it holds no inputs"),
        ({"y": np.arange(6)}, "it holds no inputs"),
        ({"image": PIXELS, "y": np.arange(5)}, "image has 6, y has 5"),
        ({"image": PIXELS, "other": PIXELS[:2]}, "image has 6, other has 2"),
        ({"image": PIXELS[:0]}, "at least one: image has 0"),
        ({"image": np.zeros((6, 0, 4, 1))}, "nothing is in it"),
        ({"image": np.zeros((6, 4, 4, 2), np.uint8)}, "kind 'image' cannot be [4, 4, 2]"),
        ({"image": np.zeros(6, np.uint8)}, "kind 'image' cannot be []"),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(tmp_path: Path, arrays: dict[str, Array], reason: str) -> None:
    assert reason in refusal(tmp_path, npz(tmp_path, arrays)).message


@pytest.mark.parametrize("name", ["s.csv", "s", "s.npy"])
def test_another_kind_of_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"1,2\n")
    assert "give a .npz file or a folder of images" in refusal(tmp_path, name).hint


# ---------------------------------------------------------------- folders of images


def test_a_folder_of_images_is_calibration_data_sorted_by_path(tmp_path: Path) -> None:
    for name, gray in (("b.png", 20), ("a/z.JPG", 10), ("c.bmp", 30)):
        write_image(tmp_path / "photos" / name, gray, size=(8, 6))
    (tmp_path / "photos" / "notes.txt").write_text("not an image", "utf-8")
    read = calibration(tmp_path, "photos")
    assert read.inputs["image"].shape == (3, 4, 4, 1)
    assert read.inputs["image"][:, 0, 0, 0].tolist() == [10, 20, 30]
    assert read.y is None


def test_only_count_images_are_opened(tmp_path: Path) -> None:
    for i in range(10):
        write_image(tmp_path / "photos" / f"{i}.png", i)
    opened = calibration(tmp_path, "photos", count=3).inputs["image"][:, 0, 0, 0].tolist()
    assert len(opened) == 3
    for i in set(range(10)) - set(opened):
        (tmp_path / "photos" / f"{i}.png").write_bytes(b"broken")
    assert calibration(tmp_path, "photos", count=3).inputs["image"][:, 0, 0, 0].tolist() == opened


def test_label_folders_give_the_classes_in_the_order_of_the_labels(tmp_path: Path) -> None:
    for label, gray in (("cat", 1), ("dog", 2), ("ant", 3)):
        write_image(tmp_path / "photos" / label / "1.png", gray)
    (tmp_path / "labels.txt").write_text("dog\ncat\nant\n", "utf-8")
    read = evaluation(tmp_path, "photos", tables=IMAGE + CLASSES + "labels = 'labels.txt'\n")
    assert read.y is not None
    grays = read.inputs["image"][:, 0, 0, 0].tolist()
    assert dict(zip(grays, read.y.tolist(), strict=True)) == {1: 1, 2: 0, 3: 2}


def test_without_labels_the_folders_count_in_the_order_of_their_names(tmp_path: Path) -> None:
    for label in ("b", "a", "c"):
        write_image(tmp_path / "photos" / label / "deep" / "1.png", 1)
    read = evaluation(tmp_path, "photos")
    assert read.y is not None
    assert read.y.tolist() == [0, 1, 2]


def test_images_without_label_folders_have_no_classes(tmp_path: Path) -> None:
    write_image(tmp_path / "photos" / "1.png", 1)
    assert evaluation(tmp_path, "photos").y is None


def test_a_folder_that_is_no_label_is_named(tmp_path: Path) -> None:
    write_image(tmp_path / "photos" / "kat" / "1.png", 1)
    (tmp_path / "labels.txt").write_text("cat\ndog\n", "utf-8")
    with pytest.raises(RecipeError, match="folder 'kat' is no label") as caught:
        evaluation(tmp_path, "photos", tables=IMAGE + CLASSES + "labels = 'labels.txt'\n")
    assert "cat, dog" in caught.value.hint


def test_an_image_beside_the_label_folders_is_named(tmp_path: Path) -> None:
    write_image(tmp_path / "photos" / "cat" / "1.png", 1)
    write_image(tmp_path / "photos" / "stray.png", 1)
    with pytest.raises(RecipeError, match=r"stray\.png lies beside the label folders"):
        evaluation(tmp_path, "photos")


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photos" / "album.png").mkdir(parents=True)
    assert "no images in that folder" in refusal(tmp_path, "photos").message


def test_a_broken_image_is_named(tmp_path: Path) -> None:
    write_image(tmp_path / "photos" / "1.png", 1)
    (tmp_path / "photos" / "2.png").write_bytes((tmp_path / "photos" / "1.png").read_bytes()[:40])
    error = refusal(tmp_path, "photos")
    assert "2.png is not an image" in error.message
    assert error.hint == "replace or remove that file"


@pytest.mark.parametrize(
    "tables", ["", TENSOR, IMAGE + "[[inputs]]\nname = 'other'\n", IMAGE + IMAGE.replace("'image'\nk", "'b'\nk")]
)
def test_a_folder_needs_one_input_that_is_an_image(tmp_path: Path, tables: str) -> None:
    write_image(tmp_path / "photos" / "1.png", 1)
    assert (
        "a folder of images needs exactly one input, of kind 'image'"
        in refusal(tmp_path, "photos", tables=tables).message
    )


def test_the_size_of_images_can_come_from_the_recipe(tmp_path: Path) -> None:
    write_image(tmp_path / "photos" / "1.png", 1)
    read = calibration(tmp_path, "photos", tables=IMAGE + "shape = [2, 3]\n")
    assert read.inputs["image"].shape == (1, 2, 3)


def test_a_size_that_nobody_says_is_asked_for(tmp_path: Path) -> None:
    write_image(tmp_path / "photos" / "1.png", 1)
    named = recipe(tmp_path, "photos")
    for shape in ((None, None, 1), ()):
        model = ModelFile(Path("m.keras"), ".keras", "3.15.1", {"image": shape}, ())
        with pytest.raises(RecipeError, match="the size of images for 'image' is not known") as caught:
            samples.representative(named, model, tmp_path)
        assert "shape = [height, width, channels]" in caught.value.hint


def test_the_size_of_an_input_with_another_name_is_the_models_own(tmp_path: Path) -> None:
    write_image(tmp_path / "photos" / "1.png", 1)
    tables = IMAGE.replace("'image'\n", "'photo'\nsource = 'image'\n", 1)
    found = samples.representative(recipe(tmp_path, "photos", tables=tables), MODEL, tmp_path)
    assert found is not None
    assert found.inputs["photo"].shape == (1, 4, 4, 1)


def test_an_axis_that_stays_open_is_no_size(tmp_path: Path) -> None:
    write_image(tmp_path / "photos" / "1.png", 1)
    error = refusal(tmp_path, "photos", tables=IMAGE + "shape = [-1, -1, 1]\n")
    assert "the size of images for 'image' is not known" in error.message


def test_a_size_that_no_memory_holds_is_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "photos" / "1.png", 1)
    error = refusal(tmp_path, "photos", tables=IMAGE + "shape = [100000000, 100000000]\n")
    assert "an image of [100000000, 100000000] does not fit into memory" in error.message


# ---------------------------------------------------------------- what an image's input is


@pytest.mark.parametrize(
    ("shape", "tables", "color"),
    [((4, 4, 3), IMAGE, "rgb"), ((4, 4, 3), IMAGE + "color = 'bgr'\n", "bgr"), ((4, 4), IMAGE, "grayscale")],
)
def test_color_follows_the_channels_unless_the_recipe_says_it(
    tmp_path: Path, shape: tuple[int, ...], tables: str, color: str
) -> None:
    (tmp_path / "s.npz").touch()
    image = image_entry(recipe(tmp_path, "s.npz", tables=tables).inputs[0], shape)
    assert image == ImageEntry(color, "stretch", (0.0,), (255.0,))


def test_calibration_reads_letterboxed_images_with_their_pad_color(tmp_path: Path) -> None:
    write_image(tmp_path / "photos" / "1.png", 200)
    found = calibration(tmp_path, "photos", tables=IMAGE + "shape = [16, 4]\nresize = 'letterbox'\npad_color = [7]\n")
    assert set(np.unique(found.inputs["image"])) == {7, 200}
    assert (found.inputs["image"][0, 6:10] == 200).all()


def test_without_mean_and_std_pixels_go_in_as_they_are(tmp_path: Path) -> None:
    tables = "[[inputs]]\nname = 'image'\nkind = 'image'\n"
    np.testing.assert_array_equal(
        calibration(tmp_path, npz(tmp_path, {"image": PIXELS}), tables=tables).inputs["image"], PIXELS
    )


@pytest.mark.parametrize(
    ("tables", "shape", "reason"),
    [
        (IMAGE + "color = 'rgb'\n", (4, 4, 1), "color 'rgb' does not fit 1 channels"),
        (IMAGE + "color = 'grayscale'\n", (4, 4, 3), "color 'grayscale' does not fit 3 channels"),
        (IMAGE.replace("[0.0]", "[1, 2]").replace("[255.0]", "[1, 2]"), (4, 4, 3), "2 means for 3 channels"),
        (IMAGE, (4, 4, 4), "kind 'image' cannot be [4, 4, 4]"),
        (IMAGE, (4,), "kind 'image' cannot be [4]"),
    ],
)
def test_an_image_that_does_not_fit_its_shape_is_refused(
    tmp_path: Path, tables: str, shape: tuple[int, ...], reason: str
) -> None:
    error = refusal(tmp_path, npz(tmp_path, {"image": np.zeros((2, *shape), np.uint8)}), tables=tables)
    assert reason in error.message


# ---------------------------------------------------------------- labels


@pytest.mark.parametrize("content", [b"cat\ndog\n", b"cat\r\ndog", b"\xef\xbb\xbfcat\ndog\n\n\n", b"  cat \ndog\t\n"])
def test_labels_are_one_a_line_whatever_editor_wrote_them(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(content)
    assert read_labels(path) == ["cat", "dog"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no labels"),
        (b"\n \n", "no labels"),
        (b"cat\n\ndog\n", "a blank line among the labels"),
        (b"caf\xe9\n", "labels cannot be read"),
    ],
)
def test_labels_that_cannot_name_classes_are_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=reason) as caught:
        read_labels(path)
    assert str(path) in caught.value.message


def test_a_folder_in_the_place_of_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="labels cannot be read"):
        read_labels(tmp_path)
