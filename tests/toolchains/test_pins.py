"""Locks: one exact version with its SHA-256 a line, or they are refused."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from worlds import ROOT

from kit.errors import EngineError
from kit.toolchains.lockfile import Lock, Pin, read_lock, uv, uv_env

A, B = "a" * 64, "b" * 64
GOOD = f"numpy==2.1.3 \\\n    --hash=sha256:{A}\n"
LOCKS = sorted(
    [*(ROOT / "kit" / "toolchains").glob("tensorflow-*/*.lock"), *(ROOT / "kit" / "runtimes").glob("*/*.lock")]
)


def write(folder: Path, text: str | bytes) -> Path:
    """Write a lock."""
    path = folder / "requirements.lock"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_lock_gives_its_pins_in_their_order(tmp_path: Path) -> None:
    text = f"# a comment\nzope==1.0 --hash=sha256:{B}\n\n{GOOD}"
    assert read_lock(write(tmp_path, text)).pins == (
        Pin("zope", "1.0", frozenset({B})),
        Pin("numpy", "2.1.3", frozenset({A})),
    )


def test_a_pin_may_have_many_hashes_over_many_lines(tmp_path: Path) -> None:
    (pin,) = read_lock(write(tmp_path, GOOD.rstrip() + f" \\\n    --hash=sha256:{B}\n")).pins
    assert pin.sha256 == {A, B}


@pytest.mark.parametrize("name", ["Ruamel.Yaml_CLib", "ruamel-yaml-clib", "ruamel__yaml--clib"])
def test_a_name_is_written_as_the_index_writes_it(tmp_path: Path, name: str) -> None:
    (pin,) = read_lock(write(tmp_path, GOOD.replace("numpy", name))).pins
    assert pin.name == "ruamel-yaml-clib"


@pytest.mark.parametrize("version", ["2.1.3", "1!2.0", "2.1.3.post1", "2.0rc1", "2.1.3+cpu"])
def test_every_exact_version_is_one(tmp_path: Path, version: str) -> None:
    (pin,) = read_lock(write(tmp_path, GOOD.replace("2.1.3", version))).pins
    assert pin.version == version


def test_a_pin_may_be_for_some_machines_only(tmp_path: Path) -> None:
    text = GOOD.replace("2.1.3", '2.1.3 ; python_full_version >= "3.11" and sys_platform == "linux"')
    (pin,) = read_lock(write(tmp_path, text)).pins
    assert (pin.name, pin.version) == ("numpy", "2.1.3")


@pytest.mark.parametrize(
    "line",
    [
        "numpy==2.1.3",
        "numpy",
        f"numpy --hash=sha256:{A}",
        f"numpy>=2.1.3 --hash=sha256:{A}",
        f"numpy==2.* --hash=sha256:{A}",
        f"numpy==2.1.3,<3 --hash=sha256:{A}",
        f"numpy==2.1.3 --hash=md5:{A}",
        f"numpy==2.1.3 --hash=sha256:{A[:-1]}",
        f"numpy==2.1.3 --hash=sha256:{'g' * 64}",
        f"numpy @ https://example.org/numpy.whl --hash=sha256:{A}",
        "--index-url https://example.org/simple",
        "-e .",
        "numpy==2.1.3 ; python_version > '3' # --hash=sha256:" + A,
    ],
)
def test_a_requirement_that_is_not_exact_and_hashed_is_refused(tmp_path: Path, line: str) -> None:
    path = write(tmp_path, f"{GOOD}{line}\n{GOOD.replace('numpy', 'zope')}")
    with pytest.raises(EngineError, match="not an exact version with its sha256") as caught:
        read_lock(path)
    assert str(path) in caught.value.message
    assert line[:20] in caught.value.message


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n"])
def test_an_empty_lock_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(EngineError, match="the lock is empty"):
        read_lock(write(tmp_path, text))


def test_a_lock_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.lock", tmp_path, write(tmp_path, b"\xff\xfe\x00")):
        with pytest.raises(EngineError, match="the lock cannot be read"):
            read_lock(path)


def test_the_identity_of_a_lock_is_its_text_and_not_its_place(tmp_path: Path) -> None:
    assert Lock(tmp_path / "a", GOOD).sha256 == Lock(tmp_path / "b", GOOD).sha256
    assert Lock(tmp_path / "a", GOOD).sha256 != Lock(tmp_path / "a", GOOD.replace(A, B)).sha256


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: "/".join(path.parts[-2:]))
def test_every_committed_lock_is_whole_and_names_no_index(path: Path) -> None:
    lock = read_lock(path)
    assert len(lock.pins) == len(re.findall(r"(?m)^\S+==", lock.text))
    assert "://" not in lock.text


def test_there_are_locks_for_toolchains_and_for_runtimes() -> None:
    assert {path.parent.parent.name for path in LOCKS} == {"toolchains", "runtimes"}


def test_uv_is_the_one_that_came_with_the_kit() -> None:
    done = subprocess.run([uv(), "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("uv ")


def test_uv_does_not_see_the_venv_that_the_kit_runs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", "/somewhere")
    monkeypatch.setenv("UV_PROJECT_ENVIRONMENT", "/somewhere")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    env = uv_env()
    assert env["HTTPS_PROXY"] == "http://proxy:1"
    assert not {"VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT"} & env.keys()
