"""The command: options in, a report out, and the exit code of what happened."""

import contextlib
import json
import os
import sys
import time
import traceback
import warnings
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TextIO

from .benchmark import benchmark
from .bundle import Bundle
from .calls import call_of
from .draw import can_draw
from .errors import INTERRUPTED, OFF, USAGE, EmulateError, one_line
from .files import Arrays
from .golden import read_golden
from .inputs import read_input
from .interpreter import Runner, load_runner, quiet
from .model import Model, read_model
from .options import Options, parse
from .progress import Bar
from .records import csv_of, jsonl_of
from .replay import replay
from .report import Interpreter, Report, Result
from .results import Run
from .run_inputs import Cores, run_inputs
from .saved import save_outputs
from .signature import Signature
from .spread import usable_cores
from .state import assign, read_state, save_state, variables_of
from .text import lines_of

MOST_MODELS = 2 << 30  # bytes of the model file in all processes together: an interpreter may copy its weights


def run(bundle: Bundle, argv: list[str] | None, more: str) -> int:
    """Run the command and return its exit code. more: what --help says behind the options."""
    warnings.simplefilter("ignore")
    try:
        options = parse(bundle, argv, more)
        with quiet() as screen:
            report = emulate(bundle, options, screen)
        _write(_text(report, options.form))
        return _end(report)
    except EmulateError as error:
        return _fail(f"{one_line(error)}; {error.hint}", error.code)
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)
    except Exception as error:  # noqa: BLE001
        return _fail(f"unexpected {type(error).__name__}: {one_line(error)}; --debug shows where", 1)


@dataclass(frozen=True)
class Loaded:
    """A model that is ready to run. cost: seconds that its runner took to load; screen: where a bar may stand."""

    model: Model
    signature: Signature
    runner: Runner
    cost: float
    screen: TextIO


def emulate(bundle: Bundle, options: Options, screen: TextIO) -> Report:
    """Return the report that the options ask for. screen: where a bar may stand. Raises EmulateError."""
    model = read_model(bundle)
    signature = _find_signature(model, options.signature)
    kept, asked = model.variables, options.of_variables
    if asked and kept is None:
        raise EmulateError(f"{asked[0]}: this bundle's model keeps no variables", f"leave {asked[0]} out")
    if options.save_images and not can_draw(signature):
        reason = f"{signature.key} has no one image to take and boxes, a mask or keypoints to give"
        raise EmulateError(f"--save-images: {reason}", "leave --save-images out")
    state = read_state(options.load, kept) if options.load and kept else {}
    begin = time.perf_counter()
    runner = load_runner(model, options.threads, options.kernels)
    loaded = Loaded(model, signature, runner, time.perf_counter() - begin, screen)
    runtime = Interpreter(runner.package, runner.version, runner.threads, bundle.runtime, runner.kernels)
    report = Report(bundle.id, model.version, bundle.kit, runtime)
    if options.golden or not (options.inputs or asked):
        report = replace(report, replay=replay(model, runner, read_golden(model)))
    if state:
        assign(kept, runner, state)
        report = replace(report, loaded=str(options.load))
    report = _run_inputs(report, loaded, options)
    if options.variables and kept:
        report = replace(report, variables=variables_of(kept, runner))
    if options.save and kept and not report.errors:  # half of the INPUTs are not what was asked for
        save_state(options.save, kept, runner)
        report = replace(report, saved=str(options.save))
    return report


def _run_inputs(report: Report, loaded: Loaded, options: Options) -> Report:
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
            save_outputs(options.save_outputs, ran.results, ran.raw)
    if options.runs and (report.results or not options.inputs):
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


def _find_signature(model: Model, key: str | None) -> Signature:
    """Return the signature that INPUTs go through. Raises EmulateError."""
    for signature in model.runnable:
        if key in (None, signature.key):
            return signature
    known = ", ".join(signature.key for signature in model.runnable)
    raise EmulateError(f"--signature {key}: the model takes no INPUT by that name", f"there is: {known}")


def _vector(model: Model, signature: Signature) -> Arrays:
    """Return the first golden vector of a signature, one call's worth of each input. Raises EmulateError.

    By name [rows, *sample] in the tensor's dtype.
    """
    try:
        return call_of(signature.inputs, read_golden(model).inputs(signature), 0)
    except KeyError as error:
        raise EmulateError(f"{signature.key} has no golden vector to time", "give an INPUT") from error


def _text(report: Report, form: str) -> str:
    """Return what goes to stdout: nothing where there is nothing but errors, and no script reads them."""
    if form == "json":
        return json.dumps(report.to_json(), indent=2) + "\n"
    if form in ("jsonl", "csv"):
        return csv_of(report) if form == "csv" else jsonl_of(report)
    return "" if report.found_nothing else "".join(f"{line}\n" for line in lines_of(report))


def _end(report: Report) -> int:
    """Say which INPUTs cannot be used, behind what the others gave; return the exit code."""
    for error in report.errors:
        sys.stderr.write((error.trace if _debugging() else "") + f"emulate: {error.line}\n")
    if report.replay is not None and not report.replay.passed:
        return OFF
    return USAGE if report.errors else 0


def _write(text: str) -> None:
    """Write text to stdout whole. Raises EmulateError where it cannot."""
    with contextlib.suppress(AttributeError):
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a label in any alphabet
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # What is left in the buffer must not be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise EmulateError(f"stdout: {one_line(error)}", "send the output elsewhere") from error


def _fail(message: str, code: int) -> int:
    if _debugging():
        traceback.print_exc()
    sys.stderr.write(f"emulate: {message}\n")
    return code


def _debugging() -> bool:
    return "--debug" in sys.argv
