"""docs/tutorial.md, executed word for word: what it shows under a command is what that command prints."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from worlds import ROOT

PAGE = ROOT / "docs" / "tutorial.md"
LEFT_OUT = "..."
MARK = "---- the next section ----"
# What takes minutes is slow: an installation, a search, a compiler. The others run in each test run.
LONG = {"Measure it on data of yours", "Prove its Android side"}


@dataclass(frozen=True)
class Section:
    """A section's commands, and the lines that it shows of what they print."""

    title: str
    commands: str
    shown: tuple[str, ...]


def sections() -> list[Section]:
    """Return the sections of the page that have commands."""
    found = []
    for part in PAGE.read_text("utf-8").split("\n## ")[1:]:
        blocks = dict(re.findall(r"```(sh|text)\n(.*?)```", part, re.DOTALL))
        if "sh" in blocks:
            found.append(Section(part.partition("\n")[0], blocks["sh"], tuple(blocks.get("text", "").splitlines())))
    return found


def plain(line: str) -> str:
    """Return a line with single spaces: how wide a table is drawn is not the page's."""
    return " ".join(line.split())


def not_printed(shown: Sequence[str], printed: str) -> list[str]:
    """Return the lines of a page that are not printed in their order; none may lie between two without LEFT_OUT."""
    lines = [plain(line) for line in printed.splitlines() if line.strip()]
    at, gap, missing = 0, False, []
    for line in filter(None, map(plain, shown)):
        if line == LEFT_OUT:
            gap = True
            continue
        found = next((n for n in range(at, len(lines) if gap else at + 1) if lines[n : n + 1] == [line]), None)
        if found is None:
            missing.append(line)
        else:
            at, gap = found + 1, False
    return missing if gap or missing else lines[at:]


def run_all(chosen: Sequence[Section], clone: Path, path: str) -> dict[str, str]:
    """Type the commands of sections into one shell in a clone; return what each printed, by title."""
    text = f"\necho '{MARK}'\n".join(section.commands for section in chosen)
    # No Docker engine responds: both engines give the same bytes, and an image takes minutes.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "PYTHON"))}
    env |= {"PATH": path, "DOCKER_HOST": "unix:///nowhere.sock"}
    argv = ["bash", "-euc", text]
    done = subprocess.run(
        argv, cwd=clone, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout[-3000:], done.stderr[-3000:])
    printed = done.stdout.split(f"{MARK}\n")
    return {section.title: output for section, output in zip(chosen, printed, strict=True)}


def check(chosen: Sequence[Section], printed: dict[str, str]) -> None:
    """Compare what a page shows with what was printed."""
    wrong = {section.title: not_printed(section.shown, printed[section.title]) for section in chosen}
    assert {title: lines for title, lines in wrong.items() if lines} == {}


def test_the_light_sections_print_what_the_tutorial_shows(tmp_path: Path) -> None:
    """With the kit that is tested in place of one that pip installs."""
    clone = tmp_path / "clone"
    clone.mkdir()
    for name in ("examples", "android_stub"):
        (clone / name).symlink_to(ROOT / name)
    install, *rest = [section for section in sections() if section.title not in LONG]
    assert install.title == "Install"
    lines = [line for line in install.commands.splitlines(keepends=True) if not re.search("venv|pip ", line)]
    assert len(lines) == len(install.commands.splitlines()) - 3
    chosen = [Section(install.title, "".join(lines).replace("cp -r", "cp -rL"), install.shown), *rest]
    check(chosen, run_all(chosen, clone, f"{Path(sys.executable).parent}:{os.environ['PATH']}"))
    assert (tmp_path / "first-app/android_stub/app/src/main/assets/digits/model.tflite").is_file()


@pytest.mark.slow
@pytest.mark.usefixtures("android_tools")
def test_the_tutorial_is_true_word_for_word(tmp_path: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        (tmp_path / "clone" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tmp_path / "clone" / name)
    own = str(Path(sys.executable).parent)
    path = os.pathsep.join(folder for folder in os.environ["PATH"].split(os.pathsep) if folder != own)
    chosen = sections()
    check(chosen, run_all(chosen, tmp_path / "clone", path))
    assert {section.title for section in chosen} > LONG


def test_a_line_that_is_not_printed_is_found() -> None:
    printed = "one\n  two   words\n\nthree\nfour\n"
    assert not_printed(("one", "two words", "...", "four"), printed) == []
    assert not_printed(("one", "..."), printed) == []
    assert not_printed(("one", "three"), printed) == ["three"]
    assert not_printed(("one", "...", "2"), printed) == ["2"]
    assert not_printed(("one", "two words"), printed) == ["three", "four"]
