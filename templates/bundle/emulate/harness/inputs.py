"""Read a file as samples: an image, texts, sound, .npz, .csv, .npy, or a tensor's raw bytes."""

import math
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import preprocess

from .calls import all_calls, calls_text, holds_calls, shape_text
from .entries import TextCount
from .errors import INSTALL, MISSING, PIP, REQUIREMENTS, EmulateError, one_line, refused
from .feed import feed
from .files import Array, Arrays, read_bytes, read_npz
from .signature import Signature
from .tensor import Shape, Tensor, fits

HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")  # brands of ISO/IEC 23008-12


class Sample(NamedTuple):
    """One call's worth of input and where it came from."""

    source: str
    # Of the call, where the source holds more than one sample.
    index: int | None  # type: ignore[assignment]  # of a tuple it is a method
    feed: Arrays  # [rows, *sample] of each input in its tensor's dtype
    texts: tuple[tuple[str, TextCount], ...] = ()  # of the texts that were made ids, by input
    seconds: float | None = None  # of a sound: from its start to this window's
    count: int = 1  # type: ignore[assignment]  # of the source's calls


def read_input(path: Path, signature: Signature) -> Iterator[Sample]:
    """Yield the samples of one file. Raises EmulateError."""
    suffix = path.suffix.lower()
    if suffix == ".npz":
        yield from _samples(path, signature, _arrays(path, signature))
        return
    if suffix == ".csv":
        from .tables import read_table

        yield from _samples(path, signature, read_table(path, signature))
        return
    if len(signature.inputs) > 1:
        several = f"{signature.key} has {sorted(signature.inputs)}"
        raise refused(path, f"it is for one input, and {several}: give an .npz or a .csv")
    (tensor,) = signature.inputs.values()
    if suffix == ".wav" and tensor.audio is not None:
        yield from _windows(path, signature, tensor)
    elif suffix in (".raw", ".bin"):
        yield Sample(str(path), None, {tensor.name: _raw(path, tensor)})
    else:
        yield from _samples(path, signature, {tensor.name: _array(path, tensor)})


def _windows(path: Path, signature: Signature, tensor: Tensor) -> Iterator[Sample]:
    """Yield a Sample for each call's worth of windows of a sound. Raises EmulateError."""
    from .sounds import read_windows

    assert tensor.audio is not None
    windows = read_windows(path, tensor)
    count = len(windows) // tensor.rows
    if not count:
        raise refused(path, f"it has {len(windows)} windows, and a call takes {tensor.rows}")
    for index in range(count):
        rows = windows[index * tensor.rows : (index + 1) * tensor.rows]
        (sample,) = _samples(path, signature, {tensor.name: rows if tensor.batched else rows[0]})
        start = index * tensor.rows * tensor.audio.hop / tensor.audio.rate
        yield sample._replace(index=None if count == 1 else index, seconds=start, count=count)


def _arrays(path: Path, signature: Signature) -> Arrays:
    """Return the arrays of an .npz by input name, of any shape and dtype. Raises EmulateError for other names."""
    arrays, inputs = read_npz(path, refused), signature.inputs
    if "y" not in inputs:
        arrays.pop("y", None)  # a recipe's test data has its true classes there
    if set(arrays) != set(inputs):
        needed = f"the inputs of {signature.key} are {sorted(inputs)}"
        raise refused(path, f"it has arrays named {sorted(arrays)}, and {needed}")
    return arrays


def _raw(path: Path, tensor: Tensor) -> Array:
    """Return the bytes of one tensor, little-endian, as [rows, *sample] in its dtype. Raises EmulateError."""
    dtype = np.dtype(tensor.dtype).newbyteorder("<")
    shape = (tensor.rows, *tensor.sample) if tensor.batched else tensor.sample
    known = math.prod(size for size in shape if size > 0) * dtype.itemsize
    if shape.count(-1) > 1:
        raise refused(path, f"{tensor.name} has more than one open axis, and bytes say no shape: give .npy or .npz")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise refused(path, one_line(error)) from error
    if len(content) % known or not content if -1 in shape else len(content) != known:
        wanted = f"a multiple of {known}" if -1 in shape else str(known)
        raise refused(path, f"it has {len(content)} bytes, and {tensor.name}, {tensor}, has {wanted}")
    return np.frombuffer(content, dtype).astype(tensor.dtype).reshape(shape)


def _array(path: Path, tensor: Tensor) -> Array:
    """Return the array of an .npy, any shape and dtype, or an image's pixels, uint8 [H, W, C]. Raises EmulateError."""
    try:
        if path.suffix.lower() == ".npy":
            with path.open("rb") as file:
                array: Array = np.lib.format.read_array(file, allow_pickle=False)
                return array
        if tensor.kind == "text" and path.suffix.lower() == ".txt":
            from .texts import read_lines

            return read_lines(path)
        if tensor.kind != "image":
            more = {"text": ".txt, ", "audio": ".wav, "}.get(tensor.kind, "")
            raise refused(path, f"the input {tensor.name} takes no image: give {more}.npz, .csv, .npy, .raw or .bin")
        _read_heic(path)
        shape = _image_shape(path, tensor)
        return preprocess.load_image(path, shape, tensor.color, tensor.resize, tensor.pad_color)
    except (OSError, ValueError, EOFError, MemoryError) as error:
        raise refused(path, one_line(error).removeprefix(f"{path} ")) from error
    except ImportError as error:
        listed = b"pillow" in read_bytes(REQUIREMENTS).lower()
        install = INSTALL if listed else shlex.join([*PIP, "pillow"])
        raise EmulateError(f"{path}: images need Pillow", f"run: {install}", MISSING) from error


def _read_heic(path: Path) -> None:
    """Let Pillow read a phone's HEIC image. Raises EmulateError where what reads it is not installed."""
    with path.open("rb") as file:
        start = file.read(12)
    if start[4:8] != b"ftyp" or start[8:12] not in HEIC:
        return
    try:
        from pillow_heif import register_heif_opener
    except ImportError as error:
        install = shlex.join([*PIP, "pillow-heif"])
        raise EmulateError(
            f"{path}: is a HEIC image, and pillow-heif is not installed", f"save it as JPEG or PNG; or run: {install}"
        ) from error
    register_heif_opener()


def _image_shape(path: Path, tensor: Tensor) -> Shape:
    """Return the shape that an image is read in: its own height and width along open axes. Raises ValueError."""
    if -1 not in tensor.sample:
        return tensor.sample
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            width, height = ImageOps.exif_transpose(image).size
    # Broken bytes make Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and more.
    except Exception as error:
        raise ValueError(f"is not an image that Pillow can read: {one_line(error)}") from error
    own = (height, width, 0)
    return tuple(own[axis] if size == -1 else size for axis, size in enumerate(tensor.sample))


def _samples(path: Path, signature: Signature, arrays: Arrays) -> Iterator[Sample]:
    """Yield a Sample for arrays [*sample], or for each call's worth of [N * rows, *sample], of a dtype that feed takes.

    Raises EmulateError.
    """
    arrays, texts = _with_ids(path, signature, arrays)
    arrays = {name: _windows_of(path, signature.inputs[name], array) for name, array in arrays.items()}
    count = _count(path, signature, arrays)
    fed = {name: feed(path, tensor, arrays[name]) for name, tensor in signature.inputs.items()}
    source, calls = str(path), all_calls(signature.inputs, fed, count or 1)
    for index, call in enumerate(calls):
        counts = tuple((name, of_call(signature.inputs[name], each, index)) for name, each in texts.items())
        yield Sample(source, None if count is None else index, call, counts, count=count or 1)


def _windows_of(path: Path, tensor: Tensor, array: Array) -> Array:
    """Return what sounds.to_windows makes of an array, of any shape and dtype; as it is where the input is no sound.

    Raises EmulateError.
    """
    if tensor.audio is None:
        return array
    from .sounds import to_windows

    return to_windows(path, tensor, array)


def _with_ids(path: Path, signature: Signature, arrays: Arrays) -> tuple[Arrays, dict[str, tuple[TextCount, ...]]]:
    """Return the arrays, of any shape and dtype, with ids in place of texts, and each text's counts by input name."""
    said = {
        name: tensor for name, tensor in signature.inputs.items() if tensor.text and arrays[name].dtype.kind in "US"
    }
    if not said:
        return arrays, {}
    from .texts import to_ids

    ids = {name: to_ids(path, tensor, arrays[name]) for name, tensor in said.items()}
    return arrays | {name: made.array for name, made in ids.items()}, {name: made.counts for name, made in ids.items()}


def of_call(tensor: Tensor, counts: tuple[TextCount, ...], index: int) -> TextCount:
    """Return what the texts of call number index have together."""
    rows = counts[index * tensor.rows :][: tensor.rows]
    return TextCount(sum(c.tokens for c in rows), sum(c.unknown for c in rows), sum(c.cut for c in rows))


def _count(path: Path, signature: Signature, arrays: Arrays) -> int | None:
    """Return how many calls arrays are enough for: N of [N * rows, *sample]; None for one sample without that axis.

    Arrays may be of any dtype. Raises EmulateError where a shape fits neither, or where they disagree.
    """
    counts: dict[str, int | None] = {}
    for name, tensor in signature.inputs.items():
        array = arrays[name]
        alone = tensor.rows == 1 and fits(array.shape, tensor.sample)
        if not alone and not holds_calls(tensor, array):
            one = f"{shape_text(tensor.sample)}, or " if tensor.rows == 1 else ""
            needed = f"{one}{calls_text(tensor)} for {'a batch, is' if one else 'N calls, is'} needed"
            raise refused(path, f"{name} has the shape {list(array.shape)}, and {needed}")
        if not alone or tensor.batched:  # an input without a batch may serve every sample
            counts[name] = None if alone else len(array) // tensor.rows
    if len(set(counts.values())) > 1 or 0 in counts.values():
        raise refused(path, f"each input must hold the same number of samples, at least 1: {counts}")
    return next(iter(counts.values()), None)
