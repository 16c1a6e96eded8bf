"""Any text as Kotlin: identifiers that compile, stay readable and never meet; string literals; text in comments.

Knows Kotlin's words and escapes, nothing of models. The same text gives the same name on every Python: nothing
here asks the interpreter's own Unicode tables for what a newer one might say otherwise, but for the
decomposition of letters with accents, which Unicode keeps stable.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

LONGEST = 48  # letters of a cleaned name: the original text stays beside it as a constant


def words_of(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


HARD = words_of(
    """
    as break class continue do else false for fun if in interface is null object package return super this throw
    true try typealias typeof val var when while
    """
)
SOFT = words_of(
    """
    abstract actual annotation by catch companion const constructor crossinline data delegate dynamic enum expect
    external field file final finally get import infix init inline inner internal it lateinit noinline open operator
    out override param private property protected public receiver reified sealed set setparam suspend tailrec value
    vararg where
    """
)
# Of kotlin.Any, and of java.lang.Object, which it is on a device: a property `class` would have the getter getClass().
ANY = words_of(
    """
    clone copy equals finalize getClass hashCode notify notifyAll toString wait
    """
)
WORDS = HARD | SOFT | ANY

# Shown as they are in a literal or a comment: printable ASCII, and letters and signs above it that cannot turn or hide
# the text around them.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f"
    "\u3000\u3164\ud800-\uf8ff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\U000e0000-\U0010ffff]"
)
_ESCAPES = {"\\": "\\\\", '"': '\\"', "$": "\\$", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b"}


class Scope:
    """Names that are taken in one place. Two that differ in case alone count as the same.

    Properties `foo` and `Foo` share a getter on the JVM, and classes `Foo` and `FOO` a file on some disks.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {name.casefold() for name in taken}

    def take(self, name: str, suffixes: Sequence[str] = ()) -> str:
        """Return name, or it with a number behind it, so that it and each name + suffix were free; take them all."""
        number = 1
        while True:
            free = name if number == 1 else f"{name}_{number}" if name[-1:].isdigit() else f"{name}{number}"
            family = {f"{free}{suffix}".casefold() for suffix in ("", *suffixes)}
            if family.isdisjoint(self._taken):
                self._taken |= family
                return free
            number += 1


def camel(text: str, what: str) -> str:
    """Return text in camelCase; `what` stands before a name that begins with a digit or has no letter at all.

    A word of Kotlin gets "Value" behind it: readable, where backticks would be needed at each use.
    """
    name = _lower_first("".join(_capital(word) for word in _words(text)))[:LONGEST]
    name = name if name[:1].isalpha() else f"{what}{_capital(name)}"
    return f"{name}Value" if name in WORDS else name


def upper_camel(text: str, what: str) -> str:
    """Return text in UpperCamelCase; `what`, in that case itself, stands before what begins with no letter."""
    name = "".join(_capital(word) for word in _words(text))[:LONGEST]
    return name if name[:1].isalpha() else f"{what}{name}"


def upper_snake(text: str, what: str) -> str:
    """Return text in UPPER_SNAKE_CASE; `what`, in that case itself, stands before what begins with no letter."""
    name = "_".join(_words(text)).upper()[:LONGEST].rstrip("_")
    return name if name[:1].isalpha() else f"{what}_{name}".rstrip("_")


def package_name(text: str) -> str:
    """Return a package as Kotlin's package line wants it: keywords between backticks."""
    return ".".join(f"`{part}`" if part in HARD else part for part in text.split("."))


def literal(text: str) -> str:
    """Return text as a Kotlin string literal, quotes and all. What cannot be seen is written as \\uXXXX."""
    return '"' + "".join(_ESCAPES.get(char) or _seen(char) for char in text) + '"'


def comment(text: str) -> str:
    """Return text for a KDoc comment: on one line, and never its end, its beginning or a link.

    Kotlin's comments nest, so an opening one is as bad as a closing one.
    """
    shown = "".join(_seen(char) for char in text)
    for sign, entity in (("/", "&#47;"), ("`", "&#96;"), ("[", "&#91;"), ("@", "&#64;")):
        shown = shown.replace(sign, entity) if sign != "/" else re.sub(r"(?<=\*)/|/(?=\*)", entity, shown)
    # A slash at an end may meet a star of the comment itself.
    return re.sub(r"^/|/$", "&#47;", shown) if len(shown) <= 200 else f"{shown[:200]}..."


def line_comment(text: str) -> str:
    """Return text for a comment that ends with its line."""
    return "".join(_seen(char) for char in text).rstrip()


def _seen(char: str) -> str:
    if not _HIDDEN.match(char):
        return char
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))


def _words(text: str) -> list[str]:
    """Return text's words in ASCII, small letters: split at signs and where a capital begins a word."""
    plain = "".join(_ascii(char) for char in unicodedata.normalize("NFKD", text))
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", plain)
    return re.findall(r"[a-z0-9]+", split.lower())


def _ascii(char: str) -> str:
    if char.isascii():
        return char
    # Accents fall away from their letters; any other sign is named by its number.
    return "" if "\u0300" <= char <= "\u036f" else f" u{ord(char):x} "


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]


def _lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]
