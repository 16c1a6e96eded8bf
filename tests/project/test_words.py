"""The field's words in what is read: code, docstrings, messages, docs, templates. One word for each thing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from worlds import ROOT

# What is said instead, by what is not said. As whole words, in any case.
INSTEAD = {
    r"persons?|people|somebody": "user",
    r"answers|answered": "outputs, predictions; an engine responds",
    r"glue": "Kotlin bindings",
    r"rungs?|ladders?": "check, report",
    r"fates?": "status",
    r"wish|wishes|InputWish|OutputWish": "request, InputSpec, OutputSpec",
    r"told": "reported, shown",
    r"off by": "max difference; differs by",
    r"as float|as others": "agreement with float, with others",
}
PLACES = ("kit", "templates", "android_stub", "docs", "README.md", "CONTRIBUTING.md", "SECURITY.md")
TEXT = {".py", ".j2", ".kt", ".kts", ".md", ".toml", ".json", ".html", ".gradle"}
# Pages that a benchmark wrote, from outcomes as they were when it ran.
GENERATED = ("docs/models.md",)


def texts() -> Iterator[Path]:
    for place in PLACES:
        path = ROOT / place
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (each for each in files if each.is_file() and each.suffix in TEXT and not _is_foreign(each))


def _is_foreign(path: Path) -> bool:
    """Say whether a file is locked data or generated: it has no words of ours."""
    name = path.relative_to(ROOT).as_posix()
    return name in GENERATED or "build" in path.parts[-3:-1] or bool(re.match(r"kit/(toolchains/\w+-|runtimes/)", name))


def found(words: str, text: str) -> list[int]:
    """Return the lines that have one of the words."""
    pattern = re.compile(rf"\b({words})\b", re.IGNORECASE)
    return [n for n, line in enumerate(text.splitlines(), 1) if pattern.search(line)]


@pytest.mark.parametrize(("words", "instead"), INSTEAD.items())
def test_one_word_for_each_thing(words: str, instead: str) -> None:
    lines = [f"{path.relative_to(ROOT)}, line {n}" for path in texts() for n in found(words, path.read_text("utf-8"))]
    assert not lines, f"say {instead}:\n" + "\n".join(lines)


def test_a_word_is_found_as_a_word() -> None:
    assert found("told|off by", "it told us\nTolds\nhow far off\noff by 3") == [1, 4]
