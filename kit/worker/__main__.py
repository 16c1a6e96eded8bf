"""Run one job: `python -m kit.worker IN OUT`. Reads IN/job.json, writes OUT/result.json and the files.

Or, where there is an IN/metrics.json, the user's own metrics on outputs that are there.
"""

from __future__ import annotations

import faulthandler
import hashlib
import os
import platform
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from kit.shared.another_version import LESS
from kit.shared.job import EVALUATED, GOLDEN, JOB, MODEL, RESULT, Job, JobError, Refusal, Result, dump, load_job
from kit.shared.own_metrics import METRICS, MetricValues
from kit.shared.own_metrics import dump as dump_values
from kit.worker.loaders.keras_choice import choose_keras, keras_of
from kit.worker.own_metrics import run_own_metrics
from kit.worker.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kit.worker.source.contract import Contract
    from kit.worker.source.model import Source


def main(folder: Path, out: Path) -> None:
    """Do the job and say how it went; only a crash leaves no result.json."""
    progress = Progress()
    faulthandler.enable()  # a fault of C++ leaves the Python lines that led to it in the log
    outcome: Result | Refusal | MetricValues
    try:
        if (folder / METRICS).exists():
            outcome = run_own_metrics(folder, progress.stage)
        else:
            outcome = work(load_job((folder / JOB).read_text("utf-8")), folder, out, progress)
    except JobError as error:
        traceback.print_exc()
        outcome = error.refusal
    except Exception as error:  # noqa: BLE001 - the last place that can turn a fault into a result
        traceback.print_exc()
        from kit.worker.failures.causes import described, next_step

        outcome = Refusal("model", f"cannot {progress.doing}: {described(error)}", next_step(error, LESS))
    (out / RESULT).write_text(dump_values(outcome) if isinstance(outcome, MetricValues) else dump(outcome), "utf-8")


_POSITIVE = (
    "random inputs of -1 to 1 give nothing but NaN, so it is measured on inputs of 0 to 1; "
    "[[inputs]] range = [lowest, highest] says what they hold"
)


def work(job: Job, folder: Path, out: Path, progress: Progress) -> Result:
    """Load, convert, run what was produced, prove and measure it; return what to tell the host."""
    progress.stage("start TensorFlow")
    choose_keras(job)
    import tensorflow as tf

    from kit.shared.npz import save_npz
    from kit.worker.conversion import eigen_cache
    from kit.worker.evaluation import data
    from kit.worker.evaluation.broken_numbers import has_nan_output, refuse_nan_outputs
    from kit.worker.evaluation.sizes import positive_inputs
    from kit.worker.pipeline import make

    portable = eigen_cache.fix_cache_sizes()
    source, contracts = _loaded(job, folder, progress)
    if job.freeze:
        return _frozen(job, source, contracts, out, progress)
    arrays = data.read(folder, job, contracts)
    progress.stage(f"convert to {job.scheme}")
    made = make(job, source, contracts, arrays, progress.step)

    progress.stage("run the float model")
    floats, notes = made.reference(contracts, arrays.evaluation, arrays.measured_on), made.notes
    if arrays.measured_on == "random" and has_nan_output(floats.values()):
        # A logarithm or a root takes no negative numbers, and these are the kit's own choice.
        arrays = data.read(folder, positive_inputs(contracts[0], job), contracts)
        floats = made.reference(contracts, arrays.evaluation, arrays.measured_on)
        notes = (*notes, _POSITIVE)
    for predictions in floats.values():
        refuse_nan_outputs(job, predictions, random=arrays.measured_on == "random")
    progress.stage("run the converted model")
    checked = made.check(contracts, arrays.evaluation, floats, arrays.sizes, progress.advance)

    main = contracts[0].key
    (out / MODEL).write_bytes(made.content)
    save_npz(out / EVALUATED, checked.evaluated(main, floats[main], arrays.y, random=arrays.measured_on == "random"))
    save_npz(out / GOLDEN, made.golden(contracts, arrays, checked, floats))
    signatures = [made.product.signatures[contract.key] for contract in contracts]
    return Result(
        signature=signatures[0],
        others=tuple(signatures[1:]),
        kept=made.kept,
        train=None if made.train is None else made.train.signature,
        variables=made.statuses,
        flex=made.product.flex,
        notes=(*source.notes, *notes, *checked.notes),
        drawn=tuple(sorted(made.product.random.get(main, ()))),
        samples=len(next(iter(arrays.evaluation[main].values()), ())),
        measured_on=arrays.measured_on,
        parameters=source.parameters,
        loader=source.loader,
        tensorflow=tf.__version__,
        machine=platform.machine(),
        portable=portable,
        scaled=made.scaled,
        unsure=made.unsure,
        sha256=hashlib.sha256(made.content).hexdigest(),
        layers=source.inner,
    )


def _loaded(job: Job, folder: Path, progress: Progress) -> tuple[Source, tuple[Contract, ...]]:
    """Return the model and what it promises, after the checks that need nothing but the model."""
    from kit.worker.evaluation.broken_numbers import refuse_nan_weights
    from kit.worker.failures.layer_calls import watch_calls
    from kit.worker.graph.suspects import suspects
    from kit.worker.loaders.front import start_behind
    from kit.worker.loaders.load import load
    from kit.worker.source.contract import resolve

    watch_calls(
        [keras_of(legacy=part.legacy_keras) for part in job.parts if part.format != "SavedModel"], progress.layer
    )
    progress.stage("load the model")
    source = start_behind(load(folder, job), job)
    refuse_nan_weights(job, source.variables)
    progress.step("trace the model")
    contracts = resolve(job, source)
    progress.suspect(suspects([contract.traced for contract in contracts], source.inner))
    if job.freeze and job.streaming:
        raise JobError(
            "recipe",
            "[model] streaming is for a .tflite, and these formats hold the model",
            "leave [model] streaming out",
        )
    return source, contracts


def _frozen(job: Job, source: Source, contracts: Sequence[Contract], out: Path, progress: Progress) -> Result:
    """Write the other formats; a result without a product has no measures."""
    import tensorflow as tf

    from kit.worker.frozen.formats import write

    progress.stage("freeze")
    made = write(job, source, contracts, out, progress.advance)
    return Result(
        signature=made.signatures[0],
        others=made.signatures[1:],
        kept=made.kept,
        train=None,
        variables=made.statuses,
        flex=(),
        notes=(*source.notes, *made.notes),
        drawn=(),
        samples=job.golden,
        measured_on="random",
        parameters=source.parameters,
        loader=source.loader,
        tensorflow=tf.__version__,
        machine=platform.machine(),
        portable=True,
        weights=source.weights,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
    sys.stderr.flush()
    # The result is on the disk: taking TensorFlow down in order would only cost half a second.
    os._exit(0)
