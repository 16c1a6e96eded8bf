"""The whole way of one build: recipe, toolchain, job, checks, bundle, emulation, verdict. Each step lives elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.bundle import Parts, write_bundle, write_manifest
from kit.checks import Verdict, failures, judge
from kit.choice import ASKED
from kit.emulate import replay_golden
from kit.engine import Engine, Limits, Order, choose_engine, run_job
from kit.errors import ModelError
from kit.files import json_text, replacing, writable, write_whole
from kit.manifest import read_manifest
from kit.plan import Plan
from kit.progress import Reporter
from kit.recipe import Recipe
from kit.samples import Samples, representative, test_data
from kit.worker.job import CALIBRATION, EVALUATION, InputWish, Job, OutputWish, Result

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Options:
    """How to build, as the command line says."""

    out: Path = Path("dist")
    engine: str = "auto"
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Built:
    """How a build ended. `bundle` is None where a gate refused; `manifest` is None there, too."""

    recipe: Recipe
    bundle: Path | None
    manifest: Mapping[str, Any] | None
    verdicts: tuple[Verdict, ...] = ()
    result: Result | None = None
    size: int = 0
    engine: str = ""


def build(plan: Plan, options: Options, reporter: Reporter) -> Built:
    """Build a plan's bundle into options.out/<id>.

    Raises a KitError with nothing half-written; a gate that refuses is no error here but a Built without bundle.
    """
    recipe = plan.recipe
    target = options.out / recipe.model.id
    with writable(options.out):
        options.out.mkdir(parents=True, exist_ok=True)
    calibration, evaluation = representative(recipe, plan.source), test_data(recipe, plan.source)
    if plan.reason != ASKED:
        reporter.note(f"toolchain: TensorFlow {plan.toolchain.tensorflow} ({plan.reason})")
    engine = choose_engine(options.engine, reporter.note)
    _refuse_code(plan, engine)
    engine.prepare(plan.toolchain, reporter.note)
    order = Order(
        recipe.model.id,
        plan.toolchain,
        _job(plan, engine, calibration, evaluation),
        plan.source.path,
        _arrays(calibration, evaluation),
    )
    started = time.time()
    with run_job(engine, order, options.limits, reporter) as (result, files):
        size = (files / "model.tflite").stat().st_size
        verdicts = judge(recipe, result, size)
        if failures(verdicts):
            return Built(recipe, None, None, verdicts, result, size, engine.name)
        parts = Parts(recipe, plan.toolchain, plan.source, result, files, plan.runtime_lock, plan.key)
        _write(target, parts, verdicts, reporter)
    record = {"engine": engine.name, "started": int(started), "seconds": round(time.time() - started, 1)}
    write_whole(options.out / f"{recipe.model.id}.build.json", json_text(record).encode())
    return Built(recipe, target, read_manifest(target), verdicts, result, size, engine.name)


def _refuse_code(plan: Plan, engine: Engine) -> None:
    code = plan.source.code
    if code and not engine.isolated and not plan.recipe.model.allow_code:
        raise ModelError(
            f"{plan.source.path}: it carries Python code that runs when it is loaded (in {', '.join(code[:5])}), "
            "and the local engine is no sandbox",
            "build it in a container (--engine docker), or trust it: [model] allow_code = true",
        )


def _job(plan: Plan, engine: Engine, calibration: Samples | None, evaluation: Samples | None) -> Job:
    recipe = plan.recipe
    return Job(
        model=f"model{plan.source.suffix}",
        legacy_keras=plan.source.legacy,
        allow_code=engine.isolated or recipe.model.allow_code,
        scheme=recipe.quantize.scheme,
        io=recipe.io,
        inputs=tuple(InputWish(t.name, t.kind == "image", tuple(t.shape) if t.shape else None) for t in recipe.inputs),
        outputs=tuple(
            OutputWish(t.name, t.kind == "classes", plan.labels.get(t.name), t.activation or "none")
            for t in recipe.outputs
        ),
        calibrate=calibration is not None,
        evaluate=evaluation is not None,
    )


def _arrays(calibration: Samples | None, evaluation: Samples | None) -> dict[str, dict[str, np.ndarray]]:
    named = ((CALIBRATION, calibration), (EVALUATION, evaluation))
    return {name: samples.arrays() for name, samples in named if samples is not None}


def _write(target: Path, parts: Parts, verdicts: tuple[Verdict, ...], reporter: Reporter) -> None:
    """Write the bundle beside its place, run it there as an app would, and only then let it take its place."""
    with replacing(target) as staging:
        reporter.stage("write the bundle")
        signature = write_bundle(staging, parts)
        reporter.stage(f"run it on {parts.recipe.android.runtime}")
        emulation = replay_golden(staging, parts.recipe.android.runtime, reporter.note)
        write_manifest(staging, parts, signature, verdicts, emulation)
    reporter.close()
