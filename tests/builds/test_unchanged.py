"""A build of an unchanged recipe: recognized before anything heavy is loaded, and by content alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from worlds import DIGITS, ROOT, run_kit

from kit.bundle.manifest import is_intact
from kit.bundle.whole import is_recorded, record_path
from kit.lifetime.scratch import PREFIX

BY_INVOKE = {**os.environ, "INVOKE_NOTHING": ""}  # a setting of Invoke's: then it reads every command line


@pytest.fixture
def bundle(digits_bundle: Path, tmp_path: Path) -> Path:
    """Give a copy of the digits bundle with the record of its build."""
    copy = Path(shutil.copytree(digits_bundle, tmp_path / "dist" / "digits"))
    shutil.copy(record_path(digits_bundle), record_path(copy))
    return copy


def key(bundle: Path) -> str:
    """Return the key that a bundle says it has."""
    return str(json.loads((bundle / "bundle.json").read_text("utf-8"))["key"])


def test_it_loads_neither_invoke_nor_types_nor_arrays(bundle: Path) -> None:
    argv = [sys.executable, "-X", "importtime", "-m", "kit", "build", str(DIGITS), "--out", str(bundle.parent)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == f"{bundle} is up to date: nothing it depends on has changed\n"
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "kit.bundle.whole" in imported
    assert imported & {"invoke", "pydantic", "numpy", "dataclasses", "zipfile", "ctypes", "platformdirs"} == set()


@pytest.mark.parametrize("options", [[], ["--json"], ["--engine", "local", "--timeout", "60"]])
def test_it_says_the_same_as_with_invoke(bundle: Path, options: list[str]) -> None:
    words = ["build", str(DIGITS), "--out", str(bundle.parent), *options]
    ours, theirs = run_kit(*words), run_kit(*words, env=BY_INVOKE)
    assert (ours.returncode, ours.stdout, ours.stderr) == (theirs.returncode, theirs.stdout, theirs.stderr)
    assert (ours.returncode, ours.stderr) == (0, "")
    if "--json" in options:
        assert ours.stdout == (bundle / "bundle.json").read_text("utf-8")


def test_it_sweeps_what_a_dead_run_left(bundle: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    (scratch / f"{PREFIX}abcdefgh").mkdir(parents=True)
    env = {**os.environ, "TMPDIR": str(scratch)}
    assert "up to date" in run_kit("build", str(DIGITS), "--out", str(bundle.parent), env=env).stdout
    assert list(scratch.iterdir()) == []


def test_a_bundle_without_its_record_is_recognized_by_all_that_its_manifest_says(bundle: Path) -> None:
    assert is_recorded(bundle, key(bundle))
    record_path(bundle).unlink()
    assert not is_recorded(bundle, key(bundle))
    assert is_intact(bundle, key(bundle))
    assert "up to date" in run_kit("build", str(DIGITS), "--out", str(bundle.parent)).stdout


@pytest.mark.parametrize("record", ["", "[]", "{}", "null", '{"manifest": null}', "[" * 100_000])
def test_a_damaged_record_decides_nothing(bundle: Path, record: str) -> None:
    record_path(bundle).write_text(record, "utf-8")
    assert not is_recorded(bundle, key(bundle))


@pytest.mark.parametrize("damage", ["key", "manifest", "changed", "missing", "foreign", "link"])
def test_what_is_not_as_it_was_built_is_not_recognized(bundle: Path, damage: str) -> None:
    expected, readme = key(bundle), bundle / "README.md"
    if damage == "key":
        expected = "0" * 64
    elif damage == "manifest":  # a field that no digest of a file covers
        manifest = json.loads((bundle / "bundle.json").read_text("utf-8"))
        (bundle / "bundle.json").write_text(json.dumps(manifest | {"notes": 1}), "utf-8")
    elif damage == "changed":
        readme.write_text("mine", "utf-8")
    elif damage == "missing":
        readme.unlink()
    elif damage == "foreign":
        (bundle / "notes.txt").write_text("mine", "utf-8")
    else:
        readme.rename(bundle.parent / "README.md")
        readme.symlink_to(bundle.parent / "README.md")
    assert not is_recorded(bundle, expected)
    assert not is_intact(bundle, expected)
