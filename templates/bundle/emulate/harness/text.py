"""A report in lines for a user."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from .meaning import meaning
from .words import plural, short

if TYPE_CHECKING:
    from .checks import OutputCheck, PixelCheck, Replay, SignatureCheck, StateCheck, TrainingCheck
    from .entries import Result
    from .report import Report
    from .variables import Variable


def lines_of(report: Report) -> Iterator[str]:
    """Yield the lines that say to a user what --json says to a script."""
    runtime = report.runtime
    name, threads = f"{runtime.name} {runtime.version}", plural(runtime.threads, "thread")
    threads += "" if runtime.kernels == "default" else f", {runtime.kernels} kernels"
    app = f"; the app links {runtime.app}" if runtime.app else ""
    yield f"{' '.join(filter(None, (report.bundle, report.version)))} on {name}, {threads}{app}"
    if report.replay is not None:
        yield from _replay_lines(report.replay)
        yield from (f"  {sentence}" for sentence in meaning(report.replay, runtime))
    if report.loaded is not None:
        yield f"variables from {report.loaded}"
    if report.results:
        yield from _result_lines(report.results)
    if report.benchmark is not None:
        speed = f"median {report.benchmark.median_ms:.4g} ms, p90 {report.benchmark.p90_ms:.4g} ms a call"
        yield f"benchmark: {speed}, {report.benchmark.runs} runs, {threads}"
    if report.variables:
        yield from _variable_lines(report.variables)
    if report.saved is not None:
        yield f"variables saved to {report.saved}"


def _result_lines(results: Sequence[Result]) -> Iterator[str]:
    from .entry_text import result_lines  # not for a replay alone

    for result in results:
        yield from result_lines(result)


def _variable_lines(variables: Sequence[tuple[str, Variable]]) -> Iterator[str]:
    from .entry_text import variable_line

    for name, variable in variables:
        yield variable_line(name, variable)


def _replay_lines(replay: Replay) -> Iterator[str]:
    yield from _vector_lines(replay.main, "  ")
    for key, check in replay.others:
        yield f"  signature {key}: {plural(check.vectors, 'vector') if check.vectors else 'no golden vectors'}"
        yield from _vector_lines(check, "    ")
    if replay.train is not None:
        yield f"  train: {_training(replay.train)}"
    if replay.state is not None:
        yield f"  variables: {_state(replay.state)}"
    yield f"golden: {'pass' if replay.passed else 'fail'}, {plural(replay.main.vectors, 'vector')}"


def _vector_lines(check: SignatureCheck, indent: str) -> Iterator[str]:
    for name, output in check.outputs:
        yield f"{indent}output {name}: {_distances(output, check.vectors)}: {_verdict(output.passed)}"
    for name, output in check.edge_outputs:
        vectors = plural(check.edges, "edge vector")
        yield f"{indent}output {name} on {vectors}: {_distances(output, check.edges)}: {_verdict(output.passed)}"
    for name, pixels in check.pixels:
        yield f"{indent}pixels {name}: {_pixels(pixels)}: {_verdict(pixels.passed)}"
    for name, texts in check.texts:
        yield f"{indent}text {name}: {_pixels(texts)}: {_verdict(texts.passed)}"
    for name, sounds in check.sounds:
        yield f"{indent}audio {name}: {_pixels(sounds)}: {_verdict(sounds.passed)}"


def _distances(check: OutputCheck, vectors: int) -> str:
    if check.shapes is not None:
        ours, golden = check.shapes
        return f"of shape {list(ours)}, and vector {check.worst_vector} has {list(golden)}"
    unit = " steps" if check.unit == "steps" else ""
    at = f", {check.vectors_off} of {vectors} vectors are off, worst vector {check.worst_vector}"
    off = f"{short(check.worst)}{unit} ({check.allowed:.4g} allowed{'' if check.passed else at})"
    far = "" if check.from_float is None else f"; as built {check.from_float:.4g}{unit} from float"
    return f"max difference {off}{far}"


def _pixels(check: PixelCheck) -> str:
    if check.passed:
        return "pre-processing gives the same input"
    return f"pre-processing gives {check.different} of {check.of} values otherwise"


def _training(check: TrainingCheck) -> str:
    fell = f"loss {short(check.first)} ({short(check.as_built)} as built), then {short(check.last)}"
    return f"{fell} after {check.steps} steps on one vector: {_verdict(check.passed)}"


def _state(check: StateCheck) -> str:
    faults = [
        *(f"{name} is not as built" for name in check.read),
        *(f"{name} does not take another value" for name in check.assigned),
        *(f"{name} does not come back" for name in check.restored),
        *([] if check.golden else ["then the golden vectors are off"]),
    ]
    return f"{', '.join(faults) or 'as built, changed, and back'}: {_verdict(check.passed)}"


def _verdict(passed: bool) -> str:
    return "ok" if passed else "FAIL"
