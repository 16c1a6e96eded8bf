"""What `kit clean` shows and asks on a terminal before anything goes, and that a script is not asked."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from projects import bundle
from worlds import run_kit

REMOVE = ("clean", "--out", "dist", "--remove", "digits")


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """Give a folder with two bundles in dist, and an empty cache."""
    for name in ("digits", "other"):
        bundle(tmp_path / "dist", name)
    return tmp_path


def environment(folder: Path) -> Mapping[str, str]:
    """Return the environment with a cache of the test's own."""
    return {**os.environ, "DROPKIT_CACHE": str(folder / "cache")}


def on_a_terminal(folder: Path, reply: str) -> tuple[int, str]:
    """Run the command with a pseudo terminal as its input and output; return its exit code and all that it shows."""
    master, slave = pty.openpty()
    argv = [sys.executable, "-m", "kit", *REMOVE]
    with subprocess.Popen(
        argv, cwd=folder, env=environment(folder), stdin=slave, stdout=slave, stderr=slave
    ) as process:
        os.close(slave)
        os.write(master, reply.encode())
        shown = b""
        while True:
            try:
                part = os.read(master, 4096)
            except OSError:  # EIO: nobody has the other side open any more
                break
            if not part:
                break
            shown += part
    os.close(master)
    return process.returncode, shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("reply", ["\n", "yess\n", "\x04"], ids=["enter", "typo", "end of input"])
def test_all_but_a_yes_removes_nothing(desk: Path, reply: str) -> None:
    code, shown = on_a_terminal(desk, reply)
    assert code == 0
    question = shown.index("remove all of this? [y/N] ")
    assert "MB to remove" in shown[:question] and "dist/digits" in shown[:question]
    assert "dist/other" not in shown
    assert "nothing was removed" in shown[question:]
    assert (desk / "dist" / "digits" / "bundle.json").is_file()


def test_a_yes_removes_what_was_shown(desk: Path) -> None:
    code, shown = on_a_terminal(desk, "Y\n")
    assert code == 0
    assert shown.index("dist/digits") < shown.index("remove all of this?") < shown.index("removed dist/digits")
    assert [path.name for path in (desk / "dist").iterdir()] == ["other"]


def test_a_script_is_not_asked(desk: Path) -> None:
    done = run_kit(*REMOVE, cwd=desk, env=environment(desk))
    assert done.returncode == 0
    assert "MB to remove" in done.stdout and "removed dist/digits" in done.stdout and "[y/N]" not in done.stdout
    assert [path.name for path in (desk / "dist").iterdir()] == ["other"]
