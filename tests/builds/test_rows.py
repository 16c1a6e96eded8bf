"""Samples that are made when they are asked for are the numbers that whole arrays would have been."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from kit.shared.job import InputSpec, TensorSpec
from kit.shared.lazy import Lazy, chained, keyed, mapped
from kit.shared.npz import map_npz, save_npz
from kit.shared.preprocess import normalize, quantize
from kit.shared.rows import Rows, fed_rows, given_rows, whole_calls

RNG = np.random.default_rng(7)
PIXELS = RNG.integers(0, 256, (11, 6, 5, 3), dtype=np.uint8)
INT8 = TensorSpec("image", (1, 6, 5, 3), "int8", scale=0.0183, zero_point=-7)


@pytest.mark.parametrize("count", [1, 3])
def test_pixels_are_normalized_and_quantized_as_whole_arrays_are(count: int) -> None:
    mean, std = (123.7, 116.3, 103.5)[:count], (58.4, 57.1, 57.4)[:count]
    request = InputSpec("image", image=True, mean=mean, std=std)
    rows = given_rows(PIXELS, request, (6, 5, 3), "float32")
    wanted = normalize(PIXELS, mean, std)
    assert isinstance(rows, Rows)
    assert (rows.shape, rows.dtype, rows.ndim, len(rows)) == (wanted.shape, wanted.dtype, 4, 11)
    fed = fed_rows(rows, INT8)
    for at in (slice(None), slice(3, 7), np.array([10, 0, 10]), 4, -1):
        np.testing.assert_array_equal(rows[at], wanted[at])
        np.testing.assert_array_equal(fed[at], quantize(wanted, 0.0183, -7, "int8")[at])
    assert fed.dtype == np.int8


def test_a_gray_image_needs_no_axis_of_one_channel() -> None:
    request = InputSpec("image", image=True, mean=(127.5,), std=(127.5,))
    gray = PIXELS[..., 0]
    np.testing.assert_array_equal(
        given_rows(gray, request, (6, 5, 1), "float32")[:], normalize(gray, (127.5,), (127.5,))[..., None]
    )


def test_other_numbers_are_cast_and_quantized_row_by_row() -> None:
    values = RNG.normal(0, 1, (9, 4))
    rows = given_rows(values, InputSpec("x"), (2, 2), "float32")
    wanted = values.astype(np.float32).reshape(9, 2, 2)
    np.testing.assert_array_equal(rows[2:5], wanted[2:5])
    spec = TensorSpec("x", (1, 2, 2), "uint8", scale=0.02, zero_point=128)
    np.testing.assert_array_equal(fed_rows(rows, spec)[:], quantize(wanted, 0.02, 128, "uint8"))
    np.testing.assert_array_equal(fed_rows(wanted, spec)[:], quantize(wanted, 0.02, 128, "uint8"))
    assert fed_rows(wanted, TensorSpec("x", (1, 2, 2), "float32")) is wanted


def test_uint8_of_a_tensor_is_no_image() -> None:
    rows = given_rows(PIXELS, InputSpec("image", mean=(1.0,)), (6, 5, 3), "float32")
    np.testing.assert_array_equal(rows[:], PIXELS.astype(np.float32))


@pytest.mark.parametrize(("batch", "wanted"), [(None, 11), (1, 11), (4, 8), (11, 11), (12, 12), (30, 30)])
def test_samples_fill_whole_calls(batch: int | None, wanted: int) -> None:
    request = InputSpec("image", image=True)
    rows = given_rows(PIXELS, request, (6, 5, 3), "float32")
    every = PIXELS[np.arange(wanted) % 11]
    np.testing.assert_array_equal(whole_calls(PIXELS, batch)[:], every)
    np.testing.assert_array_equal(whole_calls(rows, batch)[:], every.astype(np.float32))


def test_arrays_are_mapped_as_they_were_written(tmp_path: Path) -> None:
    arrays = {
        "input/image": PIXELS,
        "x": np.array(2.5),
        "none": np.zeros((0, 3), np.int64),
        "f": np.asfortranarray(PIXELS),
    }
    save_npz(tmp_path / "a.npz", arrays)
    for read in (map_npz(tmp_path / "a.npz"), dict(np.load(tmp_path / "a.npz"))):
        assert set(read) == set(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(read[name], array)
            assert read[name].dtype == array.dtype
    assert isinstance(map_npz(tmp_path / "a.npz")["input/image"], np.memmap)
    np.savez_compressed(tmp_path / "packed.npz", x=PIXELS)
    with pytest.raises(ValueError, match=r"x\.npy is packed"):
        map_npz(tmp_path / "packed.npz")
    with zipfile.ZipFile(tmp_path / "short.npz", "w") as archive:
        whole = (tmp_path / "a.npz").read_bytes()
        archive.writestr("x.npy", whole[whole.index(b"\x93NUMPY") :][:300])
    with pytest.raises(ValueError, match=r"x\.npy is not whole"):
        map_npz(tmp_path / "short.npz")


def test_a_lazy_sequence_makes_only_what_is_asked_for() -> None:
    made = []

    def make(at: int) -> int:
        made.append(at)
        return at * at

    squares = Lazy(1000, make)
    assert (len(squares), squares[3], squares[-1], list(squares[5:8])) == (1000, 9, 998001, [25, 36, 49])
    assert made == [3, 999, 5, 6, 7]
    assert list(mapped(str, squares[:3])) == ["0", "1", "4"]
    assert list(keyed("a", [1, 2])) == [("a", 1), ("a", 2)]
    assert list(chained([[1], [], [2, 3]])) == [1, 2, 3]
    with pytest.raises(IndexError):
        squares[1000]
