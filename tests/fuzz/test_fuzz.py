"""Every reader of foreign bytes on bytes that nobody wrote: a value or an error of the documented kind, and soon.

A minute in CI. More: DROPKIT_FUZZ=4000 uv run pytest tests/fuzz, which is how many examples each reader gets; and
`inv fuzz`, which is guided by coverage.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from readers import FOUND, READERS, Reader

from kit.bundle.manifest_check import faults_of
from kit.errors import KitError
from kit.shared.job import Refusal, Result, load_result
from kit.trust.allowed import Ask
from kit.trust.keras_config import asks_of_config

EXAMPLES = int(os.environ.get("DROPKIT_FUZZ", "60"))
QUICK = settings(
    max_examples=EXAMPLES,
    deadline=5000,  # milliseconds: no input takes longer
    derandomize="DROPKIT_FUZZ" not in os.environ,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
WORDS = ["class_name", "config", "module", "registered_name", "layers", "function", "name", "files", "id", "format"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(WORDS) | st.text(), inner, max_size=6),
    max_leaves=40,
)


def changed(seed: bytes) -> st.SearchStrategy[bytes]:
    """Return a seed's bytes with some of them others, cut off, or put in."""

    def apply(edits: list[tuple[int, bytes, int]]) -> bytes:
        content = seed
        for at, put, gone in edits:
            place = at % (len(content) + 1)
            content = content[:place] + put + content[place + gone :]
        return content

    edit = st.tuples(st.integers(0, 1 << 30), st.binary(max_size=8), st.integers(0, 8))
    return st.lists(edit, max_size=6).map(apply)


@pytest.mark.parametrize("name", READERS)
def test_changed_files_are_read_or_refused(name: str) -> None:
    reader = READERS[name]
    examples = EXAMPLES if reader.pure else EXAMPLES // 6  # each of which starts a process

    @settings(QUICK, max_examples=examples)
    @given(content=st.one_of(*map(changed, reader.contents())) | st.binary(max_size=200))
    def holds(content: bytes) -> None:
        reader.try_on(content)

    holds()


@pytest.mark.parametrize("name", READERS)
def test_what_a_build_wrote_is_read(name: str) -> None:
    """Else the fuzzer would try what every reader refuses at its first bytes."""
    for content in READERS[name].contents():
        READERS[name].read(content)


@pytest.mark.parametrize("path", sorted(FOUND.rglob("*.*")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_the_fuzzer_once_found_is_read_or_refused(path: Path) -> None:
    READERS[path.parent.name].try_on(path.read_bytes())


def test_a_reader_that_raises_what_is_not_documented_is_found() -> None:
    def careless(content: bytes) -> object:
        return [][len(content)]

    with pytest.raises(IndexError):
        Reader(careless, "labels", (ValueError,)).try_on(b"")

    def curt(content: bytes) -> object:
        raise KitError("it is wrong", "")

    with pytest.raises(AssertionError, match="no next step: it is wrong"):
        Reader(curt, "labels").try_on(b"")


@QUICK
@given(value=JSON)
def test_any_json_is_a_description_that_asks_for_something_or_nothing(value: Any) -> None:
    for config in (value, {"class_name": "Functional", "config": {"layers": [value]}}):
        assert all(isinstance(ask, Ask) for ask in asks_of_config(config))


@QUICK
@given(value=JSON)
def test_any_json_is_no_manifest(value: Any) -> None:
    assert faults_of(value)


@QUICK
@given(value=JSON)
def test_any_json_is_a_result_or_is_refused(value: Any) -> None:
    for kind in ("result", "refusal", "job"):
        # What the host takes for a job that left no result.
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            assert isinstance(load_result(json.dumps({kind: value})), Result | Refusal)
