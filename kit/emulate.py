"""Run a bundle's own harness on a pinned runtime. Knows processes and venvs; the harness knows the model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kit.errors import CheckError, EngineError
from kit.pins import Lock, read_lock
from kit.toolchain import Runtime, find_runtime
from kit.venv import runtime_venv

HARNESS = Path("emulate") / "emulate.py"
CRASH_ON_VARIABLES = ("litert:1.0.1",)  # on some: it runs a head that is read and assigned, and not training
PACKAGES = {"litert": "ai-edge-litert", "tflite": "tflite-runtime"}  # by the runtime's id


def harness_argv(bundle: Path, runtime: Runtime, arguments: Sequence[str], notify: Callable[[str], None]) -> list[str]:
    """Return the command that runs a bundle's harness, after making the runtime's venv where it is missing."""
    python = runtime_venv(runtime, _lock(bundle, runtime), notify)
    return [str(python), str(bundle / HARNESS), *arguments]


def _lock(bundle: Path, runtime: Runtime) -> Lock:
    """Return the bundle's own lock where it is of that runtime, else the kit's."""
    own = read_lock(bundle / "emulate" / "requirements.txt")
    versions = {pin.name: pin.version for pin in own.pins}
    if versions.get(PACKAGES[runtime.id]) == runtime.version:
        return own
    return runtime.lock(pictures="pillow" in versions)


def run_harness(bundle: Path, runtime: str, arguments: Sequence[str], notify: Callable[[str], None]) -> int:
    """Run the harness with this process's own streams; return its exit code. Raises EngineError where it crashed."""
    argv = harness_argv(bundle, find_runtime(runtime), arguments, notify)
    code = subprocess.run(argv, check=False, env=_environment()).returncode
    if code < 0:
        raise _crashed(bundle, runtime, code)
    return code


def replay_golden(bundle: Path, runtime: str, notify: Callable[[str], None]) -> dict[str, Any]:
    """Replay the golden vectors and return the harness's own report. Raises CheckError where they do not hold."""
    argv = harness_argv(bundle, find_runtime(runtime), ["--golden", "--json"], notify)
    done = subprocess.run(argv, check=False, capture_output=True, text=True, env=_environment())
    if done.returncode < 0:
        raise _crashed(bundle, runtime, done.returncode)
    try:
        report = json.loads(done.stdout)
    except ValueError as error:
        why, _, hint = done.stderr.strip().removeprefix("emulate: ")[-1000:].rpartition("; ")
        raise EngineError(
            f"the harness gave no answer on {runtime}: {why or hint}", hint or "run `kit doctor`"
        ) from error
    if done.returncode != 0 or report.get("verdict") != "pass":
        raise CheckError(
            f"the converted model answers otherwise on {runtime}:\n  {json.dumps(_failed(report))[:800]}",
            'use scheme = "dynamic" where it is int8; or another [toolchain] tensorflow, or another [android] runtime',
        )
    return dict(report)


def _failed(report: dict[str, Any]) -> dict[str, Any]:
    """Return what did not pass, by its place in the harness's report."""
    parts = {name: one for name, one in report.items() if name in {"state", "train"}}
    for where, vectors in {"": report, **report.get("signatures", {})}.items():
        for kind in ("outputs", "pixels"):
            parts |= {f"{where} {kind} {name}".strip(): one for name, one in vectors[kind].items()}
    return {name: one for name, one in parts.items() if not one["pass"]}


def _crashed(bundle: Path, runtime: str, code: int) -> EngineError:
    """Return the error for an interpreter that took the process down with it, as LiteRT 1 does on a bad size."""
    ended = f"the interpreter of {runtime} ended with {signal.Signals(-code).name}"
    if runtime in CRASH_ON_VARIABLES and _has_variables(bundle):
        return EngineError(
            f"{ended}: this bundle has variables, which it may crash on",
            "name a newer runtime: --runtime litert:1.1.2, or [android] runtime in the recipe",
        )
    return EngineError(
        ended,
        "give inputs of another size, or run it on a newer runtime: --runtime, or [android] runtime in the recipe",
    )


def _has_variables(bundle: Path) -> bool:
    facts = [json.loads(path.read_text("utf-8")) for path in bundle.glob("src/main/assets/*/signature.json")]
    return any(each.get("variables") for each in facts)


def _environment() -> dict[str, str]:
    """Return this environment without what would change which packages the harness finds."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | {
        "PYTHONDONTWRITEBYTECODE": "1"
    }
