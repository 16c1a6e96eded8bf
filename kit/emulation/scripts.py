"""Scripts on a runtime's Python, each a process. One that is started early imports its packages while others work."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kit.lifetime.tied import tied

_WAITING = Path(__file__).with_name("waiting_script.py")
_IMPORTS = ("numpy", "ai_edge_litert.interpreter", "tflite_runtime.interpreter")  # what there is of these


@dataclass(frozen=True)
class Scripts:
    """Runs scripts, in processes that wait for one where there are any."""

    waiting: dict[Path, list[subprocess.Popen[str]]] = field(default_factory=dict)  # by the Python

    def run(self, python: Path, words: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
        """Run a script with its arguments; return its exit code and what it said."""
        argv = [str(word) for word in words]
        if waiting := self.waiting.get(python):
            process = waiting.pop(0)
            said = process.communicate(json.dumps(argv) + "\n")
            return subprocess.CompletedProcess(argv, process.returncode, *said)
        whole = tied([str(python), *argv])
        return subprocess.run(whole, check=False, capture_output=True, text=True, env=alone())

    def start(self, python: Path) -> None:
        """Start a process that waits for a script."""
        self.waiting.setdefault(python, []).append(
            subprocess.Popen(
                tied([str(python), str(_WAITING), *_IMPORTS]),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=alone(),
            )
        )


@contextmanager
def scripts_ahead(python: Path, number: int) -> Iterator[Scripts]:
    """Start processes on a Python that wait for a script each. Those that none was for end with this block."""
    scripts = Scripts()
    try:
        for _ in range(number):
            scripts.start(python)
        yield scripts
    finally:
        for process in (each for waiting in scripts.waiting.values() for each in waiting):
            process.kill()
            process.communicate()


def alone() -> dict[str, str]:
    """Return this environment without what would change which packages a script finds."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | {
        "PYTHONDONTWRITEBYTECODE": "1"
    }
