"""What bundle.json says, as rows of the page."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from kit.bundle.manifest_entries import Manifest, OutputEntry
from kit.bundle.signature import TensorEntry
from kit.metrics.scorer import MetricMeasure
from kit.metrics.table import SHARES, title
from kit.report.numbers import NOISE, count, fixed, short, steady
from kit.report.page import CheckRow, TensorRow
from kit.report.values import Measured, Pairs

_MOST_VARIABLES = 40


def verdict(manifest: Manifest) -> tuple[str, bool]:
    """Return how the build ended, in a sentence, and whether nothing is beyond a limit."""
    checks = len(manifest.checks)
    beyond = sum(not check.passed for check in manifest.checks)
    if beyond:
        off = "" if manifest.gate else ", with the gate off"
        return f"Built{off}: {beyond} of {checks} checks are beyond their limits", False
    passed = f"All {checks} checks passed" if checks > 1 else "Its one check passed" if checks else "Built, unchecked"
    return (passed if manifest.gate else f"{passed}, with the gate off"), manifest.gate


def tiles(manifest: Manifest, measured: tuple[Measured, ...], size: tuple[int, int]) -> Iterator[tuple[str, str]]:
    """Yield the few numbers that tell most: (what it is, number). size: bytes of the model file, and of this one."""
    before, after = size
    yield "size", f"{count(before)} \N{RIGHTWARDS ARROW} {count(after)} (\N{MULTIPLICATION SIGN}{after / before:.2f})"
    first = next((row for row in measured if row.before), None)
    if first is not None:
        yield first.name, f"{first.before} \N{RIGHTWARDS ARROW} {first.after}"
    outputs = manifest.measures.outputs if manifest.measures else ()
    agreements = [output.agreement for output in outputs if output.agreement is not None]
    if agreements:
        yield "same class as the float model", _percent(min(agreements))
    steps = [output.worst_steps for output in outputs if output.worst_steps is not None]
    if steps:
        yield "max error", f"{max(steps):.1f} steps"
    elif outputs:
        yield "max error", _worst(max(outputs, key=lambda output: output.worst_share or 0.0))
    yield "scheme", f"{manifest.model.scheme}, {manifest.model.io} in and out"


def measured_on(manifest: Manifest) -> str:
    """Say on which samples and by what it was measured."""
    measures = manifest.measures
    if measures is None:
        return ""
    what = {
        "checks": f"{measures.samples:,} samples of [checks] data",
        "representative": f"{measures.samples:,} samples of the representative data",
        "random": f"{measures.samples:,} random inputs, which say little",
    }[measures.on]
    return f"Measured on {what}, with {measures.interpreter}."


def check_rows(manifest: Manifest) -> tuple[CheckRow, ...]:
    """Return every check and how it ended."""
    return tuple(
        CheckRow(check.name, check.limit, steady(check.value), "pass" if check.passed else "beyond")
        for check in manifest.checks
    )


def measured_rows(manifest: Manifest) -> tuple[Measured, ...]:
    """Return every number that was measured of the outputs."""
    outputs = manifest.measures.outputs if manifest.measures else ()
    return tuple(row for output in outputs for row in _measured(output, several=len(outputs) > 1))


def signature_rows(manifest: Manifest) -> tuple[TensorRow, ...]:
    """Return the inputs and outputs of the main signature, in their order."""
    signature = manifest.signature
    rows = [("input", tensor) for tensor in signature.inputs] + [("output", tensor) for tensor in signature.outputs]
    return tuple(
        TensorRow(
            role, tensor.name, tensor.dtype, " \N{MULTIPLICATION SIGN} ".join(map(str, tensor.shape)), _means(tensor)
        )
        for role, tensor in rows
    )


def variables(manifest: Manifest) -> Pairs:
    """Return the variables that the file keeps, and how many became something else."""
    kept = [each for each in manifest.variables if each.status == "kept"]
    rows = [(each.name, f"{each.dtype} {list(each.shape)}") for each in kept[:_MOST_VARIABLES]]
    if len(kept) > _MOST_VARIABLES:
        rows.append((f"and {len(kept) - _MOST_VARIABLES:,} more", ""))
    counts = Counter(each.status for each in manifest.variables if each.status != "kept")
    words = ", ".join(f"{number:,} {status}" for status, number in sorted(counts.items()))
    return Pairs(f"{len(kept):,} kept" + (f"; {words}" if words else ""), tuple(rows))


def provenance(manifest: Manifest) -> Pairs:
    """Return what made the bundle, and of what: nothing that differs by machine."""
    return Pairs("", tuple((name, value) for name, value in _provenance(manifest) if value))


def _provenance(manifest: Manifest) -> Iterator[tuple[str, str]]:
    toolchain, recipe = manifest.toolchain, json.loads(manifest.recipe.text)["model"]
    for source in manifest.source.files:
        keras = f"Keras {source.keras}" if source.keras else ""
        wrote = " and ".join(filter(None, (keras, f"TensorFlow {source.tensorflow}" if source.tensorflow else "")))
        yield "model file", f"{source.file}, {count(source.bytes)}" + (f", written by {wrote}" if wrote else "")
        yield "its SHA-256", source.sha256
    yield "weights", f"{manifest.source.parameters:,} parameters"
    yield "author", str(recipe.get("author") or "")
    yield "licence", str(recipe.get("license") or "")
    yield "converted by", f"TensorFlow {toolchain.tensorflow}, {toolchain.loader}, Python {toolchain.python}"
    yield "quantized by", toolchain.quantizer
    yield "dropkit", manifest.kit
    yield "model.tflite", f"{manifest.model.bytes:,} bytes"
    yield "its SHA-256", manifest.model.sha256
    yield "bytes", "the same on every type of CPU" if toolchain.any_cpu else "may differ on another type of CPU"


def _shape(tensor: TensorEntry) -> str:
    return " \N{MULTIPLICATION SIGN} ".join(map(str, tensor.shape))


def _means(tensor: TensorEntry) -> str:
    words = [] if tensor.kind == "tensor" else [tensor.kind]
    if tensor.scale is not None:
        words.append(f"real = {tensor.scale:.4g} * (q - {tensor.zero_point})")
    if tensor.image is not None:
        words.append(f"{tensor.image.color}, {tensor.image.resize}")
    if tensor.audio is not None:
        words.append(f"{tensor.audio.rate:,} samples a second")
    if tensor.labels:
        words.append(f"labels in {tensor.labels}")
    return ", ".join(words)


def _measured(output: OutputEntry, *, several: bool) -> Iterator[Measured]:
    of = f" ({output.name})" if several else ""
    if output.float_accuracy is not None and output.accuracy is not None:
        interval = next((each for each in output.metrics if each.name == "accuracy"), None)
        yield _points(f"accuracy{of}", output.float_accuracy, output.accuracy, interval)
    for metric in output.metrics:
        if metric.name != "accuracy":
            yield _metric(f"{title(metric.name, metric.k)}{of}", metric)
    if output.agreement is not None:
        yield Measured(f"same class as the float model{of}", "", _percent(output.agreement), "", "")
    yield Measured(f"max error{of}", "", _worst(output), "", "")
    if output.relative_error is not None:
        yield Measured(f"error as a share of the spread{of}", "", _percent(output.relative_error), "", "")
    if output.correlation is not None:
        yield Measured(f"correlation with the float model{of}", "", fixed(output.correlation, 4), "", "")


def _points(name: str, before: float, after: float, metric: MetricMeasure | None) -> Measured:
    """Return a share of the samples, with its change in points."""
    change = _signed(100 * (after - before), 2)
    interval = ""
    if metric is not None and metric.low is not None and metric.high is not None:
        interval = f"{_signed(-100 * metric.high, 2)} to {_signed(-100 * metric.low, 2)} points"
    return Measured(name, _percent(before), _percent(after), f"{change} points", interval)


def _metric(name: str, metric: MetricMeasure) -> Measured:
    if metric.why or metric.after is None:
        return Measured(name, "", f"no value: {metric.why}", "", "")
    if metric.before is None:
        return Measured(name, "", short(metric.after, 4), "", "")
    if metric.name in SHARES:
        return _points(name, metric.before, metric.after, metric)
    interval = ""
    if metric.low is not None and metric.high is not None:
        interval = f"{_sign(-metric.high)} to {_sign(-metric.low)}"
    return Measured(
        name, short(metric.before, 4), short(metric.after, 4), _sign(metric.after - metric.before), interval
    )


def _worst(output: OutputEntry) -> str:
    """Return the largest error of an output; what is next to nothing of its range is another on another CPU."""
    if output.worst_share is not None and output.worst_share <= NOISE:
        return "none but rounding"
    steps = "" if output.worst_steps is None else f" = {output.worst_steps:.1f} steps"
    share = "" if output.worst_share is None else f", {_percent(output.worst_share)} of its range"
    return f"{short(output.worst_error)}{steps}{share}"


def _percent(value: float) -> str:
    return f"{fixed(100 * value, 2)}%"


def _signed(value: float, decimals: int) -> str:
    text = fixed(value, decimals)
    return text if text.startswith("-") or not text.strip("0.") else f"+{text}"


def _sign(value: float) -> str:
    text = short(value, 3)
    return text if text.startswith("-") or text == "0" else f"+{text}"
