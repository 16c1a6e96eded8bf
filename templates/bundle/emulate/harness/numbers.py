"""Numbers as a report has them, and what JSON can hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .files import Array

Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"]
Json = dict[str, Value]
Number = int | float | None  # None: not finite, for which JSON has no word
MOST_VALUES = 1000  # of one tensor, in a report


def numbers(values: Array) -> tuple[Number, ...]:
    """Return number of each value of an array [n] of any dtype."""
    if values.dtype.kind != "f":
        return tuple(map(int, values.tolist()))
    finite = np.isfinite(values).tolist()
    return tuple(float(str(value)) if known else None for value, known in zip(values, finite, strict=True))


def number(value: Any) -> Number:
    """Return a scalar of Python or of any dtype in the fewest digits of its own type; None where it is not finite."""
    if not np.isfinite(value):
        return None
    return float(str(value)) if np.asarray(value).dtype.kind == "f" else int(value)
