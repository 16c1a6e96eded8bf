"""In which types a .tflite file has its weights: whether quantization reached them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kit.tflite.model import TfliteFile

TYPES = ("float32", "float16", "int16", "int8", "uint8", "int4")  # biases of int8 files are int32, and no weights

_OF_SCHEME = {
    "int8": "int8", "dynamic": "int8", "weight8": "int8", "int16x8": "int8", "float16": "float16", "int4": "int4",
}  # fmt: skip


@dataclass(frozen=True)
class WeightTypes:
    """How many numbers the constants hold, and which share of them is in each type."""

    count: int
    shares: dict[str, float]  # by type, those that are there

    @property
    def float32_bytes(self) -> int:
        """Return what they would take in float32."""
        return 4 * self.count


def weight_types(file: TfliteFile) -> WeightTypes:
    """Count the numbers of a file's constants by type; a buffer that several tensors share counts once."""
    held = {
        tensor.buffer: (tensor.dtype, math.prod(tensor.shape))
        for graph in file.subgraphs
        for tensor in graph.tensors
        if tensor.sha256 is not None and tensor.dtype in TYPES
    }
    counts: dict[str, int] = {}
    for dtype, count in held.values():
        counts[dtype] = counts.get(dtype, 0) + count
    whole = sum(counts.values())
    return WeightTypes(whole, {dtype: counts[dtype] / whole for dtype in TYPES if counts.get(dtype)})


def weights_text(weights: WeightTypes, scheme: str) -> str:
    """Return the row of a report: "97.2% of 8,970 in int8, 2.8% in float32"."""
    wanted = _OF_SCHEME.get(scheme)
    shares = sorted(weights.shares.items(), key=lambda item: (item[0] != wanted, -item[1]))
    text = ", ".join(f"{share:.1%} in {dtype}" for dtype, share in shares)
    if wanted is not None and weights.count and wanted not in weights.shares:
        text += f": nothing became {wanted}"
        text += ", as TFLite leaves tensors of fewer than 1,024 numbers in float" if scheme == "dynamic" else ""
    return text.replace("% in", f"% of {weights.count:,} in", 1) or "none"
