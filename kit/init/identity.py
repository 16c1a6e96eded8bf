"""The id of a bundle, from the name of a model's file or folder, whatever characters that has."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

# Words that no package or class of Kotlin and Java can be called.
_TAKEN = frozenset(
    """
    abstract as assert boolean break byte case catch char class const continue default do double else enum extends
    false final finally float for fun goto if implements import in instanceof int interface is long native new null
    object package private protected public return short static strictfp super switch synchronized this throw throws
    transient true try typealias typeof val var void volatile when while
    """.split()
)
_NO_NAMES = re.compile(r"(\d+|model|saved_?model|export(ed)?|best|final|latest|checkpoint)", re.IGNORECASE)


def id_of(model: Path) -> str:
    """Return the id: small letters, digits and _, a letter first, at most 100 characters.

    "export/flowers/1" is flowers: a number, or a word such as "model", is no name where the folder around it has one.
    """
    path = model.absolute()
    names = [path.name if path.is_dir() else path.name.rsplit(".", 1)[0]]
    if _NO_NAMES.fullmatch(names[0]) and path.is_dir():
        names.insert(0, path.parent.name)
    return next((slug for slug in map(_slug, names) if slug), "model")


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:80].rstrip("_")
    if not slug:
        return ""
    return f"model_{slug}" if slug in _TAKEN or not slug[0].isalpha() else slug
