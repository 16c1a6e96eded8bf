"""Every reader of foreign bytes on bytes that nobody wrote: a value or an error of the documented kind, and soon.

A minute in CI. More: DROPKIT_FUZZ=4000 uv run pytest tests/source_model/test_fuzz.py, which is how many examples each
reader gets.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worlds import DIGITS

from kit.android.install.state import read_state
from kit.bounded import MOST_UNPACKED, open_zip, printable
from kit.build.samples import read_arrays
from kit.bundle.manifest import read_manifest
from kit.bundle.manifest_check import faults_of
from kit.errors import KitError
from kit.recipe.labels import read_labels
from kit.recipe.load import load_recipe
from kit.shared.job import Refusal, Result, load_result
from kit.source_model.model_file import read_model_file
from kit.tflite.metadata.decode import read_metadata
from kit.tflite.reader import read_tflite
from kit.trust.allowed import Ask
from kit.trust.keras_config import asks_of_config
from kit.trust.saved_model import asks_of_saved_model

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


def saved_model() -> bytes:
    """Return a small SavedModel's protocol buffer."""
    node = b"\x0a\x01x\x12\x05Const\x2a\x0d\x0a\x05value\x12\x04\x42\x02\x08\x07"
    graph = b"\x0a" + bytes([len(node)]) + node
    meta = b"\x0a\x07\x2a\x052.0.0" + b"\x12" + bytes([len(graph)]) + graph
    return b"\x08\x01\x12" + bytes([len(meta)]) + meta


def keras_file() -> bytes:
    """Return a small .keras file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.15.1"}')
        archive.writestr("config.json", '{"class_name": "Sequential", "config": {"layers": []}}')
    return buffer.getvalue()


def npz() -> bytes:
    """Return a small .npz file."""
    buffer = io.BytesIO()
    np.savez(buffer, image=np.arange(12, dtype=np.float32).reshape(3, 4), y=np.arange(3))
    return buffer.getvalue()


def into(folder: Path, name: str, content: bytes) -> Path:
    """Write a file and return its folder."""
    (folder / name).write_bytes(content)
    return folder


def arrays(path: Path) -> Any:
    """Read an .npz as data is read."""
    return read_arrays(path, "data")


READERS: dict[str, tuple[bytes, str, Callable[[Path], Any]]] = {
    "keras": (keras_file(), "m.keras", lambda folder: read_model_file(folder / "m.keras")),
    "saved model": (saved_model(), "saved_model.pb", read_model_file),
    "npz": (npz(), "x.npz", lambda folder: arrays(folder / "x.npz")),
    "recipe": ((DIGITS / "recipe.toml").read_bytes(), "r.toml", lambda folder: load_recipe(folder / "r.toml")),
    "labels": (b"one\ntwo\n", "labels.txt", lambda folder: read_labels(folder / "labels.txt")),
    "state": (b'{"format": 2, "bundles": {}, "generated": {}}', "dropkit.json", read_state),
    "manifest": (b'{"format": 3, "id": "x", "files": {}}', "bundle.json", read_manifest),
}


@pytest.mark.parametrize("reader", READERS)
def test_changed_files_are_read_or_refused(reader: str, tmp_path: Path) -> None:
    seed, name, read = READERS[reader]

    @QUICK
    @given(content=changed(seed))
    def holds(content: bytes) -> None:
        try:
            read(into(tmp_path, name, content))
        except KitError as error:
            assert error.hint

    holds()


def test_changed_tflite_files_are_read_or_refused(digits_bundle: Path) -> None:
    seed = next(digits_bundle.glob("src/main/assets/*/model.tflite")).read_bytes()

    @QUICK
    @given(content=changed(seed))
    def holds(content: bytes) -> None:
        for read in (read_tflite, read_metadata):
            try:
                read(content)
            except KitError as error:
                assert error.hint

    holds()


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


@QUICK
@given(content=st.binary(max_size=200) | changed(saved_model()))
def test_any_bytes_are_a_saved_model_or_are_refused(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzz"
    folder.mkdir(exist_ok=True)
    with suppress(ValueError, IndexError):  # what read_model_file turns into an error of its own
        asks = asks_of_saved_model(into(folder, "saved_model.pb", content))
        assert all(isinstance(ask, Ask) for ask in asks)


@QUICK
@given(content=changed(keras_file()))
def test_any_bytes_are_a_zip_file_or_are_refused(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.zip"
    path.write_bytes(content)
    with suppress(ValueError, OSError, zipfile.BadZipFile, NotImplementedError), open_zip(path) as archive:
        assert sum(member.file_size for member in archive.infolist()) <= MOST_UNPACKED


@QUICK
@given(text=st.text())
def test_any_text_is_printable(text: str) -> None:
    assert "\x1b" not in printable(text)
    assert "\x9b" not in printable(text)
