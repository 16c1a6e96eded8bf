"""Numbers as a report has them, and what JSON can hold."""

from typing import Any

import numpy as np

Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"]
Json = dict[str, Value]
Number = int | float | None  # None: not finite, for which JSON has no word
MOST_VALUES = 1000  # of one tensor, in a report


def number(value: Any) -> Number:
    """Return a scalar of Python or of any dtype in the fewest digits of its own type; None where it is not finite."""
    if not np.isfinite(value):
        return None
    return float(str(value)) if np.asarray(value).dtype.kind == "f" else int(value)
