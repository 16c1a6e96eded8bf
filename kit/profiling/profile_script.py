"""Time each operator of a bundle's call, as LiteRT's own profiler sees it, and write the inputs that it was given.

Usage: profile_script.py BUNDLE THREADS SECONDS MOST OUT SIGNATURE [INPUT ...]. A script of the runtime's venv: never
imported. SIGNATURE is the key of the one that is called, "" for the main one. Inputs are the first MOST samples of the
INPUTs, or of the golden vectors where there are none; the first one is timed.
OUT/inputs.npz has input/<name> [N, *shape of a call] in its tensor's dtype. OUT/report.json is
kit.profiling.timed.Timed as JSON, or {"error", "hint", "code"}.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from harness.files import Arrays
    from harness.model import Model
    from harness.signature import Signature

    from kit.profiling.events import Event
    from kit.profiling.litert_c import CompiledModel

WARM, FEWEST, MOST_CALLS = 0.1, 8, 400  # seconds that are not measured; calls with the profiler, and without


def main() -> int:
    """Profile the bundle; write report.json and inputs.npz."""
    bundle, threads, seconds, most, out, key, *files = sys.argv[1:]
    sys.path.insert(0, str(Path(bundle) / "emulate"))
    sys.path.append(str(Path(__file__).parents[2]))  # of kit: what is imported of it needs numpy alone
    from emulate import this_bundle
    from harness.errors import EmulateError, one_line
    from harness.interpreter import quiet
    from harness.model import read_model

    from kit.emulation.script_inputs import chosen_signature

    try:
        model = read_model(this_bundle())
        signature = chosen_signature(model, key)
        errors: list[dict[str, str]] = []
        feeds, variables = inputs_of(model, signature, files, int(most), errors)
        with quiet():
            report = timed(model, signature, feeds, variables, (int(threads), float(seconds)))
        report["errors"] = errors
        stacked = {f"input/{name}": np.stack([feed[name] for feed in feeds]) for name in signature.inputs}
        named: dict[str, Any] = stacked
        np.savez(Path(out) / "inputs.npz", **named)
    except EmulateError as error:
        report = {"error": one_line(error), "hint": error.hint, "code": error.code}
    except FileNotFoundError as error:
        report = {"error": str(error), "hint": "profile it on Linux, where the wheel has one", "code": 5}
    except (RuntimeError, ValueError) as error:
        report = {"error": one_line(error), "hint": "", "code": 4, **refusal_of(model)}
    (Path(out) / "report.json").write_text(json.dumps(report), "utf-8")
    return 3 if "error" in report else 0


def refusal_of(model: Model) -> dict[str, Any]:
    """Return {"error", "hint", "code"} where the interpreter does not load a model either: it says why."""
    from harness.errors import EmulateError, one_line
    from harness.interpreter import load_runner

    try:
        load_runner(model, 1)
    except EmulateError as error:
        return {"error": one_line(error), "hint": error.hint, "code": error.code}
    return {}


def inputs_of(
    model: Model, signature: Signature, files: list[str], most: int, errors: list[dict[str, str]]
) -> tuple[list[Arrays], Arrays]:
    """Return the inputs of the first calls, and the variables as built. Raises EmulateError where there are none.

    Of each call by input name, [*shape] in the tensor's dtype; a variable of its shape and dtype.
    """
    from harness.calls import call_of, count_calls
    from harness.errors import USAGE, EmulateError
    from harness.golden import read_golden

    from kit.emulation.script_inputs import samples

    golden = read_golden(model) if model.bundle.golden.is_file() else None
    variables = golden.variables(model.variables) if golden else {}
    if files:
        feeds = [feed for _, feed in itertools.islice(samples(signature, files, errors), most)]
        shapes = {name: feeds[0][name].shape for name in signature.inputs} if feeds else {}
        feeds = [feed for feed in feeds if all(feed[name].shape == shape for name, shape in shapes.items())]
        why = "; ".join(f"{error['error']}" for error in errors) or "there is none in them"
        if not feeds:
            raise EmulateError(f"none of the files is an input: {why}", "give files that the model takes", USAGE)
        return feeds, variables
    if golden is None or not golden.has_vectors(signature):
        raise EmulateError(f"{signature.key!r} has no golden vectors", "give files: -- FILES", USAGE)
    arrays = golden.inputs(signature)
    count = min(most, count_calls(signature, arrays))
    return [call_of(signature.inputs, arrays, index) for index in range(count)], variables


def timed(
    model: Model, signature: Signature, feeds: list[Arrays], variables: Arrays, asked: tuple[int, float]
) -> dict[str, Any]:
    """Return what report.json has. Raises RuntimeError where LiteRT does not run the model.

    feeds: by input name, [*shape] in the tensor's dtype; variables: of their shapes and dtypes; asked: threads and
    seconds.
    """
    from kit.profiling.events import added_up, faster_half
    from kit.profiling.litert_c import CompiledModel

    threads = asked[0]
    path = next(model.bundle.assets.glob("*.tflite"))
    compiled = CompiledModel.of(path, threads)
    if model.variables is not None:
        compiled.call_of(model.variables.assign.key, variables)()
    call = compiled.call_of(signature.key, feeds[0])
    profiled, bare = measured(compiled, call, asked)
    found = added_up(profiled)
    said = {"signature": signature.key, "samples": len(feeds), "threads": threads, "calls": len(bare)}
    return {**said, "call": 1e6 * faster_half(bare), **asdict(found)}


def measured(
    compiled: CompiledModel, call: Callable[[], None], asked: tuple[int, float]
) -> tuple[list[list[Event]], list[float]]:
    """Call for some seconds, by turns with the profiler and without; return the events, and the seconds without it.

    asked: threads, seconds. On one thread it is its CPU time: another program's turn is no part of a call.
    """
    threads, seconds = asked
    clock = time.thread_time if threads == 1 else time.perf_counter
    end = time.perf_counter() + WARM
    call()
    while time.perf_counter() < end:
        call()
    profiled: list[list[Event]] = []
    bare: list[float] = []
    end = time.perf_counter() + seconds
    while len(bare) < FEWEST or (time.perf_counter() < end and len(bare) < MOST_CALLS):
        call()  # not measured: the profiler's own work had the caches
        start = clock()
        call()
        bare.append(clock() - start)
        profiled.append(compiled.profiled(call))
    return profiled, bare


if __name__ == "__main__":
    raise SystemExit(main())
