"""Give a plan and its data to an engine. What to convert is the plan's; where it runs, the engine's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kit.engine import Engine, Limits, Order, run_job
from kit.errors import ModelError
from kit.plan import Plan
from kit.progress import Reporter
from kit.samples import Samples
from kit.worker.job import CALIBRATION, EVALUATION, InputWish, Job, OutputWish, Result

if TYPE_CHECKING:
    import numpy as np

GOLDEN_VECTORS = 8


@dataclass(frozen=True)
class Data:
    """The samples that a conversion uses: to calibrate, and to measure on. None where the recipe has none."""

    calibration: Samples | None
    evaluation: Samples | None

    def raw(self) -> dict[str, np.ndarray]:
        """Return what a later conversion needs to give the same file and golden vectors, as a person gave it.

        calibration/<name> and golden/<name> [N, ...]; pixels where there are pixels.
        """
        arrays: dict[str, np.ndarray] = {}
        if self.calibration:
            arrays |= {f"calibration/{name}": array for name, array in self.calibration.raw().items()}
        if self.evaluation:
            rows = range(min(GOLDEN_VECTORS, len(self.evaluation)))
            arrays |= {f"golden/{name}": array for name, array in self.evaluation.take(rows).raw().items()}
        return arrays


@contextmanager
def convert(
    plan: Plan, engine: Engine, data: Data, limits: Limits, reporter: Reporter, *, answers: bool = False
) -> Iterator[tuple[Result, Path]]:
    """Make the toolchain ready, run the job, and give its result with the folder of its files for this block.

    answers asks for answers.npz, too. Raises a KitError where the engine, the model or the data refuses.
    """
    _refuse_code(plan, engine)
    engine.prepare(plan.toolchain, reporter.note)
    job = replace(_job(plan, engine, data), answers=answers)
    order = Order(plan.recipe.model.id, plan.toolchain, job, plan.source.path, _arrays(data))
    with run_job(engine, order, limits, reporter) as made:
        yield made


def _refuse_code(plan: Plan, engine: Engine) -> None:
    code = plan.source.code
    if code and not engine.isolated and not plan.recipe.model.allow_code:
        raise ModelError(
            f"{plan.source.path}: it carries Python code that runs when it is loaded (in {', '.join(code[:5])}), "
            "and the local engine is no sandbox",
            "build it in a container (--engine docker), or trust it: [model] allow_code = true",
        )


def _job(plan: Plan, engine: Engine, data: Data) -> Job:
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
        calibrate=data.calibration is not None,
        evaluate=data.evaluation is not None,
        golden=GOLDEN_VECTORS,
    )


def _arrays(data: Data) -> dict[str, dict[str, np.ndarray]]:
    named = ((CALIBRATION, data.calibration), (EVALUATION, data.evaluation))
    return {name: samples.arrays() for name, samples in named if samples is not None}
