"""Numbers in words for a user."""

from .numbers import Number


def short(value: Number) -> str:
    return "not finite" if value is None else f"{value:.4g}"


def plural(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")
