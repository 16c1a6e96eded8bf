"""[checks] gpu: LiteRT's GPU accelerator, estimated on a software driver, as a gate of a build."""

from __future__ import annotations

from kit.bundle.layout import Bundle
from kit.emulation.gpu import GPU_RUNTIME, run_own
from kit.emulation.gpu_report import GpuReport, judge
from kit.errors import CheckError, RecipeError
from kit.gpu.driver import find_driver
from kit.progress import Reporter
from kit.recipe.schema import Recipe


def prepare_gpu(recipe: Recipe, reporter: Reporter) -> None:
    """Fetch the driver where the recipe asks for the gate: before anything is converted.

    Raises RecipeError for an app whose runtime has no such GPU, EngineError where the driver cannot be had here.
    """
    if not recipe.checks.gpu:
        return
    if recipe.android.runtime != GPU_RUNTIME:
        raise RecipeError(
            f"{recipe.path}: [checks] gpu is for an app that links {GPU_RUNTIME}, and [android] runtime is "
            f"{recipe.android.runtime!r}",
            f'remove gpu, or write [android] runtime = "{GPU_RUNTIME}"',
        )
    find_driver(reporter.note)


def check_gpu(recipe: Recipe, bundle: Bundle, reporter: Reporter) -> None:
    """Run a bundle that has no manifest yet, where the recipe asks for it. Raises CheckError where the GPU is off."""
    if not recipe.checks.gpu:
        return
    reporter.stage("estimate it on a GPU")
    driver, runs = run_own(bundle, [""], reporter.note)
    model = recipe.model
    report = GpuReport(model.id, model.version, recipe.android.runtime, GPU_RUNTIME, driver.name, runs)
    try:
        judge(report)
    except CheckError as error:
        raise CheckError(
            f"{recipe.path}: refused, no bundle was written: [checks] gpu: {error.message}",
            f"remove [checks] gpu, and {error.hint}",
        ) from error
