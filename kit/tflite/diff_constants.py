"""How far the constants of two .tflite files are apart, element by element, in a user's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.tflite.describe import tensor_type
from kit.tflite.model import Quantization, Tensor, TfliteFile

if TYPE_CHECKING:
    import numpy as np


def apart(a: TfliteFile, b: TfliteFile, mine: Tensor, other: Tensor) -> str:
    """Say how far a constant's elements are apart; "" where they are not, or where type or shape say enough."""
    kinds = [(tensor_type(tensor), tensor.shape, tensor.sparse) for tensor in (mine, other)]
    if mine.sha256 == other.sha256 or mine.sha256 is None or other.sha256 is None or kinds[0] != kinds[1]:
        return ""
    before, after = a.content(mine), b.content(other)
    values = None if len(before) != len(after) else (_values(mine, before), _values(other, after))
    if values is None or values[0] is None or values[1] is None:
        return f"other bytes ({len(before)} -> {len(after)})"
    return _apart(values[0], values[1], _unit(mine.quantization, other.quantization))


def _unit(a: Quantization | None, b: Quantization | None) -> str:
    """Return what an integer stands for: a step of its scale, but not where the two have scales of other channels."""
    if a is None or b is None:
        return ""
    return "steps" if granularity(a) == granularity(b) else "as stored"


def _values(tensor: Tensor, content: memoryview) -> np.ndarray | None:
    """Return a constant's elements [n] in their dtype (bfloat16: float32; 4 and 2 bits: int16); None for no numbers."""
    import numpy as np

    bits = {"int4": 4, "uint4": 4, "int2": 2}.get(tensor.dtype)
    if tensor.sparse:
        return None
    if bits:
        return _unpacked(np.frombuffer(content, np.uint8), bits, signed=tensor.dtype.startswith("int"))
    if tensor.dtype == "bfloat16" and len(content) % 2 == 0:
        return (np.frombuffer(content, "<u2").astype(np.uint32) << 16).view(np.float32)
    try:
        dtype = np.dtype(tensor.dtype).newbyteorder("<")
    except TypeError:
        return None
    return np.frombuffer(content, dtype) if dtype.kind in "fiub" and len(content) % dtype.itemsize == 0 else None


def _unpacked(packed: np.ndarray, bits: int, *, signed: bool) -> np.ndarray:
    """Return int16 elements of uint8 [bytes], several in each, lowest bits first. Source: LiteRT's UnpackDenseInt4."""
    import numpy as np

    parts = np.stack([(packed >> shift) & (2**bits - 1) for shift in range(0, 8, bits)], axis=-1).reshape(-1)
    whole = parts.astype(np.int16)
    return np.where(whole >= 2 ** (bits - 1), whole - 2**bits, whole) if signed else whole


def _apart(a: np.ndarray, b: np.ndarray, unit: str) -> str:
    """Say how many elements of a and b, [n] of one dtype, differ, and by how much at worst: of floats relative, too."""
    import numpy as np

    different = ~((a == b) | ((a != a) & (b != b)))  # noqa: PLR0124 - NaN alone is not itself
    count, at = int(different.sum()), int(np.argmax(different))
    if not count:
        return f"other bytes, the same {a.size:,} values (zeros of another sign, or NaN)"
    x, y = a[different].astype(np.float64), b[different].astype(np.float64)
    with np.errstate(all="ignore"):
        apart = np.abs(x - y)
        relative = apart / np.maximum(np.abs(x), np.abs(y))
    head = f"{count:,} of {a.size:,} elements differ, the first at {at:,}"
    if not np.isfinite(apart).all():
        return f"{head}, some infinite or NaN on one side"
    if a.dtype.kind == "f":
        return f"{head}, worst {apart.max():.3g} absolute, {relative.max():.3g} relative"
    return f"{head}, worst {apart.max():,.0f} {unit}".rstrip()


def granularity(quantization: Quantization) -> str:
    """Say of what there is a scale each: "8 scales on axis 0"."""
    if quantization.details:
        return f"{quantization.details} quantization"
    count = len(quantization.scales)
    return "one scale" if count == 1 else f"{count} scales on axis {quantization.quantized_dimension}"
