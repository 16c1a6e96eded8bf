"""Run one job: `python -m kit.worker IN OUT`. Reads IN/job.json, writes OUT/result.json and the files."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback
from pathlib import Path

from kit.worker.job import ANSWERS, GOLDEN, JOB, MODEL, RESULT, Job, JobError, Refusal, Result, dump, load_job
from kit.worker.progress import Progress


def main(folder: Path, out: Path) -> None:
    """Do the job and say how it went; only a crash leaves no result.json."""
    progress = Progress()
    outcome: Result | Refusal
    try:
        outcome = work(load_job((folder / JOB).read_text("utf-8")), folder, out, progress)
    except JobError as error:
        traceback.print_exc()
        outcome = error.refusal
    except Exception as error:  # noqa: BLE001 - the last place that can turn a fault into an answer
        traceback.print_exc()
        first = (str(error).strip().splitlines() or [""])[0][:300]
        outcome = Refusal("model", f"{type(error).__name__}: {first}", "the log has the whole message")
    (out / RESULT).write_text(dump(outcome), "utf-8")


def work(job: Job, folder: Path, out: Path, progress: Progress) -> Result:
    """Load, convert, run what was produced, measure; return what to tell the host."""
    progress.stage("start TensorFlow")
    import tensorflow as tf

    from kit.npz import save_npz
    from kit.worker import blocking, convert, data, measure, product, source

    portable = blocking.fix_cache_sizes()
    progress.stage("load the model")
    model = source.load(folder / job.model, job)
    source.check_names(job, model)
    shapes = source.fix_shapes(model, {wish.name: wish for wish in job.inputs})
    arrays = data.read(folder, job, model, shapes)

    progress.stage(f"convert to {job.scheme}")
    with tempfile.TemporaryDirectory() as exported:
        convert.export(model, shapes, Path(exported))
        content = convert.convert(Path(exported), job, arrays.calibration)

    progress.stage("run the float model")
    floats = measure.reference(model, arrays.evaluation)
    progress.stage("run the converted model")
    made = product.Product(content, [p.name for p in model.inputs], [p.name for p in model.outputs])
    fed, answers = made.ask_all(arrays.evaluation, progress.advance)
    measures = measure.measure(job, arrays, made, floats, answers)

    (out / MODEL).write_bytes(content)
    save_npz(out / GOLDEN, measure.golden(job, arrays, made, fed, answers, floats))
    if job.answers:
        save_npz(out / ANSWERS, measure.answered(job, made, answers))
    samples = len(next(iter(arrays.evaluation.values())))
    return Result(
        made.inputs,
        made.outputs,
        measures,
        samples,
        arrays.measured_on,
        model.parameters,
        model.loader,
        tf.__version__,
        platform.machine(),
        portable,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
    sys.stderr.flush()
    # The answer is on the disk: taking TensorFlow down in order would only cost half a second.
    os._exit(0)
