"""Whether each tool of the proof does anything on this machine: runs it once, for `kit doctor`."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

from kit.android.proof.step import MissingToolError
from kit.android.proof.tools import find_framework, find_jar, find_java, find_program
from kit.lifetime.tied import tied

_LIMIT = 30.0  # seconds for one of them
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


def try_tools() -> list[tuple[str, str, bool]]:
    """Return each tool with its version or what is wrong and the next step, and whether it is sound."""
    rows = [(name, *_tried(name)) for name in _PROGRAMS]
    rows += [(f"{name}.jar", *_found(partial(find_jar, name))) for name in ("jna", "junit", "hamcrest")]
    return [*rows, ("framework-res.apk", *_found(find_framework))]


def _tried(name: str) -> tuple[str, bool]:
    argv, sound = _PROGRAMS[name]
    try:
        path = find_java(name) if name in _JAVA else find_program(name)
        done = subprocess.run(
            tied([str(path), *argv]), capture_output=True, text=True, errors="replace", check=False, timeout=_LIMIT
        )
    except MissingToolError as error:
        return f"{error.message}: {error.hint}", False
    except subprocess.TimeoutExpired:
        return f"{path} does not end in {_LIMIT:.0f} s", False
    printed = (done.stdout + done.stderr).strip()
    version = re.search(sound, printed, re.MULTILINE)
    if version is None:
        last = " ".join(printed.splitlines()[-1:])[:200] or "nothing"
        return f"{path} ends with status {done.returncode} and prints {last}: install its package again", False
    return version[1], True


def _found(find: Callable[[], Path]) -> tuple[str, bool]:
    try:
        return str(find()), True
    except MissingToolError as error:
        return f"{error.message}: {error.hint}", False
