"""Hold the outputs of golden vectors against what they were when the bundle was built."""

from collections.abc import Sequence

import numpy as np

from .calls import one_call
from .errors import broken
from .feed import feed
from .files import Array
from .golden import Golden
from .numbers import number
from .outputs import to_real
from .report import OutputCheck, PixelCheck
from .signature import Signature
from .sounds import windows_of_golden
from .tensor import Tensor
from .texts import ids_of_golden

# The drift was computed at build time, from float32 values: it may differ in its last digits.
DRIFT_SLACK = 1e-4  # in quantization steps, or of the bound itself where values are float


def compare_output(signature: Signature, tensor: Tensor, produced: Sequence[Array], golden: Golden) -> OutputCheck:
    """Return the distances of one output, call by call, from its golden and float vectors, and their bounds.

    produced: of each call, [*shape] in the tensor's dtype.
    """
    name, integer = tensor.name, np.dtype(tensor.dtype).kind != "f"
    wanted = [one_call(tensor, golden.of(signature, "output", name), index) for index in range(len(produced))]
    off = np.array([distance(ours, theirs).max() for ours, theirs in zip(produced, wanted, strict=True)])
    from_float = _from_float(tensor, produced, wanted, golden.of(signature, "float", name))
    allowed = float(golden.of(signature, "tolerance", name))
    allowed_from_float = allowed + float(golden.of(signature, "drift", name))
    slack = DRIFT_SLACK * (1.0 if integer else allowed_from_float)
    worst = int(np.argmax(off))
    shapes = (produced[worst].shape, wanted[worst].shape)
    return OutputCheck(
        unit="steps" if integer else "absolute",
        worst=number(off.max()),
        allowed=allowed,
        worst_vector=worst,
        worst_from_float=number(from_float.max()),
        allowed_from_float=allowed_from_float,
        passed=bool(off.max() <= allowed and from_float.max() <= allowed_from_float + slack),
        shapes=None if shapes[0] == shapes[1] else shapes,
    )


def compare_pixels(signature: Signature, tensor: Tensor, golden: Golden) -> PixelCheck:
    """Return whether pre-processing the golden pixels gives the golden input, value for value."""
    fed = feed(golden.path, tensor, golden.of(signature, "pixels", tensor.name))
    off = distance(fed, golden.of(signature, "input", tensor.name))
    return PixelCheck(int(np.count_nonzero(off)), off.size, number(off.max()))


def compare_texts(signature: Signature, tensor: Tensor, golden: Golden) -> PixelCheck:
    """Return whether the ids of the golden texts are the golden input, value for value. Raises EmulateError."""
    wanted = golden.of(signature, "input", tensor.name)
    try:
        fed = ids_of_golden(tensor, golden.of(signature, "text", tensor.name))
    except ValueError as error:
        raise broken(golden.path, f"text/{tensor.name}: {error}") from error
    off = distance(fed, wanted)
    return PixelCheck(int(np.count_nonzero(off)), off.size, number(off.max()))


def compare_sounds(signature: Signature, tensor: Tensor, golden: Golden) -> PixelCheck:
    """Return whether the windows of the golden sounds are the golden input, value for value. Raises EmulateError."""
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


def _from_float(tensor: Tensor, produced: Sequence[Array], wanted: Sequence[Array], exact: Array) -> Array:
    """Return the largest distance of each call's output from the float model's, float64 [N], in steps if quantized.

    produced, wanted: [*shape] of each call in the tensor's dtype; exact: float32 [N * rows, *sample].
    """
    step = np.float64(np.float32(tensor.scale or 1.0))
    found = np.zeros(len(produced))
    for index, array in enumerate(produced):
        apart = distance(to_real(tensor, array), one_call(tensor, exact, index))
        # What was NaN or infinite as it was built has no distance from the float model's; another shape has.
        counted = np.isfinite(wanted[index]) if apart.ndim else True
        found[index] = np.max(apart, where=counted, initial=0.0) / step
    return found
