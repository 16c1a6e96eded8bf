"""Hold the outputs of golden vectors against what they were when the bundle was built."""

from collections.abc import Sequence

import numpy as np

from .calls import one_call
from .checks import OutputCheck, PixelCheck
from .errors import broken
from .feed import feed
from .files import Array
from .golden import Golden
from .numbers import number
from .signature import Signature
from .tensor import Tensor


def compare_output(signature: Signature, tensor: Tensor, produced: Sequence[Array], golden: Golden) -> OutputCheck:
    """Return how far one output is from its golden vectors at worst, and its bound.

    produced: of each call, [*shape] in the tensor's dtype.
    """
    name = tensor.name
    wanted = [one_call(tensor, golden.of(signature, "output", name), index) for index in range(len(produced))]
    off = np.array([distance(ours, theirs).max() for ours, theirs in zip(produced, wanted, strict=True)])
    allowed = float(golden.of(signature, "tolerance", name))
    worst = int(np.argmax(off))
    shapes = (produced[worst].shape, wanted[worst].shape)
    return OutputCheck(
        unit="steps" if np.dtype(tensor.dtype).kind != "f" else "absolute",
        worst=number(off.max()),
        allowed=allowed,
        worst_vector=worst,
        from_float=float(golden.of(signature, "drift", name)),
        passed=bool(off.max() <= allowed),
        shapes=None if shapes[0] == shapes[1] else shapes,
        vectors_off=int(np.count_nonzero(off > allowed)),
    )


def compare_edges(signature: Signature, tensor: Tensor, produced: Sequence[Array], golden: Golden) -> OutputCheck:
    """Return how far one output is from its edge vectors at worst, judged where these are finite.

    produced: of each call, [*shape] in the tensor's dtype. A float's rounding error grows with the values: where they
    are larger than any golden vector's, as much more is allowed.
    """
    name, steps = tensor.name, np.dtype(tensor.dtype).kind != "f"
    wanted = [one_call(tensor, golden.of(signature, "edge_output", name), index) for index in range(len(produced))]
    usual = _largest(golden.of(signature, "output", name))
    grown = np.array([1.0 if steps else max(1.0, _largest(array) / max(usual, 1.0)) for array in wanted])
    off = np.array([_finite(ours, theirs) for ours, theirs in zip(produced, wanted, strict=True)])
    allowed = float(golden.of(signature, "tolerance", name))
    worst = int(np.argmax(off / grown))
    shapes = (produced[worst].shape, wanted[worst].shape)
    return OutputCheck(
        unit="steps" if steps else "absolute",
        worst=number(off[worst]),
        allowed=allowed * float(grown[worst]),
        worst_vector=worst,
        from_float=None,
        passed=bool((off <= allowed * grown).all()),
        shapes=None if shapes[0] == shapes[1] else shapes,
        vectors_off=int(np.count_nonzero(off > allowed * grown)),
    )


def _finite(ours: Array, theirs: Array) -> float:
    """Return the largest distance of ours from theirs, of any shapes and one dtype, where theirs is finite."""
    off = distance(ours, theirs)
    return float(np.max(off, where=np.isfinite(theirs) if off.shape else True, initial=0.0))


def _largest(array: Array) -> float:
    """Return the largest finite absolute value of an array of any shape and dtype."""
    values = np.abs(array.astype(np.float64))
    return float(np.max(values, where=np.isfinite(values), initial=0.0))


def compare_pixels(signature: Signature, tensor: Tensor, golden: Golden) -> PixelCheck:
    """Return whether pre-processing the golden pixels gives the golden input, value for value."""
    fed = feed(golden.path, tensor, golden.of(signature, "pixels", tensor.name))
    off = distance(fed, golden.of(signature, "input", tensor.name))
    return PixelCheck(int(np.count_nonzero(off)), off.size, number(off.max()))


def compare_texts(signature: Signature, tensor: Tensor, golden: Golden) -> PixelCheck:
    """Return whether the ids of the golden texts are the golden input, value for value. Raises EmulateError."""
    from .texts import ids_of_golden

    wanted = golden.of(signature, "input", tensor.name)
    try:
        fed = ids_of_golden(tensor, golden.of(signature, "text", tensor.name))
    except ValueError as error:
        raise broken(golden.path, f"text/{tensor.name}: {error}") from error
    off = distance(fed, wanted)
    return PixelCheck(int(np.count_nonzero(off)), off.size, number(off.max()))


def compare_sounds(signature: Signature, tensor: Tensor, golden: Golden) -> PixelCheck:
    """Return whether the windows of the golden sounds are the golden input, value for value. Raises EmulateError."""
    from .sounds import windows_of_golden

    wanted = golden.of(signature, "input", tensor.name)
    try:
        windows = windows_of_golden(tensor, golden.of(signature, "audio", tensor.name))
    except ValueError as error:
        raise broken(golden.path, f"audio/{tensor.name}: {error}") from error
    off = distance(feed(golden.path, tensor, windows).reshape(-1), wanted.reshape(-1))
    return PixelCheck(int(np.count_nonzero(off)), off.size, number(off.max()))


def distance(left: Array, right: Array) -> Array:
    """Return |left - right| as float64 of their shape, which is of any dtype; of [] and infinite for other shapes.

    Two NaN are 0 apart, NaN from a number infinitely.
    """
    if left.shape != right.shape:
        return np.full((), np.inf)
    ours, golden = left.astype(np.float64), right.astype(np.float64)
    same = (ours == golden) | (np.isnan(ours) & np.isnan(golden))
    with np.errstate(invalid="ignore"):
        off = np.where(same, 0.0, np.abs(ours - golden))
    return np.where(np.isnan(off), np.inf, off)
