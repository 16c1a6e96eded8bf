"""One tensor of signature.json as Kotlin sees it: its array type, its size, its numbers as literals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kit.android.codegen.kotlin_names import comment
from kit.android.codegen.runtime_api import Api
from kit.bundle.signature import TensorEntry, VariableEntry
from kit.errors import ModelError, RecipeError

OPEN = -1  # an axis of any size
QUANTIZED = ("int8", "uint8", "int16", "int32")
LARGEST = 2**31 - 1  # elements of an array on the JVM


# A dtype's array on the JVM. uint8 is the same bytes as int8.
ARRAYS = {
    "float32": "FloatArray",
    "int32": "IntArray",
    "int64": "LongArray",
    "uint8": "ByteArray",
    "int8": "ByteArray",
    "bool": "BooleanArray",
    "int16": "ShortArray",
}


@dataclass(frozen=True)
class Affine:
    """real = scale * (q - zero_point), as Kotlin literals."""

    scale: str  # a Float
    zero_point: int
    low: int  # of the dtype
    high: int

    @property
    def kotlin(self) -> str:
        """Return the Kotlin expression that makes it."""
        return f"Affine({self.scale}, {self.zero_point}, {self.low}, {self.high})"


@dataclass(frozen=True)
class Tensor:
    """One input, output or variable in one call."""

    name: str  # the model's own
    const: str  # the Kotlin constant that holds it
    ident: str  # the Kotlin parameter or property
    dtype: str
    shape: tuple[int, ...]
    affine: Affine | None
    allowed: str = "0.0"  # an output's: how far it may be from the golden vectors, a Double

    @property
    def array(self) -> str:
        """Return the Kotlin type of its array."""
        return ARRAYS[self.dtype]

    @property
    def open(self) -> bool:
        """Whether an axis takes any size."""
        return OPEN in self.shape

    @property
    def count(self) -> int:
        """Return its values in one call; of an open one nothing that can be used."""
        return math.prod(self.shape)

    @property
    def parameters(self) -> str:
        """Return it as the parameters of a function."""
        return f"{self.ident}: {self.array}" + (f", {self.ident}Shape: IntArray" if self.open else "")

    @property
    def arguments(self) -> str:
        """Return it as the arguments of a call, with its shape where that is open."""
        return f"{self.ident}, {self.ident}Shape" if self.open else self.ident

    @property
    def dims(self) -> str:
        """Return its shape as text: "1, 28, 28, 1"; -1 is an open axis."""
        return ", ".join(map(str, self.shape))

    @property
    def size_text(self) -> str:
        """Say how many values there are, for a comment."""
        if self.open:
            return f"as many values as `{self.ident}Shape` says, which is this shape with a size for each -1"
        return f"{self.count} values, neither more nor fewer"

    @property
    def about(self) -> str:
        """Say what it is, for a comment: `image`: uint8 [1, 8, 8, 1], real = 0.25f * (q - 3)."""
        text = f"`{comment(self.name)}`: {self.dtype} [{self.dims}]"
        if self.affine is None:
            return text
        minus = f"(q - {self.affine.zero_point})" if self.affine.zero_point else "q"
        return f"{text}, real = {self.affine.scale.removesuffix('f')} * {minus}"


_INTERPRETER = 'take the Interpreter: leave --api out; a build takes it with [android] runtime = "litert:1.4.0"'


def read_tensor(
    entry: TensorEntry | VariableEntry, const: str, ident: str, api: Api, *, allowed: float = 0.0
) -> Tensor:
    """Return a tensor of signature.json. Raises ModelError or RecipeError for what that API cannot hold."""
    name, dtype, shape = entry.name, entry.dtype, entry.shape
    if dtype not in ARRAYS:
        raise ModelError(
            f"{name!r} is {dtype}, and no Kotlin is generated for that",
            f"these are known: {', '.join(ARRAYS)}; give the model another dtype there",
        )
    if dtype == "int16" and api == "compiled-model":
        raise RecipeError(
            f"{name!r} is {dtype}, which LiteRT's CompiledModel cannot hold in Kotlin",
            _INTERPRETER,
        )
    if OPEN in shape and api == "compiled-model":
        raise RecipeError(
            f"{name!r} is {list(shape)}, and LiteRT's CompiledModel has buffers of one size: -1 leaves an axis open",
            f"give it a fixed size ([[inputs]] shape, [model] batch); or {_INTERPRETER}",
        )
    if math.prod(shape) > LARGEST:
        raise ModelError(
            f"{name!r} has {math.prod(shape):,} values: an array of the JVM ends at {LARGEST:,}",
            "give a smaller [model] batch or, where the model leaves an axis open, a smaller [[inputs]] shape",
        )
    return Tensor(name, const, ident, dtype, shape, _affine(entry), repr(float(allowed)))


def float_literal(value: float) -> str:
    """Return a float32's Kotlin literal, in its fewest digits. Raises ModelError where it is not finite."""
    if not math.isfinite(np.float32(value)):
        raise ModelError(f"{value} is no number that a float32 can hold", "build the bundle again")
    return f"{np.float32(value)!s}f"


def float_array(values: Sequence[float], count: int) -> str:
    """Return floatArrayOf(...) of count values: one value stands for all."""
    every = list(values) * count if len(values) == 1 else list(values)
    return f"floatArrayOf({', '.join(float_literal(value) for value in every)})"


def _affine(entry: TensorEntry | VariableEntry) -> Affine | None:
    if isinstance(entry, VariableEntry) or entry.scale is None or entry.dtype not in QUANTIZED:
        return None
    limits = np.iinfo(entry.dtype)
    return Affine(float_literal(entry.scale), entry.zero_point or 0, int(limits.min), int(limits.max))
