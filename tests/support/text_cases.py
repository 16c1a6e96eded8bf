"""Texts on which text.py, Keras and the fixed Kotlin have to agree: every code point, and twenty scripts at random.

A vocabulary holds the tokens that text.py finds, so that another token anywhere is another id.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from kit.shared.text import SPLITS, STANDARDIZE, TextForm, all_ids, tokens_of

FORMS = tuple(product(STANDARDIZE, SPLITS))
# What a code point can make a difference in: all that standardization does, and both ways to split.
DECISIVE = ((STANDARDIZE[0], "whitespace"), (STANDARDIZE[0], "character"))
BLOCK = 4096
# The first and the last code point of each.
SCRIPTS = {
    "latin": (0x41, 0x7A),
    "latin extended": (0xC0, 0x24F),
    "greek": (0x370, 0x3FF),
    "cyrillic": (0x400, 0x52F),
    "armenian": (0x531, 0x58F),
    "hebrew": (0x591, 0x5F4),
    "arabic": (0x600, 0x6FF),
    "devanagari": (0x900, 0x97F),
    "bengali": (0x980, 0x9FB),
    "tamil": (0xB82, 0xBFA),
    "thai": (0xE01, 0xE5B),
    "tibetan": (0xF00, 0xFDA),
    "georgian": (0x10A0, 0x10FF),
    "ethiopic": (0x1200, 0x139F),
    "cherokee": (0x13A0, 0x13FD),
    "khmer": (0x1780, 0x17F9),
    "kana": (0x3041, 0x30FF),
    "han": (0x4E00, 0x9FFF),
    "hangul": (0xAC00, 0xD7A3),
    "deseret": (0x10400, 0x1044F),
    "emoji": (0x1F300, 0x1FAFF),
}
BETWEEN = (
    *" \t\n\v\f\r",
    *"!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'",
    *map(chr, (0, 0x1C, 0x85, 0xA0, 0x130, 0x131, 0x200B, 0x200D, 0x2014, 0x2028, 0x3000, 0xFE0F, 0xFEFF, 0xFFFD)),
    *map(chr, (0xFDD0, 0xFFFF, 0x1FFFE)),
)


@dataclass(frozen=True)
class TextCase:
    """Texts, what turns them into ids, and the ids of each."""

    form: TextForm
    texts: tuple[str, ...]

    @property
    def ids(self) -> list[list[int]]:
        """Return the ids of each text."""
        return [all_ids(text, self.form) for text in self.texts]


def case_of(texts: Sequence[str], standardize: str, split: str, share: float = 1.0) -> TextCase:
    """Return a case whose vocabulary has this share of the texts' tokens.

    A token that ends in U+0000 is left out, because Keras keeps vocabularies in arrays of numpy, which lose it.
    """
    empty = TextForm(("", "[UNK]"), standardize, split)
    found = dict.fromkeys(token for text in texts for token in tokens_of(text, empty))
    tokens = [token for token in found if token and not token.endswith("\0")]
    kept = tokens[: max(int(len(tokens) * share), 1)] or ["word"]
    return TextCase(TextForm(("", "[UNK]", *kept), standardize, split), tuple(texts))


def code_points(codes: Sequence[int], forms: Sequence[tuple[str, str]] = FORMS) -> Iterator[TextCase]:
    """Yield cases that have each code point within a word, alone, and beside punctuation."""
    for start in range(0, len(codes), BLOCK):
        characters = [chr(code) for code in codes[start : start + BLOCK]]
        text = "".join(f"A{character}b {character}!" for character in characters)
        whole = [f"A{character}b" for character in characters]
        for standardize, split in forms:
            yield case_of(whole if split == "none" else [text], standardize, split)


def scripts(rng: np.random.Generator, count: int) -> Iterator[TextCase]:
    """Yield cases of texts that mix words of all scripts with what lies between words; half of the words are known."""
    for standardize, split in FORMS:
        yield case_of([_text(rng) for _ in range(count)], standardize, split, share=0.5)


def every_code_point() -> list[int]:
    """Return all code points but surrogates, which are none of UTF-8's."""
    return [code for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF]


def some_code_points() -> list[int]:
    """Return the first 1,024, one in 251 of the others, and both sides of what is treated on its own."""
    edges = [edge + side for edge in (0xD7FE, 0xE001, 0xFDD0, 0xFDEF, 0xFFFE, 0x1FFFE, 0x10FFFE) for side in (-1, 0, 1)]
    every = every_code_point()
    return sorted({*every[:1024], *every[::251], *edges})


def _text(rng: np.random.Generator) -> str:
    parts = []
    for _ in range(int(rng.integers(0, 12))):
        first, last = list(SCRIPTS.values())[int(rng.integers(len(SCRIPTS)))]
        codes = rng.integers(first, last + 1, int(rng.integers(1, 5)))
        parts.append("".join(map(chr, codes)) + "".join(rng.choice(BETWEEN, int(rng.integers(0, 4)))))
    return "".join(parts)
