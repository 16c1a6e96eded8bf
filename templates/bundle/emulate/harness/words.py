"""Numbers in words for a user."""

import re

from .numbers import Number

# What steers a terminal or turns its direction, but for tabs and ends of lines.
_STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""Return text that steers no terminal: \x1b stands for an escape."""
    return _STEERS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def one_word(name: str) -> str:
    r"""Return a name on one line: \n stands for its end of a line."""
    return printable(name.replace("\n", r"\n"))


def short(value: Number) -> str:
    return "not finite" if value is None else f"{value:.4g}"


def plural(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")
