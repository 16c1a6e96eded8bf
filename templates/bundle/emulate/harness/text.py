"""A report in lines for a user."""

from collections.abc import Iterator

from .found import Boxes, Embedding, Found, Mask, Points
from .meaning import meaning
from .numbers import Number
from .report import (
    Classes,
    ClassScore,
    OutputCheck,
    PixelCheck,
    Replay,
    Report,
    SignatureCheck,
    StateCheck,
    TextCount,
    TrainingCheck,
    Values,
)


def lines_of(report: Report) -> Iterator[str]:
    """Yield the lines that say to a user what --json says to a script."""
    runtime = report.runtime
    name, threads = f"{runtime.name} {runtime.version}", _plural(runtime.threads, "thread")
    threads += "" if runtime.kernels == "default" else f", {runtime.kernels} kernels"
    app = f"; the app links {runtime.app}" if runtime.app else ""
    yield f"{' '.join(filter(None, (report.bundle, report.version)))} on {name}, {threads}{app}"
    if report.replay is not None:
        yield from _replay_lines(report.replay)
        yield from (f"  {sentence}" for sentence in meaning(report.replay, report.runtime))
    if report.loaded is not None:
        yield f"variables from {report.loaded}"
    for result in report.results or ():
        at = "" if not result.index or result.seconds is None else f", from {result.seconds:.6g} s"
        yield result.input + ("" if result.index is None else f"[{result.index}]{at}")
        for text, count in result.texts:
            yield f"  {text}: {_tokens(count)}"
        for output, values in result.outputs:
            yield from _output_lines(output, values)
        if result.image is not None:
            yield f"  drawn in {result.image}"
    if report.benchmark is not None:
        speed = f"median {report.benchmark.median_ms:.4g} ms, p90 {report.benchmark.p90_ms:.4g} ms a call"
        yield f"benchmark: {speed}, {report.benchmark.runs} runs, {threads}"
    for variable, now in report.variables or ():
        values = now.values
        yield f"{variable}: {values.dtype} {list(values.shape)}, {_limits(values)}, mean {_short(now.mean)}"
    if report.saved is not None:
        yield f"variables saved to {report.saved}"


def _replay_lines(replay: Replay) -> Iterator[str]:
    yield from _vector_lines(replay.main, "  ")
    for key, check in replay.others:
        yield f"  signature {key}: {_plural(check.vectors, 'vector') if check.vectors else 'no golden vectors'}"
        yield from _vector_lines(check, "    ")
    if replay.train is not None:
        yield f"  train: {_training(replay.train)}"
    if replay.state is not None:
        yield f"  variables: {_state(replay.state)}"
    yield f"golden: {'pass' if replay.passed else 'fail'}, {_plural(replay.main.vectors, 'vector')}"


def _vector_lines(check: SignatureCheck, indent: str) -> Iterator[str]:
    for name, output in check.outputs:
        yield f"{indent}output {name}: {_distances(output, check.vectors)}: {_verdict(output.passed)}"
    for name, output in check.edge_outputs:
        vectors = _plural(check.edges, "edge vector")
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
    off = f"{_short(check.worst)}{unit} ({check.allowed:.4g} allowed{'' if check.passed else at})"
    far = "" if check.from_float is None else f"; as built {check.from_float:.4g}{unit} from float"
    return f"max difference {off}{far}"


def _pixels(check: PixelCheck) -> str:
    if check.passed:
        return "pre-processing gives the same input"
    return f"pre-processing gives {check.different} of {check.of} values otherwise"


def _tokens(count: TextCount) -> str:
    share = (
        f", {count.unknown} of them ({count.unknown / count.tokens:.0%}) not in the vocabulary" if count.tokens else ""
    )
    return f"{_plural(count.tokens, 'token')}{share}{f', {count.cut} cut off' if count.cut else ''}"


def _training(check: TrainingCheck) -> str:
    fell = f"loss {_short(check.first)} ({_short(check.as_built)} as built), then {_short(check.last)}"
    return f"{fell} after {check.steps} steps on one vector: {_verdict(check.passed)}"


def _state(check: StateCheck) -> str:
    faults = [
        *(f"{name} is not as built" for name in check.read),
        *(f"{name} does not take another value" for name in check.assigned),
        *(f"{name} does not come back" for name in check.restored),
        *([] if check.golden else ["then the golden vectors are off"]),
    ]
    return f"{', '.join(faults) or 'as built, changed, and back'}: {_verdict(check.passed)}"


def _output_lines(name: str, output: Classes | Values | Found) -> Iterator[str]:
    if isinstance(output, Boxes | Mask | Points | Embedding):
        yield from _found_lines(name, output)
        return
    if isinstance(output, Classes):
        yield f"  {name}"
        yield from (f"    {_short(score.score):<8} {_label(score)}" for score in output.top)
        return
    first = " ".join(_short(value) for value in output.values[:8])
    more = " ..." if len(output.values) > 8 else ""
    limits = f", {_limits(output)}" if output.shape else ""  # a single number is its own
    yield f"  {name}: {output.dtype} {list(output.shape)}{limits}: {first}{more}"


def _found_lines(name: str, found: Found) -> Iterator[str]:
    if isinstance(found, Boxes):
        count = len(found.boxes)
        yield f"  {name}: {f'{count} boxes' if count != 1 else '1 box'}"
        for box in found.boxes:
            edges = ", ".join(_short(edge) for edge in (box.left, box.top, box.right, box.bottom))
            yield f"    {_short(box.score):<8} {box.label or f'class {box.index}'}: {edges} (left, top, right, bottom)"
    elif isinstance(found, Mask):
        total = sum(each.pixels for each in found.classes)
        yield f"  {name}: a mask of {found.shape[1]} x {found.shape[0]}"
        for each in found.classes:
            yield f"    {each.pixels / total:<8.1%} {each.label or f'class {each.index}'}"
    elif isinstance(found, Points):
        yield f"  {name}: {_plural(len(found.points), 'keypoint')}"
        for point in found.points:
            place = f"{_short(point.x)}, {_short(point.y)}"
            yield f"    {_short(point.score):<8} {point.label or f'point {point.index}'}: {place} (x, y)"
    else:
        first = " ".join(_short(value) for value in found.values[:8])
        like = "" if found.similarity is None else f"; similarity with the first input {_short(found.similarity)}"
        yield f"  {name}: an embedding of {found.size}: {first}{' ...' if found.size > 8 else ''}{like}"


def _label(score: ClassScore) -> str:
    return f"class {score.index}" if score.label is None else score.label


def _limits(values: Values) -> str:
    return f"min {_short(values.min)}, max {_short(values.max)}"


def _verdict(passed: bool) -> str:
    return "ok" if passed else "FAIL"


def _short(value: Number) -> str:
    return "not finite" if value is None else f"{value:.4g}"


def _plural(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")
