"""Numbers as a reader sees them, and as they are on every type of CPU: the last bits of float kernels are not shown."""

from __future__ import annotations

import math
import re

NOISE = 1e-5  # of the range of an output: what is smaller is how floats are rounded, and another on another CPU
_NUMBER = re.compile(r"(?<![\w.])(?<!< )-?\d+(?:\.\d+(?:e[+-]?\d+)?|e[+-]?\d+)")


def short(value: float | None, digits: int = 3) -> str:
    """Return a number in that many significant digits: "0" for what is next to nothing, "-" for None."""
    if value is None:
        return "-"
    if not math.isfinite(value):
        return f"{value}"
    return "0" if abs(value) < NOISE else f"{value:.{digits}g}"


def places(scale: float, digits: int = 3) -> int:
    """Return how many digits behind the point show that many significant ones of numbers as large as scale."""
    rough = float(f"{abs(scale):.1e}") if math.isfinite(scale) else 0.0
    return 0 if rough == 0 else max(0, digits - 1 - math.floor(math.log10(rough)))


def fixed(value: float, decimals: int) -> str:
    """Return a number with so many digits behind the point, never "-0"."""
    if not math.isfinite(value):
        return f"{value}"
    text = f"{value:.{decimals}f}"
    return text if text.strip("-0.") else text.removeprefix("-")


def steady(text: str) -> str:
    """Return a sentence with the numbers in it in four significant digits; whole ones, and limits behind <, stay."""

    def shown(found: re.Match[str]) -> str:
        """Return one number, without the last bits."""
        value = float(found[0])
        return f"{NOISE:g} or less" if 0 < abs(value) < NOISE else f"{value:.4g}"

    return _NUMBER.sub(shown, text)


def count(value: int) -> str:
    """Return bytes as a reader counts them."""
    return (
        f"{value / 1000:,.1f}\N{NO-BREAK SPACE}kB"
        if value < 1_000_000
        else f"{value / 1_000_000:,.2f}\N{NO-BREAK SPACE}MB"
    )
