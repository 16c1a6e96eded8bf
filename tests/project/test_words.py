"""The field's words in what is read: code, docstrings, messages, docs, templates, tests. One word for each thing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from worlds import ROOT

# What is said instead, by what is not said. As whole words, in any case, in a name_of_several_words, too.
INSTEAD = {
    r"persons?|people|somebody": "user",
    r"pictures?": "image",
    r"answers?|answered|answering": "outputs, predictions; an engine responds",
    r"facts?": "signature; description, details",
    r"glue": "Kotlin bindings",
    r"rungs?|ladders?": "check, report",
    r"fates?": "status",
    r"wish|wishes|InputWish|OutputWish": "request, InputSpec, OutputSpec",
    r"told": "reported, shown",
    r"off by": "max difference; differs by",
    r"as float|as others": "agreement with float, with others",
}
PLACES = (
    *("kit", "templates", "android_stub", "examples", "tests", "docs", "tasks.py", "pyproject.toml"),
    *("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"),
)
TEXT = {".py", ".j2", ".kt", ".kts", ".java", ".xml", ".md", ".toml", ".json", ".html", ".gradle"}
# Pages that a benchmark wrote, from outcomes as they were when it ran.
GENERATED = ("docs/models.md",)
# Names of older formats, which have to be read, by file.
KEPT = {
    "kit/android/install/state.py": '"picture"',  # a key of dropkit.json in format 1
    "tests/android/test_drop.py": '"picture"',
}


def texts() -> Iterator[Path]:
    for place in PLACES:
        path = ROOT / place
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (file for file in files if file.is_file() and file.suffix in TEXT and not _is_foreign(file))


def _is_foreign(path: Path) -> bool:
    """Say whether a file is locked data or generated, and has no words of ours; or this one, which names them."""
    name = path.relative_to(ROOT).as_posix()
    made = re.match(r"kit/(toolchains/\w+-|runtimes/)|android_stub/(.+/)?build/", name)
    return path == Path(__file__) or name in GENERATED or made is not None


def _text(path: Path) -> str:
    """Return a file's text without the names that it has to keep."""
    kept = KEPT.get(path.relative_to(ROOT).as_posix())
    text = path.read_text("utf-8")
    return text.replace(kept, "") if kept else text


def found(words: str, text: str) -> list[int]:
    """Return the lines that have one of the words."""
    pattern = re.compile(rf"(?<![^\W_])({words})(?![^\W_])", re.IGNORECASE)
    return [n for n, line in enumerate(text.splitlines(), 1) if pattern.search(line)]


@pytest.mark.parametrize(("words", "instead"), INSTEAD.items())
def test_one_word_for_each_thing(words: str, instead: str) -> None:
    lines = [f"{path.relative_to(ROOT)}, line {n}" for path in texts() for n in found(words, _text(path))]
    assert not lines, f"say {instead}:\n" + "\n".join(lines)


def test_a_word_is_found_as_a_word() -> None:
    text = "it told us\nTolds\nhow far off\noff by 3\ntest_what_is_told_here"
    assert found("told|off by", text) == [1, 4, 5]
