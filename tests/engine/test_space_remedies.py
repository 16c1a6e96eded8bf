"""A full or closed disk: what is refused, and that the folder which the next step names takes it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from small_disk import in_small_disk
from test_cache_heals import CONTENT, ENTRIES, _install, _put

from kit.cleaning import choose, find_entries
from kit.errors import EngineError, OutputError, RecipeError
from kit.files import replacing
from kit.toolchains import space, venv, wheels

TEMPORARY = """
from kit.errors import OutputError
from kit.files import temporary_folder
try:
    with temporary_folder("test-") as folder:
        (folder / "data").write_bytes(bytes(1 << 20))
    print("written")
except OutputError as error:
    print(error)
"""
NEEDED = """
from kit.errors import EngineError
from kit.files import cache_dir
from kit.toolchains.space import need_space
try:
    need_space(cache_dir() / "venvs", 1 << 20, "a toolchain")
    print("there is space")
except EngineError as error:
    print(error)
"""


def test_a_full_temporary_folder_is_exchanged_for_another(tmp_path: Path) -> None:
    small, other = tmp_path / "small", tmp_path / "other"
    other.mkdir()
    message = in_small_disk(small, TEMPORARY, TMPDIR=str(small))
    assert "next: free some space there, or set TMPDIR to another folder" in message
    assert in_small_disk(small, TEMPORARY, TMPDIR=str(other)) == "written\n"


def test_a_cache_without_space_is_moved(tmp_path: Path) -> None:
    small = tmp_path / "small"
    message = in_small_disk(small, NEEDED, DROPKIT_CACHE=str(small))
    assert "next: free some space, or set DROPKIT_CACHE to a folder with more" in message
    assert in_small_disk(small, NEEDED, DROPKIT_CACHE=str(tmp_path / "other")) == "there is space\n"


def test_a_disk_that_an_installer_fills_is_left_by_both_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DROPKIT_CACHE", str(tmp_path / "cache"))
    full = space.full_error("litert", "ERROR: [Errno 28] No space left on device")
    assert full is not None
    assert full.hint == "free some space; DROPKIT_CACHE moves the cache, and TMPDIR the temporary folder"
    monkeypatch.setenv("DROPKIT_CACHE", str(tmp_path / "other"))
    again = space.full_error("litert", "ERROR: [Errno 28] No space left on device")
    assert again is not None and str(tmp_path / "other") in again.message, "it would be written there"


@pytest.mark.parametrize("kind", ["venv", "wheel"])
def test_a_cache_that_cannot_be_written_is_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(venv, "_checked", set())
    monkeypatch.setattr(venv, "_failure", _install)
    monkeypatch.setattr(wheels, "_download", lambda _lock, _python, _machine, folder: _put(folder / "thing.whl"))
    (tmp_path / "file").write_bytes(CONTENT)
    obtain = ENTRIES[kind][1]
    monkeypatch.setenv("DROPKIT_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(EngineError, match="cannot be written") as error:
        obtain(tmp_path, print)
    assert error.value.hint == "set DROPKIT_CACHE to a folder with space"
    monkeypatch.setenv("DROPKIT_CACHE", str(tmp_path / "cache"))
    assert obtain(tmp_path, print)


@pytest.mark.parametrize(
    ("number", "step"),
    [
        (errno.ENOSPC, "free some space, or choose another folder with --out"),
        (errno.EDQUOT, "free some space, or choose another folder with --out"),
        (errno.EROFS, "choose another folder with --out"),
        (errno.EACCES, "change its permissions, or choose another with --out"),
        (errno.ENAMETOOLONG, "choose a shorter one"),
    ],
)
def test_a_place_that_refuses_is_exchanged_for_one_that_takes(tmp_path: Path, number: int, step: str) -> None:
    def write(target: Path, refused: int = 0) -> None:
        with replacing(target) as staging:
            (staging / "a.txt").write_text("a", "utf-8")
            if refused:
                raise OSError(refused, os.strerror(refused))

    with pytest.raises(OutputError, match="cannot write") as error:
        write(tmp_path / ("x" * 300 if number == errno.ENAMETOOLONG else "digits"), number)
    assert error.value.hint == step
    write(tmp_path / "other" / "digits")
    assert (tmp_path / "other" / "digits" / "a.txt").exists()


def test_what_clean_does_not_find_is_named_as_it_lists_it(tmp_path: Path) -> None:
    _put(tmp_path / "cache" / "venvs" / "litert" / "lib")
    entries = find_entries(tmp_path / "dist", tmp_path / "cache")
    with pytest.raises(RecipeError, match="names nothing that is there") as error:
        choose(entries, ["litret"])
    assert error.value.hint == "`kit clean` lists what is there"
    assert choose(entries, [entry.name for entry in entries]) == entries
