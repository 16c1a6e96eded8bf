"""Start as an app starts: import the runtime, load a bundle's model, make a first call; then time the harness.

Usage: benchmark_script.py EMULATE THREADS SECONDS. A script of the runtime's venv: never imported. EMULATE is a folder
with the harness of a bundle. It prints one line of JSON: the moments at which Python ran, the runtime was imported, the
model was loaded, its input read and the first outputs were there, in seconds of the machine's monotonic clock, which
the process that started it has, too; "memory", how many bytes the process took at its highest beyond what it had when
the runtime was imported, None where the system does not say; and, where SECONDS is not 0, "harness", the seconds of a
call through the harness. Where it cannot go on it prints {"error", "hint", "code"} and ends with 3.
"""

from __future__ import annotations

import time

RUNS = time.monotonic()  # before all other imports

import contextlib  # noqa: E402
import importlib  # noqa: E402
import json  # noqa: E402
import statistics  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

STATUS, PEAK = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def main() -> int:
    """Start, call, and say when it was."""
    sys.path.insert(0, sys.argv[1])
    sys.path.append(str(Path(__file__).parents[2]))  # of kit: what is imported of it needs numpy alone
    from emulate import this_bundle
    from harness.calls import call_of
    from harness.errors import EmulateError
    from harness.golden import read_golden
    from harness.interpreter import ask, load_runner, quiet
    from harness.model import read_model
    from harness.state import assign

    try:
        with quiet():
            for package in ("ai_edge_litert.interpreter", "tflite_runtime.interpreter"):
                with contextlib.suppress(Exception):  # load_runner says so, in its own words
                    importlib.import_module(package)
            before = memory_now()
            moments = {"runs": RUNS, "imported": time.monotonic()}
            model = read_model(this_bundle())
            runner = load_runner(model, int(sys.argv[2]))
            moments["loaded"] = time.monotonic()
            vectors = read_golden(model)
            values = call_of(model.main.inputs, vectors.inputs(model.main), 0)
            assign(model.variables, runner, vectors.variables(model.variables))
            moments["fed"] = time.monotonic()
            ask(runner, model.main, values)
            moments["called"] = time.monotonic()
            harness = None
            if seconds := float(sys.argv[3]):
                from kit.emulation.by_turns import Turn, time_by_turns

                (timing,) = time_by_turns([Turn(lambda: ask(runner, model.main, values))], seconds)
                harness = statistics.median(timing.blocks)
            memory = None if before is None else memory_peak() - before
    except EmulateError as error:
        sys.stdout.write(json.dumps({"error": str(error), "hint": error.hint, "code": error.code}) + "\n")
        return 3
    sys.stdout.write(json.dumps({**moments, "memory": memory, "harness": harness}) + "\n")
    return 0


def memory_now() -> int | None:
    """Return the bytes that this process has in memory, and count its peak from here; None where no system says it."""
    try:
        PEAK.write_text("5")
        return _status("VmRSS:")
    except (OSError, LookupError):
        return None


def memory_peak() -> int:
    """Return the most bytes that this process had since memory_now."""
    return _status("VmHWM:")


def _status(name: str) -> int:
    """Return a line of /proc/self/status in bytes. Raises LookupError where there is none."""
    for line in STATUS.read_text("ascii").splitlines():
        if line.startswith(name):
            return 1024 * int(line.split()[1])
    raise LookupError(name)


if __name__ == "__main__":
    raise SystemExit(main())
