"""Run a bundle's own harness on a pinned runtime. Knows processes and venvs; the harness knows the model."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kit.errors import CheckError, EngineError
from kit.pins import read_lock
from kit.toolchain import Runtime, find_runtime
from kit.venv import runtime_venv

HARNESS = Path("emulate") / "emulate.py"


def harness_argv(bundle: Path, runtime: Runtime, arguments: Sequence[str], notify: Callable[[str], None]) -> list[str]:
    """Return the command that runs a bundle's harness, after making the runtime's venv where it is missing."""
    python = runtime_venv(runtime, read_lock(bundle / "emulate" / "requirements.txt"), notify)
    return [str(python), str(bundle / HARNESS), *arguments]


def run_harness(bundle: Path, runtime: str, arguments: Sequence[str], notify: Callable[[str], None]) -> int:
    """Run the harness with this process's own streams; return its exit code."""
    argv = harness_argv(bundle, find_runtime(runtime), arguments, notify)
    return subprocess.run(argv, check=False, env=_environment()).returncode


def replay_golden(bundle: Path, runtime: str, notify: Callable[[str], None]) -> dict[str, Any]:
    """Replay the golden vectors and return the harness's own report. Raises CheckError where they do not hold."""
    argv = harness_argv(bundle, find_runtime(runtime), ["--golden", "--json"], notify)
    done = subprocess.run(argv, check=False, capture_output=True, text=True, env=_environment())
    try:
        report = json.loads(done.stdout)
    except ValueError as error:
        raise EngineError(
            f"the harness gave no answer on {runtime}: {done.stderr.strip()[-500:]}", "run `kit doctor`"
        ) from error
    if done.returncode != 0 or report.get("verdict") != "pass":
        raise CheckError(
            f"the converted model answers otherwise on {runtime}:\n  {json.dumps(report.get('outputs'))[:800]}",
            "another scheme or TensorFlow version may suit that runtime; or name another [android] runtime",
        )
    return dict(report)


def _environment() -> dict[str, str]:
    """Return this environment without what would change which packages the harness finds."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | {
        "PYTHONDONTWRITEBYTECODE": "1"
    }
