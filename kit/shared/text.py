"""Turn text into the ids that a model takes, exactly as Keras's TextVectorization and StringLookup do.

Knows standardization, splitting, vocabularies and their file. Leaves model files, signatures and interpreters to its
callers. The host imports it, and each bundle carries a byte-for-byte copy as `emulate/text.py`: so it needs Python
3.10+ and numpy only. What it gives is what the app's Kotlin gives (templates/android/runtime/TextInput.kt).

Source: keras/src/layers/preprocessing/text_vectorization.py and index_lookup.py, which call tf.strings.lower,
regex_replace, split and unicode_split on bytes of UTF-8: only ASCII letters become small, only ASCII punctuation goes.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

STANDARDIZE = ("lower_and_strip_punctuation", "lower", "strip_punctuation", "none")
SPLITS = ("whitespace", "character", "none")
FILL = 0xFF  # no byte of UTF-8: what packed texts are filled up with

_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_PUNCTUATION: dict[int, int | None] = dict.fromkeys(map(ord, "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'"))
_SPACE = re.compile(r"[\t\n\v\f\r ]+")  # C's isspace in the C locale
_SURROGATES = re.compile("[\ud800-\udfff]")
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
_ESCAPED = re.compile(r"\\(.?)", re.DOTALL)


@dataclass(frozen=True)
class TextForm:
    """How text becomes ids. vocabulary: by id, with what stands for padding and for unknown tokens."""

    vocabulary: tuple[str, ...]
    standardize: str = STANDARDIZE[0]
    split: str = SPLITS[0]
    unknown: int = 1  # the id of a token that is not in it; where it is 1, id 0 pads and is the empty token's

    def __post_init__(self) -> None:
        """Raise ValueError for words that are unknown, or a vocabulary without its special tokens."""
        for word, words in ((self.standardize, STANDARDIZE), (self.split, SPLITS)):
            if word not in words:
                raise ValueError(f"{word!r} is unknown: one of {', '.join(words)}")
        if self.unknown not in (0, 1) or len(self.vocabulary) <= self.unknown:
            raise ValueError(f"unknown tokens have the id {self.unknown}, and the vocabulary {len(self.vocabulary)}")

    @cached_property
    def ids(self) -> Mapping[str, int]:
        """Return the id of each token that has one of its own."""
        first = self.unknown + 1
        table = {token: first + place for place, token in enumerate(self.vocabulary[first:])}
        return table | ({self.vocabulary[0]: 0} if self.unknown else {})


def tokens_of(text: str, form: TextForm) -> list[str]:
    """Return the tokens of a text, in their order: none of an empty text, unless it is not split.

    Unpaired surrogates, which UTF-8 cannot hold, become U+FFFD. So do noncharacters where characters are split.
    """
    text = _SURROGATES.sub("\ufffd", text)
    if form.standardize in ("lower", "lower_and_strip_punctuation"):
        text = text.translate(_LOWER)
    if form.standardize in ("strip_punctuation", "lower_and_strip_punctuation"):
        text = text.translate(_PUNCTUATION)
    if form.split == "whitespace":
        return [token for token in _SPACE.split(text) if token]
    if form.split == "character":
        return ["\ufffd" if _is_noncharacter(ord(character)) else character for character in text]
    return [text]


def all_ids(text: str, form: TextForm) -> list[int]:
    """Return the id of each token of a text."""
    return [form.ids.get(token, form.unknown) for token in tokens_of(text, form)]


def tokenize(text: str, form: TextForm, length: int | None = None) -> NDArray[np.int64]:
    """Return the ids of a text, int64 [length]: cut, or filled up with 0. Without length: all of them, at least one."""
    ids = all_ids(text, form)
    size = max(len(ids), 1) if length is None else length
    row = np.zeros(size, np.int64)
    kept = ids[:size]
    row[: len(kept)] = kept
    return row


def tokenize_all(texts: Sequence[str], form: TextForm, length: int | None = None) -> NDArray[np.int64]:
    """Return the ids of texts, int64 [texts, length]. Without length: of the longest one, as Keras fills up a batch."""
    if length is None:
        length = max((len(tokens_of(text, form)) for text in texts), default=0) or 1
    rows = np.zeros((len(texts), length), np.int64)
    for row, text in zip(rows, texts, strict=True):
        row[:] = tokenize(text, form, length)
    return rows


def write_vocabulary(vocabulary: Iterable[str]) -> bytes:
    r"""Return a vocabulary's file: UTF-8, one token a line, in which \\, \n and \r are escaped."""
    table = str.maketrans(_ESCAPES)
    return "".join(f"{token.translate(table)}\n" for token in vocabulary).encode()


def read_vocabulary(content: bytes) -> tuple[str, ...]:
    """Return the tokens of a vocabulary's file. Raises ValueError where it is none that `write_vocabulary` writes."""
    text = content.decode("utf-8")
    if not text.endswith("\n"):
        raise ValueError("its last line does not end")
    return tuple(_ESCAPED.sub(_unescaped, line) for line in text[:-1].split("\n"))


def pack_texts(texts: Sequence[str]) -> NDArray[np.uint8]:
    """Return texts as bytes of UTF-8, uint8 [texts, bytes of the longest], each filled up with FILL."""
    packed = [_SURROGATES.sub("\ufffd", text).encode() for text in texts]
    rows = np.full((len(packed), max(map(len, packed), default=0) or 1), FILL, np.uint8)
    for row, raw in zip(rows, packed, strict=True):
        row[: len(raw)] = np.frombuffer(raw, np.uint8)
    return rows


def unpack_texts(rows: NDArray[np.uint8]) -> list[str]:
    """Return the texts that `pack_texts` packed: uint8 [texts, bytes]. Raises ValueError where that is no UTF-8."""
    return [row.tobytes().partition(bytes([FILL]))[0].decode("utf-8") for row in rows]


def _unescaped(found: re.Match[str]) -> str:
    token = {escape[1]: plain for plain, escape in _ESCAPES.items()}.get(found[1])
    if token is None:
        raise ValueError(f"{found[0]!r} is no escape")
    return token


def _is_noncharacter(code: int) -> bool:
    """Say whether Unicode keeps a code point from text: U+FDD0 to U+FDEF, and the last two of each plane."""
    return 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE
