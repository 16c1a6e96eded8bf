"""What earlier runs have counted, in build/faults.json: a run that was interrupted goes on with the next stage."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from benchmarks.faults.world import ROOT
from kit.files import write_whole

Row = list[str | int]


@dataclass
class Kept:
    """The rows of each part, with the commit that they were counted of. A part of fewer tries is counted again."""

    tries: int
    anew: bool = False
    path: Path = ROOT / "build" / "faults.json"
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        if not self.anew:
            with suppress(FileNotFoundError):
                self.parts = json.loads(self.path.read_text("utf-8"))
        self.parts = {name: part for name, part in self.parts.items() if part["tries"] >= self.tries}

    def rows(self, part: str, count: Callable[[], list[Row]]) -> list[Row]:
        """Return the rows of a part; they are counted where no earlier run has."""
        if part not in self.parts:
            rows = count()
            with self._lock:
                self.parts[part] = {"tries": self.tries, "commit": _commit(), "rows": rows}
                write_whole(self.path, json.dumps(self.parts, indent=1).encode())
        found: list[Row] = self.parts[part]["rows"]
        return found

    def commits(self) -> list[str]:
        """Return the commits that rows were counted of."""
        return sorted({part["commit"] for part in self.parts.values()})


def _commit() -> str:
    argv = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
