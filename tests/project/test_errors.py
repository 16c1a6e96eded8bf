"""docs/errors.md: every refusal, from the source, with its place, cause and next step; and what follows each."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

import pytest
from reach import names_of_tests, words_of
from remedies import FOLLOWED, NOT_HERE
from worlds import ROOT

from kit.refusals.page import error_page
from kit.refusals.read import PASSED_ON, Refusal, causes, refusals

KIT = ROOT / "kit"
HARNESS = ROOT / "templates" / "bundle" / "emulate" / "harness"
# What is no next step: it sends the reader away, or says only that something is wrong.
NO_STEP = re.compile(
    r"\bthe log\b|lines above\.?$|by hand|may convert|tell dropkit|^leave it out$|^name another( layer)?$|"
    r"^keep others$|^check the file$|\?$(?<!there is\?)|^see [^`]",
    re.IGNORECASE,
)

# What another one in the list says, or several of them together.
ELSEWHERE = {PASSED_ON, "<what the cause says>", "<hints>"}


@functools.cache
def found_refusals() -> list[Refusal]:
    """Return every refusal: the source is walked once."""
    return refusals(KIT) + refusals(HARNESS)


@functools.cache
def steps() -> dict[str, Refusal | None]:
    """Return every next step that can be printed, with the refusal that it belongs to; None for the table of causes."""
    found: dict[str, Refusal | None] = {cause.hint: None for cause in causes(KIT)}
    found |= {hint: refusal for refusal in found_refusals() for hint in refusal.hints}
    return {hint: refusal for hint, refusal in found.items() if hint not in ELSEWHERE}


def test_the_page_is_as_the_source_has_it() -> None:
    assert (ROOT / "docs" / "errors.md").read_text("utf-8") == error_page(KIT, HARNESS), "run `inv errors`"


def test_every_refusal_has_a_message_of_its_own_and_a_next_step() -> None:
    found = found_refusals()
    assert len(found) > 300, "the walk has to find them"
    for refusal in found:
        where = f"{refusal.module}:{refusal.line}"
        assert refusal.hints, f"{where} has no next step: {refusal.message}"
        assert all(hint.strip() for hint in refusal.hints), f"{where} may have an empty next step"
        for hint in refusal.hints:
            assert not NO_STEP.search(hint), f"{where}: {hint!r} is no next step"


def test_no_message_is_an_exception_alone() -> None:
    """A place or a plain word stands before what a library says."""
    bare = [
        f"{refusal.module}:{refusal.line}: {message}"
        for refusal in found_refusals()
        for message in refusal.messages
        if re.fullmatch(r"<error>|<\w*[Ee]xception>", message)
    ]
    assert bare == []


TABLES = {"followed": FOLLOWED, "not here": NOT_HERE}
ENOUGH = 18  # characters of a next step, or all of its longest part: by chance no test has these


def named(begin: str) -> list[str]:
    """Return the next steps that a line of a table means: one of these words, or those that begin so."""
    if begin.endswith(" ..."):
        return [hint for hint in steps() if hint.startswith(begin.removesuffix(" ..."))]
    return [hint for hint in steps() if hint == begin]


@pytest.mark.parametrize("table", TABLES)
def test_every_line_of_the_remedies_is_one_next_step(table: str) -> None:
    lines = [line for lines in TABLES[table].values() for line in lines]
    assert [(line, len(named(line))) for line in lines if len(named(line)) != 1] == []


def test_every_next_step_is_in_one_of_the_tables() -> None:
    found = {
        name: {hint for ls in table.values() for line in ls for hint in named(line)} for name, table in TABLES.items()
    }
    assert [hint for hint in steps() if hint not in found["followed"] | found["not here"]] == []
    assert found["followed"] & found["not here"] == set()


def test_every_test_that_is_named_is_one() -> None:
    for where in FOLLOWED:
        file, _, name = where.partition("::")
        assert name in names_of_tests(file), where


def test_a_test_that_follows_a_next_step_has_its_words() -> None:
    """Read from the source of the test, of its parameters and of what it calls."""
    strange = [
        (where, hint)
        for where, lines in FOLLOWED.items()
        for line in lines
        for hint in named(line)
        if not knows(words_of(*where.split("::")), hint)
    ]
    assert strange == []


def knows(words: Iterable[str], hint: str) -> bool:
    """Say whether one of these texts is a part of a next step, or has one. A placeholder there counts as nothing."""
    parts = [part for part in map(plain, re.split(r"<\w+>|\{\}", hint)) if part]
    needed = min(ENOUGH, max(map(len, parts)))
    texts = [plain(text) for word in words for text in re.split(r"\((?:\.\*|\\S\+|\[.*?)\)|[{}]", word)]
    return any(len(part) >= needed and part in text for part in parts for text in texts) or any(
        len(text) >= needed and text in part for part in parts for text in texts
    )


def plain(text: str) -> str:
    """Return a text in one line, without what a pattern puts before a character, and without what the message has."""
    return " ".join(text.replace("\\", "").split()).removeprefix("next: ")


def test_words_of_another_next_step_are_not_enough() -> None:
    hint = "set DROPKIT_CACHE to a folder with space"
    assert knows({"next: set DROPKIT_CACHE to a folder"}, hint)
    assert knows({"and it says: set DROPKIT_CACHE to a folder with space, once"}, hint)
    assert not knows({"set DROPKIT_CACHE", "to a folder", "DROPKIT_CACHE of another kind to a folder with space"}, hint)
