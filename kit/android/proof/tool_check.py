"""Whether each tool of the proof does anything on this machine: runs it once, for `kit doctor`."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kit.android.proof.step import MissingToolError
from kit.android.proof.tools import find_framework, find_jar, find_java, find_program
from kit.lifetime.tied import tied

_LIMIT = 30.0  # seconds for one of them
_AGAIN = "install its package again"
_JAVA = ("java", "javac")
# What to run, and what it prints where it is sound. zipalign has no version: it prints how it is used.
_PROGRAMS = {
    "java": (("-version",), r'version "([\d.]+)'),
    "javac": (("-version",), r"javac ([\d.]+)"),
    "npm": (("--version",), r"^([\d.]+)"),
    "aapt2": (("version",), r"Tool \(aapt\) (\S+)"),
    "zipalign": ((), r"Zip (alignment) utility"),
    "apksigner": (("--version",), r"^([\d.]+)"),
}


@dataclass(frozen=True)
class TriedTool:
    """A tool of the proof: its version or place, or what is wrong with it and the next step."""

    name: str
    found: str
    remedy: str = ""  # "" where it is sound

    @property
    def sound(self) -> bool:
        """Say whether it does what it should."""
        return not self.remedy


def try_tools() -> list[TriedTool]:
    """Run each tool once, and look for the files."""
    tools = [TriedTool(name, *_tried(name)) for name in _PROGRAMS]
    tools += [TriedTool(f"{name}.jar", *_found(partial(find_jar, name))) for name in ("jna", "junit", "hamcrest")]
    return [*tools, TriedTool("framework-res.apk", *_found(find_framework))]


def _tried(name: str) -> tuple[str, str]:
    argv, sound = _PROGRAMS[name]
    try:
        path = find_java(name) if name in _JAVA else find_program(name)
        done = subprocess.run(
            tied([str(path), *argv]), capture_output=True, text=True, errors="replace", check=False, timeout=_LIMIT
        )
    except MissingToolError as error:
        return error.message, error.hint
    except subprocess.TimeoutExpired:
        return f"{path} does not end in {_LIMIT:.0f} s", _AGAIN
    printed = (done.stdout + done.stderr).strip()
    version = re.search(sound, printed, re.MULTILINE)
    if version is None:
        last = " ".join(printed.splitlines()[-1:])[:200] or "nothing"
        return f"{path} ends with status {done.returncode} and prints {last}", _AGAIN
    return version[1], ""


def _found(find: Callable[[], Path]) -> tuple[str, str]:
    try:
        return str(find()), ""
    except MissingToolError as error:
        return error.message, error.hint
