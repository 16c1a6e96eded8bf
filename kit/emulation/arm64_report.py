"""What an emulated arm64 machine made of a bundle, as values, lines and JSON. Runs nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kit.bundle.replay_report import PASS, ReplayReport
from kit.emulation.output_check import InputError, OutputCheck, check_lines
from kit.errors import CheckError

GOLDEN, EDGES, FILES = "golden vectors", "edge vectors", "your files"
_WHY = (
    "the runtime's own arm64 kernels, every instruction emulated: its outputs are an arm64 machine's, its time is not "
    "(docs/emulation.md)"
)


@dataclass(frozen=True)
class Bound:
    """How far an output may be off on another processor."""

    unit: str  # of distances: "steps" of quantization, or "absolute"
    allowed: float  # of the golden vectors
    largest: float  # absolute, of the golden vectors: a float's rounding error grows with it
    classes: bool

    def of(self, largest: float) -> float:
        """Return what is allowed where the largest absolute value is another."""
        return self.allowed if self.unit == "steps" or not self.largest else (
            self.allowed * max(1.0, largest / self.largest)
        )  # fmt: skip


@dataclass(frozen=True)
class ArmCheck(OutputCheck):
    """How far arm64's values are from this machine's, or from those as built. inputs: GOLDEN, EDGES or FILES."""

    off: int | None  # calls with any bit that differs; of golden vectors it is not known
    worst: float | None  # None: of another shape, or not finite where the other is

    @property
    def same(self) -> bool:
        """Say whether every value is the same."""
        return self.worst == 0

    @property
    def sentence(self) -> str:
        """Say how far it is off."""
        than = "as built" if self.inputs != FILES else "as on x86-64"
        if self.same:
            return f"{self.output}: {'the same bits' if self.unit == 'steps' else 'the same values'} {than}"
        how = "other or unlike many values" if self.worst is None else f"max difference {self.distance(self.worst)}"
        parts = [f"{self.output}: {how} ({self.allowed:.3g} allowed)"]
        if self.off is not None:
            parts.append(f"in {self.off} of {self.calls} calls")
        if self.top1:
            parts.append(f"top-1 {than} in {self.top1[0]} of {self.top1[1]}")
        return ", ".join(parts)


@dataclass(frozen=True)
class ScriptReport:
    """What the script found on one processor."""

    package: str  # "ai-edge-litert 2.3.0"
    calls: int
    seconds: float  # of CPU time, of a call: the median
    replay: ReplayReport
    bounds: Mapping[str, Bound]  # of each output of the signature that files go through
    sources: tuple[str, ...]  # of each sample the name of its file
    errors: tuple[InputError, ...]

    @staticmethod
    def from_json(raw: Mapping[str, Any]) -> ScriptReport:
        """Return the script's report. Raises TypeError or KeyError where it is none."""
        return ScriptReport(
            str(raw["package"]),
            int(raw["calls"]),
            float(raw["seconds"]),
            ReplayReport.from_json(raw["replay"]),
            {str(name): Bound(**bound) for name, bound in raw["outputs"].items()},
            tuple(map(str, raw["sources"])),
            tuple(InputError(**error) for error in raw["errors"]),
        )


@dataclass(frozen=True)
class ArmReport:
    """A bundle on an emulated arm64 machine."""

    bundle: str
    version: str  # of the model
    app: str  # the runtime that the app links
    package: str  # "ai-edge-litert 2.3.0"
    cpu: str  # "cortex-a76"
    emulator: str  # "qemu 10.0.2"
    calls: int
    seconds: float  # of all, with the start
    call_seconds: float  # of CPU time, the median
    slowdown: float  # of a call, beside this machine's
    verdict: str  # of the golden vectors, as the harness gives it
    faults: tuple[str, ...]  # of them, in sentences
    checks: tuple[ArmCheck, ...]
    errors: tuple[InputError, ...]

    def to_json(self) -> dict[str, Any]:
        """Return what --json prints."""
        document = asdict(self) | {"arch": "arm64", "note": _WHY}
        for check, raw in zip(self.checks, document["checks"], strict=True):
            raw["same"] = check.same
        return document


def golden_checks(replay: ReplayReport) -> Iterator[ArmCheck]:
    """Yield what the harness found of every signature's golden vectors."""
    raw = replay.to_json()
    for key, vectors in {"": raw, **raw.get("signatures", {})}.items():
        for inputs, part in {GOLDEN: vectors, EDGES: vectors.get("edges", {"outputs": {}})}.items():
            for name, found in part["outputs"].items():
                worst = found["worst_steps" if found["unit"] == "steps" else "worst"]
                unit, allowed, passed = found["unit"], found["allowed"], bool(found["pass"])
                yield ArmCheck(inputs, key, name, int(part["vectors"]), unit, allowed, None, passed, None, worst)


def file_checks(
    bounds: Mapping[str, Bound], signature: str, ours: Sequence[Mapping[str, np.ndarray]],
    theirs: Sequence[Mapping[str, np.ndarray]],
) -> Iterator[ArmCheck]:  # fmt: skip
    """Yield what differs between two processors' outputs of the same samples, output by output.

    ours, theirs: of each sample its outputs by name, of any shape and dtype; theirs are of this machine.
    """
    for name, bound in bounds.items():
        pairs = [(left[name], right[name]) for left, right in zip(ours, theirs, strict=True)]
        off = sum(left.tobytes() != right.tobytes() for left, right in pairs)
        apart = [_distance(left, right) for left, right in pairs]
        worst = None if None in apart else max((each for each in apart if each is not None), default=0.0)
        allowed = bound.of(max((_largest(right) for _, right in pairs), default=0.0))
        top1 = _top1(pairs) if bound.classes and worst is not None else None
        passed = worst is not None and worst <= allowed
        yield ArmCheck(FILES, signature, name, len(pairs), bound.unit, allowed, top1, passed, off, worst)


def _distance(left: np.ndarray, right: np.ndarray) -> float | None:
    """Return the largest difference of two outputs; None where one is of another shape, or not finite alone.

    left, right: of any shape and dtype.
    """
    if left.shape != right.shape:
        return None
    ours, wanted = left.astype(np.float64), right.astype(np.float64)
    same = (ours == wanted) | (np.isnan(ours) & np.isnan(wanted))
    with np.errstate(invalid="ignore"):
        off = np.where(same, 0.0, np.abs(ours - wanted))
    worst = float(off.max(initial=0.0))
    return worst if np.isfinite(worst) else None


def _largest(array: np.ndarray) -> float:
    """Return the largest finite absolute value of an array of any shape and dtype."""
    values = np.abs(array.astype(np.float64))
    return float(np.max(values, where=np.isfinite(values), initial=0.0))


def _top1(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[int, int]:
    """Return in how many rows the largest value is the same one, and how many rows there are.

    pairs: of each call two outputs, [..., classes] of any one dtype.
    """
    same = rows = 0
    for pair in pairs:
        ours, theirs = (np.argmax(array.reshape(-1, array.shape[-1]), axis=-1) for array in pair)
        same, rows = same + int((ours == theirs).sum()), rows + len(ours)
    return same, rows


def lines_of(report: ArmReport) -> Iterator[str]:
    """Yield the lines that a user reads."""
    yield f"{report.bundle} {report.version} on arm64: {report.package}, {report.cpu} by {report.emulator}"
    yield f"  the app links {report.app}"
    yield from check_lines(report.checks, "  ")
    took = f"{report.call_seconds:.2g} s" if report.call_seconds >= 0.1 else f"{1000 * report.call_seconds:.2g} ms"
    yield f"  a call took {took}, {report.slowdown:.0f} times as long as on this machine"
    yield _WHY


def judge(report: ArmReport) -> None:
    """Raise CheckError where arm64's outputs are off."""
    wrong = [] if report.verdict == PASS else [*report.faults]
    failed = [check for check in report.checks if check.inputs == FILES and not check.passed]
    wrong += [f"{check.inputs}: {check.sentence}" for check in failed]
    if wrong:
        raise CheckError(
            f"{report.bundle}: on arm64 ({report.cpu}): {'; '.join(wrong)}",
            "an app on a phone gives these outputs: try another runtime with --runtime, or another [quantize] scheme",
        )
