"""Which operator versions a .tflite needs, held against what the app's runtime has. Loads neither.

The table was made by asking the runtimes (kit/toolchains/operator_probe.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kit.errors import CheckError
from kit.tflite.reader import read_tflite
from kit.toolchains.toolchain import RUNTIMES

TABLE = RUNTIMES / "operators.json"
_OLDEST = "tflite:2.14.0"


@dataclass(frozen=True)
class Misfit:
    """An operator that a file needs and a runtime lacks."""

    operator: str
    needed: int
    has: tuple[int, int] | None  # lowest and highest version; None where it knows no such operator

    def __str__(self) -> str:
        if self.has is None:
            return f"{self.operator} v{self.needed}, and it knows no such operator"
        low, high = self.has
        return f"{self.operator} v{self.needed}, and it has v{low} to v{high}"


def versions_needed(model: Path) -> dict[str, int]:
    """Return the highest version of each builtin operator in a .tflite. Raises ModelError for what is none."""
    needed: dict[str, int] = {}
    for code in read_tflite(model).operator_codes:
        if not code.name.startswith("CUSTOM"):
            needed[code.name] = max(needed.get(code.name, 1), code.version)
    return needed


def misfits(needed: Mapping[str, int], runtime: str) -> list[Misfit]:
    """Return what a pinned runtime such as "litert:2.3.0" lacks, by operator.

    Google Play services ("play:16.5.0") bring what a phone happens to have: they have what the oldest pinned one has.
    """
    there = table()[_held_against(runtime)]
    found = [Misfit(operator, version, there.get(operator)) for operator, version in sorted(needed.items())]
    return [each for each in found if each.has is None or not each.has[0] <= each.needed <= each.has[1]]


def check_fit(model: Path, runtime: str) -> str:
    """Return in a few words what was held against the runtime.

    Raises CheckError where it lacks an operator, with the runtimes that have it.
    """
    needed = versions_needed(model)
    lacking = misfits(needed, runtime)
    if lacking:
        able = [name for name in table() if not misfits(needed, name)]
        other = f'[android] runtime = "{able[0]}" has it; ' if able else ""
        which = f" ({_held_against(runtime)} stands for it)" if _held_against(runtime) != runtime else ""
        raise CheckError(
            f"{runtime}{which} cannot run this model: it needs {'; '.join(map(str, lacking))}",
            f"{other}another [quantize] scheme or an older [toolchain] tensorflow may need less: "
            "`kit matrix` shows what each version writes",
        )
    return f"{len(needed)} operators, each in a version that {_held_against(runtime)} has"


def _held_against(runtime: str) -> str:
    return _OLDEST if runtime.startswith("play:") else runtime


@cache
def table() -> Mapping[str, Mapping[str, tuple[int, int]]]:
    """Return the lowest and highest version of every operator, by runtime, oldest first."""
    raw = json.loads(TABLE.read_text("utf-8"))
    return {runtime: {name: (low, high) for name, (low, high) in has.items()} for runtime, has in raw.items()}
