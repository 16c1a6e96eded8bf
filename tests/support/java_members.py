"""Public members of compiled classes as lines of text, so that two libraries can be compared. Knows javap's output."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

# What the Kotlin compiler makes for itself, and what no app can name.
_INTERNAL = re.compile(r"access\$|\$annotations|DefaultConstructorMarker|\$\w+\(|\$default\(|native[A-Z]")


def members(javap: Path, classpath: str, classes: Sequence[str]) -> set[str]:
    """Return lines as "android.graphics.Bitmap getPixel(int, int) int" of the public classes among those named."""
    argv = [str(javap), "-public", "-cp", classpath, *classes]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return set(_lines(done.stdout))


def _lines(text: str) -> Iterator[str]:
    name = ""
    for line in text.splitlines():
        header = re.match(r"(public |protected )?(?:[a-z]+ )*(class|interface) ([\w.$]+)", line)
        if header:
            name = header[3] if line.startswith("public") else ""
            if name:
                yield f"{name} {header[2]}"
        elif name and line.startswith("  ") and not _INTERNAL.search(line):
            yield f"{name} {_member(line, name)}"


def _member(line: str, owner: str) -> str:
    plain = re.sub(r" throws .*|;$", "", _without_generics(line.strip()))
    static = "static " if re.search(r"\bstatic\b", plain) else ""
    plain = re.sub(r"\b(public|static|final|abstract|default|synchronized|native|transient|volatile) ", "", plain)
    found = re.match(r"(?:([\w.$\[\]]+) )?([\w.$]+)\((.*)\)", plain)
    if found is None:
        kind, _, name = plain.rpartition(" ")
        return f"{static}{name}: {_simple(kind)}"
    parameters = ", ".join(_simple(each) for each in found[3].split(", ") if each)
    result = f" {_simple(found[1])}" if found[1] else ""
    return f"{static}{found[2] if found[1] else '<init>'}({parameters}){result}"


def _without_generics(text: str) -> str:
    while "<" in text:
        text = re.sub(r"<[^<>]*>", "", text)
    return text.replace("  ", " ")


def _simple(kind: str) -> str:
    return kind.replace("...", "[]").rpartition(".")[2].replace("$", ".")
