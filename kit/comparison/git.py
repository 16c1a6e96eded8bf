"""A comparison as git's diff driver prints it: of two versions of one path, which git has laid out as files.

Source: "Defining an external diff driver" in gitattributes(5), and GIT_EXTERNAL_DIFF in git(1).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path

from kit.bounded import printable
from kit.comparison.report import compare_paths, lines
from kit.errors import KitError, RecipeError
from kit.inspection.files import show
from kit.tflite.reader import is_tflite

NOTHING = "/dev/null"  # of a file that is not there in one of the versions
_WORDS = 7
_USAGE = "kit gitdiff -- PATH OLD OLD-HEX OLD-MODE NEW NEW-HEX NEW-MODE"


def driver_lines(words: Sequence[str]) -> Iterator[str]:
    """Yield what to print for the words that git appends: 7, of a renamed file 9, of an unmerged one its path alone.

    Raises RecipeError for another number of words. A file that cannot be read is a line, for git stops at an error.
    """
    if len(words) == 1:
        yield printable(f"* Unmerged path {words[0]}")
        return
    if len(words) < _WORDS:
        raise RecipeError(
            f"gitdiff: {len(words)} words behind --, and git gives {_WORDS}",
            f"git config diff.kit.command 'kit gitdiff --', which runs: {_USAGE}",
        )
    path, old, new = words[0], words[1], words[4]
    yield printable(f"diff --kit a/{path} b/{words[7] if len(words) > _WORDS else path}")
    try:
        if NOTHING in (old, new):
            yield from _alone(Path(old if new == NOTHING else new), "deleted" if new == NOTHING else "new")
        elif is_tflite(Path(old)) and is_tflite(Path(new)):
            # The names that git has for the two say nothing, and are others each time.
            compared = lines(compare_paths(Path(old), Path(new)))
            yield from (*map(_unnamed, compared[:2]), *compared[2:])
        else:
            yield from _text(Path(old), Path(new))
    except KitError as error:
        yield printable(f"not compared: {error.message}".replace(old, "A").replace(new, "B"))


def _alone(path: Path, what: str) -> Iterator[str]:
    yield f"{what} file"
    sign = "-" if what == "deleted" else "+"
    yield from (f"{sign}{line}" for line in _shown(path))


def _text(old: Path, new: Path) -> Iterator[str]:
    before, after = _shown(old), _shown(new)
    yield from difflib.unified_diff(before, after, "A", "B", lineterm="")
    if before == after:
        yield "other bytes, and `inspect` prints the same of both"


def _shown(path: Path) -> list[str]:
    return [line for line in show(path).lines if not line.startswith("path ")]


def _unnamed(line: str) -> str:
    """Return a line of a file without its name: "A 34,106 bytes  sha256 ..."."""
    mark, _, rest = line.partition(" ")
    return f"{mark} {rest.partition('  ')[2]}"
