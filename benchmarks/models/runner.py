"""Make, build and judge one row in one scheme, as a user would: a recipe in a folder, and `kit build`."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.models.architecture import Architecture
from benchmarks.models.judge import judge, worst
from kit.files import write_whole
from kit.toolchains.toolchain import find_runtime, find_toolchain
from kit.toolchains.venv import runtime_venv, toolchain_venv

ROOT = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent
MAKERS = {2: "2.15.1", 3: "2.19.1"}  # the TensorFlow whose `keras` writes the model
RUNTIME = "litert:2.3.0"
MINUTES = 15
_SHARED = ("architecture.py", "data.py", "fit.py", "make.py", "parts.py")
_ERROR = re.compile(r"^(recipe|output|model|check|engine|verify|bug): ", re.MULTILINE)
_REFUSALS = {2, 3, 4, 5}


@dataclass(frozen=True)
class Outcome:
    """What became of one build.

    status: right; noted: not right, and the build says so; wrong: not right, without a word; refused; crash; unmade,
    where the benchmark is at fault.
    """

    status: str
    size: int = 0
    output: str = ""  # the output that decides, with its measures
    share: float = 0.0
    concordance: float = 0.0
    agreement: float | None = None
    code: int = 0  # of the build
    message: str = ""
    hint: str = ""
    remedy: str = ""  # what was done as the hint says; "" where nothing was tried
    remedy_status: str = ""
    remedy_message: str = ""
    kit: str = ""  # digest of the kit's code that built
    example: str = ""  # digest of the code that made the model


def run(row: Architecture, scheme: str, tensorflow: str, work: Path) -> Outcome:
    """Make the model where it is missing, build it, judge it; where it is refused follow the remedy that it has."""
    outcome = _run(row, scheme, tensorflow, work)
    return replace(outcome, kit=kit_digest(), example=example_digest(row))


def _run(row: Architecture, scheme: str, tensorflow: str, work: Path) -> Outcome:
    try:
        folder = made(row, work)
    except subprocess.CalledProcessError as error:
        return Outcome("unmade", message=_without_log(error.stderr).rpartition("\n")[2])
    outcome = attempt(folder, scheme, tensorflow, "main")
    remedy = about(folder)["remedy"]
    if outcome.status != "refused" or remedy is None or scheme not in remedy["schemes"]:
        return outcome
    second = attempt(folder, remedy["scheme"] or scheme, tensorflow, "remedy")
    why = second.message if second.status != "right" else ""
    return replace(outcome, remedy=remedy["text"], remedy_status=second.status, remedy_message=why)


def made(row: Architecture, work: Path) -> Path:
    """Return the folder of a row's model, made where it is missing or its code has changed.

    Raises CalledProcessError where a toolchain cannot make it.
    """
    folder, digest = work / "models" / row.id, example_digest(row)
    done = folder / "digest"
    if done.exists() and done.read_text("utf-8") == digest:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    python = toolchain_venv(find_toolchain(MAKERS[row.keras]), print)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}
    argv = [str(python), "-m", "benchmarks.models.make", row.id, str(folder)]
    subprocess.run(argv, env=env, check=True, capture_output=True, text=True, cwd=work)
    write_whole(done, digest.encode())
    return folder


def about(folder: Path) -> dict[str, Any]:
    """Return what `make` says of a model."""
    return dict(json.loads((folder / "about.json").read_text("utf-8")))


def attempt(folder: Path, scheme: str, tensorflow: str, kind: str) -> Outcome:
    """Build the main or the remedy's recipe of a made model, and judge the file. Leaves no bundle."""
    facts = about(folder)
    recipe = folder / f"{kind}-{scheme}.toml"
    recipe.write_text(recipe_text(facts, scheme, kind, _data(folder, kind)), "utf-8")
    dist = folder / "dist"
    argv = [sys.executable, "-m", "kit", "build", str(recipe), "--engine", "local", "--json"]
    argv += ["--out", str(dist)]
    argv += ["--tensorflow", tensorflow] if tensorflow else []
    try:
        built = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60 * MINUTES)
        if built.returncode:
            return _refused(built.returncode, built.stderr, folder)
        model = next(dist.glob("*/src/main/assets/*/model.tflite"), None) or next(dist.rglob("*.tflite"))
        return _noted(judge_file(model, folder, scheme, kind), json.loads(built.stdout)["notes"])
    except subprocess.TimeoutExpired:
        return Outcome("crash", message=f"no end within {MINUTES} minutes")
    finally:
        shutil.rmtree(dist, ignore_errors=True)


def _noted(outcome: Outcome, notes: Sequence[str]) -> Outcome:
    """Return the outcome of a file that is not right as noted, where a note of the build names the output."""
    words = [note for note in notes if note.startswith(f"output '{outcome.output}' is far from")]
    return replace(outcome, status="noted", hint=words[0]) if outcome.status == "wrong" and words else outcome


def _data(folder: Path, kind: str) -> str:
    """Return whose data a recipe takes: the remedy has its own where it has other inputs."""
    return kind if (folder / f"{kind}-inputs.npz").exists() else "main"


def recipe_text(facts: Mapping[str, Any], scheme: str, kind: str, data: str) -> str:
    """Return the recipe of a made model. kind: main or remedy; data: whose calibration and test data an int8 one has.

    The other schemes have no data, as most recipes: their numbers are measured on random samples.
    """
    words = facts if kind == "main" else facts["remedy"]
    lines = ["[model]", f"path = '{facts['stored']}'", "id = 'model'", facts["keys"] if kind == "main" else ""]
    if kind == "remedy":
        lines.append(words["keys"] or facts["keys"])
    lines += ["[quantize]", f"scheme = '{scheme}'"]
    if scheme == "int8":
        lines += [f"representative = '{data}-calibration.npz'", "[checks]", f"data = '{data}-inputs.npz'"]
    return "\n".join(line for line in [*lines, words["tables"]] if line) + "\n"


def judge_file(model: Path, folder: Path, scheme: str, kind: str) -> Outcome:
    """Run a .tflite file on the runtime, and hold what it gives against the Keras model's reference."""
    inputs, outputs = folder / f"{_data(folder, kind)}-inputs.npz", folder / "outputs.npz"
    runtime = find_runtime(RUNTIME)
    python = runtime_venv(runtime, runtime.lock(images=False), print)
    argv = [str(python), str(HERE / "interpreter.py"), str(model), str(inputs), str(outputs)]
    ran = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60 * MINUTES)
    size = model.stat().st_size
    if ran.returncode:
        why = _death(ran.returncode) or (ran.stderr.strip().splitlines() or ["nothing said"])[-1]
        return Outcome("wrong", size, message=f"{RUNTIME} cannot run the file: {why[:300]}")
    with np.load(folder / "reference.npz") as reference, np.load(outputs) as got:
        judgements = judge(scheme, reference, got, about(folder)["classes"])
    one = worst(judgements)
    status = "right" if all(judgement.right for judgement in judgements) else "wrong"
    return Outcome(status, size, one.output, one.share, one.concordance, one.agreement, message=one.why)


def _refused(code: int, stderr: str, folder: Path) -> Outcome:
    """Return a refusal in the kit's words; an end without them is a crash."""
    stderr = stderr.replace(f"{folder}/", "").replace(str(folder), "")
    starts = [match.start() for match in _ERROR.finditer(stderr)]
    if code not in _REFUSALS or not starts:
        return Outcome("crash", code=code, message=_death(code) or stderr.strip()[-600:])
    message, _, hint = stderr[starts[-1] :].strip().partition("\n  next: ")
    return Outcome("refused", code=code, message=_without_log(message), hint=_without_log(hint))


def _without_log(text: str) -> str:
    """Return what the kit itself says: the end of a log that it shows has times, files have paths."""
    lines = (line for line in text.splitlines() if not line.startswith(("  |", "  whole log:")))
    return re.sub(r"(?<![\w./-])/(?:[^\s/]+/)+", "", "\n".join(lines)).strip()


def _death(code: int) -> str:
    return f"ended with {signal.Signals(-code).name}" if code < 0 else ""


def example_digest(row: Architecture) -> str:
    """Return a digest of the code that makes a row's model."""
    return _digest(HERE / name for name in (*_SHARED, f"{row.family}.py"))


def kit_digest() -> str:
    """Return a digest of the kit's code."""
    return _digest((ROOT / "kit").rglob("*.py"))


def _digest(paths: Any) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(paths))).hexdigest()[:16]


def keep(outcome: Outcome, row: Architecture, scheme: str, work: Path) -> None:
    """Keep an outcome, so that the page can be written from it another time."""
    place = _kept(row, scheme, work)
    place.parent.mkdir(parents=True, exist_ok=True)
    write_whole(place, (json.dumps(asdict(outcome), indent=2, sort_keys=True) + "\n").encode())


def kept(row: Architecture, scheme: str, work: Path) -> Outcome | None:
    """Return the outcome that was kept, None where there is none."""
    place = _kept(row, scheme, work)
    return Outcome(**json.loads(place.read_text("utf-8"))) if place.exists() else None


def _kept(row: Architecture, scheme: str, work: Path) -> Path:
    return work / "results" / row.id / f"{scheme}.json"
