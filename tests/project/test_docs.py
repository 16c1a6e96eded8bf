"""The pages that a reader sees: links and their anchors lead somewhere, and a table's rows have its columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from worlds import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", ROOT / "CHANGELOG.md"]
PAGES += sorted((ROOT / "docs").glob("*.md"))


def prose(text: str) -> Iterator[tuple[int, str]]:
    """Yield a page's lines outside of code blocks, with their numbers from 1."""
    fence = ""
    for number, line in enumerate(text.splitlines(), 1):
        mark = re.match(r"\s*(```+|~~~+)", line)
        if mark and (not fence or line.strip() == fence):
            fence = "" if fence else mark[1]
        elif not fence:
            yield number, line


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives to a page's headings. Source: github.com/gjtorikian/html-pipeline, toc."""
    found: set[str] = set()
    for _, line in prose(text):
        if heading := re.match(r"#{1,6}\s+(.*)", line):
            plain = re.sub(r"[^\w\- ]", "", heading[1].strip().lower()).replace(" ", "-")
            same = sum(re.fullmatch(rf"{re.escape(plain)}(-\d+)?", anchor) is not None for anchor in found)
            found.add(f"{plain}-{same}" if same else plain)
    return found


def broken_links(page: Path) -> list[str]:
    """Return each relative link of a page that leads to no file, or to no heading in it, with its line."""
    broken = []
    for number, line in prose(page.read_text("utf-8")):
        for link in re.findall(r"\]\(([^()\s]+)\)", re.sub(r"(`+).*?\1", "", line)):
            if re.match(r"[a-z]+:", link):
                continue
            name, _, anchor = link.partition("#")
            target = page.parent / name if name else page
            text = target.read_text("utf-8") if anchor and target.is_file() else ""
            if not target.exists() or (anchor and anchor not in anchors(text)):
                broken.append(f"{page.name}, line {number}: {link}")
    return broken


def uneven_rows(page: Path) -> list[str]:
    """Return each row of a table that has other columns than the row above it. Source: GFM spec, tables.

    A `|` ends a column inside a code span, too, where no backslash stands before it.
    """
    uneven, last, width = [], 0, 0
    for number, line in prose(page.read_text("utf-8")):
        if line.startswith("|"):
            columns = len(re.findall(r"(?<!\\)\|", line)) - 1
            if number == last + 1 and columns != width:
                uneven.append(f"{page.name}, line {number}: {columns} columns, and {width} above it: {line[:60]}")
            last, width = number, columns
    return uneven


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    assert broken_links(page) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_row_of_a_table_has_its_columns(page: Path) -> None:
    assert uneven_rows(page) == []


def test_the_readme_leads_to_every_page() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert [page.name for page in PAGES[1:] if f"({page.relative_to(ROOT).as_posix()}" not in readme] == []


def test_a_broken_link_and_an_uneven_row_are_found_but_not_in_code(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A `b` & c\n## a\n## a\n[1](page.md#a-b--c) [2](#a-1) [3](#b) [4](none.md) [5](https://a.b/c)\n`[6](x.md)`\n"
        "```\n[7](none.md)\n| a |\n| b | c |\n```\n| a | b |\n|---|---|\n| `c \\| d` | e |\n| `f | g` | h |\n",
        "utf-8",
    )
    assert broken_links(page) == ["page.md, line 4: #b", "page.md, line 4: none.md"]
    assert uneven_rows(page) == ["page.md, line 14: 3 columns, and 2 above it: | `f | g` | h |"]
