"""The command: options in, a report out, and the exit code of what happened.

Each part is imported where it is asked for: to replay golden vectors takes little longer than to import numpy and the
interpreter.
"""

import contextlib
import json
import os
import sys
import time
import warnings
from dataclasses import replace
from typing import TextIO

from .bundle import Bundle
from .errors import INTERRUPTED, OFF, USAGE, EmulateError, one_line
from .interpreter import load_runner, quiet
from .model import Model, read_model
from .options import Options, parse
from .report import Interpreter, Report
from .signature import Signature
from .state import assign, read_state, save_state
from .words import printable


def run(bundle: Bundle, argv: list[str] | None, more: str) -> int:
    """Run the command and return its exit code. more: what --help says behind the options."""
    warnings.simplefilter("ignore")
    try:
        options = parse(bundle, argv, more)
        with quiet() as screen:
            report = emulate(bundle, options, screen)
        _write(_text(report, options.form), options.form)
        return _end(report)
    except EmulateError as error:
        return _fail(f"{one_line(error)}; {error.hint}", error.code)
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)
    except Exception as error:  # noqa: BLE001
        return _fail(f"unexpected {type(error).__name__}: {one_line(error)}; --debug shows where", 1)


def emulate(bundle: Bundle, options: Options, screen: TextIO) -> Report:
    """Return the report that the options ask for. screen: where a bar may stand. Raises EmulateError."""
    model = read_model(bundle)
    signature = _find_signature(model, options.signature)
    kept, asked = model.variables, options.of_variables
    if asked and kept is None:
        raise EmulateError(f"{asked[0]}: this bundle's model keeps no variables", f"leave {asked[0]} out")
    if options.save_images:
        _check_drawable(signature)
    if options.save:
        from .targets import check_target

        check_target("save", options.save, bundle)
    state = read_state(options.load, kept) if options.load and kept else {}
    begin = time.perf_counter()
    runner = load_runner(model, options.threads, options.kernels)
    cost = time.perf_counter() - begin
    runtime = Interpreter(runner.package, runner.version, runner.threads, bundle.runtime, runner.kernels)
    report = Report(bundle.id, model.version, bundle.kit, runtime)
    if options.golden or not (options.inputs or asked):
        from .golden import read_golden
        from .replay import replay

        report = replace(report, replay=replay(model, runner, read_golden(model)))
    if state:
        assign(kept, runner, state)
        report = replace(report, loaded=str(options.load))
    if options.inputs or options.runs:
        from .with_inputs import Loaded, with_inputs

        report = with_inputs(report, Loaded(model, signature, runner, cost, screen), options)
    if options.variables and kept:
        from .variables import variables_of

        report = replace(report, variables=variables_of(kept, runner))
    if options.save and kept and not report.errors:  # half of the INPUTs are not what was asked for
        save_state(options.save, kept, runner)
        report = replace(report, saved=str(options.save))
    return report


def _find_signature(model: Model, key: str | None) -> Signature:
    """Return the signature that INPUTs go through. Raises EmulateError."""
    for signature in model.runnable:
        if key in (None, signature.key):
            return signature
    known = ", ".join(signature.key for signature in model.runnable)
    raise EmulateError(f"--signature {key}: the model takes no INPUT by that name", f"there is: {known}")


def _check_drawable(signature: Signature) -> None:
    """Raise EmulateError where --save-images can draw nothing."""
    from .draw import can_draw

    if not can_draw(signature):
        reason = f"{signature.key} has no one image to take and boxes, a mask or keypoints to give"
        raise EmulateError(f"--save-images: {reason}", "leave --save-images out")


def _text(report: Report, form: str) -> str:
    """Return what goes to stdout: nothing where there is nothing but errors, and no script reads them."""
    if form == "json":
        return json.dumps(report.to_json(), indent=2) + "\n"
    if form in ("jsonl", "csv"):
        from .records import csv_of, jsonl_of

        return csv_of(report) if form == "csv" else jsonl_of(report)
    from .text import lines_of

    return "" if report.found_nothing else "".join(f"{line}\n" for line in lines_of(report))


def _end(report: Report) -> int:
    """Say which INPUTs cannot be used, behind what the others gave; return the exit code."""
    for error in report.errors:
        _say((error.trace if _debugging() else "") + f"emulate: {error.line}\n")
    if report.replay is not None and not report.replay.passed:
        return OFF
    return USAGE if report.errors else 0


def _write(text: str, form: str) -> None:
    """Write text to stdout whole, nothing in it that steers a terminal. Raises EmulateError where it cannot."""
    if form == "text" or (form == "csv" and sys.stdout.isatty()):  # JSON has escapes of its own
        text = printable(text)
    with contextlib.suppress(AttributeError):
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a label in any alphabet
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # What is left in the buffer must not be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # its reader has enough: `| head`
            return
        raise EmulateError(f"stdout: {one_line(error)}", "send the output elsewhere") from error


def _fail(message: str, code: int) -> int:
    if _debugging():
        import traceback

        traceback.print_exc()
    _say(f"emulate: {message}\n")
    return code


def _say(text: str) -> None:
    """Write text to stderr, as much of it as can be."""
    try:
        sys.stderr.write(printable(text))
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _debugging() -> bool:
    return "--debug" in sys.argv
