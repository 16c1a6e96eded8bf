"""What INPUTs and --benchmark ask for: the results of all calls, and how long one takes."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TextIO

from .calls import call_of
from .entries import Result
from .errors import EmulateError
from .files import Arrays
from .inputs import read_input
from .interpreter import Runner, load_runner
from .model import Model
from .options import Options
from .progress import Bar
from .report import Report
from .run import Run
from .run_inputs import Cores, run_inputs
from .signature import Signature
from .spread import usable_cores

MOST_MODELS = 2 << 30  # bytes of the model file in all processes together: an interpreter may copy its weights


@dataclass(frozen=True)
class Loaded:
    """A model that is ready to run. cost: seconds that its runner took to load; screen: where a bar may stand."""

    model: Model
    signature: Signature
    runner: Runner
    cost: float
    screen: TextIO


def with_inputs(report: Report, loaded: Loaded, options: Options) -> Report:
    """Return the report with the results of INPUTs and the benchmark, where they are asked for. Raises EmulateError."""
    model, signature, runner = loaded.model, loaded.signature, loaded.runner
    if options.inputs:
        bar = Bar(loaded.screen)
        load = partial(load_runner, model, options.threads, options.kernels)
        cores = Cores(load, loaded.cost, _processes(model, options), bar.advance)
        ran = run_inputs(options.inputs, Run(signature, runner, options), cores)
        bar.close()
        report = replace(report, results=ran.results, errors=ran.errors)
        if options.save_outputs:
            from .saved import save_outputs

            save_outputs(options.save_outputs, ran.results, ran.raw)
    if options.runs and (report.results or not options.inputs):
        from .benchmark import benchmark

        first = _first(report.results[0], signature) if report.results else _vector(model, signature)
        report = replace(report, benchmark=benchmark(runner, signature, first, options.runs))
    return report


def _processes(model: Model, options: Options) -> int:
    """Return how many processes INPUTs may be shared among: one where a call changes what the next one gives."""
    if model.variables is not None:
        return 1
    most = max(1, MOST_MODELS // (2 * len(model.content)))
    return min(options.jobs or max(1, usable_cores() // options.threads), most)


def _first(result: Result, signature: Signature) -> Arrays:
    """Return what the first call of a result's INPUT is fed: [rows, *sample] of each input in its tensor's dtype."""
    return next(read_input(Path(result.input), signature)).feed


def _vector(model: Model, signature: Signature) -> Arrays:
    """Return the first golden vector of a signature, one call's worth of each input. Raises EmulateError.

    By name [rows, *sample] in the tensor's dtype.
    """
    from .golden import read_golden

    try:
        return call_of(signature.inputs, read_golden(model).inputs(signature), 0)
    except KeyError as error:
        raise EmulateError(f"{signature.key} has no golden vector to time", "give an INPUT") from error
