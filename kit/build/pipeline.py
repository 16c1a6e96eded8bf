"""The whole way of one build: recipe, toolchain, job, checks, bundle, emulation, verdict. Each step lives elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kit.android.codegen import write_sources
from kit.android.codegen.runtime_api import api_of
from kit.build.also_gate import check_also, check_operators, refuse_unknown_runtimes
from kit.build.checks import failures
from kit.build.compared_layers import can_explain, compare_layers
from kit.build.computed_sizes import refuse_computed_sizes
from kit.build.convert import Data, convert
from kit.build.gpu_gate import check_gpu, prepare_gpu
from kit.build.metrics import real_outputs
from kit.build.misfits import refuse_unfit_data
from kit.build.own_metrics import metric_place
from kit.build.plan import Plan
from kit.build.samples import representative, test_data
from kit.build.trial import run_trial
from kit.build.write_bundle import Judged, Parts, write_bundle
from kit.build.write_manifest import manifest_of, write_manifest
from kit.build.write_report import write_report
from kit.bundle.latency import Latency
from kit.bundle.manifest import BUNDLE, BuildRecord
from kit.bundle.manifest_entries import Manifest
from kit.bundle.replay_report import ReplayReport
from kit.bundle.whole import MANIFEST, record_path
from kit.emulation.run import replay_golden
from kit.emulation.scripts import Scripts, scripts_ahead
from kit.engine import Engine, JobFolder, Limits, choose_engine
from kit.files import check_place, json_bytes, replacing, sha256_file, temporary_folder, writable, write_whole
from kit.progress import Reporter
from kit.recipe.schema import Recipe
from kit.render import compile_ahead
from kit.report import page
from kit.shared.job import MODEL, Result
from kit.shared.quantization import LayerError
from kit.tflite.reader import read_tflite
from kit.toolchains.operator_support import check_fit
from kit.toolchains.selection import ASKED
from kit.toolchains.toolchain import find_runtime
from kit.toolchains.venv import runtime_venv

if TYPE_CHECKING:
    import numpy as np

_RUNS_THERE = 2  # all samples, and then the golden vectors of the finished bundle


@dataclass(frozen=True)
class Options:
    """How to build, as the command line says."""

    out: Path = Path("dist")
    engine: str = "auto"
    limits: Limits = field(default_factory=Limits)
    predictions: Path | None = None  # where to keep the new file's outputs of every evaluation sample


@dataclass(frozen=True)
class Built:
    """How a build ended. `bundle` is None where a gate refused; `manifest` is None there, too."""

    plan: Plan
    bundle: Path | None
    manifest: Manifest | None
    judged: Judged
    result: Result
    size: int
    engine: str
    layers: tuple[LayerError, ...] = ()  # of a file that a gate refused: where it differs from the float one
    latency: Latency | None = None  # of a file that a search chose: measured, and no part of the bundle

    @property
    def recipe(self) -> Recipe:
        """Return the plan's recipe."""
        return self.plan.recipe


MakeBundle = Callable[[Plan, Engine, Data, Options, Reporter], Built]


def build(plan: Plan, options: Options, reporter: Reporter, make: MakeBundle | None = None) -> Built:
    """Build a plan's bundle into options.out/<id>. make: what converts and writes it, where it is not one conversion.

    Raises a KitError with nothing half-written; a gate that refuses is no error here but a Built without bundle.
    """
    recipe = plan.recipe
    check_place(options.out / recipe.model.id, BUNDLE)
    api_of(recipe.android.runtime)  # refused before anything is converted
    refuse_unknown_runtimes(recipe)
    prepare_gpu(recipe, reporter)
    with temporary_folder("dropkit-data-") as folder:
        data = _read(plan, folder)
        if plan.reason != ASKED:
            reporter.note(f"toolchain: TensorFlow {plan.toolchain.tensorflow} ({plan.reason})")
        engine = choose_engine(options.engine, reporter.note)
        plan = replace(plan, metrics=metric_place(recipe, plan.toolchain, engine, options.limits))
        started = time.time()
        built = (make or _build)(plan, engine, data, options, reporter)
    if built.bundle is None:
        return built
    record = BuildRecord(
        engine=built.engine,
        machine=built.result.machine,
        started=int(started),
        seconds=round(time.time() - started, 1),
        models=tuple(str(source.path.resolve()) for source in plan.sources),
        key=plan.key,
        manifest=sha256_file(built.bundle / MANIFEST),
        predictions=None if options.predictions is None else sha256_file(options.predictions),
        latency=built.latency,
    )
    with writable(options.out):
        write_whole(record_path(built.bundle), json_bytes(asdict(record)))
    return built


def _read(plan: Plan, folder: Path) -> Data:
    """Read the recipe's data, what is large of it into folder. Raises RecipeError where it does not fit the model."""
    recipe = plan.recipe
    calibration = representative(recipe, plan.sources[0], folder, plan.raw_inputs)
    evaluation = test_data(recipe, plan.sources[0], folder, plan.raw_inputs)
    refuse_unfit_data(recipe, plan.sources, calibration, f"[quantize] {recipe.quantize.representative}")
    refuse_unfit_data(recipe, plan.sources, evaluation, f"[checks] {recipe.checks.data}")
    return Data(calibration, evaluation)


def _build(plan: Plan, engine: Engine, data: Data, options: Options, reporter: Reporter) -> Built:
    """Convert, judge, and write the bundle where nothing refuses."""
    runtime = find_runtime(plan.recipe.android.runtime)
    # What runs the file there imports its packages while the worker converts, and templates are compiled.
    compile_ahead(write_sources.TEMPLATES, write_sources.FILTERS)
    compile_ahead(page.TEMPLATES, page.FILTERS)
    python = runtime_venv(runtime, plan.runtime_lock, reporter.note)
    with (
        scripts_ahead(python, _RUNS_THERE, reporter.advance) as scripts,
        convert(plan, engine, data, options.limits, reporter) as (result, job),
    ):
        refuse_misfit(plan, result, job)
        parts = with_truth(Parts.of(plan, result, job, data.raw()), data)
        built = finish(parts, engine.name, options, reporter, scripts)
        if built.bundle is None and can_explain(plan, result, built.judged):
            layers = compare_layers(plan, engine, data, options.limits, reporter, (result, job))
            built = replace(built, layers=layers)
        return built


def refuse_misfit(plan: Plan, result: Result, job: JobFolder) -> None:
    """Refuse a file that the app's runtime cannot run, before anything runs it there.

    An interpreter may say less, and some end on what they do not know. Raises CheckError.
    """
    runtime = plan.recipe.android.runtime
    check_fit(job.out / MODEL, runtime)
    check_operators(plan.recipe, job.out / MODEL, result.flex)
    refuse_computed_sizes(plan.recipe, result, read_tflite(job.out / MODEL), find_runtime(runtime).name)


def finish(parts: Parts, engine: str, options: Options, reporter: Reporter, scripts: Scripts) -> Built:
    """Judge a converted model, and write its bundle where nothing refuses. engine: the name of what made it."""
    plan, recipe, result = parts.plan, parts.recipe, parts.result
    reporter.stage(f"run it on {find_runtime(recipe.android.runtime).name}")
    judged, predictions = run_trial(parts, reporter.note, scripts)
    size = len(parts.model)
    if failures(judged.verdicts):
        return Built(plan, None, None, judged, result, size, engine)
    target = options.out / recipe.model.id
    manifest = _write(target, parts, (judged, predictions), reporter, scripts)
    if options.predictions is not None:
        _keep(options.predictions, real_outputs(recipe, result.signature, predictions))
    return Built(plan, target, manifest, judged, result, size, engine)


def with_truth(parts: Parts, data: Data) -> Parts:
    """Return the parts with the samples that the file is checked on, and what is true of them."""
    shown = {"checks": data.evaluation, "representative": data.calibration}.get(parts.result.measured_on)
    parts, samples = replace(parts, shown=shown), data.evaluation
    return parts if samples is None else replace(parts, truths=samples.truths, framed=bool(samples.names))


def _keep(place: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write what the file gives for all samples.

    arrays: as kit.build.metrics.real_outputs has them, float32 or int64 [N, ...].
    """
    from kit.shared.npz import save_npz

    with temporary_folder("dropkit-") as folder:
        save_npz(folder / place.name, arrays)
        with writable(place.parent):
            write_whole(place, (folder / place.name).read_bytes())


def _write(
    target: Path, parts: Parts, trial: tuple[Judged, Mapping[str, np.ndarray]], reporter: Reporter, scripts: Scripts
) -> Manifest:
    """Write the bundle beside its place, replay its vectors there, and only then let it take its place.

    trial: what run_trial gives, arrays of [N, ...] in float32 among it.
    """
    judged, predictions = trial
    with replacing(target, BUNDLE) as staging:
        reporter.stage("write the bundle")
        bundle = write_bundle(staging, parts, judged)
        replayed = _emulate(staging, parts, reporter, scripts)
        check_also(parts.recipe, staging, reporter)
        check_gpu(parts.recipe, bundle, reporter)
        manifest = manifest_of(bundle, parts, judged, replayed)
        write_report(bundle, parts, manifest, predictions)
        manifest = write_manifest(bundle, manifest)
    reporter.close()
    return manifest


def _emulate(staging: Path, parts: Parts, reporter: Reporter, scripts: Scripts) -> ReplayReport:
    """Replay the golden vectors on the app's runtime, but for a file that no runtime from pip can run."""
    runtime = find_runtime(parts.recipe.android.runtime).name
    if flex := parts.result.flex:
        ops = ", ".join(flex)
        reporter.note(f"not run on {runtime}: {ops} are in no runtime but an app's that links select-tf-ops")
        return ReplayReport.not_run(f"needs select-tf-ops: {ops}")
    reporter.stage("replay its golden vectors")
    return replay_golden(staging, runtime, reporter.note, scripts)
