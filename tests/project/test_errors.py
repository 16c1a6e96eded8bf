"""docs/errors.md: every refusal, from the source, with its place, cause and next step; and what follows each."""

from __future__ import annotations

import ast
import functools
import re

import pytest
from remedies import FOLLOWED, NOT_HERE
from worlds import ROOT

from kit.refusals.page import error_page
from kit.refusals.read import Refusal, causes, refusals

KIT = ROOT / "kit"
# What is no next step: it sends the reader away, or says only that something is wrong.
NO_STEP = re.compile(
    r"\bthe log\b|lines above\.?$|by hand|may convert|tell dropkit|^leave it out$|^name another( layer)?$|"
    r"^keep others$|^check the file$|\?$(?<!there is\?)|^see [^`]",
    re.IGNORECASE,
)


@functools.cache
def found_refusals() -> list[Refusal]:
    """Return every refusal: the source is walked once."""
    return refusals(KIT)


@functools.cache
def steps() -> dict[str, Refusal | None]:
    """Return every next step that can be printed, with the refusal that it belongs to; None for the table of causes."""
    found: dict[str, Refusal | None] = {cause.hint: None for cause in causes(KIT)}
    return {hint: refusal for refusal in found_refusals() for hint in refusal.hints} | found


def test_the_page_is_as_the_source_has_it() -> None:
    assert (ROOT / "docs" / "errors.md").read_text("utf-8") == error_page(KIT), "run `inv errors`"


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


@pytest.mark.parametrize("table", [FOLLOWED, NOT_HERE], ids=["followed", "not here"])
def test_every_row_of_the_remedies_is_of_a_next_step(table: dict[str, str]) -> None:
    idle = [pattern for pattern in table if not any(re.search(pattern, hint) for hint in steps())]
    assert idle == []


def test_every_next_step_has_a_row() -> None:
    rows = [*FOLLOWED, *NOT_HERE]
    missing = [hint for hint in steps() if not any(re.search(pattern, hint) for pattern in rows)]
    assert missing == []


def test_every_test_that_is_named_is_one() -> None:
    for where in set(FOLLOWED.values()):
        file, _, name = where.partition("::")
        tree = ast.parse((ROOT / "tests" / file).read_text("utf-8"))
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert name in names if name else any(each.startswith("test_") for each in names), where
